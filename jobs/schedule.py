"""The clock: it only ticks and holds no state; what is due, the database knows.

Any number of schedulers may be up, one of them is active: the one that has the database's lease, which it
renews every few seconds, and on PostgreSQL the advisory lock. The others wait. Each tick claims its slot of
time first, so that a scheduler that was frozen and wakes fires nothing that another one has fired.

A run may take long over a harvest, a new edition or the library: mail that is due meanwhile goes out beside.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from apscheduler.schedulers.blocking import BlockingScheduler
from apscheduler.triggers.interval import IntervalTrigger

from db import turn_store
from jobs.pipeline import Run, run_once
from jobs.queue import HERE, Hands
from jobs.service import Service
from jobs.tally import Delivered

log = structlog.get_logger()

BEAT_SECONDS = 3
LEASE = timedelta(seconds=12)
# Stages that may take long. Beside a match only what is written already goes out: digests wait for it.
_LONG = frozenset({"ingest", "edition", "match", "shadow", "library", "thinning"})
_NAME = "scheduler"


class Post:
    """The post of the active scheduler: whether ``holder`` has it, and taking it over."""

    def __init__(self, service: Service, holder: str) -> None:
        self.holder = holder
        self.active = False
        self.fresh = False  # whether nothing was run yet since the post was taken
        self.began: datetime | None = None  # the run that is under way
        self._database = service.database
        self._lock = None if service.database.is_sqlite else turn_store.ActiveLock(service.database)
        self._waits_for = ""

    def renew(self, now: datetime) -> bool:
        """Keep the post, or take it if nobody has it any more; whether it was taken just now.

        On PostgreSQL the lock falls to the next one as soon as its holder's connection ends. One that is
        frozen keeps its connection, but not its lease: when that ran out, its connection is ended for it.
        """
        was = self.active
        try:
            mine, known = self._take(now)
        except Exception:
            self.active = False
            raise
        self.active = mine
        if mine:
            self._waits_for = ""
            self.fresh = self.fresh or not was
            return not was
        if was:
            log.warning("another scheduler has taken over; this one waits", scheduler=self.holder)
        self._wait(known, now)
        return False

    def _take(self, now: datetime) -> tuple[bool, tuple[str, datetime] | None]:
        locked = self._lock is not None and self._lock.held()
        with self._database.writing() as session:
            mine = (locked or self._lock is None) and turn_store.take(
                session, _NAME, self.holder, now, LEASE, force=locked
            )
            return mine, turn_store.holder(session, _NAME)

    def _wait(self, known: tuple[str, datetime] | None, now: datetime) -> None:
        other, until = known or ("", now)
        if other != self._waits_for:
            self._waits_for = other
            log.info("another scheduler is active; this one waits to take over", active=other)
        if self._lock is not None and until < now and other != self.holder:
            log.warning("the active scheduler shows no sign of life; its connection is ended", active=other)
            self._lock.end_holder()

    def resign(self) -> None:
        """Leave the post to the next one at once."""
        self.active = False
        with self._database.writing() as session:
            turn_store.give_back(session, _NAME, self.holder)
        if self._lock is not None:
            self._lock.release()


@dataclass(frozen=True, slots=True)
class Clock:
    """What a scheduler goes by: how often it ticks, the time, and names for runs and for itself."""

    tick_seconds: int
    now: Callable[[], datetime]
    run_id: Callable[[], str]
    holder: str


def scheduler(service: Service, clock: Clock, hands: Hands = HERE) -> tuple[BlockingScheduler, Post]:
    """A scheduler that does what is due at every tick while it has the post, beginning now; ``start()``
    blocks. The post is to be resigned after it.

    The job store is in memory: a shared one would fire from two processes. Ticks that were missed while a
    run took long, or the machine slept, become one (APScheduler would drop them after a second otherwise).
    """
    post = Post(service, clock.holder)
    ticking = BlockingScheduler(timezone="UTC")

    def beat() -> None:
        try:
            taken = post.renew(clock.now())
        except Exception as exc:
            log.warning("the scheduler's lease could not be renewed; tried again", why=str(exc))
            return
        if taken:
            log.info("this scheduler is active", scheduler=clock.holder)
            ticking.modify_job("tick", next_run_time=clock.now())

    soon = clock.now() + timedelta(milliseconds=10)
    always: dict[str, Any] = {"coalesce": True, "misfire_grace_time": None, "max_instances": 1}
    ticking.add_job(beat, IntervalTrigger(seconds=BEAT_SECONDS, timezone="UTC"), next_run_time=soon, **always)
    every = IntervalTrigger(seconds=clock.tick_seconds, timezone="UTC")
    ticking.add_job(lambda: tick(service, post, clock, hands), every, id="tick", **always)
    ticking.add_job(lambda: mail_beside(service, post, clock, hands), every, id="mail", **always)
    return ticking, post


def tick(service: Service, post: Post, clock: Clock, hands: Hands = HERE) -> Run | None:
    """One run if the post is this scheduler's and the slot nobody's; its failure is recorded and does not end
    the clock."""
    if not post.active:
        return None
    now, run = clock.now(), clock.run_id()
    # The first run catches up at once, whatever slot the last scheduler was at.
    slot = now if post.fresh else _slot(now, clock.tick_seconds)
    post.fresh = False
    number = _claim(service, clock, "run", slot, run, now)
    if number is None:
        return None
    done, error = None, ""
    post.began = now
    with structlog.contextvars.bound_contextvars(run=run):
        try:
            done = run_once(service, now, run, hands)
            _tell(done)
        except Exception as exc:
            error = f"{type(exc).__name__}: {exc}"
            log.exception("run failed; it is tried again at the next tick")
        finally:
            post.began = None
            hands.over(run)
    with service.database.writing() as session:
        turn_store.finish(session, number, clock.holder, clock.now(), report(done) if done else {}, error)
    return done


def mail_beside(service: Service, post: Post, clock: Clock, hands: Hands = HERE) -> Delivered | None:
    """Deliver what is due beside a run that is at something long; None if there was no need.

    The first tick of a run is its own. While it matches, digests wait for it (`deliver.queue_due`), since the
    papers of this hour are to be in the mail of this hour; two that deliver at once share the work.
    """
    now, run = clock.now(), clock.run_id()
    began = post.began
    if not post.active or began is None or service.stage not in _LONG:
        return None
    if now - began < timedelta(seconds=clock.tick_seconds):
        return None
    number = _claim(service, clock, "mail", _slot(now, clock.tick_seconds), run, now)
    if number is None:
        return None
    sent, error = Delivered(), ""
    with structlog.contextvars.bound_contextvars(run=run):
        try:
            queued, sent = hands.deliver(replace(service), now, run)  # the other run has its own stage
            if queued.queued or sent.sent or sent.failed or sent.retried:
                log.info("mail went out beside a long run", stage=service.stage, queued=queued.queued,
                         sent=sent.sent, retried=sent.retried, failed=sent.failed)  # fmt: skip
        except Exception as exc:
            error = f"{type(exc).__name__}: {exc}"
            log.exception("mail beside a long run failed; it is tried again at the next tick")
        finally:
            hands.over(run)
    with service.database.writing() as session:
        told = {"sent": sent.sent, "retried": sent.retried, "failed": sent.failed}
        turn_store.finish(session, number, clock.holder, clock.now(), told, error)
    return sent


def _claim(service: Service, clock: Clock, job: str, slot: datetime, run: str, now: datetime) -> int | None:
    """This slot of the job, if the lease is ours and nobody had the slot. The lease is looked at in the same
    transaction: a process that was frozen between the two lost it."""
    with service.database.writing() as session:
        if not turn_store.keep(session, _NAME, clock.holder, now, LEASE):
            return None
        return turn_store.claim(session, job, slot, run, clock.holder, now)


def report(done: Run) -> dict[str, Any]:
    """What a run did, in numbers."""
    return {
        "sources": len(done.receipts), "new": sum(r.new for r in done.receipts),
        "failed_sources": sum(bool(r.error) for r in done.receipts), "papers": done.matched.papers,
        "profiles": done.matched.profiles, "chosen": done.matched.chosen, "queued": done.queued.queued,
        "sent": done.sent.sent, "retried": done.sent.retried, "failed": done.sent.failed,
    }  # fmt: skip


def _slot(now: datetime, seconds: int) -> datetime:
    """The slot of time that this moment is in, the same for every scheduler with the same tick."""
    return datetime.fromtimestamp(now.timestamp() // seconds * seconds, UTC)


def _tell(done: Run) -> None:
    for receipt in done.receipts:
        if receipt.error:
            log.warning("source failed", location=receipt.location, error=receipt.error)
        elif receipt.new:
            log.info("papers came in", location=receipt.location, new=receipt.new)
    if done.matched.batches or done.queued.queued or done.sent.sent or done.sent.failed or done.sent.retried:
        log.info(
            "run", matched=done.matched.papers, profiles=done.matched.profiles, chosen=done.matched.chosen,
            queued=done.queued.queued, sent=done.sent.sent, retried=done.sent.retried,
            failed=done.sent.failed,
        )  # fmt: skip
