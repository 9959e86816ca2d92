"""Papers as rows: the one mapping between the table and `Paper`."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

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


def stored(row: Any) -> Stored:
    """The paper in a row of `COLUMNS`."""
    extra = row.extra
    paper = Paper(
        id=row.key, title=row.title, version=row.version, abstract=row.abstract, summary=row.summary,
        authors=tuple(row.authors), authors_complete=row.authors_complete, categories=tuple(row.categories),
        announced=row.announced, announce_type=row.announce_type, url=row.url, withdrawn=row.withdrawn,
        institutions=tuple(extra.get("institutions", ())), topics=tuple(extra.get("topics", ())),
        keywords=tuple(extra.get("keywords", ())), area=extra.get("area", ""), doi=extra.get("doi", ""),
        journal_ref=extra.get("journal_ref", ""), comment=extra.get("comment", ""),
        code_url=extra.get("code_url", ""), contributions=extra.get("contributions", ""),
        thumbnail=extra.get("thumbnail", ""),
    )  # fmt: skip
    return Stored(row.id, paper, row.batch_id)


def values(paper: Paper, label: str | None) -> dict[str, Any]:
    """The column values of a paper with this `title_key`, its row number and history aside."""
    extra: dict[str, Any] = {name: word for name, word in zip(_WORDS, _words(paper), strict=True) if word}
    extra |= {name: list(items) for name, items in zip(_LISTS, _lists(paper), strict=True) if items}
    return {
        "key": paper.id, "title_key": label, "version": paper.version, "title": _kept(paper.title),
        "abstract": _kept(paper.abstract), "summary": _kept(paper.summary), "authors": list(paper.authors),
        "authors_complete": paper.authors_complete, "categories": list(paper.categories),
        "announced": paper.announced, "announce_type": paper.announce_type, "url": paper.url,
        "withdrawn": paper.withdrawn, "extra": extra,
    }  # fmt: skip


def _kept(text: str) -> str:
    """The text as both databases can hold it: PostgreSQL takes no NUL, and neither half a surrogate pair."""
    if text.isascii() and "\0" not in text:
        return text
    return text.replace("\0", "").encode("utf-8", "ignore").decode()
