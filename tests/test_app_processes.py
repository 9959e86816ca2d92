"""The service as an operator runs it: real processes, a real mail server, and the power going."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import message_from_bytes
from pathlib import Path
from typing import Any

import feedparser
import pytest
from aiosmtpd.controller import Controller

from tests.conftest import ROOT
from tests.readers import write_digest


class Inbox:
    """Keeps what the mail server took."""

    def __init__(self) -> None:
        self.mails: list[bytes] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802  # aiosmtpd's name
        self.mails.append(envelope.content)
        return "250 taken"


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    """A real mail server on loopback."""
    inbox = Inbox()
    controller = Controller(inbox, hostname="127.0.0.1", port=free_port())
    controller.start()
    inbox.port = controller.port  # type: ignore[attr-defined]
    yield inbox
    controller.stop()


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def running(*arguments: str, cwd: Path, environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A process of ours, ended with the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "app.cli", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(timeout=30)


def wait_for(what: Callable[[], object], seconds: float = 60) -> None:
    """Wait until it is true, or fail."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if what():
            return
        time.sleep(0.1)
    pytest.fail(f"waited {seconds} s in vain")


def get(url: str) -> bytes:
    """What the service answers, empty while it does not."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310  # our own address
            return bytes(answer.read())
    except OSError:
        return b""


def paperwatch(*arguments: str, cwd: Path, environment: dict[str, str]) -> str:
    return subprocess.run(
        [sys.executable, "-m", "app.cli", *arguments],
        cwd=cwd, env={**os.environ, "PYTHONPATH": str(ROOT), **environment}, check=True, capture_output=True,
        text=True, timeout=60,
    ).stdout  # fmt: skip


def test_the_whole_service_serves_ranks_and_mails_and_survives_kill_9(tmp_path: Path, inbox: Inbox) -> None:
    folder = tmp_path / "digests"
    folder.mkdir()
    port = free_port()
    here = {
        "PAPERWATCH_PORT": str(port), "PAPERWATCH_BASE_URL": f"http://127.0.0.1:{port}",
        "PAPERWATCH_WATCH": str(folder), "PAPERWATCH_TICK_SECONDS": "1", "PAPERWATCH_WATCH_MINUTES": "0",
        "PAPERWATCH_SMTP_HOST": "127.0.0.1", "PAPERWATCH_SMTP_PORT": str(inbox.port),  # type: ignore[attr-defined]
        "PAPERWATCH_SMTP_TLS": "none", "PAPERWATCH_MAIL_FROM": "Papers <papers@example.org>",
    }  # fmt: skip
    made = paperwatch(
        "profile", "create", "--email", "reader@example.org", "--statement", "speculative decoding",
        "--every", "announced", cwd=tmp_path, environment=here,
    )  # fmt: skip
    feed = made.rpartition("feed: ")[2].strip()
    with running("run", cwd=tmp_path, environment=here):
        wait_for(lambda: get(f"http://127.0.0.1:{port}/readyz"))
        write_digest(folder, "monday.md", wanted=3)
        wait_for(lambda: inbox.mails)
        # The first one starts what renders, which takes seconds on a busy machine.
        wait_for(lambda: get(feed))
        read = feedparser.parse(get(feed))
        assert not read.bozo
        assert len(read.entries) == 3
    with running("schedule", cwd=tmp_path, environment=here) as clock:
        write_digest(folder, "tuesday.md", wanted=2, first=20, day="2025-11-19")
        wait_for(lambda: len(inbox.mails) >= 2)
        own = os.getpriority(os.PRIO_PROCESS, 0)
        assert os.getpriority(os.PRIO_PROCESS, clock.pid) == min(19, own + 10), "readers of pages go first"
        clock.kill()
    with running("run", cwd=tmp_path, environment=here):
        wait_for(lambda: get(f"http://127.0.0.1:{port}/readyz"))
        write_digest(folder, "wednesday.md", wanted=1, first=40, day="2025-11-20")
        wait_for(lambda: any(b"part 40" in mail for mail in inbox.mails))
        wait_for(lambda: get(feed))
        assert len(feedparser.parse(get(feed)).entries) == 6
    # The server may have taken a mail of which the killed clock had not yet written that it was sent: then
    # it came again under the same id. Any other repetition would be a fault.
    assert len({message_from_bytes(mail)["Message-ID"] for mail in inbox.mails}) == 3


def test_where_one_process_ends_the_other_is_ended_too(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        here = {"PAPERWATCH_PORT": str(taken.getsockname()[1])}
        with running("run", cwd=tmp_path, environment=here) as service:
            assert service.wait(timeout=60) == 1
