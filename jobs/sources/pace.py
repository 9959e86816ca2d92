"""How often a host may be asked. arXiv asks for one request per 3 seconds on one connection."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

# https://info.arxiv.org/help/api/tou.html, over API, OAI-PMH and RSS together.
SECONDS_BETWEEN = 3.0


class Pace(Protocol):
    """Whose turn it is to ask a group of hosts, in this process and, if so stored, in all replicas."""

    def turn(self, group: str) -> AbstractContextManager[None]:
        """Wait until the group may be asked; the turn lasts as long as the context, one at a time."""


def group_of(host: str) -> str:
    """The name under which a host's requests are paced; empty for hosts without a rule."""
    host = host.lower().rstrip(".")
    return "arxiv.org" if host == "arxiv.org" or host.endswith(".arxiv.org") else ""


class LocalPace:
    """One turn at a time and `SECONDS_BETWEEN` between their starts, among the threads of this process."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._guard = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}
        self._started: dict[str, float] = {}

    @contextmanager
    def turn(self, group: str) -> Iterator[None]:
        """Wait for the turn of this group and hold it."""
        with self._guard:
            lock = self._locks.setdefault(group, threading.Lock())
        with lock:
            now = self._clock()
            wait = self._started.get(group, now - SECONDS_BETWEEN) + SECONDS_BETWEEN - now
            if wait > 0:
                self._sleep(wait)
            self._started[group] = self._clock()
            yield
