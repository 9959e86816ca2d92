"""What each day came to: counted when somebody looks, or once when it has been over for a day, and kept.

Mails are recorded as sent when they are, or by the next run if their sender died: a day after its end a day's
numbers stay. What is deleted later, with a reader or by age, was sent and said nevertheless.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta

from db import day_store, stats_store
from db.day_store import Day
from db.session import Database, Session
from db.stats_store import Arrival, BatchTimes
from jobs.sources import announcements

DAYS = 30
_DAY = timedelta(days=1)
# So many digests of a day tell its 95th percentile within three percent of the readers.
_SAMPLE = 100
# A mail may hold what waited for it: a week for a weekly one, longer for one that was paused.
_BATCHES = _DAY * 30
# A feed that is read later than this after its announcement was filled in afterwards.
_SAME = timedelta(days=2)


def latest(session: Session, now: datetime) -> dict[date, Day]:
    """The last `DAYS` days, oldest first: what is kept of them, and the others counted."""
    days = [now.date() - _DAY * n for n in reversed(range(DAYS))]
    known = day_store.kept(session, days[0], days[-1])
    known |= counted(session, [day for day in days if day not in known])
    return {day: known[day] for day in days}


def keep(database: Database, now: datetime) -> int:
    """Count the latest days that have been over for a day and are not kept; how many there were."""
    days = [now.date() - _DAY * n for n in range(2, DAYS)]
    with database.reading() as session:
        known = day_store.kept(session, days[-1], days[0])
        # One by one: a sample of all of them would pass over a day with few mails.
        found = {day: counted(session, [day])[day] for day in reversed(days) if day not in known}
    if found:
        with database.writing() as session:
            day_store.keep(session, found, since=days[-1])
    return len(found)


def counted(session: Session, days: Sequence[date]) -> dict[date, Day]:
    """What these days came to, in ascending order; waits are those of an even sample of their digests."""
    if not days:
        return {}
    begin, end = _midnight(days[0]), _midnight(days[-1] + _DAY)
    digests = stats_store.digests_by_day(session, days)
    likes = stats_store.likes_by_day(session, days)
    sent = stats_store.deliveries(session, begin, end, about=_SAMPLE * len(days))
    batches = stats_store.batches(session, begin - _BATCHES)
    began = announced_at(batches, stats_store.arrivals(session, begin - _BATCHES))
    waits: dict[date, list[timedelta]] = {}
    for at, batch in sent:
        if batch in began:
            waits.setdefault(at.date(), []).append(at - began[batch])
    return {day: _day(digests.get(day, 0), likes.get(day, 0), waits.get(day, [])) for day in days}


def _day(digests: int, likes: int, waits: list[timedelta]) -> Day:
    if not waits:
        return Day(digests, likes)
    median, high = (round(quantile(waits, share).total_seconds()) for share in (0.5, 0.95))
    return Day(digests, likes, median, high)


def announced_at(batches: Sequence[BatchTimes], arrivals: Sequence[Arrival]) -> dict[int, datetime]:
    """When each batch was announced: when arXiv's feed of that day came out if the batch holds it, else when
    the batch was made, since other sources say no more than the day."""
    moments: dict[int, datetime] = {}
    before: datetime | None = None
    for batch in batches:
        out = [
            announcements.out_at(arrival.day)
            for arrival in arrivals
            if arrival.at <= batch.made_at and (before is None or arrival.at > before)
        ]
        late = [at for at in out if timedelta(0) <= batch.made_at - at <= _SAME]
        moments[batch.id] = max(late, default=batch.made_at)
        before = batch.made_at
    return moments


def quantile(waits: Iterable[timedelta], share: float) -> timedelta:
    """The wait that this share of the waits does not exceed (nearest rank); zero if there are none."""
    ordered = sorted(waits)
    if not ordered:
        return timedelta(0)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(0), UTC)
