"""From the outbox to the mail server: leased first, handed over, and every outcome recorded.

As many mails are on their way as the way out has connections, and none of them takes the next one before the
last one's outcome is committed. What the server takes is noted in a journal at once (jobs/journal.py); the
next run reads the journals of those that were killed. What such a one repeats, under the same Message-ID, are
mails whose last answer was on its way from the server: at most as many as may await it at once
(`smtp.SmtpSettings.handovers`), which is one where there are four connections.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import islice
from typing import Protocol, runtime_checkable

import structlog

from db import alert_store, relay_store, subscriber_store
from db.records import Queued
from db.relay_store import Relay
from db.session import Session
from db.subscriber_store import Standing
from jobs import compose, settling
from jobs.alerts.smtp import Outcome
from jobs.journal import Journal, Taken, left_behind
from jobs.service import Mailer, Service
from jobs.tally import Delivered

log = structlog.get_logger()

LEASE_SECONDS = 300
_BATCH = 100  # mails leased together
_LOOK_AHEAD = 25  # mails whose readers are looked up together
_FRESH = timedelta(seconds=5)  # how long that holds: who leaves meanwhile may get a mail that was on its way
_WIDEST = 64  # mails on their way at once
FAULTS = 20  # of the server in a row, after which mail is paused
_PAUSES = tuple(timedelta(minutes=m) for m in (1, 2, 5, 10, 20, 30))


@runtime_checkable
class _Wide(Protocol):
    """A way out that takes several mails at once; any other takes one after the other."""

    connections: int


def send_due(service: Service, now: datetime, *, at_most: int = 0) -> Delivered:
    """Send what is due in the outbox, or ``at_most`` mails of it.

    Stops early after many faults of the server in a row, and sends nothing until the pause that follows is
    over; then one mail goes ahead of the others. What is not sent keeps its place in the outbox.
    """
    _catch_up(service)
    return asyncio.run(_with_few_threads(service, now, at_most))


async def _with_few_threads(service: Service, now: datetime, at_most: int) -> Delivered:
    """One thread reads ahead while another records; more would only each hold memory of their own."""
    with ThreadPoolExecutor(2) as threads:
        asyncio.get_running_loop().set_default_executor(threads)
        return await _send_due(service, now, at_most)


def _catch_up(service: Service) -> None:
    """Record what senders that are no more had noted as taken, before anything is sent."""
    for journal in left_behind(service.journal) if service.journal else ():
        with service.database.writing() as session:
            known = [alert_store.was_taken(session, t.message_id, t.attempt, t.at) for t in journal.taken]
        journal.forget()
        log.warning("a sender ended in the middle; what it had sent is recorded now", mails=sum(known))


async def _send_due(service: Service, now: datetime, at_most: int) -> Delivered:
    with service.database.reading() as session:
        before = relay_store.relay(session)
    if before.holds(now):
        return Delivered(paused_until=before.resume_at)
    loop = asyncio.get_running_loop()
    begun = loop.time()
    # A run may last for hours, and leases must not run out in it; the loop's clock is never set back.
    run = _Run(service, before, lambda: now + timedelta(seconds=loop.time() - begun))
    try:
        async with service.mailer() as mailer:
            if before.pauses:
                await run.send(mailer, width=1, at_most=1)
            if not run.stopped(mailer):
                width = mailer.connections if isinstance(mailer, _Wide) else 1
                await run.send(mailer, width=width, at_most=at_most)
            after = run.relay(mailer)
    finally:
        run.close()
    if after != before:
        with service.database.writing() as session:
            relay_store.keep(session, after)
    if after.holds(run.clock()):
        log.error(
            "mail is paused", until=f"{after.resume_at:%Y-%m-%d %H:%M} UTC", faults=after.faults,
            why=after.error,
            cure="check the relay's settings; `paperwatch outbox test ADDRESS` tries it at once",
        )  # fmt: skip
    count = run.counts
    return Delivered(
        sent=count["sent"], retried=count["retry"], failed=count["failed"], suppressed=count["withheld"],
        paused_until=after.resume_at,
    )  # fmt: skip


class _Run:
    """One run through the outbox: the mails that are leased, and what became of those before."""

    def __init__(self, service: Service, before: Relay, clock: Callable[[], datetime]) -> None:
        self.service = service
        self.clock = clock
        self.before = before
        self.counts: Counter[str] = Counter()
        self._error = before.error
        self._through = False  # whether the server dealt with any mail, be it to refuse it
        self._left: deque[tuple[Queued, compose.Prepared | None]] = deque()
        self._leases: dict[int, datetime] = {}
        self._coming: asyncio.Task[list[tuple[Queued, compose.Prepared | None]]] | None = None
        self._is_more = True
        self._asked: set[int] = set()
        self._readers: Mapping[int, Standing] = {}
        self._looked = clock()
        self._taking = asyncio.Lock()
        self._may_take = 0
        self._broken = False
        self._book = _Book(service)
        # There are never more connections than this (app.settings).
        self._journal = Journal(service.journal, _WIDEST) if service.journal else None

    def faults(self, mailer: Mailer) -> int:
        """Faults of the server in a row, those of earlier runs included."""
        return mailer.faults_in_a_row + (0 if self._through else self.before.faults)

    def stopped(self, mailer: Mailer) -> bool:
        """Whether no further mail is to be tried."""
        if self._broken:
            return True
        if self.before.pauses and not self._through:
            return mailer.faults_in_a_row > 0  # of the one mail that goes ahead
        return self.faults(mailer) >= FAULTS

    def relay(self, mailer: Mailer) -> Relay:
        """How the way out is doing after this run."""
        faults = self.faults(mailer)
        if not self._through and not mailer.faults_in_a_row:
            return self.before
        if not self.stopped(mailer):
            return Relay(faults, error=self._error if faults else "")
        pauses = 1 if self._through else self.before.pauses + 1
        wait = _PAUSES[min(pauses, len(_PAUSES)) - 1] * (1 + self.service.jitter() / 4)
        at = self.clock()
        return Relay(faults, pauses, at, at + wait, self._error)

    async def send(self, mailer: Mailer, *, width: int, at_most: int = 0) -> None:
        """Send until nothing is due, or ``at_most`` mails, over ``width`` connections."""
        self._may_take = at_most or -1
        beat = asyncio.create_task(self._keep_leases())
        try:
            works = (self._work(mailer, slot) for slot in range(min(width, _WIDEST)))
            ends = await asyncio.gather(*works, return_exceptions=True)
        finally:
            beat.cancel()
            with suppress(asyncio.CancelledError):
                await beat
        if self._coming is not None:
            with suppress(Exception):
                await self._more()
        for end in ends:
            if isinstance(end, BaseException):
                raise end
        if self._left:
            with self.service.database.writing() as session:
                alert_store.give_back(session, [mail.id for mail, _ in self._left])
            self._left.clear()
            self._leases.clear()

    def close(self) -> None:
        """Be done; where an outcome could not be recorded, the journal is left to the next run."""
        if self._journal is not None:
            self._journal.close(keep=self._broken)

    async def _work(self, mailer: Mailer, slot: int) -> None:
        try:
            while not self.stopped(mailer) and (taken := await self._take()) is not None:
                mail, prepared = taken
                # Where the lease ran out (the machine slept), another process may have the mail by now.
                if self.clock() < self._leases[mail.id]:
                    await self._one(mailer, mail, prepared, slot)
                self._leases.pop(mail.id)
        except BaseException:
            # The others finish what they are at: no mail is cut off between the server and the record.
            self._broken = True
            raise

    async def _take(self) -> tuple[Queued, compose.Prepared | None] | None:
        async with self._taking:
            if not self._may_take or self._broken:
                return None
            if not self._left:
                await self._more()
            if not self._left:
                return None
            self._may_take -= 1
            mail = self._left.popleft()
            if self._coming is None and self._is_more and len(self._left) < _BATCH // 2 and self._room():
                # The next ones are made ready while these go out, so that no connection waits for them.
                self._coming = asyncio.create_task(asyncio.to_thread(self._lease))
            return mail

    def _room(self) -> int:
        """How many mails may be leased beside those that are."""
        return _BATCH if self._may_take < 0 else min(_BATCH, self._may_take - len(self._left))

    async def _more(self) -> None:
        """Get the mails that come next, those that are on their way to us first."""
        coming, self._coming = self._coming or asyncio.to_thread(self._lease), None
        self._left.extend(await coming)

    def _lease(self) -> list[tuple[Queued, compose.Prepared | None]]:
        now = self.clock()
        at_most = self._room()
        with self.service.database.writing() as session:
            leased = alert_store.lease(session, now, seconds=LEASE_SECONDS, at_most=at_most)
        self._leases.update({mail.id: now + timedelta(seconds=LEASE_SECONDS) for mail in leased})
        self._is_more = len(leased) == at_most
        if leased and self._journal is not None:
            self._open_journal()
        try:
            with self.service.database.reading() as session:
                prepared = compose.Prepared(self.service, session, leased, now) if leased else None
        except Exception:
            # One of them is at fault; made one by one, the others go out.
            log.exception("mails could not be prepared together", mails=len(leased))
            prepared = None
        return [(mail, prepared) for mail in leased]

    def _open_journal(self) -> None:
        assert self._journal is not None  # noqa: S101 - for the type checker
        try:
            self._journal.open()
        except OSError as exc:
            # Mail goes out all the same; only a crash would repeat more of it.
            log.warning("no journal of what the server takes", folder=str(self.service.journal), why=str(exc))
            self._journal = None

    def _note(self, slot: int, mail: Queued) -> None:
        if self._journal is None:
            return
        try:
            self._journal.note(slot, Taken(mail.message_id, mail.attempts, self.clock()))
        except OSError as exc:
            log.warning("not noted in the journal; it is recorded all the same", mail=mail.id, why=str(exc))

    def _readers_of(self, session: Session, mail: Queued, now: datetime) -> Mapping[int, Standing]:
        """How the subscribers of this mail and the next ones stand, as they did a moment ago at the most.

        A look at many costs no more than a look at one, which took a sixth of the time of a mail.
        """
        if not self._looked <= now < self._looked + _FRESH or mail.subscriber_id not in self._asked:
            following = (other.subscriber_id for other, _ in islice(self._left, _LOOK_AHEAD))
            self._asked = {mail.subscriber_id, *following}
            self._readers = subscriber_store.standings(session, self._asked)
            self._looked = now
        return self._readers

    async def _keep_leases(self) -> None:
        """Extend the leases of what is still to be sent: a slow server may take hours over it."""
        while True:
            await asyncio.sleep(LEASE_SECONDS / 3)
            numbers, until = list(self._leases), self.clock() + timedelta(seconds=LEASE_SECONDS)
            try:
                await asyncio.to_thread(self._extend, numbers, until)
            except Exception:
                log.exception("leases could not be extended; tried again", mails=len(numbers))
            else:
                self._leases.update({n: until for n in numbers if n in self._leases})

    def _extend(self, numbers: list[int], until: datetime) -> None:
        with self.service.database.writing() as session:
            alert_store.extend(session, numbers, until)

    async def _one(self, mailer: Mailer, mail: Queued, prepared: compose.Prepared | None, slot: int) -> None:
        now = self.clock()
        try:
            with self.service.database.reading() as session:
                readers = self._readers_of(session, mail, now)
                letter = compose.letter(self.service, session, mail, now, prepared, readers)
        except Exception as exc:
            # One mail that cannot be made must not hold up all others, whatever is wrong with it.
            log.exception("a mail could not be made", mail=mail.id, kind=mail.kind)
            outcome = Outcome("retry", 0, f"could not be made: {type(exc).__name__}: {exc}")
        else:
            if isinstance(letter, compose.Withheld):
                why = letter.why
                await self._book.record(
                    lambda session: alert_store.suppressed(session, mail.id, why, attempt=mail.attempts)
                )
                self.counts["withheld"] += 1
                return
            outcome = await mailer.send(
                self.service.sender.address, letter.to, letter.content, lambda: self._note(slot, mail)
            )
            if outcome.about in {"server", "sender"}:
                self._error = outcome.text
            else:
                self._through = True
        plan = settling.settle(mail, outcome, self.clock(), self.service.jitter())
        await self._book.record(lambda session: _write(session, mail, plan))
        self.counts[plan.state] += 1


def _write(session: Session, mail: Queued, plan: settling.Settled) -> None:
    if plan.state == "sent":
        alert_store.sent(session, mail.id, plan.at)
        return
    alert_store.failed(session, mail.id, plan.error, attempt=mail.attempts, retry_at=plan.retry_at)
    if plan.suppress:
        subscriber_store.suppress(session, mail.subscriber_id, plan.at, plan.suppress)


class _Book:
    """Records outcomes, those that come while a commit is on its way together in the next one.

    A database that is locked or whose disk is full is waited for, since a mail that the server took and that
    we forgot would be sent again.
    """

    _WAITS = (0.1, 0.5, 1, 2, 5, 10, 20, 30)

    def __init__(self, service: Service) -> None:
        self._service = service
        self._waiting: list[tuple[Callable[[Session], None], asyncio.Future[None]]] = []
        self._writer: asyncio.Task[None] | None = None

    async def record(self, change: Callable[[Session], None]) -> None:
        """Return once the change is committed. Raises what the database raises in the end."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((change, done))
        if self._writer is None:
            self._writer = asyncio.create_task(self._write())
        await done

    async def _write(self) -> None:
        while self._waiting:
            group, self._waiting = self._waiting, []
            failure = await self._commit([change for change, _ in group])
            for _, done in group:
                if failure is not None and not done.done():
                    done.set_exception(failure)
                elif not done.done():
                    done.set_result(None)
        self._writer = None

    async def _commit(self, changes: list[Callable[[Session], None]]) -> Exception | None:
        failure: Exception | None = None
        for wait in (0.0, *self._WAITS):
            await asyncio.sleep(wait)
            try:
                await asyncio.to_thread(self._commit_now, changes)
            except Exception as exc:
                failure = exc
                log.warning("outcomes could not be recorded; tried again", mails=len(changes), why=str(exc))
            else:
                return None
        return failure

    def _commit_now(self, changes: list[Callable[[Session], None]]) -> None:
        with self._service.database.writing() as session:
            for change in changes:
                change(session)
