"""``paperwatch work``."""

from __future__ import annotations

import asyncio
import signal
import time

import structlog

from app import build, logs
from app.commands import children
from app.commands.running import make_way
from app.failures import CommandError
from app.settings import load

log = structlog.get_logger()

_AGAIN_SECONDS = 2.0


def work(concurrency: int, *, child: bool) -> None:
    """Take shards of work from the queue until SIGTERM or SIGINT; what was begun is finished first.

    Several at once are as many processes, since one of them keeps a core busy.
    """
    settings = load()
    logs.configure(settings.log_level)
    if settings.database.startswith("sqlite"):
        raise CommandError(
            "workers need PostgreSQL (PAPERWATCH_DATABASE_URL); with SQLite the scheduler does all the work",
            status=2,
        )
    if concurrency == 1:
        make_way()
        asyncio.run(_work_here(child=child))
    else:
        _supervise(concurrency)


async def _work_here(*, child: bool) -> None:
    from jobs import workers

    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    if child:
        children.end_with_parent()
    service = build.service()
    service.match_processes = 1  # there are as many workers as the operator wants processes
    await workers.work(service, build.process_name(), build.now, stopping)
    service.database.dispose()


def _supervise(number: int) -> None:
    """Keep so many workers up; one that ends is started again."""
    stop = children.Stop()
    begun = {at: children.begin("work") for at in range(number)}
    while not stop.asked:
        time.sleep(0.5)
        for at, one in begun.items():
            if not stop.asked and one.poll() is not None:
                log.error("a worker ended and is started again", status=one.returncode)
                time.sleep(_AGAIN_SECONDS)
                begun[at] = children.begin("work")
    children.end(begun)
