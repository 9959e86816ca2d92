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
from jobs.sources.parsed import Parsed
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
    days = [day for day in (receipt.batch, parsed.batch or _latest(parsed.papers)) if day]
    rejected = receipt.rejected + tuple((r.where, r.why) for r in parsed.rejected)
    together = replace(
        receipt, format=parsed.format, batch=max(days, default=None),
        received=receipt.received + len(parsed.papers), new=receipt.new + counts.new,
        updated=receipt.updated + counts.updated, merged=receipt.merged + counts.merged,
        rejected=rejected[:_KEPT_REJECTIONS], note=receipt.note or parsed.note,
    )  # fmt: skip
    return replace(together, outcome=outcome(together))


def outcome(receipt: Receipt) -> Outcome:
    """What the counts of a receipt say."""
    if receipt.error:
        return "error"
    if receipt.new or receipt.updated or receipt.merged:
        return "papers"
    return "known" if receipt.received or receipt.rejected else "empty"


def _latest(papers: Sequence[Paper]) -> date | None:
    return max((paper.announced for paper in papers if paper.announced), default=None)
