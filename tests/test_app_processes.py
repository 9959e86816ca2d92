"""The service as an operator runs it: real processes, a real mail server, and the power going."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from email import message_from_bytes
from pathlib import Path

import feedparser
import pytest

from tests.commands import paperwatch
from tests.mail_server import Inbox, receiving
from tests.processes import free_port, get, listening, running, wait_for
from tests.readers import write_digest


@pytest.fixture
def inbox() -> Inbox:
    """What the mail server took."""
    return Inbox()


@pytest.fixture
def relay_port(inbox: Inbox) -> Iterator[int]:
    """A real mail server on loopback."""
    with receiving(inbox) as port:
        yield port


def test_the_whole_service_serves_ranks_and_mails_and_survives_kill_9(
    tmp_path: Path, inbox: Inbox, relay_port: int
) -> None:
    folder = tmp_path / "digests"
    folder.mkdir()
    port = free_port()
    here = {
        "PAPERWATCH_PORT": str(port), "PAPERWATCH_BASE_URL": f"http://127.0.0.1:{port}",
        "PAPERWATCH_WATCH": str(folder), "PAPERWATCH_TICK_SECONDS": "1", "PAPERWATCH_WATCH_MINUTES": "0",
        "PAPERWATCH_SMTP_HOST": "127.0.0.1", "PAPERWATCH_SMTP_PORT": str(relay_port),
        "PAPERWATCH_SMTP_TLS": "none", "PAPERWATCH_MAIL_FROM": "Papers <papers@example.org>",
    }  # fmt: skip
    made = paperwatch(
        "profile", "create", "--email", "reader@example.org", "--statement", "speculative decoding",
        "--every", "announced", cwd=tmp_path, **here,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    feed = made.stdout.rpartition("feed: ")[2].strip()
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


def test_what_a_killed_service_had_begun_ends_with_it_and_the_next_one_can_begin(tmp_path: Path) -> None:
    port = free_port()
    here = {"PAPERWATCH_PORT": str(port), "PAPERWATCH_TICK_SECONDS": "1"}
    for _ in range(2):
        with running("run", cwd=tmp_path, environment=here) as service:
            wait_for(lambda: get(f"http://127.0.0.1:{port}/readyz"))
            service.kill()
        wait_for(lambda: not listening(port))


def test_ctrl_c_that_reaches_everybody_at_once_ends_the_service_in_order(tmp_path: Path) -> None:
    port = free_port()
    here = {"PAPERWATCH_PORT": str(port), "PAPERWATCH_TICK_SECONDS": "1"}
    with running("run", cwd=tmp_path, environment=here, stderr=subprocess.PIPE) as service:
        wait_for(lambda: get(f"http://127.0.0.1:{port}/readyz"))
        wait_for(lambda: _lease(tmp_path))
        os.killpg(service.pid, signal.SIGINT)  # as a terminal does
        _, told = service.communicate(timeout=60)
    assert service.returncode == 0
    assert b"Traceback" not in told, told.decode()
    assert not _lease(tmp_path), "the next scheduler need not wait for the post"


def _lease(folder: Path) -> bool:
    """Whether a scheduler has the post."""
    with closing(sqlite3.connect(folder / "var" / "paperwatch.db")) as database:
        return bool(database.execute("SELECT count(*) FROM lease WHERE name = 'scheduler'").fetchone()[0])


def test_where_one_process_ends_the_other_is_ended_too(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        here = {"PAPERWATCH_PORT": str(taken.getsockname()[1])}
        with running("run", cwd=tmp_path, environment=here, stderr=subprocess.PIPE) as service:
            _, told = service.communicate(timeout=60)
    assert service.returncode == 1
    (line,) = [line for line in told.decode().splitlines() if "nothing can be served at 127.0.0.1" in line]
    assert here["PAPERWATCH_PORT"] in line
    assert "is Paperwatch running already?" in line
    assert "Traceback" not in told.decode()
