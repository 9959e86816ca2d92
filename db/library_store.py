"""Papers on hand as the entries of somebody's library name them: by title, or by an author."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from db import search_store
from db.paper_rows import COLUMNS, stored
from db.records import Stored
from db.search_store import Span
from db.tables import PaperRow
from recommender import names
from recommender.query import Part, Query

_CHUNK = 500
# So many papers whose authors have both names are looked at: "Wei" and "Wang" may be two people.
_LOOKED_AT = 1_000


def by_title_keys(session: Session, labels: Iterable[str]) -> dict[str, Stored]:
    """Stored papers by their `merging.title_key`; of several with one key the oldest row."""
    wanted = list(dict.fromkeys(labels))
    found: dict[str, Stored] = {}
    for start in range(0, len(wanted), _CHUNK):
        part = PaperRow.title_key.in_(wanted[start : start + _CHUNK])
        query = select(*COLUMNS, PaperRow.title_key).where(part).order_by(PaperRow.id)
        for row in session.execute(query):
            found.setdefault(row.title_key, stored(row))
    return found


def by_author(session: Session, name: str, *, at_most: int) -> list[Stored]:
    """The newest papers of an author of this name, whatever the accents and however the first name is cut.

    Asked of the search index, so that it costs what is found: for an initial, the newest papers by people of
    the surname.
    """
    wanted = names.author(name)
    if len(wanted.split()) < 2:
        return []
    lists = select(PaperRow.id, PaperRow.authors)
    # What the index does not know yet is little but for the hours after an archive came.
    waiting = lists.where(PaperRow.indexed_at.is_(None)).order_by(PaperRow.id.desc()).limit(_LOOKED_AT)
    own = _written_by(wanted, session.execute(waiting).all())
    numbers = [number for number in _by_names(session, wanted) if number not in own]
    for start in range(0, len(numbers), _CHUNK):
        if len(own) >= at_most:
            break
        part = numbers[start : start + _CHUNK]
        held = _written_by(wanted, session.execute(lists.where(PaperRow.id.in_(part))).all())
        own |= {number: None for number in part if number in held}
    chosen = list(own)[:at_most]
    found = {row.id: stored(row) for row in session.execute(select(*COLUMNS).where(PaperRow.id.in_(chosen)))}
    return [found[number] for number in chosen]


def _written_by(wanted: str, rows: Sequence[Row[tuple[int, list[Any]]]]) -> dict[int, None]:
    """The row numbers of those papers that an author of this name wrote, in the order given."""
    return {
        row.id: None
        for row in rows
        if any(names.same_author(names.author(author), wanted) for author in row.authors)
    }


def _by_names(session: Session, wanted: str) -> list[int]:
    """The row numbers of the newest papers whose authors have these first and last names among theirs, in
    full or the first one cut to its initial; the newest first."""
    first, *_, last = wanted.split()
    forms = ((first, last), (first[0], last)) if len(first) > 1 else ((last,),)
    hits = {
        hit.number: hit.paper_id
        for form in forms
        for hit in search_store.newest(
            session, Query(tuple(Part((word,), "author") for word in form)), Span(), at_most=_LOOKED_AT
        )
    }
    return [hits[number] for number in sorted(hits, reverse=True)]
