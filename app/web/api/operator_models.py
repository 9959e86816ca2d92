"""How everything stands, as the operator's part of the API gives it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta

from pydantic import Field

from app.web.api.fields import Model
from db.records import DigestState, Outcome, Queued, Receipt
from jobs.days import quantile
from jobs.overview import Month, SourceState, Standing, Trouble, Watched, by_source, coming
from jobs.receipts import result

_MOST_FINDINGS = 100


class LeftOut(Model):
    """An entry that could not be read."""

    where: str = Field(description="The entry, as far as it can be told")
    why: str


class Check(Model):
    """What one check of a source came to."""

    at: datetime
    outcome: Outcome = Field(description="The same in one word; empty where nothing was recorded")
    said: str = Field(description="The same in words, as the page has it")
    batch: date | None = Field(description="The announcement day of what was received")
    received: int
    new: int
    updated: int
    merged: int = Field(description="Papers that another source had shown before")
    left_out: list[LeftOut] = Field(description="Entries that could not be read, the first hundred")
    error: str

    @classmethod
    def of(cls, receipt: Receipt) -> Check:
        """A receipt."""
        return cls(
            at=receipt.at, outcome=receipt.outcome, said=result(receipt), batch=receipt.batch,
            received=receipt.received, new=receipt.new, updated=receipt.updated, merged=receipt.merged,
            left_out=[LeftOut(where=where, why=why) for where, why in receipt.rejected], error=receipt.error,
        )  # fmt: skip


class Checks(Model):
    """Checks of a source, the latest first."""

    checks: list[Check]


class SourceOut(Model):
    """A source: where it is, how it does, and what its last check came to."""

    id: int
    name: str
    kind: str
    location: str = Field(description="An address, or a path on the machine that asks")
    state: SourceState = Field(description="failing: its last check failed; new: it was never read")
    said: str = Field(description="What the last check came to, in words")
    last_check: Check | None = Field(description="What the last check came to; null: there was none")
    next_check_at: datetime | None = Field(description="null where it is never asked by itself")
    last_success_at: datetime | None = Field(description="When a check last went well; null: never")
    last_batch: date | None = Field(description="The latest day of announcements that it showed; null: none")
    failures: int = Field(description="Checks that failed in a row")
    last_error: str
    paused_at: datetime | None = Field(description="Since when it is asked no more; null: it is asked")

    @classmethod
    def of(cls, stand: Watched) -> SourceOut:
        """A source as it stands."""
        source = stand.source
        return cls(
            id=source.id, name=source.name, kind=source.kind, location=source.location, state=stand.state,
            said=stand.said, last_check=Check.of(stand.last) if stand.last else None,
            next_check_at=source.next_check_at, last_success_at=source.last_success_at,
            last_batch=source.last_batch, failures=source.failures, last_error=source.last_error,
            paused_at=source.paused_at,
        )  # fmt: skip


class Sources(Model):
    """Sources by number; ``next`` is what to give as ``after`` for those after them."""

    sources: list[SourceOut]
    next: int | None = Field(description="What to ask for to get those after these; null: there are no more")


class OutboxMail(Model):
    """A mail of the outbox, without its address, which only the mail server's error may repeat."""

    id: int
    kind: str = Field(description="digest, confirmation or access (a link to one's own page)")
    state: DigestState
    attempts: int
    queued_at: datetime
    next_attempt_at: datetime | None = Field(description="When it is tried again; null: it is not")
    sent_at: datetime | None = Field(description="When the relay took it; null: it has not")
    last_error: str = Field(description="What the mail server said, or why it was withheld")

    @classmethod
    def of(cls, mail: Queued) -> OutboxMail:
        """A mail as the outbox has it."""
        return cls(
            id=mail.id, kind=mail.kind, state=mail.state, attempts=mail.attempts, queued_at=mail.queued_at,
            next_attempt_at=mail.next_attempt_at, sent_at=mail.sent_at, last_error=mail.last_error,
        )  # fmt: skip


class OutboxMails(Model):
    """Mails, the latest first; ``next`` is what to give as ``before`` for those after them."""

    mails: list[OutboxMail]
    next: int | None = Field(description="What to ask for to get those after these; null: there are no more")


class FindingOut(Model):
    """One thing that is wrong: what it is about, what was seen, and what to do."""

    what: str
    why: str
    to_do: str


class Coming(Model):
    """Something that happens next."""

    at: datetime
    what: str


class Failure(Model):
    """A job that failed."""

    at: datetime
    job: str
    error: str


