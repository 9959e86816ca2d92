"""The clock: it only ticks and holds no state; what is due, the database knows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from apscheduler.schedulers.blocking import BlockingScheduler
from apscheduler.triggers.interval import IntervalTrigger

from jobs.pipeline import run_once
from jobs.service import Service

log = structlog.get_logger()


def scheduler(
    service: Service, *, tick_seconds: int, clock: Callable[[], datetime], run_id: Callable[[], str]
) -> BlockingScheduler:
    """A scheduler that does what is due every ``tick_seconds``, beginning now; ``start()`` blocks.

    The job store is in memory: a shared one would fire from two processes. Ticks that were missed while a
    run took long, or the machine slept, become one (APScheduler would drop them after a second otherwise).
    """
    ticking = BlockingScheduler(timezone="UTC")
    ticking.add_job(
        lambda: tick(service, clock(), run_id()),
        IntervalTrigger(seconds=tick_seconds, timezone="UTC"),
        next_run_time=clock() + timedelta(milliseconds=10),
        coalesce=True,
        misfire_grace_time=None,
        max_instances=1,
    )
    return ticking


def tick(service: Service, now: datetime, run: str) -> None:
    """One run, whose failure is recorded and does not end the clock."""
    try:
        done = run_once(service, now, run)
    except Exception:
        log.exception("run failed; it is tried again at the next tick", run=run)
        return
    for receipt in done.receipts:
        if receipt.error:
            log.warning("source failed", run=run, location=receipt.location, error=receipt.error)
        elif receipt.new:
            log.info("papers came in", run=run, location=receipt.location, new=receipt.new)
    if done.matched.batches or done.queued.queued or done.sent.sent or done.sent.failed or done.sent.retried:
        log.info(
            "run", run=run, matched=done.matched.papers, profiles=done.matched.profiles,
            chosen=done.matched.chosen, queued=done.queued.queued, sent=done.sent.sent,
            retried=done.sent.retried, failed=done.sent.failed,
        )  # fmt: skip
