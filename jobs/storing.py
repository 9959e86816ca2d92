"""From what was parsed to what is stored, and the receipt of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime

from db import paper_store
from db.paper_store import Merged
from db.records import Outcome, Receipt, Source
from db.session import Database
from jobs import rhythm
from jobs.sources.parsed import Parsed, Rejection
from recommender.paper import Paper

_KEPT_REJECTIONS = 1_000


def store(
    database: Database,
    source: Source,
    parsed: Parsed,
    start: Receipt,
    now: datetime,
    *,
    archive: bool = False,
) -> Receipt:
    """Merge what was parsed, in one transaction, and add what came of it to the receipt."""
    with database.writing() as session:
        counts = paper_store.merge(
            session, parsed.papers, source.id, now, batch=parsed.batch, archive=archive
        )
        paper_store.withdraw(session, parsed.deleted)
    return added(start, parsed, counts)


def store_news(database: Database, source: Source, parsed: Parsed, start: Receipt, now: datetime) -> Receipt:
    """The same for a source on the network: what was announced more than two weeks ago is no news."""
    fresh = [paper for paper in parsed.papers if rhythm.is_news(paper.announced, now)]
    old = [paper for paper in parsed.papers if not rhythm.is_news(paper.announced, now)]
    counts = store_sorted(database, source, fresh, old, now, parsed.deleted, batch=parsed.batch)
    return added(start, parsed, counts)


def store_sorted(
    database: Database, source: Source, news: Sequence[Paper], archive: Sequence[Paper], now: datetime,
    deleted: Sequence[str] = (), *, batch: date | None = None,
) -> Merged:  # fmt: skip
    """Merge papers that readers may be told of and papers that they may not, in one transaction."""
    with database.writing() as session:
        counts = paper_store.merge(session, news, source.id, now, batch=batch)
        counts += paper_store.merge(session, archive, source.id, now, batch=batch, archive=True)
        paper_store.withdraw(session, deleted)
    return counts


def added(receipt: Receipt, parsed: Parsed, counts: Merged) -> Receipt:
    """The receipt with one more payload in it."""
    latest = parsed.batch or max((p.announced for p in parsed.papers if p.announced), default=None)
    together = counted(receipt, len(parsed.papers), latest, parsed.rejected, counts)
    return replace(together, format=parsed.format, note=receipt.note or parsed.note)


def counted(
    receipt: Receipt, received: int, batch: date | None, rejected: Sequence[Rejection], counts: Merged
) -> Receipt:
    """The receipt with so many papers more, of which ``batch`` is the latest day."""
    days = [day for day in (receipt.batch, batch) if day]
    together = replace(
        receipt, batch=max(days, default=None), received=receipt.received + received,
        new=receipt.new + counts.new, updated=receipt.updated + counts.updated,
        merged=receipt.merged + counts.merged,
        rejected=(receipt.rejected + tuple((r.where, r.why) for r in rejected))[:_KEPT_REJECTIONS],
    )  # fmt: skip
    return replace(together, outcome=outcome(together))


def outcome(receipt: Receipt) -> Outcome:
    """What the counts of a receipt say."""
    if receipt.error:
        return "error"
    if receipt.new or receipt.updated or receipt.merged:
        return "papers"
    return "known" if receipt.received or receipt.rejected else "empty"
