"""``paperwatch search``: papers that hold some words."""

from __future__ import annotations

import json

from rich.text import Text

from app import build
from app.commands.console import plain
from app.commands.papers import as_object
from app.failures import CommandError
from db import index_store
from jobs import finding
from jobs.alerts import wording
from jobs.finding import Asked, Listed, Results


def search(typed: str, at_most: int, *, newest: bool, as_json: bool) -> None:
    """Print what is found, the best or the latest first."""
    asked = Asked(typed, newest=newest)
    if not asked.query.asks:
        raise CommandError(f"{typed!r}: say what to look for; words to leave out are not enough", status=2)
    service = build.service()
    with service.database.reading() as session:
        found = finding.find(session, asked, at_most=at_most)
        waiting = index_store.count_waiting(session)
    if as_json:
        papers = [as_object(one.stored.paper) for one in found.papers]
        print(json.dumps({"total": found.total, "more": found.many, "papers": papers}, ensure_ascii=False))  # noqa: T201
        return
    console = plain()
    for one in found.papers:
        console.print(_lines(one), end="\n\n")
    console.print(_summary(found, waiting))


def _lines(one: Listed) -> Text:
    paper = one.stored.paper
    lines = Text()
    for mark in one.title:
        lines.append(mark.text, style="bold underline" if mark.hit else "bold")
    lines.append(f"\n  {wording.facts(paper)} · {paper.id.removeprefix('arxiv:')}\n  ", style="dim")
    for mark in one.passage:
        lines.append(mark.text, style="underline" if mark.hit else "")
    return lines


def _summary(found: Results, waiting: int) -> str:
    words = wording.count(found.total) + (" and more" if found.many else "")
    if found.any_word:
        words = f"no paper holds all of these words; {words} with some of them"
    return words + (f"; {wording.count(waiting)} wait to be taken in" if waiting else "")
