"""A paper that one payload shows several times becomes one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from recommender.paper import Paper


def distinct(papers: Iterable[Paper]) -> tuple[Paper, ...]:
    """The papers by id, each where it first stood, with what its later showings add.

    Lists are united, empty fields filled; where the versions differ the later version's own words stand.
    The earliest announcement day stays.
    """
    found: dict[str, Paper] = {}
    for paper in papers:
        known = found.get(paper.id)
        found[paper.id] = paper if known is None else _united(known, paper)
    return tuple(found.values())


def _united(known: Paper, seen: Paper) -> Paper:
    later = (seen.version or 0) > (known.version or 0)
    first, second = (seen, known) if later else (known, seen)
    by = first if (first.authors and first.authors_complete) or not second.authors else second
    return replace(
        known,
        version=first.version,
        title=first.title or second.title,
        abstract=first.abstract or second.abstract,
        summary=first.summary or second.summary,
        authors=by.authors,
        authors_complete=by.authors_complete,
        institutions=_both(known.institutions, seen.institutions),
        categories=_both(known.categories, seen.categories),
        area=known.area or seen.area,
        topics=_both(known.topics, seen.topics),
        keywords=_both(known.keywords, seen.keywords),
        url=known.url or seen.url,
        doi=first.doi or second.doi,
        journal_ref=first.journal_ref or second.journal_ref,
        comment=first.comment or second.comment,
        code_url=first.code_url or second.code_url,
        contributions=first.contributions or second.contributions,
        thumbnail=first.thumbnail or second.thumbnail,
        announced=min((day for day in (known.announced, seen.announced) if day), default=None),
        announce_type=known.announce_type or seen.announce_type,
        withdrawn=first.withdrawn,
    )


def _both(known: tuple[str, ...], seen: tuple[str, ...]) -> tuple[str, ...]:
    return known if not seen or known == seen else tuple(dict.fromkeys(known + seen))
