"""The outbox under fire: nothing is lost, nothing is sent twice, every outcome is on record."""

from __future__ import annotations

import asyncio
import errno
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, update

from db import alert_store, subscriber_store
from db.session import Database
from db.tables import PaperRow
from jobs import deliver, sending
from jobs.alerts.outbox_folder import OutboxFolder
from jobs.alerts.smtp import Pool
from jobs.service import Service
from profiles.profile import Profile
from recommender.interest import Interests
from tests.conftest import NOW
from tests.mail_server import CONNECTIONS, Inbox, receiving, relay
from tests.outboxes import AT_ONCE, announce, give, join, states, waiting
from tests.processes import free_port
from tests.readers import mails
from tests.test_alerts_smtp import Scripted, certificate, tls_context

__all__ = ["certificate"]  # a fixture

pytestmark = pytest.mark.smtp

ROUND = timedelta(seconds=sending.LEASE_SECONDS + 60)


def send_through(service: Service, port: int, now: datetime = NOW, **more: Any) -> deliver.Delivered:
    service.mailer = lambda: Pool(relay(port, **more))
    return deliver.send_due(service, now)


# --- what servers do -------------------------------------------------------------------------------------


@contextmanager
def scripted(**replies: list[str]) -> Iterator[tuple[Scripted, int]]:
    """A server that answers as told, in a thread of its own."""
    server, ready, stop = Scripted(**replies), threading.Event(), asyncio.Event()
    found: list[Any] = []

    async def serve() -> None:
        async with server.running() as port:
            found.extend((port, asyncio.get_running_loop()))
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert ready.wait(5)
    try:
        yield server, found[0]
    finally:
        found[1].call_soon_threadsafe(stop.set)
        thread.join(5)


@pytest.mark.parametrize(
    ("verb", "reply", "usual", "outcome", "bodies"),
    [
        ("DONE", "drop", "250 taken", "queued", 4),  # the only one that may come twice: its receipt was lost
        ("MAIL", "421 4.3.2 closing", "250 ok", "queued", 3),
        ("RCPT", "451 4.7.1 try later", "250 ok", "queued", 3),
        ("DONE", "452 4.3.1 no space", "250 taken", "queued", 4),
        ("RCPT", "550 5.1.1 no such user", "250 ok", "failed", 2),
        ("DONE", "552 5.3.4 too big", "250 taken", "failed", 3),
        ("DONE", "554 5.7.1 spam", "250 taken", "failed", 3),
        ("HELLO", "drop", "220 hi", "queued", 3),
        ("EHLO", "drop", "250 ok", "queued", 3),
        ("DATA", "hang", "354 go", "queued", 3),
        ("DATA", "drop", "354 go", "queued", 3),
        ("DATA", "451 4.3.0 later", "354 go", "queued", 3),
        ("DONE", "hang", "250 taken", "queued", 4),  # it may come twice too: no answer came in time
    ],
)
def test_every_answer_is_on_record_and_what_can_be_mended_is_sent_later(
    service: Service, tmp_path: Path, verb: str, reply: str, usual: str, outcome: str, bodies: int
) -> None:
    waiting(service, tmp_path / "in", 3)
    with scripted(**{verb: [reply, usual]}) as (server, port):
        send_through(service, port, connections=1, timeout=0.5)
        with service.database.reading() as session:
            (odd,) = [mail for mail in alert_store.outbox(session) if mail.state != "sent"]
        assert states(service) == {"sent": 2, outcome: 1}
        assert odd.last_error
        send_through(service, port, NOW + timedelta(minutes=2), connections=1, timeout=0.5)
    assert states(service) == ({"sent": 3} if outcome == "queued" else {"failed": 1, "sent": 2})
    assert server.taken == bodies


def test_a_server_that_closes_in_the_middle_of_tls_is_tried_again(service: Service, tmp_path: Path) -> None:
    waiting(service, tmp_path / "in", 2)
    replies = {"EHLO": ["250-hi\r\n250 STARTTLS"], "STAR": ["drop"]}
    with scripted(**replies) as (server, port):
        done = send_through(service, port, tls="starttls", connections=2)
        assert server.taken == 0
        assert "MAIL" not in server.heard
    assert (done.sent, done.retried) == (0, 2)
    assert states(service) == {"queued": 2}
    assert deliver.state(service).relay.faults == 2


