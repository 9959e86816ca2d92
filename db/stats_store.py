"""How it all stands, counted for metrics and the operator's page; each function is one query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import ColumnElement, func, select, values
from sqlalchemy import column as sql_column
from sqlalchemy.orm import InstrumentedAttribute, Session

from db.tables import (
    BatchRow,
    BounceRow,
    DigestRow,
    FeedbackRow,
    LeaseRow,
    MatchRow,
    ProfileRow,
    ReceiptRow,
    SourceRow,
    SubscriberRow,
    TurnRow,
)


@dataclass(frozen=True, slots=True)
class Checks:
    """What the checks of one source came to: so many of them ended so, with these papers."""

    source_id: int
    outcome: str
    checks: int
    received: int
    new: int
    updated: int
    merged: int
    rejected: int


@dataclass(frozen=True, slots=True)
class BatchTimes:
    """When a batch was made, how many papers it has, and when everybody was matched against it."""

    id: int
    made_at: datetime
    papers: int
    matched_at: datetime | None


@dataclass(frozen=True, slots=True)
class Arrival:
    """When a source's feed of a day brought new papers."""

    at: datetime
    day: date


@dataclass(frozen=True, slots=True)
class Post:
    """Who does what only one process may do, and until when that holds without word from it."""

    holder: str
    until: datetime


def checks(session: Session, since: datetime) -> list[Checks]:
    """The checks since then, by source and outcome."""
    counted = (
        ReceiptRow.received,
        ReceiptRow.new,
        ReceiptRow.updated,
        ReceiptRow.merged,
        ReceiptRow.rejected,
    )
    # By the column itself SQLite would group all receipts there are, since it has an index on sources.
    source = (ReceiptRow.source_id + 0).label("source")
    query = (
        select(source, ReceiptRow.outcome, func.count(), *(func.sum(c) for c in counted))
        .where(ReceiptRow.at > since)
        .group_by(source, ReceiptRow.outcome)
        .order_by(source, ReceiptRow.outcome)
    )
    return [Checks(*map(_plain, row)) for row in session.execute(query)]


def batches(session: Session, since: datetime) -> list[BatchTimes]:
    """The batches since then and those that still wait, oldest first."""
    query = select(BatchRow.id, BatchRow.made_at, BatchRow.papers, BatchRow.matched_at)
    wanted = (BatchRow.made_at > since) | BatchRow.matched_at.is_(None)
    return [BatchTimes(*row) for row in session.execute(query.where(wanted).order_by(BatchRow.id))]


def arrivals(session: Session, since: datetime) -> list[Arrival]:
    """When arXiv's feeds brought something new, oldest first."""
    query = (
        select(ReceiptRow.at, ReceiptRow.batch)
        .join(SourceRow, SourceRow.id == ReceiptRow.source_id)
        .where(ReceiptRow.at > since, ReceiptRow.new > 0, ReceiptRow.batch.is_not(None))
        .where(SourceRow.kind == "arxiv", ReceiptRow.outcome.in_(("papers", "stale")))
        .order_by(ReceiptRow.at)
    )
    return [Arrival(at, day) for at, day in session.execute(query) if day is not None]


