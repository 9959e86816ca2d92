"""How everything stands: what came in, what went out, what waits, and how long it took."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

from db import alert_store, paper_store, queue_store, relay_store, source_store, stats_store
from db.day_store import Day
from db.queue_store import Queue
from db.records import Queued, Receipt, Source
from db.relay_store import Relay
from db.session import Database
from db.stats_store import BatchTimes, Checks, Post
from jobs import days, diagnosis, receipts
from jobs.days import DAYS
from jobs.diagnosis import Finding

_DAY = timedelta(days=1)
# So many digests tell the 95th percentile within two percent of the readers, whatever their number.
_SAMPLE = 250
_CHECKS_TO_COME = 5

SourceState = Literal["well", "failing", "paused", "new"]


@dataclass(frozen=True, slots=True)
class Standing:
    """How it stands at one moment; ``checks``, ``sent`` and ``waits`` are of the last 24 hours.

    ``waits`` are the times from an announcement to the mail that tells of it. ``oldest`` says of each kind of
    work since when the oldest due piece waits; ``queue`` is None on SQLite, which has no workers.
    """

    at: datetime
    papers: int
    sources: tuple[Source, ...]
    latest: Mapping[int, Receipt]
    checks: tuple[Checks, ...]
    batches: tuple[BatchTimes, ...]
    outbox: Mapping[str, int]
    sent: Mapping[str, int]
    relay: Relay
    bounces: Mapping[str, int]
    subscribers: Mapping[str, int]
    profiles: int
    oldest: Mapping[str, datetime | None]
    waits: tuple[timedelta, ...]
    post: Post | None
    queue: Queue | None
    last_turn: datetime | None


@dataclass(frozen=True, slots=True)
class Watched:
    """A source as it stands: ``new`` ones were never read; ``said`` is what the ``last`` check came to."""

    source: Source
    state: SourceState
    said: str
    last: Receipt | None


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong, with its cure, and the mails and turns that failed."""

    findings: tuple[Finding, ...]
    mails: tuple[Queued, ...]
    turns: tuple[tuple[datetime, str, str], ...]
    next_digest: datetime | None


@dataclass(frozen=True, slots=True)
class Month:
    """The last `DAYS` days, oldest first. ``papers`` are each source's new ones by its number, ``waits`` the
    median and the 95th percentile from announcement to mail, None for a day without mail."""

    days: tuple[date, ...]
    papers: Mapping[int, tuple[int, ...]]
    digests: tuple[int, ...]
    bounces: tuple[int, ...]
    likes: tuple[int, ...]
    waits: tuple[tuple[timedelta, timedelta] | None, ...]


def standing(database: Database, now: datetime) -> Standing:
    """How everything stands, in a fixed number of queries whose cost does not grow with the papers."""
    day, month = now - _DAY, now - _DAY * DAYS
    with database.reading() as session:
        batches = stats_store.batches(session, month)
        sent = stats_store.deliveries(session, day, about=_SAMPLE)
        began = days.announced_at(batches, stats_store.arrivals(session, month))
        return Standing(
            at=now, papers=paper_store.last_number(session), sources=tuple(source_store.every(session)),
            latest=source_store.latest_receipts(session), checks=tuple(stats_store.checks(session, day)),
            batches=tuple(batches), outbox=alert_store.outbox_states(session),
            sent=stats_store.sent_since(session, day), relay=relay_store.relay(session),
            bounces=stats_store.bounces(session), subscribers=stats_store.subscribers(session),
            profiles=stats_store.profiles(session), oldest=stats_store.oldest_due(session, now),
            waits=tuple(at - began[batch] for at, batch in sent if batch in began),
            post=stats_store.post(session, "scheduler"),
            queue=queue_store.state(session) if queue_store.is_there(session) else None,
            last_turn=stats_store.last_turn(session),
        )  # fmt: skip


