"""A disk that fills up while mail goes out: nothing is lost, and nothing comes twice.

Run as a module, this file is the sending process whose files may not grow.
"""

from __future__ import annotations

import resource
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from db.session import Database
from jobs import deliver, sending
from jobs.alerts.links import Links
from jobs.alerts.mail import Sender
from jobs.alerts.smtp import Pool
from jobs.service import Service
from tests.commands import module
from tests.conftest import NOW, ROOT
from tests.mail_server import Inbox, receiving, relay
from tests.outboxes import states, waiting

pytestmark = pytest.mark.smtp

READERS = 40
# SQLite's log begins anew with the process and has to grow by some pages a commit.
MOST = 100_000


def _send_with_little_room(url: str, port: int, journal: Path) -> None:
    """Send until no file can grow any more."""
    service = Service(
        Database(url), Links("http://papers.example.org", "a secret for tests only"),
        Sender("Paperwatch", "digest@papers.example.org"), lambda: Pool(relay(port)), journal=journal,
    )  # fmt: skip
    sending._Book._WAITS = (0.01, 0.05)
    resource.setrlimit(resource.RLIMIT_FSIZE, (MOST, MOST))
    deliver.send_due(service, NOW)


# PostgreSQL keeps its files in a process of its own.
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_full_disk_ends_the_run_and_the_next_one_repeats_nothing(
    service: Service, database: Database, tmp_path: Path
) -> None:
    waiting(service, tmp_path / "in", READERS)
    database.dispose()
    service.journal = tmp_path / "taken"
    inbox = Inbox()
    with receiving(inbox) as port:
        run = module("tests.test_jobs_disk_full", database.url, str(port), str(service.journal), cwd=ROOT)
        assert run.returncode == 1
        assert "sqlite3.OperationalError" in run.stderr
        before = len(inbox.taken)
        assert 0 < before < READERS
        service.mailer = lambda: Pool(relay(port))
        deliver.send_due(service, NOW)
        assert states(service)["sent"] >= before
        deliver.send_due(service, NOW + timedelta(seconds=2 * sending.LEASE_SECONDS))
    assert len(set(inbox.taken)) == len(inbox.taken) == READERS
    assert states(service) == {"sent": READERS}


if __name__ == "__main__":
    _send_with_little_room(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
