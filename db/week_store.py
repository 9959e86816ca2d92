"""Papers by the days on which they were announced."""

from __future__ import annotations

from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.paper_rows import COLUMNS, stored
from db.records import Stored
from db.tables import PaperRow


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