class Cutting:
    """A way to a server that is cut once, when so many bytes have gone through it to the server."""

    def __init__(self, port: int, after: int) -> None:
        self.port, self.left = port, after
        self.tasks: set[asyncio.Task[None]] = set()

    async def pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner, outer = await asyncio.open_connection("127.0.0.1", self.port)

        async def back() -> None:
            with suppress(OSError):
                while data := await inner.read(65_536):
                    writer.write(data)

        answers = asyncio.create_task(back())
        self.tasks.add(answers)
        with suppress(OSError):
            while data := await reader.read(512):
                outer.write(data)
                self.left -= len(data)
                if -512 < self.left <= 0:
                    self.left = -512
                    break
        outer.close()
        writer.close()


@contextmanager
def cutting(port: int, after: int) -> Iterator[int]:
    """The port of such a way."""
    ready, found = threading.Event(), list[Any]()

    async def serve() -> None:
        way, stop = Cutting(port, after), asyncio.Event()
        server = await asyncio.start_server(way.pass_on, "127.0.0.1", 0)
        found.extend((server.sockets[0].getsockname()[1], asyncio.get_running_loop(), stop))
        ready.set()
        await stop.wait()
        server.close()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert ready.wait(5)
    try:
        yield found[0]
    finally:
        found[1].call_soon_threadsafe(found[2].set)
        thread.join(5)


@pytest.mark.parametrize("after", [40, 200, 1_200, 6_000, 16_000])
def test_a_line_that_is_cut_in_the_middle_of_tls_costs_a_retry_and_no_mail(
    service: Service, tmp_path: Path, certificate: Path, after: int
) -> None:
    """In the greeting, in the handshake, between commands, and in the text of a mail."""
    waiting(service, tmp_path / "in", 3)
    inbox = Inbox()
    with receiving(inbox, tls_context=tls_context(certificate)) as port, cutting(port, after) as way:
        more = {"tls": "starttls", "ca_file": str(certificate), "connections": 1}
        first = send_through(service, way, **more)
        assert (first.sent + first.retried, first.retried) == (3, 1)
        assert send_through(service, way, NOW + timedelta(minutes=2), **more).sent == 1
    assert len(set(inbox.taken)) == len(inbox.taken) == 3
    assert states(service) == {"sent": 3}


def test_a_server_that_takes_its_time_gets_every_mail_once(service: Service, tmp_path: Path) -> None:
    waiting(service, tmp_path / "in", 8)

    class Slow(Inbox):
        async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
            await asyncio.sleep(0.1)
            return await super().handle_DATA(server, session, envelope)

    inbox = Slow()
    with receiving(inbox) as port:
        assert send_through(service, port).sent == 8
    assert len(set(inbox.taken)) == len(inbox.taken) == 8


def test_a_server_that_is_down_for_an_hour_gets_every_mail_once_when_it_is_back(
    service: Service, tmp_path: Path
) -> None:
    waiting(service, tmp_path / "in", 40)
    inbox, port = Inbox(), free_port()
    for minute in range(60):
        done = send_through(service, port, NOW + timedelta(minutes=minute))
        assert done.sent == 0
    stands = deliver.state(service)
    assert stands.states == {"queued": 40}
    assert f"127.0.0.1:{port}" in stands.relay.error
    # It was asked now and then, one mail going ahead, rather than 40 × 60 times.
    with service.database.reading() as session:
        tried = sum(mail.attempts for mail in alert_store.outbox(session))
    assert tried < 40
    with receiving(inbox) as back:
        sent = [send_through(service, back, NOW + timedelta(minutes=minute)).sent for minute in range(60, 95)]
    assert sum(sent) == 40
    assert len(set(inbox.taken)) == len(inbox.taken) == 40
    assert states(service) == {"sent": 40}


# --- what our own machine does ---------------------------------------------------------------------------


# PostgreSQL has no lock on the whole database.
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_locked_database_is_waited_for_and_nothing_is_sent_twice(
    service: Service, database: Database, tmp_path: Path
) -> None:
    waiting(service, tmp_path / "in", 12)
    database.dispose()

    @event.listens_for(database.engine, "connect")
    def _impatient(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute("PRAGMA busy_timeout=20")

    locked = threading.Event()

    class Locking(Inbox):
        """Somebody takes the write lock while the third mail is on its way, for half a second."""

        async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
            if len(self.taken) == 2:
                threading.Thread(target=_hold_the_lock, args=(database.url, locked, 0.5)).start()
                locked.wait(5)
            return await super().handle_DATA(server, session, envelope)

    inbox = Locking()
    with receiving(inbox) as port:
        done = send_through(service, port)
    assert locked.is_set()
    assert done.sent == 12
    assert len(set(inbox.taken)) == len(inbox.taken) == 12
    assert states(service) == {"sent": 12}


def _hold_the_lock(url: str, locked: threading.Event, seconds: float) -> None:
    other = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None, timeout=5)
    other.execute("BEGIN IMMEDIATE")
    locked.set()
    time.sleep(seconds)
    other.execute("ROLLBACK")
    other.close()


