"""What compose runs: PostgreSQL, two web, two schedulers, three workers; one of each dies.

A subscriber's whole way goes through it over HTTP and SMTP meanwhile, with forty other readers beside.
"""

from __future__ import annotations

import re
import signal
import subprocess
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from email import message_from_bytes, policy
from pathlib import Path

import httpx2 as httpx
import pytest
from sqlalchemy import text

from app import build
from app.settings import load
from db import alert_store, queue_store, subscriber_store, turn_store
from db.session import Database
from jobs import subscribe
from jobs.schedule import LEASE
from jobs.workers import DEAD_SECONDS
from profiles.request import request
from tests import mail_server
from tests.processes import free_port, get, running, wait_for
from tests.readers import write_digest
from tests.test_db_copying import made_on_postgres

pytestmark = [pytest.mark.postgres, pytest.mark.smtp]

READERS = 40
STATEMENT = "speculative decoding for language models"


class Inbox(mail_server.Inbox):
    """Looks into the mails that came."""

    def digests(self) -> dict[str, Counter[str]]:
        """For each reader, how often each digest came."""
        found: dict[str, Counter[str]] = defaultdict(Counter)
        for content in list(self.mails):
            mail = message_from_bytes(content, policy=policy.default)
            if mail["Message-ID"].startswith("<digest-"):
                found[mail["To"]][mail["Message-ID"]] += 1
        return found

    def text(self, to: str, kind: str) -> str:
        """The text of the newest such mail to this reader; empty if there is none."""
        for content in reversed(list(self.mails)):
            mail = message_from_bytes(content, policy=policy.default)
            if mail["To"] == to and mail["Message-ID"].startswith(f"<{kind}-"):
                return str(mail.get_body(("plain",)).get_content())  # type: ignore[attr-defined]
        return ""


class Cluster:
    """All processes, and what they share: a database, a mail server, a folder of digests, a secret."""

    def __init__(self, folder: Path, database: Database, inbox: Inbox, smtp_port: int) -> None:
        self.folder, self.database, self.inbox = folder, database, inbox
        self.ports = [free_port(), free_port()]
        (folder / "secret.txt").write_text("a secret for this test only")
        self.settings = {
            "PAPERWATCH_DATABASE_URL": database.url, "PAPERWATCH_DATA": str(folder / "var"),
            "PAPERWATCH_SECRET_FILE": str(folder / "secret.txt"),
            "PAPERWATCH_BASE_URL": "http://papers.example.org",
            "PAPERWATCH_WATCH": str(folder / "digests"), "PAPERWATCH_WATCH_MINUTES": "0",
            "PAPERWATCH_TICK_SECONDS": "1", "PAPERWATCH_SMTP_HOST": "127.0.0.1",
            "PAPERWATCH_SMTP_PORT": str(smtp_port), "PAPERWATCH_SMTP_TLS": "none",
            "PAPERWATCH_MAIL_FROM": "Papers <papers@example.org>",
        }  # fmt: skip
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, stack: ExitStack, name: str, command: str, **more: str) -> None:
        """Start one process, which ends with the test at the latest."""
        self.processes[name] = stack.enter_context(
            running(command, cwd=self.folder, environment=self.settings | more)
        )

    def kill(self, name: str) -> None:
        """The power goes."""
        self.processes[name].kill()
        self.processes.pop(name).wait()

    def active(self) -> str:
        """The scheduler that has the post; empty if nobody has."""
        with self.database.reading() as session:
            known = turn_store.holder(session, "scheduler")
        held = {name: p.pid for name, p in self.processes.items() if name.startswith("schedule")}
        return next((n for n, pid in held.items() if known and f"/{pid}/" in known[0]), "")

    def queue(self) -> queue_store.Queue:
        """How the queue stands."""
        with self.database.reading() as session:
            return queue_store.state(session, DEAD_SECONDS)

    def everybody_has(self, digests: int) -> bool:
        """Whether every reader has so many digests."""
        had = self.inbox.digests()
        return len(had) == READERS + 1 and all(len(ids) == digests for ids in had.values())

    def ask(self, web: int, path: str, **fields: str) -> str:
        """What one of the web processes answers: to a form, if there are fields."""
        url, host = f"http://127.0.0.1:{self.ports[web]}{path}", {"host": "papers.example.org"}
        with httpx.Client(headers=host, timeout=30) as client:
            answer = client.post(url, data=fields) if fields else client.get(url)
        assert answer.status_code in {200, 303}, answer.text
        return str(answer.text)


