"""Shards over several processes of this machine, each with the database opened for itself."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime
from multiprocessing import get_context, parent_process

from db.match_rows import SHARD
from db.session import Database
from jobs.alerts.links import Links
from jobs.alerts.mail import Sender
from jobs.alerts.outbox_folder import OutboxFolder
from jobs.match_shard import match_range
from jobs.service import Service
from jobs.tally import Matched

# A process takes 3 s to start (scikit-learn, the edition, the batch), and a profile 0.17 ms: two processes
# were slower than one with 20,000 profiles, and faster with 100,000.
FEWEST = 10 * SHARD
"""With fewer profiles than this the processes would take longer to start than to work."""


def available_cpus() -> int:
    """On how many processors this process may run."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


_HELD: list[Service] = []


def match_shards(
    service: Service, batch_id: int, now: datetime, first: int, last: int, processes: int
) -> Iterator[Matched]:
    """Match the profiles numbered ``first`` to ``last`` in so many processes; what each shard came to.

    An exception in one of them passes through, and the others stop after the shard that they are at. SQLite
    lets one of them write at a time, which is a tenth of the work.
    """
    # Not forked: threads and open connections of this process do not survive it.
    pool = ProcessPoolExecutor(
        processes, get_context("spawn"), _begin, (service.database.url, service.links, service.sender)
    )
    try:
        begins = range(first - first % SHARD, last + 1, SHARD)
        shards = [(batch_id, now, max(first, b), min(last, b + SHARD - 1)) for b in begins]
        yield from pool.map(_match, shards)
    finally:
        pool.shutdown(cancel_futures=True)


def _begin(url: str, links: Links, sender: Sender) -> None:
    # Where this process's parent is killed, nobody tells it that there is no more work.
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _HELD[:] = [Service(Database(url), links, sender, _no_mail)]


def _end_with_parent() -> None:
    if (parent := parent_process()) is not None:
        parent.join()
        os._exit(1)


def _no_mail() -> OutboxFolder:
    raise RuntimeError("a process that matches sends no mail")


def _match(shard: tuple[int, datetime, int, int]) -> Matched:
    return match_range(_HELD[0], *shard)
