"""A paper that one payload shows several times becomes one."""

from __future__ import annotations

from collections.abc import Iterable

from recommender.merging import merged
from recommender.paper import Paper


def distinct(papers: Iterable[Paper]) -> tuple[Paper, ...]:
    """The papers by id, each where it first stood, with what its later showings add."""
    found: dict[str, Paper] = {}
    for paper in papers:
        known = found.get(paper.id)
        found[paper.id] = paper if known is None else merged(known, paper)[0]
    return tuple(found.values())
