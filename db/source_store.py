"""Sources, when each is due, and the receipts of their checks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any, cast

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import Session

from db.records import Outcome, Receipt, Source
from db.session import rows_changed
from db.tables import ReceiptRow, SourceRow

# A claim that is never released (the process died) runs out after this time.
_CLAIM = timedelta(minutes=30)
_KEPT_REJECTIONS = 100
# Outcomes that say nothing new; of the same one again and again, only the latest is kept.
_QUIET = ("unchanged", "not yet", "weekend", "holiday", "stale")
_QUIET_KEPT = timedelta(days=90)


class UnknownSourceError(LookupError):
    """A source that nobody added; the message names those that there are."""


def add(
    session: Session, *, name: str, kind: str, location: str, every_minutes: int, now: datetime | None,
    cursor: dict[str, Any] | None = None,
) -> Source:  # fmt: skip
    """Add a source, due at ``now`` (never by itself if None). A location that is known stays as it is.

    One that was removed comes back as it was, due at ``now``.
    """
    known = session.scalars(select(SourceRow).where(SourceRow.location == location)).first()
    if known is None:
        known = SourceRow(
            name=name[:200], kind=kind, location=location, every_minutes=every_minutes, paused=False,
            next_check_at=now, etag="", last_modified="", cursor=cursor or {}, last_batch=None,
            last_success_at=None, last_error="", failures=0, added_at=now, paused_at=None, removed_at=None,
        )  # fmt: skip
        session.add(known)
        session.flush()
    elif known.removed_at is not None or (known.kind == "file" and kind != "file"):
        known.kind, known.every_minutes, known.next_check_at = kind, every_minutes, now
        known.removed_at = known.paused_at = None
        known.paused = False
        session.flush()
    return _source(known)


def every(session: Session) -> list[Source]:
    """All sources by name, files that were given by hand too, removed ones not."""
    query = select(SourceRow).where(SourceRow.removed_at.is_(None)).order_by(SourceRow.name, SourceRow.id)
    return [_source(row) for row in session.scalars(query)]


def watched(session: Session) -> list[Source]:
    """The sources that are checked by themselves, by name; paused ones too."""
    return [source for source in every(session) if source.kind != "file"]


def named(session: Session, text: str) -> Source:
    """The watched source with this number, name or location. Raises `UnknownSourceError`."""
    found = watched(session)
    for source in found:
        if text in (str(source.id), source.location):
            return source
    same = [source for source in found if source.name.casefold() == text.casefold()]
    if len(same) == 1:
        return same[0]
    known = (
        ", ".join(f"{s.id} {s.name}" for s in same or found) or "none; add one with `paperwatch sources add`"
    )
    raise UnknownSourceError(
        f"{'several sources are' if same else 'no source is'} called {text!r}; there are: {known}"
    )


def due(session: Session, now: datetime) -> list[Source]:
    """Sources to check now, the longest waiting first."""
    query = select(SourceRow).where(
        SourceRow.paused.is_(False), SourceRow.removed_at.is_(None), SourceRow.next_check_at <= now
    )
    return [_source(row) for row in session.scalars(query.order_by(SourceRow.next_check_at, SourceRow.id))]


def next_due(session: Session) -> datetime | None:
    """When the next source is due; None if none will ever be."""
    return session.scalar(
        select(func.min(SourceRow.next_check_at)).where(
            SourceRow.paused.is_(False), SourceRow.removed_at.is_(None)
        )
    )


def claim(session: Session, source: Source, now: datetime) -> bool:
    """Take a due source for this process: true for exactly one of those who try."""
    unclaimed = SourceRow.id == source.id, SourceRow.next_check_at == source.next_check_at
    return rows_changed(session, update(SourceRow).where(*unclaimed).values(next_check_at=now + _CLAIM)) == 1


def settle(
    session: Session, source: Source, now: datetime, *, cursor: dict[str, Any], batch: date | None = None,
    validators: tuple[str, str] | None = None, next_check_at: datetime | None = None, error: str = "",
) -> None:  # fmt: skip
    """Record a check that came to its end, good or with an ``error`` although some of it worked.

    The next one is due at ``next_check_at``, else after the source's own interval. ``validators`` are the
    server's ETag and Last-Modified; None keeps those that are known.
    """
    etag, last_modified = validators if validators is not None else (source.etag, source.last_modified)
    session.execute(
        update(SourceRow)
        .where(SourceRow.id == source.id)
        .values(
            next_check_at=next_check_at or now + timedelta(minutes=source.every_minutes), cursor=cursor,
            last_batch=max(filter(None, (batch, source.last_batch)), default=None), etag=etag,
            last_modified=last_modified, last_success_at=source.last_success_at if error else now,
            last_error=error, failures=source.failures + 1 if error else 0,
        )
    )  # fmt: skip


def failed(session: Session, source: Source, error: str, next_try: datetime) -> None:
    """Record a check that failed, and when it is tried again."""
    session.execute(
        update(SourceRow)
        .where(SourceRow.id == source.id)
        .values(next_check_at=next_try, last_error=error, failures=source.failures + 1)
    )


def remember(session: Session, source: Source, cursor: dict[str, Any]) -> None:
    """Keep what the source's reader wants to know again, in the middle of a check."""
    session.execute(update(SourceRow).where(SourceRow.id == source.id).values(cursor=cursor))


