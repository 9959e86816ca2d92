"""``paperwatch preview``: the latest days on hand, before and after an edit of a profile."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import typer
from rich.table import Table
from rich.text import Text

from app import build
from app.commands.console import plain
from app.commands.explaining import strength_bar
from app.failures import CommandError
from db import subscriber_store
from jobs import preview as job
from jobs.alerts import wording
from jobs.alerts.digest import Item
from jobs.alerts.readable import readable
from jobs.preview import Preview, WhatIf
from profiles.edits import Wanted, edited
from profiles.request import RequestError


def preview(name: str, changes: Sequence[str], drops: Sequence[str], days: int, *, as_json: bool) -> None:
    """Print what a profile would have got, and what these edits would have changed; nothing is stored."""
    service = build.service()
    with service.database.reading() as session:
        profile = subscriber_store.profile_named(session, name)
    try:
        after = edited(Wanted(profile.interests, profile.per_day), changes, drops)
    except RequestError as exc:
        raise CommandError(str(exc), status=2) from exc
    found = job.what_if(service, profile, after, build.now(), days=days)
    edits = bool(changes or drops)
    if as_json:
        typer.echo(json.dumps(as_object(found, profile.name, edits), ensure_ascii=False, indent=2))
        return
    out = plain()
    out.print(_heading(found.after, profile.name), soft_wrap=True)
    if edits:
        out.print(_summary(found), soft_wrap=True)
    if not found.after.ranked:
        out.print("There are no papers on hand; `paperwatch ingest` brings some.")
        return
    out.print(_table(found, edits))
    for label, items in (("Near misses", found.after.near), ("Drops out", found.left if edits else ())):
        if items:
            out.print(f"\n{label} ({len(items)})")
            for item in items:
                out.print(Text(f"  {wording.title(item.paper)}"), no_wrap=True, overflow="ellipsis")


def as_object(found: WhatIf, name: str, edits: bool) -> dict[str, Any]:
    """A preview for machines; what an edit changes stands in it only where one was made."""
    after = found.after
    held: dict[str, Any] = {
        "profile": name, "first": after.first.isoformat() if after.first else None,
        "last": after.last.isoformat() if after.last else None, "ranked": after.ranked,
        "items": [_item(item) for item in after.items], "near": [_item(item) for item in after.near],
    }  # fmt: skip
    if edits:
        held |= {
            "before": [_item(item) for item in found.before.items],
            "in": [item.paper.id for item in found.came],
            "out": [item.paper.id for item in found.left],
            "moved": [
                {"id": m.item.paper.id, "from": m.before, "to": m.after} for m in found.stayed if m.places
            ],
        }
    return held


def _item(item: Item) -> dict[str, Any]:
    return {
        "id": item.paper.id, "title": item.paper.title, "score": item.score, "strength": item.strength,
        "reason": item.reason, "similar": [paper.id for paper in item.similar],
    }  # fmt: skip


def _heading(found: Preview, name: str) -> str:
    span = ""
    if found.first and found.last:
        first, last = wording.day(found.first), wording.day(found.last)
        span = f" of {last}" if first == last else f" of {first} to {last}"
    return f"{len(found.items)} of {wording.count(found.ranked)}{span} for {readable(name)}"


def _summary(found: WhatIf) -> str:
    moved = sum(bool(move.places) for move in found.stayed)
    return f"With the edit: {len(found.came)} in, {len(found.left)} out, {moved} moved; nothing is stored."


def _table(found: WhatIf, edits: bool) -> Table:
    moves = {move.item.paper.id: move for move in found.stayed}
    table = Table(box=None, pad_edge=False, show_header=False)
    for _ in range(2 + edits):
        table.add_column(no_wrap=True, justify="right")
    table.add_column(overflow="fold")
    for place, item in enumerate(found.after.items, start=1):
        more = f" (and {len(item.similar)} similar)" if item.similar else ""
        what = Text(wording.title(item.paper) + more)
        if item.reason:
            what.append(f"\n{readable(item.reason)}", style="dim")
        mark = [_mark(moves[item.paper.id].places if item.paper.id in moves else None)] if edits else []
        table.add_row(str(place), *mark, strength_bar(item), what)
    return table


def _mark(places: int | None) -> Text:
    if places is None:
        return Text("+ new", style="green")
    if places == 0:
        return Text("")
    return Text(f"↑ {places}", style="green") if places > 0 else Text(f"↓ {-places}", style="red")
