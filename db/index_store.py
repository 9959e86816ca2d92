"""What waits to be taken in by search and labels, and what was taken in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Row, Select, func, select, update
from sqlalchemy.orm import Session

from db.label_store import Guess
from db.paper_rows import COLUMNS, stored
from db.records import Stored
from db.search_store import number_of
from db.session import rows_changed
from db.tables import PaperRow

_MORE = (PaperRow.first_seen_at, PaperRow.search_number, PaperRow.guessed_topics)


@dataclass(frozen=True, slots=True)
class Shelf:
    """A paper and where it stands in the search: ``day`` is its own or the one on which it was first seen;
    ``number`` is None where it does not stand there yet."""

    stored: Stored
    day: date
    number: int | None
    guesses: tuple[Guess, ...] = ()


def waiting(session: Session, *, at_most: int) -> list[Shelf]:
    """The latest papers whose words the search does not know yet, locked until the session ends; those that
    another process is at are passed over."""
    query = select(*COLUMNS, *_MORE).where(PaperRow.indexed_at.is_(None)).order_by(PaperRow.id.desc())
    return _shelves(session, query.limit(at_most).with_for_update(skip_locked=True))


def count_waiting(session: Session) -> int:
    """How many papers the search does not know yet."""
    query = select(func.count()).select_from(PaperRow).where(PaperRow.indexed_at.is_(None))
    return session.scalar(query) or 0


def waits(session: Session) -> bool:
    """Whether any paper waits."""
    return session.scalar(select(PaperRow.id).where(PaperRow.indexed_at.is_(None)).limit(1)) is not None


def below(session: Session, number: int, *, at_most: int) -> list[Shelf]:
    """Indexed papers with row numbers below this one, the largest first, locked until the session ends."""
    query = select(*COLUMNS, *_MORE).where(PaperRow.id < number, PaperRow.indexed_at.is_not(None))
    return _shelves(session, query.order_by(PaperRow.id.desc()).limit(at_most).with_for_update())


def taken_in(session: Session, shelves: Sequence[Shelf], now: datetime) -> None:
    """Record that search and labels have these papers, with their guesses, under their days."""
    rows = [
        {
            "id": one.stored.number,
            "indexed_at": now,
            "search_number": number_of(one.day, one.stored.number),
            "guessed_topics": [[g.kind, g.name, g.share] for g in one.guesses] or None,
        }
        for one in shelves
    ]
    if rows:
        session.execute(update(PaperRow), rows)


def forget_all(session: Session) -> int:
    """Let every paper wait anew, as after a copy from another database, whose full text does not come along;
    how many there are."""
    everything = update(PaperRow).where(PaperRow.indexed_at.is_not(None))
    return rows_changed(session, everything.values(indexed_at=None, search_number=None))


def any_indexed(session: Session) -> bool:
    """Whether any paper is marked as taken in."""
    query = select(PaperRow.id).where(PaperRow.search_number.is_not(None)).limit(1)
    return session.scalar(query) is not None


def _shelves(session: Session, query: Select[tuple[object, ...]]) -> list[Shelf]:
    return [_shelf(row) for row in session.execute(query)]


def _shelf(row: Row[tuple[object, ...]]) -> Shelf:
    day = row.announced or row.first_seen_at.date()
    guesses = tuple(Guess(*one) for one in row.guessed_topics or ())
    return Shelf(stored(row), day, row.search_number, guesses)
