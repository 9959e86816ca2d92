"""Which entries of a large archive were merged already: 64-bit marks, a block of them in one row."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from db.tables import EntryMarkRow


def marks(session: Session, source_id: int) -> Iterator[bytes]:
    """The marks of every block that this source has merged, eight bytes each."""
    query = select(EntryMarkRow.marks).where(EntryMarkRow.source_id == source_id).order_by(EntryMarkRow.id)
    yield from session.scalars(query.execution_options(yield_per=100))


def add(session: Session, source_id: int, marks: bytes) -> None:
    """Keep the marks of one more block."""
    if marks:
        session.execute(insert(EntryMarkRow), [{"source_id": source_id, "marks": marks}])