def test_a_database_that_stays_locked_ends_the_run_and_repeats_one_mail_a_connection(
    service: Service, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting(service, tmp_path / "in", 12)
    monkeypatch.setattr(sending._Book, "_WAITS", (0.01,))
    inbox = Inbox()

    def broken(*_arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with receiving(inbox) as port:
        with monkeypatch.context() as patch:
            patch.setattr(alert_store, "sent", broken)
            with pytest.raises(OSError, match="No space left"):
                send_through(service, port)
        assert 1 <= len(inbox.taken) <= CONNECTIONS
        assert send_through(service, port).sent == 0  # their leases hold
        assert send_through(service, port, NOW + ROUND).sent == 12
    assert len(set(inbox.taken)) == 12
    assert len(inbox.taken) <= 12 + CONNECTIONS
    assert states(service) == {"sent": 12}


def test_a_full_disk_under_the_local_outbox_loses_nothing(
    service: Service, outbox: OutboxFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting(service, tmp_path / "in", 5)

    def full(*_arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        done = deliver.send_due(service, NOW)
    assert (done.sent, done.retried) == (0, 5)
    assert "No space left on device" in deliver.state(service).relay.error
    assert list(outbox.folder.iterdir()) == []
    outbox.faults_in_a_row = 0
    assert deliver.send_due(service, NOW + timedelta(minutes=2)).sent == 5
    assert len(mails(outbox)) == 5


# --- what readers and papers say -------------------------------------------------------------------------

EVIL = "x\r\nBcc: all@example.org\r\n\r\n<script>alert(1)</script>\x01\u2028\u202e"


def test_no_field_of_a_reader_or_a_paper_breaks_out_of_its_place(service: Service, tmp_path: Path) -> None:
    papers = announce(service, tmp_path / "in", 1)
    _paper_says(service, papers[0], EVIL)
    plan = replace(AT_ONCE, alone=True, markdown=True, bibtex=True)
    (profile,) = join(service, plan)
    evil = replace(
        profile,
        name=EVIL[:100],
        interests=Interests(statement=EVIL, terms=((EVIL[:50], 2.0),), authors=(EVIL,)),
    )
    (other,) = join(service, plan, email="ada@example.org\r\nbcc: all@example.org")
    with service.database.writing() as session:
        subscriber_store.change_profile(session, evil, NOW)
    give(service, [evil, other], papers)
    inbox = Inbox()
    deliver.queue_due(service, NOW)
    with receiving(inbox) as port:
        done = send_through(service, port)
    assert (done.sent, done.suppressed) == (1, 1)
    assert [to for to, _ in inbox.taken] == ["reader@example.org"]
    _check_headers(inbox.mails[0], evil)
    with service.database.reading() as session:
        (withheld,) = [mail for mail in alert_store.outbox(session) if mail.state == "suppressed"]
    assert "no e-mail address" in withheld.last_error


def _paper_says(service: Service, number: int, text: str) -> None:
    """Put this into every text of a paper, past every parser."""
    with service.database.writing() as session:
        values = {"title": text, "abstract": text, "summary": text, "authors": [text], "categories": [text]}
        session.execute(update(PaperRow).where(PaperRow.id == number).values(values))


def _check_headers(raw: bytes, profile: Profile) -> None:
    """Every rule for headers, on the bytes that the server received."""
    message = message_from_bytes(raw, policy=policy.default)
    assert list(message.keys()) == [
        "From", "To", "Subject", "Date", "Message-ID", "List-Id", "List-Unsubscribe", "List-Help",
        "List-Unsubscribe-Post", "Auto-Submitted", "MIME-Version", "Content-Type",
    ]  # fmt: skip
    assert all(part.defects == [] for part in message.walk())
    assert raw.isascii()
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    assert raw.count(b"\n") == raw.count(b"\r\n") == raw.count(b"\r")
    head = raw.partition(b"\r\n\r\n")[0]
    assert head.count(b"\r\nList-Unsubscribe: <http://papers.example.org/unsubscribe/") == 1
    assert message["List-Id"] == f"Paperwatch <profile-{profile.id}.digests.papers.example.org>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert message["Auto-Submitted"] == "auto-generated"
    rich = message.get_body(("html",))
    assert rich is not None
    assert "<script" not in rich.get_content()
