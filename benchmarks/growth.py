"""What a new batch costs as the service grows: with the papers on hand, the profiles, and the workers.

Each function returns (size, seconds) or (workers, profiles a second), each point on a database of its own.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from benchmarks import match, synthetic, workers
from db import archive_store, paper_store, source_store
from db.paper_rows import written
from jobs import match as matching
from jobs.service import Service
from recommender.merging import title_key

_NEW = 1_000
_READERS = 500
_BLOCK = 5_000
_TIMES = 5

Point = tuple[int, float]


def by_papers(sizes: Sequence[int]) -> list[Point]:
    """Seconds to store 1,000 new papers and match them against 500 profiles, with so many papers on hand: the
    median of five batches."""
    return [(size, _new_batch(size)) for size in sizes]


def _new_batch(size: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        service = match.service(Path(folder))
        match._fill(service, _READERS, 1, 1)
        matching.match_pending(service, match._NOW)
        _fill_archive(service, size)
        spent = [_one_batch(service, number) for number in range(_TIMES)]
        service.database.dispose()
    return statistics.median(spent)


def _fill_archive(service: Service, size: int) -> None:
    """So many papers on hand, a week for each five thousand, as arXiv has."""
    with service.database.writing() as session:
        source = source_store.add(session, name="a", kind="file", location="a", every_minutes=0, now=None)
    for first in range(0, size, _BLOCK):
        day = match._NOW.date() - timedelta(days=7 * (1 + first // _BLOCK))
        papers = synthetic.papers(min(_BLOCK, size - first), first=200_000 + first, day=day, seed=2)
        with service.database.writing() as session:
            rows = [written(paper, title_key(paper)) for paper in papers]
            archive_store.add(session, rows, source.id, match._NOW)
    with service.database.engine.connect() as connection:
        # What filling left in the log is not the new batch's to move.
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")


def _one_batch(service: Service, number: int) -> float:
    fresh = synthetic.papers(_NEW, first=10_000 + number * _NEW, seed=3)
    now = match._NOW + timedelta(hours=1 + number)
    start = time.perf_counter()
    with service.database.writing() as session:
        paper_store.merge(session, fresh, 1, now)
    matching.gather(service, now, [])
    done = matching.match_pending(service, now)
    spent = time.perf_counter() - start
    if done.profiles != _READERS or done.papers < _NEW // 2:
        raise RuntimeError(f"{done} is not what was to be measured")
    return spent


def by_profiles(sizes: Sequence[int], papers: int) -> list[Point]:
    """Seconds to match so many profiles against a batch of ``papers``."""
    found = [(size, match.measure(size, papers)) for size in sizes]
    return [(size, size / float(str(figure["value"]))) for size, figure in found]


def by_workers(numbers: Sequence[int], profiles: int, papers: int) -> list[Point]:
    """Profiles a second of so many workers."""
    rates = workers.measure(profiles, papers, numbers)["rates"]
    if not isinstance(rates, dict):
        raise TypeError("the rates are missing")
    return [(number, rates[str(number)]) for number in numbers]
