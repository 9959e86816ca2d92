"""``paperwatch work``."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from types import FrameType

import structlog

from app import build, logs
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

        def end_with_parent() -> None:
            os.read(0, 1)  # returns when the other end is closed, however the parent died
            loop.call_soon_threadsafe(stopping.set)

        threading.Thread(target=end_with_parent, daemon=True).start()
    service = build.service()
    service.match_processes = 1  # there are as many workers as the operator wants processes
    await workers.work(service, build.process_name(), build.now, stopping)
    service.database.dispose()


def _supervise(number: int) -> None:
    """Keep so many workers up; one that ends is started again."""
    command = [sys.executable, "-m", "app.cli", "work", "--child"]
    children = [subprocess.Popen(command, stdin=subprocess.PIPE) for _ in range(number)]
    stopping = False

    def stop(_signal: int, _frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    while not stopping:
        time.sleep(0.5)
        for at, one in enumerate(children):
            if not stopping and one.poll() is not None:
                log.error("a worker ended and is started again", status=one.returncode)
                time.sleep(_AGAIN_SECONDS)
                children[at] = subprocess.Popen(command, stdin=subprocess.PIPE)
    for one in children:
        one.terminate()
    for one in children:
        one.wait()
