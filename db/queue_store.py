"""Procrastinate's tables, in a PostgreSQL schema of their own beside ours.

The queue holds nothing that our own tables do not know: a job is only a hint that some shard of work waits.
So the schema carries the fingerprint of the library's SQL in its name. A version of the library with another
schema begins with an empty queue, the scheduler fills it anew, and workers of the old version that are still
up during an upgrade keep theirs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from sqlalchemy import text
from sqlalchemy.orm import Session

if TYPE_CHECKING:
    import psycopg

_PREFIX = "paperwatch_queue_"
DEAD_SECONDS = 20.0
"""A worker that showed no sign of life for so long is taken for dead; one that was only slow does no harm."""


@dataclass(frozen=True, slots=True)
class Queue:
    """How the queue stands: workers that showed a sign of life lately, jobs that wait, run, and were left by
    workers that did not, and since when the oldest of all is there.

    Jobs that failed are not among them: none is kept, what it was about is handed out again.
    """

    workers: int
    waiting: int
    running: int
    stalled: int
    oldest: datetime | None = field(default=None, compare=False)


@cache
def schema() -> str:
    """The name of the schema that this version of the library wants."""
    return _PREFIX + hashlib.sha256(_sql().encode()).hexdigest()[:12]


def _sql() -> str:
    return resources.files("procrastinate").joinpath("sql/schema.sql").read_text(encoding="utf-8")


def prepare(session: Session) -> None:
    """Make the library's tables if they are not there."""
    connection = session.connection()
    wanted = text("SELECT count(*) FROM pg_namespace WHERE nspname = :name")
    if connection.execute(wanted, {"name": schema()}).scalar_one():
        return
    connection.execute(text(f"CREATE SCHEMA {schema()}"))
    raw = driver_connection(session)
    raw.execute(_sql().encode())
    connection.execute(text("SET LOCAL search_path TO DEFAULT"))


def driver_connection(session: Session) -> psycopg.Connection[Any]:
    """The driver's own connection of this session, for the library to use in the session's transaction."""
    connection = session.connection()
    connection.execute(text(f"SET LOCAL search_path TO {schema()}"))
    raw: psycopg.Connection[Any] = connection.connection.driver_connection  # type: ignore[assignment]
    return raw


def is_there(session: Session) -> bool:
    """Whether this database has a queue that this version knows: PostgreSQL, brought up to date."""
    if session.get_bind().dialect.name == "sqlite":
        return False
    wanted = text("SELECT count(*) FROM pg_namespace WHERE nspname = :name")
    return bool(session.execute(wanted, {"name": schema()}).scalar_one())


def state(session: Session, alive_seconds: float = DEAD_SECONDS) -> Queue:
    """How the queue stands; a worker is alive that showed it within so many seconds."""
    row = session.execute(
        text(
            f"""
            WITH alive AS (SELECT id FROM {schema()}.procrastinate_workers
                           WHERE last_heartbeat > now() - make_interval(secs => :seconds))
            SELECT (SELECT count(*) FROM alive) AS workers,
                   count(*) FILTER (WHERE status = 'todo') AS waiting,
                   count(*) FILTER (WHERE status = 'doing') AS running,
                   count(*) FILTER (WHERE status = 'doing' AND (worker_id IS NULL
                                    OR worker_id NOT IN (SELECT id FROM alive))) AS stalled,
                   (SELECT min(at) FROM {schema()}.procrastinate_events
                    WHERE type = 'deferred') AS oldest
            FROM {schema()}.procrastinate_jobs
            """  # noqa: S608  # a name of our own
        ),
        {"seconds": alive_seconds},
    ).one()
    return Queue(row.workers, row.waiting, row.running, row.stalled, row.oldest)


def drop_stalled(session: Session, dead_seconds: float) -> int:
    """Forget workers that showed no sign of life for so long, and the jobs that they had; how many jobs.

    The work itself is not lost: what a job was about is still to be done, and the scheduler sees that. (The
    library's own way, to put such jobs back into the queue, fails where the same job waits there already.)
    """
    driver_connection(session)
    session.execute(
        text("SELECT procrastinate_prune_stalled_workers_v1(:seconds)"), {"seconds": dead_seconds}
    )
    dropped = session.execute(
        text(
            "SELECT procrastinate_finish_job_v1(id, 'failed', true) FROM procrastinate_jobs"
            " WHERE status = 'doing' AND worker_id IS NULL"
        )
    )
    return len(dropped.all())


def open_locks(session: Session, names: Iterable[str]) -> set[str]:
    """Those of these queueing locks whose job waits or runs."""
    found = session.execute(
        text(
            f"SELECT queueing_lock FROM {schema()}.procrastinate_jobs"  # noqa: S608  # a name of our own
            " WHERE status IN ('todo', 'doing') AND queueing_lock = ANY(:names)"
        ),
        {"names": list(names)},
    )
    return set(found.scalars())


def drop_old(session: Session) -> list[str]:
    """Drop the queues of other versions of the library in which no worker was seen for a day; their names."""
    connection = session.connection()
    names = connection.execute(
        text("SELECT nspname FROM pg_namespace WHERE starts_with(nspname, :prefix) AND nspname <> :name"),
        {"prefix": _PREFIX, "name": schema()},
    )
    dropped = []
    for name in names.scalars().all():
        alive = connection.execute(
            text(
                f'SELECT count(*) FROM "{name}".procrastinate_workers'  # noqa: S608  # our own prefix
                " WHERE last_heartbeat > now() - interval '1 day'"
            )
        ).scalar_one()
        if not alive:
            connection.execute(text(f'DROP SCHEMA "{name}" CASCADE'))
            dropped.append(name)
    return dropped
