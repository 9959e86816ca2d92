"""``paperwatch explain``: a score taken apart, to the last digit."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import typer
from rich.text import Text

from app import build
from app.commands.console import plain
from app.failures import CommandError
from db import subscriber_store
from jobs import reading
from jobs.alerts import wording
from jobs.alerts.digest import BARS, Item, Part
from jobs.alerts.readable import readable
from profiles.profile import Profile
from recommender.mutes import Filter
from recommender.paper import paper_key

_SHOWN = 15
_CELLS = 24  # of the longest bar on a wide terminal


def explain(reference: str, profile_name: str, *, as_json: bool, everything: bool) -> None:
    """Print why a paper has its score in a profile."""
    try:
        key = paper_key(reference)
    except ValueError as exc:
        raise CommandError(str(exc), status=2) from exc
    service = build.service()
    with service.database.reading() as session:
        profile = subscriber_store.profile_named(session, profile_name)
    item = reading.explained(service, profile, key, build.now())
    if item is None:
        raise CommandError(f"{key} is not on hand; `paperwatch papers` lists what is, and ingest brings more")
    if as_json:
        typer.echo(json.dumps(as_object(item, profile), ensure_ascii=False, indent=2))
        return
    _print(item, profile, everything)


def as_object(item: Item, profile: Profile) -> dict[str, Any]:
    """An explanation for machines: the contributions sum to the score to within 1e-6."""
    return {
        "paper": {"id": item.paper.id, "title": item.paper.title, "url": item.paper.url},
        "profile": {"id": profile.id, "name": profile.name},
        "score": item.score, "strength": item.strength, "reason": item.reason,
        "muted": Filter.of(profile.interests.mutes).reason(item.paper),
        "contributions": [
            {"kind": c.kind, "name": c.name, "value": c.value, "via": c.via} for c in item.contributions
        ],
    }  # fmt: skip


def strength_bar(item: Item) -> str:
    """Four cells and the word: ``▮▮▮▯ good``."""
    filled = BARS[item.strength]
    return f"{'▮' * filled}{'▯' * (4 - filled)} {item.strength}"


def _print(item: Item, profile: Profile, everything: bool) -> None:
    out = plain(soft_wrap=True)
    out.print(Text(wording.title(item.paper), style="bold"))
    out.print(Text(" · ".join(filter(None, (item.paper.id, wording.facts(item.paper)))), style="dim"))
    out.print(f"{strength_bar(item)} for {readable(profile.name)}, score {item.score:.4f}")
    if muted := Filter.of(profile.interests.mutes).reason(item.paper):
        out.print(f"never shown: {readable(muted)}")
    if item.reason:
        out.print(f"Why: {readable(item.reason)}")
    if not item.contributions:
        out.print("Nothing in this paper is in the profile, for or against.")
        return
    shown = item.contributions if everything else item.contributions[:_SHOWN]
    out.print()
    for line in _lines(item, shown, out.width):
        out.print(line)


def _lines(item: Item, shown: Sequence[Part], width: int) -> list[Text]:
    """The strongest contributions as bars on one scale, the rest in one line, and the sum."""
    names = [readable(c.name) if c.kind == "term" else f"{c.kind}: {readable(c.name)}" for c in shown]
    label = min(34, max(13, *map(len, names)))
    cells = _CELLS if width >= 100 else _CELLS // 2
    longest = max(abs(c.value) for c in shown)
    lines = []
    for name, part in zip(names, shown, strict=True):
        line = Text(f"  {wording.ellipsis(name, label):<{label}}  {part.value:+.4f}  ")
        filled = max(1, round(cells * abs(part.value) / longest))
        line.append(("█" if part.value > 0 else "▒") * filled, style="green" if part.value > 0 else "red")
        room = width - len(line) - cells + filled - 9
        if part.via and room > 10:
            via = wording.ellipsis(readable(part.via), room)
            line.append(" " * (cells - filled) + f'  from "{via}"', style="dim")
        lines.append(line)
    rest = [c.value for c in item.contributions[len(shown) :]]
    if rest:
        smaller = f"{len(rest)} smaller one{'' if len(rest) == 1 else 's'}"
        lines.append(Text(f"  {smaller:<{label}}  {sum(rest):+.4f}  --all shows them", style="dim"))
    return [*lines, Text(f"  {'score':<{label}}  {item.score:+.4f}", style="bold")]
