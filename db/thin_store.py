"""Deleting what grows by day and is no longer needed, a few thousand rows in one transaction.

Each function deletes at most ``at_most`` rows and tells how many: called until it tells less, it holds up no
writer for long. Nothing here scans what is to stay: matches go by their batch, which is indexed; digests,
receipts and turns by their oldest.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, Select, delete, func, select, tuple_
from sqlalchemy.orm import Session

from db.session import rows_changed
from db.tables import BatchRow, DigestRow, MatchRow, ReceiptRow, ScoresRow, ShadowRow, TurnRow

_OVER = ("sent", "empty", "failed", "suppressed", "cancelled")


def matches(session: Session, before: datetime, *, at_most: int) -> int:
    """Matches of batches that were made before then."""
    key = tuple_(MatchRow.profile_id, MatchRow.batch_id)
    old = select(MatchRow.profile_id, MatchRow.batch_id).where(MatchRow.batch_id <= _last_batch(before))
    return rows_changed(session, delete(MatchRow).where(key.in_(old.limit(at_most))))


def scores(session: Session, before: datetime, *, at_most: int) -> int:
    """Blocks of scores from before then, which the dial looks at no more."""
    old = _oldest(select(ScoresRow.id), ScoresRow.made_at < before, at_most)
    return rows_changed(session, delete(ScoresRow).where(ScoresRow.id.in_(old)))


def shadows(session: Session, before: datetime, *, at_most: int) -> int:
    """What rankers on trial would have chosen of batches that were made before then."""
    key = tuple_(ShadowRow.profile_id, ShadowRow.batch_id, ShadowRow.ranker)
    old = select(ShadowRow.profile_id, ShadowRow.batch_id, ShadowRow.ranker)
    old = old.where(ShadowRow.batch_id <= _last_batch(before))
    return rows_changed(session, delete(ShadowRow).where(key.in_(old.limit(at_most))))


def digests(session: Session, before: datetime, *, after: int, at_most: int) -> tuple[int, int]:
    """Mails that were queued before then and are over, whose matches are gone; of the ``at_most`` oldest ones
    numbered after ``after``. How many, and the number to go on after: 0 if the rest is newer."""
    oldest = select(DigestRow.id, DigestRow.queued_at).where(DigestRow.id > after)
    found = session.execute(oldest.order_by(DigestRow.id).limit(at_most)).all()
    old = [row.id for row in found if row.queued_at < before]
    if not old:
        return 0, 0
    held = select(MatchRow.digest_id).where(MatchRow.digest_id == DigestRow.id).exists()
    gone = delete(DigestRow).where(DigestRow.id.in_(old), DigestRow.state.in_(_OVER), ~held)
    return rows_changed(session, gone), old[-1]


def receipts(session: Session, before: datetime, *, at_most: int) -> int:
    """Receipts of checks before then, but for the last one of each source."""
    last = select(func.max(ReceiptRow.id)).group_by(ReceiptRow.source_id)
    old = _oldest(select(ReceiptRow.id), ReceiptRow.at < before, at_most).where(ReceiptRow.id.not_in(last))
    return rows_changed(session, delete(ReceiptRow).where(ReceiptRow.id.in_(old)))


def turns(session: Session, before: datetime, *, at_most: int) -> int:
    """What jobs did before then."""
    old = _oldest(select(TurnRow.id), TurnRow.slot < before, at_most)
    return rows_changed(session, delete(TurnRow).where(TurnRow.id.in_(old)))


def _oldest(query: Select[tuple[int]], old: ColumnElement[bool], at_most: int) -> Select[tuple[int]]:
    return query.where(old).limit(at_most)


def _last_batch(before: datetime) -> ColumnElement[int]:
    """The number of the last batch made before then; batches are numbered as they come."""
    last = select(func.coalesce(func.max(BatchRow.id), 0)).where(BatchRow.made_at < before)
    return last.scalar_subquery()