def deliveries(
    session: Session, since: datetime, until: datetime | None = None, *, about: int
) -> list[tuple[datetime, int]]:
    """When digests were sent from one moment on, and before the other if one is given, and the newest batch
    in each; of very many an even sample of ``about`` many."""
    # Only what was sent has a moment; asked for the state as well, SQLite takes the index of states.
    sent = [DigestRow.sent_at >= since, DigestRow.kind == "digest"]
    if until is not None:
        sent.append(DigestRow.sent_at < until)
    number = select(func.count()).select_from(DigestRow).where(*sent).scalar_subquery()
    newest = select(func.max(MatchRow.batch_id)).where(MatchRow.digest_id == DigestRow.id).scalar_subquery()
    query = select(DigestRow.sent_at, newest).where(*sent, DigestRow.id % (number // about + 1) == 0)
    return [(at, batch) for at, batch in session.execute(query) if batch is not None]


def subscribers(session: Session) -> dict[str, int]:
    """How many subscribers are in each state."""
    return _counts(session, SubscriberRow.state)


def profiles(session: Session) -> int:
    """How many profiles there are."""
    return session.scalar(select(func.count()).select_from(ProfileRow)) or 0


def sent_since(session: Session, since: datetime) -> dict[str, int]:
    """How many mails of each kind were sent since then."""
    return _counts(session, DigestRow.kind, DigestRow.sent_at > since)


def bounces(session: Session) -> dict[str, int]:
    """How many delivery reports of each kind ever came."""
    return _counts(session, BounceRow.kind)


def oldest_due(session: Session, now: datetime) -> dict[str, datetime | None]:
    """Since when the oldest piece of each kind of work that is due waits; None where none does."""
    waiting = {
        "source": select(func.min(SourceRow.next_check_at)).where(
            SourceRow.next_check_at <= now, SourceRow.paused.is_(False), SourceRow.removed_at.is_(None)
        ),
        "batch": select(func.min(BatchRow.made_at)).where(BatchRow.matched_at.is_(None)),
        "digest": select(func.min(ProfileRow.next_digest_at)).where(ProfileRow.next_digest_at <= now),
        "mail": select(func.min(DigestRow.next_attempt_at)).where(
            DigestRow.state == "queued", DigestRow.next_attempt_at <= now
        ),
    }
    names = list(waiting)
    row = session.execute(select(*(waiting[name].scalar_subquery() for name in names))).one()
    return dict(zip(names, row, strict=True))


def next_digest(session: Session) -> datetime | None:
    """When the next digest is due."""
    return session.scalar(select(func.min(ProfileRow.next_digest_at)))


def papers_by_day(session: Session, since: datetime) -> list[tuple[date, int, int]]:
    """Day, source and number of the new papers that it brought."""
    day = _day(session, ReceiptRow.at)
    query = (
        select(day, ReceiptRow.source_id, func.sum(ReceiptRow.new))
        .where(ReceiptRow.at > since, ReceiptRow.new > 0)
        .group_by(day, ReceiptRow.source_id)
        .order_by(day, ReceiptRow.source_id)
    )
    return [(_as_day(at), source, int(number)) for at, source, number in session.execute(query)]


def digests_by_day(session: Session, days: Sequence[date]) -> dict[date, int]:
    """How many digests were sent on each of these days (UTC)."""
    return _counted_by_day(session, DigestRow.sent_at, days, DigestRow.kind == "digest")


def bounces_by_day(session: Session, since: datetime) -> dict[date, int]:
    """How many delivery reports about subscribers came each day."""
    return _by_day(session, BounceRow.at, since, BounceRow.kind.in_(("hard", "soft")))


def likes_by_day(session: Session, days: Sequence[date]) -> dict[date, int]:
    """How many papers were liked or saved on each of these days (UTC)."""
    return _counted_by_day(session, FeedbackRow.at, days, FeedbackRow.opinion.in_(("like", "save")))


def post(session: Session, name: str) -> Post | None:
    """Who holds this lease, be it over or not; None if nobody ever did."""
    row = session.get(LeaseRow, name)
    return Post(row.holder, row.until) if row else None


def failed_turns(session: Session, since: datetime, *, at_most: int = 5) -> list[tuple[datetime, str, str]]:
    """When which job failed since then, and the error; newest first."""
    query = (
        select(TurnRow.started_at, TurnRow.job, TurnRow.error)
        .where(TurnRow.slot > since, TurnRow.error != "")
        .order_by(TurnRow.slot.desc(), TurnRow.id.desc())
        .limit(at_most)
    )
    return [(at, job, error) for at, job, error in session.execute(query)]


def last_turn(session: Session) -> datetime | None:
    """When a scheduler last began a run."""
    return session.scalar(select(func.max(TurnRow.slot)).where(TurnRow.job == "run"))


def ahead(session: Session, now: datetime) -> datetime | None:
    """The latest moment that the records speak of as past, if that is still to come by this clock."""
    latest = session.scalar(select(func.max(ReceiptRow.at)))
    return latest if latest is not None and latest > now else None


def server_clock(session: Session) -> datetime | None:
    """The database server's own time; None for SQLite, whose clock is ours."""
    if session.get_bind().dialect.name != "postgresql":
        return None
    return session.scalar(select(func.clock_timestamp()))


def _counts(
    session: Session, column: InstrumentedAttribute[str], *where: ColumnElement[bool]
) -> dict[str, int]:
    query = select(column, func.count()).where(*where).group_by(column).order_by(column)
    return {row[0]: row[1] for row in session.execute(query)}


def _counted_by_day(
    session: Session, column: InstrumentedAttribute[Any], days: Sequence[date], where: ColumnElement[bool]
) -> dict[date, int]:
    """How many rows each of these days has (UTC).

    Each is a stretch of one index; counting it is much quicker than making days of all its moments.
    """
    begins = [datetime.combine(day, time(0), UTC) for day in days]
    spans = (
        values(sql_column("begins", column.type), sql_column("ends", column.type), name="spans")
        .data([(begin, begin + timedelta(days=1)) for begin in begins])
        .cte()
    )
    number = select(func.count()).where(column >= spans.c.begins, column < spans.c.ends, where)
    query = select(spans.c.begins, number.correlate(spans).scalar_subquery())
    return {begin.astimezone(UTC).date(): found for begin, found in session.execute(query)}


def _by_day(
    session: Session, column: InstrumentedAttribute[Any], since: datetime, where: ColumnElement[bool]
) -> dict[date, int]:
    day = _day(session, column)
    query = select(day, func.count()).where(column > since, where).group_by(day).order_by(day)
    return {_as_day(at): number for at, number in session.execute(query)}


def _day(session: Session, column: InstrumentedAttribute[Any]) -> ColumnElement[Any]:
    """The day in UTC of a moment: SQLite keeps moments in UTC, PostgreSQL shows the session's zone."""
    if session.get_bind().dialect.name == "postgresql":
        return func.date(func.timezone("UTC", column))
    return func.date(column)


def _as_day(value: Any) -> date:
    return value if isinstance(value, date) else date.fromisoformat(value)


def _plain(value: Any) -> Any:
    return value if isinstance(value, str) else int(value)
