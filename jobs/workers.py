"""Shards of work as jobs of Procrastinate: the scheduler defers them, any number of workers run them.

A job is only a hint: what is to be done, and whether it is done, our own tables know (jobs/shards.py, the
outbox and its leases). So a job may be lost, run twice or by two workers at once, and finished jobs are not
kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from math import ceil
from typing import Any

import procrastinate
import structlog
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException
from procrastinate.jobs import Job

from db import alert_store, queue_store, subscriber_store
from db.queue_store import DEAD_SECONDS, Queue
from db.session import Database
from jobs import shards
from jobs.due import match_first
from jobs.queue import HERE, Hands
from jobs.service import Service
from jobs.shards import Plan
from jobs.tally import Delivered, Matched

log = structlog.get_logger()

BEAT_SECONDS = 5.0
_QUEUE = "paperwatch"
_MAILS = 200  # of one job, so that a worker that is to stop is not held up for long
_MOST_JOBS = 64
_AGAIN_SECONDS = 2.0


class Workers:
    """All workers that are alive, who match and deliver. What there is one of, and everything while no worker
    is alive, ``alone`` does."""

    def __init__(self, taker: str, alone: Hands = HERE) -> None:
        self._taker = taker
        self._alone = alone
        self._told: bool | None = None

    def refit(self, service: Service, now: datetime, run: str) -> bool:
        """Fit a new edition where one is due: there is one for all."""
        return self._alone.refit(service, now, run)

    def match(self, service: Service, now: datetime, run: str) -> Matched:
        """Hand out the shards of every batch that waits, those of dead workers again; close what is done."""
        queue = _look(service, sweep=True)
        self._tell(queue, run)
        if not queue.workers:
            return self._alone.match(service, now, run)
        with service.database.reading() as session:
            waiting = alert_store.unmatched_batches(session)
        total = Matched()
        for batch in waiting:
            planned = shards.plan(service, batch, run, self._taker, now)
            done = shards.finish(service, planned, now)
            if done is None:
                _defer_shards(service, planned, run)
                continue
            total = Matched(
                total.batches + 1, total.papers + done.papers, total.profiles + done.profiles,
                total.chosen + done.chosen,
            )  # fmt: skip
        return total

    def shadow(self, service: Service, now: datetime, run: str) -> int:
        """Let rankers on trial look at what was matched."""
        return self._alone.shadow(service, now, run)

    def library(self, service: Service, now: datetime, run: str) -> int:
        """Take in what is new, as much as one run does."""
        return self._alone.library(service, now, run)

    def over(self, run: str) -> None:
        """Let it go of what it kept for the run."""
        self._alone.over(run)

    def deliver(self, service: Service, now: datetime, run: str) -> tuple[Delivered, Delivered]:
        """Hand out what is due to as many workers as it is worth."""
        queue = _look(service)
        if not queue.workers:
            return self._alone.deliver(service, now, run)
        _defer_delivery(service, queue, now, run)
        return Delivered(), Delivered()

    def _tell(self, queue: Queue, run: str) -> None:
        """Say it when workers come or are all gone: an operator who forgot them is to know."""
        if self._told == bool(queue.workers):
            return
        self._told = bool(queue.workers)
        if queue.workers:
            log.info("workers do the work", workers=queue.workers, run=run)
        else:
            log.warning(
                "no worker is alive, so the scheduler does the work itself",
                cure="start `paperwatch work`, here or on any machine that reaches the database", run=run,
            )  # fmt: skip


def _look(service: Service, *, sweep: bool = False) -> Queue:
    with service.database.writing() as session:
        queue = queue_store.state(session, DEAD_SECONDS)
        if sweep and queue.stalled:
            dropped = queue_store.drop_stalled(session, DEAD_SECONDS)
            log.warning("a worker died or froze; its work is handed out again", jobs=dropped)
    return queue


def _defer(service: Service, jobs: list[Job]) -> None:
    """Put these jobs into the queue, but for those that wait or run already."""
    with suppress(AlreadyEnqueued), service.database.writing() as session:
        known = queue_store.open_locks(session, [str(job.queueing_lock) for job in jobs])
        fresh = [job for job in jobs if job.queueing_lock not in known]
        if fresh:
            connection = queue_store.driver_connection(session)
            _manager().batch_defer_jobs(fresh, connection=connection)


def _manager() -> procrastinate.manager.JobManager:
    """Defers on a session's own connection, and has none of its own."""
    return procrastinate.manager.JobManager(procrastinate.SyncPsycopgConnector())


def _job(task: str, name: str, priority: int, **arguments: Any) -> Job:
    return Job(
        queue=_QUEUE, task_name=task, lock=None, queueing_lock=name, priority=priority, task_kwargs=arguments
    )


def _defer_shards(service: Service, planned: Plan, run: str) -> None:
    todo = shards.missing(service, planned)
    made = [_job("match", planned.shard(at), 0, batch=planned.batch.id, shard=at, run=run) for at in todo]
    _defer(service, made)


