"""Kill -9 of a sender: nothing is lost, and what comes twice is at most one mail a kill.

Run as a module, this file is the sending process that its own test kills.
"""

from __future__ import annotations

import os
import random
import select
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from db import alert_store
from db.session import Database
from jobs import compose, deliver, journal, sending
from jobs.alerts.links import Links
from jobs.alerts.mail import Sender
from jobs.alerts.smtp import Pool
from jobs.journal import Journal, Taken
from jobs.service import Service
from tests.conftest import NOW, ROOT
from tests.mail_server import CONNECTIONS, Inbox, receiving, relay
from tests.outboxes import states, waiting

pytestmark = pytest.mark.smtp

READERS = 500
KILLS = 200
ROUND = timedelta(seconds=sending.LEASE_SECONDS + 60)


class Telling(Inbox):
    """Tells at the very moment when it takes a mail, and remembers from which sender."""

    def __init__(self, tell: int) -> None:
        super().__init__()
        self.tell = tell
        self.senders: list[str] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        self.senders.append(session.host_name)
        answer = await super().handle_DATA(server, session, envelope)
        os.write(self.tell, b".")
        return answer


def _send_and_be_killed(url: str, port: int, folder: Path, heard: int, seed: int) -> None:
    """Fork senders one after the other and kill each at a random moment, three in four soon after
    the server has taken one of its first mails; print how many were still at it."""
    chance = random.Random(seed)
    database = Database(url)
    links = Links("http://papers.example.org", "a secret for tests only")
    sender = Sender("Paperwatch", "digest@papers.example.org")
    service = Service(database, links, sender, lambda: Pool(relay(port)), journal=folder)
    # What takes long the first time is done here, so that the kills fall on sending and not on loading.
    with database.reading() as session:
        first = alert_store.mail(session, 1)
        assert first is not None
        assert isinstance(compose.letter(service, session, first, NOW), compose.Letter)
    database.dispose()
    killed = 0
    for number in range(KILLS):
        child = os.fork()
        if child == 0:
            service.mailer = lambda name=f"run{number}.example": Pool(relay(port, helo=name))  # type: ignore[misc]
            done = deliver.send_due(service, NOW + number * ROUND)
            os._exit(0 if done.paused_until is None else 1)
        for _ in range(chance.randint(1, 4) if number % 4 else 0):
            _wait(heard, child)
        time.sleep(chance.uniform(0, 0.002 if number % 4 else 0.03))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        killed += os.WIFSIGNALED(status)
        assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
        while select.select([heard], [], [], 0)[0]:
            os.read(heard, 4096)
    print(killed)  # noqa: T201 - for the test


def _wait(heard: int, child: int) -> None:
    """Wait until something can be heard, or the child is done (and not yet reaped)."""
    while not select.select([heard], [], [], 0.002)[0]:
        if os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            return
    os.read(heard, 1)


def test_kill_9_at_any_moment_loses_no_mail_and_repeats_at_most_one(
    service: Service, database: Database, tmp_path: Path
) -> None:
    waiting(service, tmp_path / "in", READERS)
    database.dispose()
    heard, tell = os.pipe()
    inbox, folder = Telling(tell), tmp_path / "taken"
    with receiving(inbox) as port:
        run = subprocess.run(
            [sys.executable, "-m", "tests.test_jobs_kills", database.url, str(port), folder, str(heard), "7"],
            cwd=ROOT, capture_output=True, text=True, check=False, timeout=240, pass_fds=[heard],
        )  # fmt: skip
        os.close(heard)
        assert run.returncode == 0, run.stderr
        inbox.tell = os.open(os.devnull, os.O_WRONLY)
        os.close(tell)
        killed, before = int(run.stdout.splitlines()[-1]), len(inbox.taken)
        service.journal = folder
        service.mailer = lambda: Pool(relay(port, helo="last.example"))
        deliver.send_due(service, NOW + (KILLS + 1) * ROUND)
    os.close(inbox.tell)
    # The kills fell on a run at work: it was neither over long before nor had it never begun.
    assert killed >= KILLS // 2
    assert before > KILLS
    came = Counter(inbox.taken)
    assert {to for to, _ in came} == {f"reader{n}@example.org" for n in range(READERS)}
    # Every repetition has the Message-ID of the first.
    assert len(came) == READERS
    assert states(service) == {"sent": READERS}
    # What came again had been taken from a sender that was killed then: at most one from each.
    last = {mail: at for at, mail in enumerate(inbox.taken)}
    again = Counter(inbox.senders[at] for at, mail in enumerate(inbox.taken) if at < last[mail])
    assert all(number == 1 for number in again.values())
    assert "last.example" not in again
    assert list(folder.iterdir()) == []
    print(f"{killed} kills, {before} mails before the last, {again.total()} repeated")  # noqa: T201


