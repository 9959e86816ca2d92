"""Where feeds are rendered: here if the ranking is loaded anyway, else in a process beside this one.

A reason needs the vocabulary and scikit-learn, 150 MB. A web process that only serves feeds asks a process
that has them, over a pipe; it is started when a feed has to be rendered and ends when none has for a while.
"""

from __future__ import annotations

import multiprocessing
import sys
import threading
from contextlib import suppress
from datetime import datetime
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess

from jobs import feeds
from jobs.alerts.links import Links
from jobs.alerts.mail import Sender
from jobs.feeds import Asked
from jobs.service import Service

_IDLE_SECONDS = 120.0
_WHAT_IS_HEAVY = "sklearn"
_CONTEXT = multiprocessing.get_context("spawn")


class FeedError(Exception):
    """A feed could not be rendered; the message tells the operator why."""


class FeedMaker:
    """Renders feeds. ``apart`` says where: None is wherever the ranking is loaded."""

    def __init__(self, service: Service, *, apart: bool | None = None) -> None:
        self._service = service
        self._apart = apart
        self._lock = threading.Lock()
        self._process: SpawnProcess | None = None
        self._pipe: Connection | None = None

    def __call__(self, asked: Asked, updated: datetime, now: datetime) -> bytes | None:
        """The feed as bytes, or None where there is none. Raises `FeedError`; takes a thread's time."""
        apart = self._apart if self._apart is not None else _WHAT_IS_HEAVY not in sys.modules
        if not apart or asked.what == "topic":  # a public feed has no reasons
            return feeds.rendered(self._service, asked, updated, now)
        with self._lock:
            for _ in range(2):
                with suppress(EOFError, OSError):
                    pipe = self._open()
                    pipe.send((asked, updated, now))
                    found: bytes | str | None = pipe.recv()
                    if isinstance(found, str):
                        raise FeedError(found)
                    return found
                # It was idle for long and ended, or was killed: the next one may do better.
                self._close()
        raise FeedError("the process that renders feeds ended twice; is there enough memory?")

    def close(self) -> None:
        """End the process beside this one."""
        with self._lock:
            self._close()

    def _open(self) -> Connection:
        if self._pipe is None:
            self._pipe, theirs = _CONTEXT.Pipe()
            url, links = self._service.database.url, self._service.links
            self._process = _CONTEXT.Process(target=_serve, args=(theirs, url, links), daemon=True)
            self._process.start()
            theirs.close()
        return self._pipe

    def _close(self) -> None:
        if self._pipe is not None:
            self._pipe.close()
            self._pipe = None
        if self._process is not None:
            self._process.join(2)
            if self._process.is_alive():
                self._process.kill()
                self._process.join()
            self._process = None


def _serve(pipe: Connection, url: str, links: Links) -> None:
    """Render what is asked for, until nobody asks any more or the asker has gone."""
    from db.session import Database  # noqa: PLC0415 - this process has a life of its own

    def no_mail() -> None:
        raise AssertionError("this process renders feeds and sends no mail")

    service = Service(Database(url), links, Sender("", ""), no_mail)  # type: ignore[arg-type]
    with suppress(EOFError, OSError, KeyboardInterrupt):
        while pipe.poll(_IDLE_SECONDS):
            asked, updated, now = pipe.recv()
            try:
                found: bytes | str | None = feeds.rendered(service, asked, updated, now)
            except Exception as exc:  # whatever it is, the asker is told, and the next feed may be fine
                found = f"{type(exc).__name__}: {exc}"
            pipe.send(found)
    service.database.dispose()
