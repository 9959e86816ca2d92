"""Papers as CSL-JSON, the form of citation processors, Zotero and pandoc."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from jobs.alerts import person, wording
from jobs.alerts.readable import readable
from recommender.paper import Paper


def render(papers: Iterable[Paper]) -> str:
    """A JSON list with an item for each paper."""
    return json.dumps([item(paper) for paper in papers], ensure_ascii=False, indent=1) + "\n"


def item(paper: Paper) -> dict[str, Any]:
    """One item: a journal article where a journal is known, else a preprint (CSL 1.0.2: ``article``)."""
    kind, _, name = paper.id.partition(":")
    found = {
        "id": paper.id,
        "type": "article-journal" if paper.journal_ref else "article",
        "title": wording.title(paper),
        "author": [_name(author) for author in paper.authors if readable(author)],
        "issued": _date(paper),
        "container-title": readable(paper.journal_ref),
        "publisher": "arXiv" if kind == "arxiv" else "",
        "number": f"arXiv:{name}" if kind == "arxiv" else "",
        "version": str(paper.version or ""),
        "DOI": paper.doi or (name if kind == "doi" else ""),
        "URL": wording.address(paper),
        "abstract": readable(paper.text),
        "keyword": ", ".join(map(readable, (*paper.categories, *paper.topics, *paper.keywords))),
    }
    return {field: value for field, value in found.items() if value}


def _name(author: str) -> dict[str, str]:
    family, given = person.parts(author)
    return {"family": family, "given": given} if given else {"literal": family}


def _date(paper: Paper) -> dict[str, list[list[int]]] | None:
    day = paper.announced
    return {"date-parts": [[day.year, day.month, day.day]]} if day else None
