"""One request at a time, some seconds apart, across all processes and replicas of one database."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from db import pace_store
from db.session import Database
from jobs.sources.pace import SECONDS_BETWEEN

# No request takes longer: the fetcher gives up after two minutes.
_LONGEST = timedelta(minutes=5)


class SharedPace:
    """Turns that are kept in the database, so that everybody who shares it shares arXiv's patience.

    ``now`` is the wall clock, ``sleep`` waits for so many seconds. The clocks of replicas have to agree
    within a fraction of a second, as NTP keeps them.
    """

    def __init__(
        self, database: Database, now: Callable[[], datetime], sleep: Callable[[float], None],
        seconds: float = SECONDS_BETWEEN,
    ) -> None:  # fmt: skip
        self._database = database
        self._now = now
        self._sleep = sleep
        self._between = timedelta(seconds=seconds)

    @contextmanager
    def turn(self, group: str) -> Iterator[None]:
        """Wait for the turn of this group and hold it; the next one begins some seconds after this one."""
        holder = uuid.uuid4().hex
        while wait := self._asked(group, holder):
            self._sleep(wait.total_seconds())
        try:
            yield
        finally:
            with self._database.writing() as session:
                pace_store.give_back(session, group, holder)

    def _asked(self, group: str, holder: str) -> timedelta:
        with self._database.writing() as session:
            return pace_store.take(
                session, group, holder, self._now(), between=self._between, at_most=_LONGEST
            )