def _defer_delivery(service: Service, queue: Queue, now: datetime, run: str) -> None:
    most = min(max(queue.workers, 1), _MOST_JOBS)
    with service.database.reading() as session:
        due = alert_store.due_mails(session, now, at_most=most * _MAILS)
        if not match_first(session, now):
            due += subscriber_store.due_number(session, now, at_most=most * _MAILS)
    # Readers wait for their mail; a confirmation must not stand behind a thousand shards.
    made = [_job("deliver", f"deliver {at}", 10, run=run) for at in range(min(most, ceil(due / _MAILS)))]
    if made:
        _defer(service, made)


# --- in a worker -------------------------------------------------------------------------------------------


async def work(service: Service, taker: str, clock: Callable[[], datetime], stopping: asyncio.Event) -> None:
    """Run jobs, one at a time, until ``stopping`` is set; the job at hand is finished first.

    The database may be away for a while: then the worker comes back by itself.
    """
    app = _app(service.database)
    _add_tasks(app, service, taker, clock)
    while not stopping.is_set():
        try:
            async with app.open_async():
                log.info("worker is ready", worker=taker)
                await _until(app, stopping)
        except (ConnectorException, OSError) as exc:
            log.warning("worker lost the database; it tries again", worker=taker, why=str(exc))
        if not stopping.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), _AGAIN_SECONDS)


async def _until(app: procrastinate.App, stopping: asyncio.Event) -> None:
    running = asyncio.create_task(
        app.run_worker_async(
            queues=[_QUEUE], concurrency=1, install_signal_handlers=False, delete_jobs="always",
            update_heartbeat_interval=BEAT_SECONDS, stalled_worker_timeout=DEAD_SECONDS,
        )
    )  # fmt: skip
    asked = asyncio.create_task(stopping.wait())
    await asyncio.wait({running, asked}, return_when=asyncio.FIRST_COMPLETED)
    asked.cancel()
    if not running.done():
        running.cancel()  # the library finishes the job at hand and ends
    with suppress(asyncio.CancelledError):
        await running


def _app(database: Database) -> procrastinate.App:
    connector = procrastinate.PsycopgConnector(
        conninfo=database.address, min_size=1, max_size=3, timeout=10,
        kwargs={"options": f"-c search_path={queue_store.schema()}", "application_name": "paperwatch work"},
    )  # fmt: skip
    return procrastinate.App(connector=connector)


def _add_tasks(app: procrastinate.App, service: Service, taker: str, clock: Callable[[], datetime]) -> None:
    @app.task(name="match", queue=_QUEUE)
    def _match(batch: int, shard: int, run: str) -> None:
        with _logged("match", run, batch=batch, shard=shard):
            _match_one(service, batch, shard, run, taker, clock)

    @app.task(name="deliver", queue=_QUEUE)
    def _deliver(run: str) -> None:
        with _logged("deliver", run):
            # Loading it takes a worker 100 MB, which it does without until there is work.
            from jobs import deliver  # noqa: PLC0415

            now = clock()
            queued = deliver.queue_due(service, now)
            sent = deliver.send_due(service, now, at_most=_MAILS)
            if queued.queued or sent.sent or sent.failed or sent.retried:
                log.info("delivered", queued=queued.queued, sent=sent.sent, retried=sent.retried,
                         failed=sent.failed)  # fmt: skip
            if sent.sent and not sent.paused_until:
                _defer_delivery(service, _look(service), clock(), run)


class _logged:  # noqa: N801  # a context manager
    """Every line of a job carries its run; a failure is recorded, and the work is handed out again later."""

    def __init__(self, job: str, run: str, **about: Any) -> None:
        self._bound = structlog.contextvars.bound_contextvars(run=run, job=job, **about)

    def __enter__(self) -> None:
        self._bound.__enter__()

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if error is not None:
            log.error("a job failed; the scheduler hands it out again", why=str(error), exc_info=error)
        self._bound.__exit__(kind, error, trace)


def _match_one(
    service: Service, batch_id: int, shard: int, run: str, taker: str, clock: Callable[[], datetime]
) -> None:
    now = clock()
    with service.database.reading() as session:
        batch = next((b for b in alert_store.unmatched_batches(session) if b.id == batch_id), None)
    if batch is None:  # closed meanwhile
        return
    planned = shards.plan(service, batch, run, taker, now)
    if shard not in shards.missing(service, planned):
        return
    done = shards.work(service, planned, shard, run, taker, now)
    log.info("matched", profiles=done.profiles, papers=done.papers, chosen=done.chosen,
             seconds=round((clock() - now).total_seconds(), 3))  # fmt: skip
    if shards.finish(service, planned, clock()) is not None:
        # Readers who want it at once need not wait for the scheduler's next tick.
        _defer_delivery(service, _look(service), clock(), run)
