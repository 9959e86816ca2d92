"""``paperwatch papers``: what is on hand, for people and for other programs."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from rich.table import Table

from app import build
from app.commands.console import plain
from app.failures import CommandError
from db import paper_store
from jobs.alerts import exports
from recommender.paper import Paper


def papers(form: str, newest: int | None) -> None:
    """Print the papers in this form."""
    if form not in FORMS:
        raise CommandError(f"--format {form}: must be one of {', '.join(FORMS)}", status=2)
    service = build.service()
    with service.database.reading() as session:
        found = [s.paper for s in paper_store.all_papers(session, newest=newest)]
    FORMS[form](found)


def as_object(paper: Paper) -> dict[str, Any]:
    """A paper for machines."""
    return {
        "id": paper.id, "version": paper.version, "title": paper.title, "abstract": paper.abstract,
        "summary": paper.summary, "authors": list(paper.authors), "institutions": list(paper.institutions),
        "categories": list(paper.categories), "area": paper.area, "topics": list(paper.topics),
        "keywords": list(paper.keywords), "url": paper.url,
        "announced": paper.announced.isoformat() if paper.announced else None, "sources": list(paper.sources),
    }  # fmt: skip


def _jsonl(found: Sequence[Paper]) -> None:
    for paper in found:
        print(json.dumps(as_object(paper), ensure_ascii=False))  # noqa: T201


def _table(found: Sequence[Paper]) -> None:
    table = Table("day", "paper", "title", "authors", box=None, pad_edge=False)
    for paper in found:
        more = f" +{len(paper.authors) - 1}" if len(paper.authors) > 1 else ""
        table.add_row(
            str(paper.announced or ""), paper.id.removeprefix("arxiv:"), paper.title,
            paper.authors[0] + more if paper.authors else "",
        )  # fmt: skip
    plain().print(table)


def _exported(form: str) -> Callable[[Sequence[Paper]], None]:
    return lambda found: print(exports.FORMS[form].render(found), end="")  # noqa: T201


FORMS: dict[str, Callable[[Sequence[Paper]], None]] = {
    "table": _table, "jsonl": _jsonl, **{form: _exported(form) for form in exports.FORMS},
}  # fmt: skip