@pytest.fixture
def cluster(postgres: str, tmp_path: Path) -> Iterator[Cluster]:
    """Everything but the processes."""
    database, inbox = made_on_postgres(postgres), Inbox()
    (tmp_path / "digests").mkdir()
    with mail_server.receiving(inbox) as port:
        yield Cluster(tmp_path, database, inbox, port)
    database.dispose()


def _fill(cluster: Cluster) -> None:
    service = build.service(load(cluster.settings))
    for at in range(READERS):
        wanted = request(email=f"reader{at}@example.org", statement=STATEMENT, every="announced")
        subscribe.create(service, wanted, build.now(), confirmed="in a test")
    service.database.dispose()


def _path(letter: str, kind: str) -> str:
    found = re.search(rf"http://papers\.example\.org(/{kind}/\S+)", letter)
    assert found, letter
    return found[1]


def test_every_digest_arrives_once_while_one_of_each_is_killed(cluster: Cluster) -> None:
    _fill(cluster)
    inbox, digests = cluster.inbox, cluster.folder / "digests"
    with ExitStack() as stack:
        for at in (0, 1):
            cluster.start(stack, f"web{at}", "web", PAPERWATCH_PORT=str(cluster.ports[at]))
            cluster.start(stack, f"schedule{at}", "schedule")
        for at in (0, 1, 2):
            cluster.start(stack, f"work{at}", "work")
        wait_for(lambda: cluster.queue().workers == 3 and cluster.active())
        wait_for(lambda: all(get(f"http://127.0.0.1:{port}/readyz") for port in cluster.ports))

        # Subscribed at one web process, confirmed at the other from the mail that came.
        cluster.ask(0, "/subscribe", email="ada@example.org", statement=STATEMENT, every="announced")
        wait_for(lambda: inbox.text("ada@example.org", "confirmation"))
        confirm = _path(inbox.text("ada@example.org", "confirmation"), "confirm")
        cluster.ask(1, confirm)
        cluster.ask(1, confirm, sure="yes")
        write_digest(digests, "monday.md", wanted=2)
        wait_for(lambda: cluster.everybody_has(1))

        # The next digest is on its way when one of each goes.
        write_digest(digests, "tuesday.md", wanted=2, first=20, day="2025-11-19")
        before = cluster.active()
        wait_for(lambda: sum(len(ids) for ids in inbox.digests().values()) > READERS + 5)
        for name in (before, "work0", "web0"):
            cluster.kill(name)
        killed = time.monotonic()
        wait_for(lambda: cluster.active() not in {"", before})
        assert time.monotonic() - killed < LEASE.total_seconds()
        _let_leases_end(cluster)
        wait_for(lambda: cluster.everybody_has(2))
        rate = _path(inbox.text("ada@example.org", "digest"), "rate")
        cluster.ask(1, rate)
        cluster.ask(1, rate, via="mail")

        # Two are left of three; what the dead one had is handed to them, and nothing stays behind.
        write_digest(digests, "wednesday.md", wanted=1, first=40, day="2025-11-20")
        wait_for(lambda: cluster.everybody_has(3))
        wait_for(lambda: cluster.queue() == queue_store.Queue(2, 0, 0, 0))
        _stop_gracefully(cluster)
    _nothing_came_twice(cluster)
    with cluster.database.reading() as session:
        assert alert_store.unmatched_batches(session) == []
        person = subscriber_store.by_email(session, "ada@example.org")
        assert person is not None
        (profile,) = subscriber_store.profiles_of(session, person.id)
        assert [event.via for event in subscriber_store.feedback(session, [profile.id])[profile.id]] == [
            "mail"
        ]


def _let_leases_end(cluster: Cluster) -> None:
    """Five minutes pass for what the dead worker had in its hands."""
    with cluster.database.writing() as session:
        session.execute(text("UPDATE digest SET leased_until = now() WHERE state = 'sending'"))


def _stop_gracefully(cluster: Cluster) -> None:
    for process in cluster.processes.values():
        process.send_signal(signal.SIGTERM)
    for name, process in cluster.processes.items():
        assert process.wait(timeout=30) in {0, -signal.SIGTERM}, name


def _nothing_came_twice(cluster: Cluster) -> None:
    """A mail that the server took, and of which the killed worker could not write that it did, may come again
    under the same id: at most as many as it had connections."""
    again = Counter({i: n - 1 for ids in cluster.inbox.digests().values() for i, n in ids.items() if n > 1})
    assert again.total() <= 4
    assert all(len(ids) == 3 for ids in cluster.inbox.digests().values())
