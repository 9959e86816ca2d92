"""Papers by the days on which they were announced."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.paper_rows import COLUMNS, stored
from db.records import Stored
from db.tables import BatchRow, PaperRow


def announced(session: Session, first: date, last: date, *, at_most: int) -> list[Stored]:
    """Papers announced from ``first`` to ``last``, both included, that are neither replacements nor
    withdrawn; by day and key."""
    query = (
        select(*COLUMNS)
        .where(PaperRow.announced.between(first, last), PaperRow.withdrawn.is_(False))
        .where(PaperRow.announce_type.not_in(("replace", "replace-cross")))
        .order_by(PaperRow.announced, PaperRow.key)
        .limit(at_most)
    )
    return [stored(row) for row in session.execute(query)]


@dataclass(frozen=True, slots=True)
class Span:
    """Some announcement days: the first, the last, how many ``papers`` were announced from the one to the
    other, and the newest ``batch`` on hand. As long as it is the same, so are the papers."""

    first: date | None
    last: date | None
    papers: int
    batch: int


def span(session: Session, *, days: int) -> Span:
    """The latest ``days`` announcement days on hand; without any, all papers are counted."""
    batch = session.scalar(select(func.max(BatchRow.id))) or 0
    latest = select(PaperRow.announced).where(PaperRow.announced.is_not(None)).distinct()
    dates = [d for d in session.scalars(latest.order_by(PaperRow.announced.desc()).limit(days)) if d]
    number = select(func.count()).select_from(PaperRow)
    if not dates:
        return Span(None, None, session.scalar(number) or 0, batch)
    first, last = min(dates), max(dates)
    return Span(first, last, session.scalar(number.where(PaperRow.announced >= first)) or 0, batch)
