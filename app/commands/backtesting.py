"""``paperwatch backtest``: the papers that a reader liked, ranked by what was known before them."""

from __future__ import annotations

import json
from typing import Any

import typer
from rich.text import Text

from app import build
from app.commands.console import plain
from db import subscriber_store
from jobs import backtest as job
from jobs.alerts import wording
from jobs.backtest import CUT, Backtest
from jobs.backtest_plot import CUTS, text_plot

_MISSED = 5


def backtest(name: str, at_most: int, *, as_json: bool) -> None:
    """Print how many of the liked and saved papers would have been near the top of their week."""
    service = build.service()
    with service.database.reading() as session:
        profile = subscriber_store.profile_named(session, name)
    found = job.backtest(service, profile, at_most=at_most)
    if as_json:
        typer.echo(json.dumps(as_object(found, profile.name), ensure_ascii=False, indent=2))
        return
    out = plain(soft_wrap=True)
    out.print(Text(job.sentence(found), style="bold"))
    for line in text_plot(found):
        out.print(f"  {line}")
    missed = sorted((t for t in found.trials if t.rank > CUT), key=lambda t: (-t.rank, t.paper.id))
    if missed:
        out.print(f"Furthest down ({len(missed)} beyond the top {CUT})")
        for trial in missed[:_MISSED]:
            place = f"{trial.rank:,} of {trial.of:,}"
            out.print(f"  {place:>15}  {wording.ellipsis(wording.title(trial.paper), 90)}")
    if found.trials:
        for why, number in found.untried.items():
            out.print(f"Not tried: {wording.count(number)} ({why})")


def as_object(found: Backtest, name: str) -> dict[str, Any]:
    """A back-test for machines."""
    return {
        "profile": name, "sentence": job.sentence(found), "tried": len(found.trials),
        "within": {str(cut): found.within(cut) for cut in CUTS},
        "by_chance": {str(cut): round(found.by_chance(cut), 2) for cut in CUTS},
        "untried": dict(found.untried),
        "trials": [
            {
                "id": t.paper.id, "title": t.paper.title, "opinion": t.opinion, "rank": t.rank, "of": t.of,
                "known": t.known,
            }
            for t in found.trials
        ],
    }  # fmt: skip