class Waits(Model):
    """How long mails took from the announcement of their papers."""

    median_seconds: float
    p95_seconds: float = Field(description="95 of 100 took no longer")

    @classmethod
    def of(cls, pair: tuple[timedelta, timedelta] | None) -> Waits | None:
        """The median and the 95th percentile; None where nothing was sent."""
        if pair is None:
            return None
        return cls(median_seconds=pair[0].total_seconds(), p95_seconds=pair[1].total_seconds())


class RelayOut(Model):
    """How the way out for mail does."""

    faults: int = Field(description="Faults of the mail server in a row")
    paused_until: datetime | None = Field(description="Until when no mail goes out; null: it goes")
    error: str


class Scheduler(Model):
    """The scheduler that is active, or was the last one."""

    holder: str = Field(description="Its host and process")
    alive: bool
    until: datetime = Field(description="Until when it may be silent")


class Workers(Model):
    """The workers and their jobs."""

    alive: int
    waiting: int
    running: int
    stalled: int = Field(description="Of those running, left by workers that died")
    oldest: datetime | None = Field(description="Since when the oldest job is there")


class StandingOut(Model):
    """How everything stands at one moment."""

    at: datetime
    papers: int
    profiles: int
    subscribers: dict[str, int] = Field(
        description="By state: unconfirmed, confirmed, unsubscribed, suppressed"
    )
    bounces: dict[str, int] = Field(description="Delivery reports by kind: hard, soft, other")
    outbox: dict[str, int] = Field(description="Mails by state")
    sent_last_day: dict[str, int] = Field(description="Mails of the last 24 hours by kind")
    waits_last_day: Waits | None = Field(description="null where no digest was sent")
    oldest_due: dict[str, datetime | None] = Field(
        description="Since when the oldest due source, batch, digest and mail waits; null where none does"
    )
    relay: RelayOut
    scheduler: Scheduler | None = Field(description="null where there never was one, or it left")
    workers: Workers | None = Field(description="null on SQLite, which has none")
    findings: list[FindingOut] = Field(
        description="What is wrong, the first hundred; empty where all is well"
    )
    failed_mails: list[OutboxMail] = Field(description="The latest ones")
    failures: list[Failure] = Field(description="Jobs that failed in the last 24 hours, the latest first")
    coming: list[Coming] = Field(description="What happens next, soonest first")

    @classmethod
    def of(cls, stands: Standing, trouble: Trouble) -> StandingOut:
        """How it stands, and what is wrong."""
        relay, post, queue = stands.relay, stands.post, stands.queue
        waits = stands.waits
        return cls(
            at=stands.at, papers=stands.papers, profiles=stands.profiles,
            subscribers=dict(stands.subscribers), bounces=dict(stands.bounces), outbox=dict(stands.outbox),
            sent_last_day=dict(stands.sent), oldest_due=dict(stands.oldest),
            waits_last_day=Waits.of((quantile(waits, 0.5), quantile(waits, 0.95)) if waits else None),
            relay=RelayOut(
                faults=relay.faults, paused_until=relay.resume_at if relay.holds(stands.at) else None,
                error=relay.error,
            ),
            scheduler=Scheduler(holder=post.holder, alive=post.until >= stands.at, until=post.until)
            if post else None,
            workers=Workers(
                alive=queue.workers, waiting=queue.waiting, running=queue.running, stalled=queue.stalled,
                oldest=queue.oldest,
            ) if queue else None,
            findings=[
                FindingOut(what=f.what, why=f.why, to_do=f.to_do) for f in trouble.findings[:_MOST_FINDINGS]
            ],
            failed_mails=[OutboxMail.of(mail) for mail in trouble.mails],
            failures=[Failure(at=at, job=job, error=error) for at, job, error in trouble.turns],
            coming=[Coming(at=at, what=what) for at, what in coming(stands, trouble.next_digest)],
        )  # fmt: skip


class SourceMonth(Model):
    """New papers of one source, day by day."""

    source: int
    name: str
    papers: list[int]


class MonthOut(Model):
    """The last days, oldest first; each list has a number for each of ``days`` (UTC)."""

    days: list[date]
    new_papers: list[SourceMonth] = Field(description="By source, those that brought the most first")
    digests: list[int] = Field(description="Digests sent")
    waits: list[Waits | None] = Field(description="From announcement to mail, a sample of each day's")
    bounces: list[int] = Field(description="Delivery reports about readers")
    likes: list[int] = Field(description="Papers liked or saved")

    @classmethod
    def of(cls, month: Month, names: Mapping[int, str]) -> MonthOut:
        """The last days, with names for the sources."""
        return cls(
            days=list(month.days), digests=list(month.digests), bounces=list(month.bounces),
            likes=list(month.likes), waits=[Waits.of(pair) for pair in month.waits],
            new_papers=[
                SourceMonth(source=number, name=name, papers=list(values))
                for number, name, values in by_source(month, names)
            ],
        )  # fmt: skip