def test_what_was_taken_and_never_recorded_is_known_from_the_journal(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting(service, tmp_path / "in", 9)
    service.journal = tmp_path / "taken"
    # The database knows nothing of what this sender did, be it killed or its disk full.
    monkeypatch.setattr(sending._Book, "_WAITS", ())
    inbox = Inbox()

    def broken(*_arguments: object) -> None:
        raise OSError("No space left on device")

    with receiving(inbox) as port:
        service.mailer = lambda: Pool(relay(port))
        with monkeypatch.context() as patch:
            patch.setattr(alert_store, "sent", broken)
            with pytest.raises(OSError, match="No space left"):
                deliver.send_due(service, NOW)
        first = len(inbox.taken)
        assert 1 <= first <= CONNECTIONS
        assert states(service)["sending"] == 9
        # The next run knows at once, though the lease of the others still holds.
        assert deliver.send_due(service, NOW).sent == 0
        assert states(service) == {"sending": 9 - first, "sent": first}
        assert deliver.send_due(service, NOW + ROUND).sent == 9 - first
    assert len(set(inbox.taken)) == len(inbox.taken) == 9
    assert list(service.journal.iterdir()) == []


def test_a_journal_speaks_only_for_the_attempt_that_it_saw(service: Service, tmp_path: Path) -> None:
    waiting(service, tmp_path / "in", 2)
    folder = service.journal = tmp_path / "taken"
    with service.database.writing() as session:
        one, two = alert_store.lease(session, NOW, seconds=300, at_most=2)
    dead = Journal(folder, 4)
    dead.open()
    dead.note(0, Taken(one.message_id, one.attempts, NOW))
    dead.note(1, Taken(two.message_id, two.attempts, NOW))
    dead.note(1, Taken(two.message_id, two.attempts + 1, NOW))
    dead.note(3, Taken("<of-another-database@papers.example.org>", 1, NOW))
    assert journal.left_behind(folder) == []  # its sender lives
    dead.close(keep=True)
    (folder / "torn.taken").write_bytes(b"<half-an-entry@papers.example.org> 1 2025-")
    (left, torn) = journal.left_behind(folder)
    assert [t.attempt for t in left.taken] == [1, 2, 1]
    assert torn.taken == ()
    assert deliver.send_due(service, NOW).sent == 0
    assert states(service) == {"sending": 1, "sent": 1}
    with service.database.reading() as session:
        recorded = alert_store.mail(session, one.id)
    assert recorded is not None
    assert (recorded.state, recorded.sent_at, recorded.leased_until) == ("sent", NOW, None)
    assert list(folder.iterdir()) == []


def test_mail_goes_out_where_no_journal_can_be_kept(service: Service, tmp_path: Path) -> None:
    waiting(service, tmp_path / "in", 3)
    (tmp_path / "file").write_text("not a folder")
    service.journal = tmp_path / "file" / "taken"
    assert deliver.send_due(service, NOW).sent == 3


if __name__ == "__main__":
    _send_and_be_killed(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5]))
