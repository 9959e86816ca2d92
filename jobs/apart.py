"""Steps that need the ranking, each in a process of its own.

Such a process loads scikit-learn and an edition, 100 MB and more, and gives all of it back when it ends with
its step: a scheduler is idle for most of its days. It costs a second of processor time, where there is
something to do.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from multiprocessing.connection import Connection
from typing import TypeVar

import structlog

from jobs import due
from jobs.queue import HERE
from jobs.service import Service
from jobs.tally import Delivered, Matched

log = structlog.get_logger()

T = TypeVar("T")
Step = Callable[[Service, datetime, str], T]
# Not forked: threads and open connections of this process do not survive it.
_CONTEXT = multiprocessing.get_context("spawn")
_STOPS = frozenset({signal.SIGINT, signal.SIGTERM})


class StepError(Exception):
    """A step that failed in its process; the message is the error there, or how the process ended."""


class Apart:
    """A process for each step that has anything to do. ``make`` builds the service in it; it is a function of
    a module, so that the process can import it."""

    def __init__(self, make: Callable[[], Service]) -> None:
        self._make = make

    def refit(self, service: Service, now: datetime, run: str) -> bool:
        """Fit a new edition where one is due."""
        with service.database.reading() as session:
            wanted = due.edition(session, now)
        return self._do(HERE.refit, now, run) if wanted else False

    def match(self, service: Service, now: datetime, run: str) -> Matched:
        """Match all that waits."""
        with service.database.reading() as session:
            wanted = due.matching(session)
        return self._do(HERE.match, now, run) if wanted else Matched()

    def shadow(self, service: Service, now: datetime, run: str) -> int:
        """Let rankers on trial look at what was matched."""
        with service.database.reading() as session:
            wanted = due.shadow(session)
        return self._do(HERE.shadow, now, run) if wanted else 0

    def deliver(self, service: Service, now: datetime, run: str) -> tuple[Delivered, Delivered]:
        """Queue and send all that is due."""
        with service.database.reading() as session:
            wanted = due.delivery(service, session, now)
        return self._do(HERE.deliver, now, run) if wanted else (Delivered(), Delivered())

    def library(self, service: Service, now: datetime, run: str) -> int:
        """Take in what is new, as much as one run does."""
        with service.database.reading() as session:
            wanted = due.library(session, now)
        return self._do(HERE.library, now, run) if wanted else 0

    def _do(self, step: Step[T], now: datetime, run: str) -> T:
        """Wait for a process to do it. Raises `StepError`."""
        told, tells = _CONTEXT.Pipe(duplex=False)
        process = _CONTEXT.Process(target=_work, args=(tells, self._make, step, now, run))
        with told:
            with tells, _stops_wait():
                process.start()
            try:
                done: tuple[T, str] = told.recv()
            except EOFError:
                process.join()
                how = f"the process that did it ended with status {process.exitcode}"
                raise StepError(f"{how}; was it killed for want of memory?") from None
            process.join()
        if done[1]:
            raise StepError(done[1])
        return done[0]


@contextmanager
def _stops_wait() -> Iterator[None]:
    """What is started meanwhile is not stopped by Ctrl-C or SIGTERM before it can say what it does then."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(tells: Connection, make: Callable[[], Service], step: Step[T], now: datetime, run: str) -> None:
    """Do one step. What was begun is finished: whoever stops the scheduler waits for it, as for any step."""
    for number in _STOPS:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPS)
    done, why = None, ""
    with structlog.contextvars.bound_contextvars(run=run):
        try:
            service = make()
            try:
                done = step(service, now, run)
            finally:
                service.database.dispose()
        except Exception as exc:  # whatever it is, the scheduler is told and goes on
            why = f"{type(exc).__name__}: {exc}"
            log.exception("a step failed in its process")
    with suppress(OSError):  # the scheduler may be gone; what was done is in the database
        tells.send((done, why))
