"""Sources, when each is due, and the receipts of their checks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from db.records import Receipt, Source
from db.session import rows_changed
from db.tables import ReceiptRow, SourceRow

# A claim that is never released (the process died) runs out after this time.
_CLAIM = timedelta(minutes=30)
_KEPT_REJECTIONS = 100


def add(
    session: Session, *, name: str, kind: str, location: str, every_minutes: int, now: datetime | None
) -> Source:
    """Add a source, due at ``now`` (never by itself if None). A location that is known stays as it is."""
    known = session.scalars(select(SourceRow).where(SourceRow.location == location)).first()
    if known is None:
        known = SourceRow(
            name=name, kind=kind, location=location, every_minutes=every_minutes, paused=False,
            next_check_at=now, etag="", last_modified="", cursor={}, last_batch=None, last_success_at=None,
            last_error="", failures=0,
        )  # fmt: skip
        session.add(known)
        session.flush()
    return _source(known)


def every(session: Session) -> list[Source]:
    """All sources by name."""
    return [_source(row) for row in session.scalars(select(SourceRow).order_by(SourceRow.name))]


def due(session: Session, now: datetime) -> list[Source]:
    """Sources to check now, the longest waiting first."""
    query = select(SourceRow).where(SourceRow.paused.is_(False), SourceRow.next_check_at <= now)
    return [_source(row) for row in session.scalars(query.order_by(SourceRow.next_check_at, SourceRow.id))]


def claim(session: Session, source: Source, now: datetime) -> bool:
    """Take a due source for this process: true for exactly one of those who try."""
    unclaimed = SourceRow.id == source.id, SourceRow.next_check_at == source.next_check_at
    return rows_changed(session, update(SourceRow).where(*unclaimed).values(next_check_at=now + _CLAIM)) == 1


def succeeded(
    session: Session, source: Source, now: datetime, *, cursor: dict[str, Any], batch: date | None = None,
    etag: str = "", last_modified: str = "",
) -> None:  # fmt: skip
    """Record a good check; the next one is due after the source's own interval."""
    session.execute(
        update(SourceRow)
        .where(SourceRow.id == source.id)
        .values(
            next_check_at=now + timedelta(minutes=source.every_minutes), cursor=cursor,
            last_batch=batch or source.last_batch, last_success_at=now, last_error="", failures=0,
            etag=etag or source.etag, last_modified=last_modified or source.last_modified,
        )
    )  # fmt: skip


def failed(
    session: Session, source: Source, now: datetime, error: str, *, wait: timedelta | None = None
) -> datetime:
    """Record a failed check; returns when the next try is due: doubling from a minute up to a day."""
    failures = source.failures + 1
    next_try = now + (wait or min(timedelta(minutes=2 ** min(failures, 11) / 2), timedelta(days=1)))
    session.execute(
        update(SourceRow)
        .where(SourceRow.id == source.id)
        .values(next_check_at=next_try, last_error=error, failures=failures)
    )
    return next_try


def record(session: Session, run: str, receipts: Sequence[Receipt]) -> None:
    """Keep what each check found."""
    rows = [
        {
            "run": run, "source_id": r.source_id, "at": r.at, "location": r.location, "format": r.format,
            "batch": r.batch, "received": r.received, "new": r.new, "updated": r.updated, "merged": r.merged,
            "rejected": len(r.rejected), "rejections": [list(x) for x in r.rejected[:_KEPT_REJECTIONS]],
            "note": r.note, "error": r.error,
        }
        for r in receipts
    ]  # fmt: skip
    if rows:
        session.execute(insert(ReceiptRow), rows)


def receipts(session: Session, *, since: datetime | None = None, at_most: int = 100) -> list[Receipt]:
    """The latest receipts, newest first."""
    query = select(ReceiptRow).order_by(ReceiptRow.at.desc(), ReceiptRow.id.desc()).limit(at_most)
    if since is not None:
        query = query.where(ReceiptRow.at > since)
    return [
        Receipt(
            r.source_id, r.at, r.location, r.format, r.batch, r.received, r.new, r.updated, r.merged,
            tuple((str(where), str(why)) for where, why in r.rejections), r.note, r.error,
        )
        for r in session.scalars(query)
    ]  # fmt: skip


def _source(row: SourceRow) -> Source:
    return Source(
        row.id, row.name, row.kind, row.location, row.every_minutes, row.paused, row.next_check_at, row.etag,
        row.last_modified, row.cursor, row.last_batch, row.last_success_at, row.last_error, row.failures,
    )  # fmt: skip