def pause(session: Session, source: Source, now: datetime) -> None:
    """Ask this source no more until it is resumed."""
    known = update(SourceRow).where(SourceRow.id == source.id)
    session.execute(known.values(paused=True, paused_at=now))


def resume(session: Session, source: Source, now: datetime) -> None:
    """Ask this source again, beginning now."""
    known = update(SourceRow).where(SourceRow.id == source.id)
    session.execute(known.values(paused=False, paused_at=None, next_check_at=now))


def check_now(session: Session, source: Source, now: datetime) -> None:
    """Let this source be due at once; one that is paused stays so."""
    session.execute(update(SourceRow).where(SourceRow.id == source.id).values(next_check_at=now))


def remove(session: Session, source: Source, now: datetime) -> None:
    """Ask this source never again; the papers that it showed stay."""
    known = update(SourceRow).where(SourceRow.id == source.id)
    session.execute(known.values(removed_at=now, next_check_at=None, etag="", last_modified="", cursor={}))


def record(session: Session, run: str, receipts: Sequence[Receipt]) -> None:
    """Keep what each check found. The same silence again takes the place of the last one."""
    for receipt in receipts:
        if receipt.outcome in _QUIET and not receipt.received:
            _forget_same(session, receipt)
    if receipts:
        session.execute(insert(ReceiptRow), [_values(run, receipt) for receipt in receipts])


def _forget_same(session: Session, receipt: Receipt) -> None:
    mine = ReceiptRow.source_id == receipt.source_id
    last = session.scalars(select(ReceiptRow).where(mine).order_by(ReceiptRow.id.desc()).limit(1)).first()
    if last is not None and (last.outcome, last.batch, last.received) == (receipt.outcome, receipt.batch, 0):
        session.execute(delete(ReceiptRow).where(ReceiptRow.id == last.id))
    old = mine & ReceiptRow.outcome.in_(_QUIET) & (ReceiptRow.at < receipt.at - _QUIET_KEPT)
    session.execute(delete(ReceiptRow).where(old))


def receipts(
    session: Session, *, since: datetime | None = None, source_id: int | None = None, at_most: int = 100
) -> list[Receipt]:
    """The latest receipts, newest first, of all sources or of one."""
    query = select(ReceiptRow).order_by(ReceiptRow.at.desc(), ReceiptRow.id.desc()).limit(at_most)
    if since is not None:
        query = query.where(ReceiptRow.at > since)
    if source_id is not None:
        query = query.where(ReceiptRow.source_id == source_id)
    return [_receipt(row) for row in session.scalars(query)]


def latest_receipts(session: Session) -> dict[int, Receipt]:
    """The newest receipt of each source."""
    newest = select(func.max(ReceiptRow.id)).group_by(ReceiptRow.source_id)
    rows = session.scalars(select(ReceiptRow).where(ReceiptRow.id.in_(newest)))
    return {row.source_id: _receipt(row) for row in rows}


def _values(run: str, r: Receipt) -> dict[str, Any]:
    return {
        "run": run, "source_id": r.source_id, "at": r.at, "location": r.location, "format": r.format,
        "outcome": r.outcome, "batch": r.batch, "received": r.received, "new": r.new, "updated": r.updated,
        "merged": r.merged, "rejected": len(r.rejected),
        "rejections": [list(x) for x in r.rejected[:_KEPT_REJECTIONS]], "note": r.note, "error": r.error,
    }  # fmt: skip


def _receipt(r: ReceiptRow) -> Receipt:
    return Receipt(
        r.source_id, r.at, r.location, r.format, r.batch, r.received, r.new, r.updated, r.merged,
        tuple((str(where), str(why)) for where, why in r.rejections), r.note, r.error,
        cast(Outcome, r.outcome),
    )  # fmt: skip


def _source(row: SourceRow) -> Source:
    return Source(
        row.id, row.name, row.kind, row.location, row.every_minutes, row.paused, row.next_check_at, row.etag,
        row.last_modified, row.cursor, row.last_batch, row.last_success_at, row.last_error, row.failures,
        row.added_at, row.paused_at,
    )  # fmt: skip
