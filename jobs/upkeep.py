"""What the operator may do to what is watched: pause a source, resume it, or have it checked now."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Literal

from db import source_store
from db.records import Source
from db.session import Database, Session

Act = Literal["pause", "resume", "check"]
_ACTS: dict[Act, Callable[[Session, Source, datetime], None]] = {
    "pause": source_store.pause, "resume": source_store.resume, "check": source_store.check_now,
}  # fmt: skip


def source(database: Database, number: int) -> Source | None:
    """The source with this number that is checked by itself; None where there is none any more."""
    with database.reading() as session:
        return _watched(session, number)


def carry_out(database: Database, act: Act, number: int, now: datetime) -> Source | None:
    """Do it to the source with this number, and give it as it is then; None where there is none any more."""
    with database.writing() as session:
        found = _watched(session, number)
        if found is None:
            return None
        _ACTS[act](session, found, now)
        return _watched(session, number)


def _watched(session: Session, number: int) -> Source | None:
    return next((each for each in source_store.watched(session) if each.id == number), None)
