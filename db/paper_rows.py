"""Papers as rows: the one mapping between the table and `Paper`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from operator import attrgetter
from typing import Any

from db.bulk import as_json
from db.records import Stored
from db.tables import PaperRow
from recommender.paper import Paper

# Fields that are shown but never searched share one JSON column; absent means empty.
_WORDS = ("area", "doi", "journal_ref", "comment", "code_url", "contributions", "thumbnail")
_LISTS = ("institutions", "topics", "keywords")
_words, _lists = attrgetter(*_WORDS), attrgetter(*_LISTS)

COLUMNS = (
    PaperRow.id, PaperRow.key, PaperRow.version, PaperRow.title, PaperRow.abstract, PaperRow.summary,
    PaperRow.authors, PaperRow.authors_complete, PaperRow.categories, PaperRow.announced,
    PaperRow.announce_type, PaperRow.url, PaperRow.withdrawn, PaperRow.extra, PaperRow.batch_id,
)  # fmt: skip

_HELD = len(COLUMNS)
WRITTEN = (
    "key", "title_key", "version", "title", "abstract", "summary", "authors", "authors_complete",
    "categories", "announced", "announce_type", "url", "withdrawn", "extra",
)  # fmt: skip
_JSON = ("authors", "categories", "extra")


def stored(row: Sequence[Any]) -> Stored:
    """The paper in a row that begins with `COLUMNS`."""
    # Taken by place: by name each column costs as much as the driver needs to fetch it.
    (
        number, key, version, title, abstract, summary, authors, authors_complete, categories, announced,
        announce_type, url, withdrawn, extra, batch_id,
    ) = row[:_HELD]  # fmt: skip
    more: dict[str, Any] = {}
    if extra:
        more |= {name: extra[name] for name in _WORDS if name in extra}
        more |= {name: tuple(extra[name]) for name in _LISTS if name in extra}
    paper = Paper(
        key, title, version, abstract, summary, tuple(authors), authors_complete,
        categories=tuple(categories), announced=announced, announce_type=announce_type, url=url,
        withdrawn=withdrawn, **more,
    )  # fmt: skip
    return Stored(number, paper, batch_id)


def written(paper: Paper, label: str | None) -> tuple[Any, ...]:
    """The values of `WRITTEN`, and the paper's DOI after them: bare and with JSON as text, so that it travels
    quickly from the process that parses to the one that stores."""
    row = values(paper, label)
    return (*(as_json(row[name]) if name in _JSON else row[name] for name in WRITTEN), paper.doi)


def unwritten(row: Sequence[Any]) -> Paper:
    """The paper of which `written` made this."""
    held = dict(zip(WRITTEN, row, strict=False))
    authors, categories, extra = (json.loads(held[name]) for name in _JSON)
    return stored(
        (
            0, held["key"], held["version"], held["title"], held["abstract"], held["summary"], authors,
            held["authors_complete"], categories, held["announced"], held["announce_type"], held["url"],
            held["withdrawn"], extra, None,
        )
    ).paper  # fmt: skip


def values(paper: Paper, label: str | None) -> dict[str, Any]:
    """The column values of a paper with this `title_key`, its row number and history aside."""
    extra: dict[str, Any] = {name: word for name, word in zip(_WORDS, _words(paper), strict=True) if word}
    extra |= {name: list(items) for name, items in zip(_LISTS, _lists(paper), strict=True) if items}
    return {
        "key": paper.id, "title_key": label, "version": paper.version, "title": kept(paper.title),
        "abstract": kept(paper.abstract), "summary": kept(paper.summary), "authors": list(paper.authors),
        "authors_complete": paper.authors_complete, "categories": list(paper.categories),
        "announced": paper.announced, "announce_type": paper.announce_type, "url": paper.url,
        "withdrawn": paper.withdrawn, "extra": extra,
    }  # fmt: skip


def kept(text: str) -> str:
    """The text as both databases can hold it: PostgreSQL takes no NUL, and neither half a surrogate pair."""
    if text.isascii() and "\0" not in text:
        return text
    return text.replace("\0", "").encode("utf-8", "ignore").decode()