def trouble(database: Database, stands: Standing) -> Trouble:
    """What is wrong, and what to do about it."""
    with database.reading() as session:
        mails = alert_store.outbox(session, states=("queued", "sending", "failed"), at_most=100)
        turns = stats_store.failed_turns(session, stands.at - _DAY)
        upcoming = stats_store.next_digest(session)
    watched = [source for source in stands.sources if source.kind != "file"]
    found = diagnosis.of_scheduler(stands.post, stands.last_turn, stands.at)
    found += diagnosis.of_sources(watched, stands.latest, stands.at)
    found += diagnosis.of_outbox(stands.outbox, mails, stands.at)
    found += diagnosis.of_relay(stands.relay, stands.at)
    found += diagnosis.of_work(stands.oldest, stands.at)
    found += diagnosis.of_queue(stands.queue, stands.at)
    failed = tuple(mail for mail in mails if mail.state == "failed")[:10]
    return Trouble(tuple(found), failed, tuple(turns), upcoming)


def watched(stands: Standing) -> list[Watched]:
    """The sources that are checked by themselves, by name."""
    return [stand(source, stands.latest) for source in stands.sources if source.kind != "file"]


def by_hand(stands: Standing) -> list[Watched]:
    """What was ingested by hand, the latest first."""
    given = [s for s in stands.sources if s.kind == "file" and s.id in stands.latest]
    given.sort(key=lambda source: stands.latest[source.id].at, reverse=True)
    return [stand(source, stands.latest) for source in given]


def stand(source: Source, latest: Mapping[int, Receipt]) -> Watched:
    """One source with its latest receipt, if it has one."""
    last = latest.get(source.id)
    state: SourceState = "paused" if source.paused else "failing" if source.failures else "well"
    if state == "well" and source.last_success_at is None:
        state = "new"
    return Watched(source, state, receipts.result(last) if last else "not checked yet", last)


def coming(stands: Standing, digest: datetime | None) -> list[tuple[datetime, str]]:
    """What happens next, soonest first; ``digest`` is when the next one is written."""
    due = [
        (source.next_check_at, f"{source.name} is asked")
        for source in stands.sources
        if source.next_check_at and not source.paused and source.kind != "file"
    ]
    found = sorted(due)[:_CHECKS_TO_COME]
    if digest is not None:
        found.append((digest, "the next digest is written"))
    if stands.relay.resume_at and stands.relay.holds(stands.at):
        found.append((stands.relay.resume_at, "mail is tried again"))
    return sorted(found)


def month(database: Database, now: datetime) -> Month:
    """The last days, one by one."""
    with database.reading() as session:
        each = days.latest(session, now)
        since = now - _DAY * DAYS
        papers = stats_store.papers_by_day(session, since)
        bounced = stats_store.bounces_by_day(session, since)
    by_source: dict[int, dict[date, int]] = {}
    for at, source, number in papers:
        by_source.setdefault(source, {})[at] = number
    return Month(
        tuple(each),
        {source: tuple(of.get(d, 0) for d in each) for source, of in by_source.items()},
        tuple(day.digests for day in each.values()),
        tuple(bounced.get(d, 0) for d in each),
        tuple(day.likes for day in each.values()),
        tuple(_waits(day) for day in each.values()),
    )


def _waits(day: Day) -> tuple[timedelta, timedelta] | None:
    if day.median_wait is None or day.high_wait is None:
        return None
    return timedelta(seconds=day.median_wait), timedelta(seconds=day.high_wait)


def names(sources: Iterable[Source]) -> dict[int, str]:
    """A name for each source by its number, no two alike."""
    given = list(sources)
    often = Counter(source.name for source in given)
    return {s.id: s.name if often[s.name] == 1 else f"{s.name} ({s.id})" for s in given}


def by_source(month: Month, names: Mapping[int, str]) -> list[tuple[int, str, tuple[int, ...]]]:
    """Number, name and new papers of each source of the month, those that brought the most first; ``names``
    are as `names` gives them, and lack removed sources."""
    ranked = sorted(month.papers.items(), key=lambda item: (-sum(item[1]), item[0]))
    return [(number, names.get(number, f"removed ({number})"), values) for number, values in ranked]
