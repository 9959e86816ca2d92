"""Steps that need the ranking, in a process that ends with its run.

Such a process loads scikit-learn and an edition, 100 MB and more, and gives all of it back when it ends: a
scheduler is idle for most of its days. It costs a second of processor time to begin, where there is something
to do, so what one run has to do in it one process does, step by step.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any, TypeVar

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
    """A process for each run that has anything to do. ``make`` builds the service in it; it is a function of
    a module, so that the process can import it.

    A run and the mail beside it may be at work at once; each has its own process, by the run's name.
    """

    def __init__(self, make: Callable[[], Service]) -> None:
        self._make = make
        self._kept: dict[str, tuple[SpawnProcess, Connection]] = {}

    def refit(self, service: Service, now: datetime, run: str) -> bool:
        """Fit a new edition where one is due."""
        with service.database.reading() as session:
            wanted = due.edition(session, now)
        if not wanted:
            return False
        try:
            return self._do(HERE.refit, now, run)
        finally:
            # All papers were read for it; what that took does not stay for the rest of the run.
            self.over(run)

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

    def over(self, run: str) -> None:
        """End the run's process, if it has one; it is not in the middle of anything."""
        process, link = self._kept.pop(run, (None, None))
        if process is not None and link is not None:
            link.close()
            process.join()

    def _do(self, step: Step[T], now: datetime, run: str) -> T:
        """Wait for the run's process to do it. Raises `StepError`."""
        process, link = self._kept.get(run) or self._begin(run)
        try:
            link.send((step, now))
            done: tuple[T, str] = link.recv()
        except (EOFError, OSError):
            self.over(run)
            how = f"the process that did it ended with status {process.exitcode}"
            raise StepError(f"{how}; was it killed for want of memory?") from None
        if done[1]:
            raise StepError(done[1])
        return done[0]

    def _begin(self, run: str) -> tuple[SpawnProcess, Connection]:
        link, other = _CONTEXT.Pipe()
        process = _CONTEXT.Process(target=_work, args=(other, self._make, run))
        with other, _stops_wait():
            process.start()
        self._kept[run] = process, link
        return process, link


@contextmanager
def _stops_wait() -> Iterator[None]:
    """What is started meanwhile is not stopped by Ctrl-C or SIGTERM before it can say what it does then."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(link: Connection, make: Callable[[], Service], run: str) -> None:
    """Do the steps that come, until there are no more or the scheduler is gone. What was begun is finished:
    whoever stops the scheduler waits for it, as for any step."""
    for number in _STOPS:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPS)
    service: Service | None = None
    # What was done when nobody is there any more to be told is in the database.
    with structlog.contextvars.bound_contextvars(run=run), suppress(EOFError, OSError):
        while True:
            step, now = link.recv()
            done: Any = None
            why = ""
            try:
                service = service or make()
                done = step(service, now, run)
            except Exception as exc:  # whatever it is, the scheduler is told and goes on
                why = f"{type(exc).__name__}: {exc}"
                log.exception("a step failed in its process")
            link.send((done, why))
    if service is not None:
        service.database.dispose()
