"""Steps that need the ranking have a process for the run, and an idle scheduler stays small."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from benchmarks import synthetic
from db import alert_store, migrate, paper_store, source_store
from db.session import Database
from jobs import due
from jobs.alerts.links import Links
from jobs.alerts.mail import Sender
from jobs.alerts.outbox_folder import OutboxFolder
from jobs.apart import Apart, StepError
from jobs.queue import Here
from jobs.schedule import Clock, Post, mail_beside, tick
from jobs.service import Service
from jobs.tally import Delivered, Matched
from tests.conftest import NOW, ROOT
from tests.readers import mails, subscribe_reader
from tests.steps import counted

_SCHEDULED = """
import sys
from app import build
from jobs.apart import Apart
from jobs.schedule import Clock, Post, tick

def loaded():
    return sorted({"sklearn", "scipy", "joblib", "rjieba"} & set(sys.modules))

if __name__ == "__main__":
    service = build.service()
    post, hands = Post(service, "one"), Apart(build.helper)
    assert post.renew(build.now())
    done = tick(service, post, Clock(60, build.now, build.run_id, "one"), hands)
    print(done.matched.papers, loaded())
"""


def _make() -> Service:
    with Path(os.environ["PROCESSES_OF_THIS_TEST"]).open("a", encoding="utf-8") as noted:
        noted.write(f"{os.getpid()}\n")
    return Service(_database(), Links("http://papers.example.org", "a secret"), Sender("P", "p@x.org"), _mail)


def _database() -> Database:
    return Database(os.environ["DATABASE_OF_THIS_TEST"])


def _mail() -> OutboxFolder:
    return OutboxFolder(Path(os.environ["OUTBOX_OF_THIS_TEST"]))


def _broken() -> Service:
    raise ValueError("nothing can be built")


def _killed() -> Service:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


@pytest.fixture
def here(service: Service, outbox: OutboxFolder, monkeypatch: pytest.MonkeyPatch) -> Service:
    """The service, and where another process finds its database and its outbox, and notes that it began."""
    monkeypatch.setenv("DATABASE_OF_THIS_TEST", service.database.url)
    monkeypatch.setenv("PROCESSES_OF_THIS_TEST", str(outbox.folder.parent.with_name("processes")))
    monkeypatch.setenv("OUTBOX_OF_THIS_TEST", str(outbox.folder))
    return service


def _schedule(folder: Path, **settings: str) -> str:
    (folder / "scheduled.py").write_text(_SCHEDULED)
    done = subprocess.run(
        [sys.executable, "scheduled.py"], cwd=folder, capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PAPERWATCH_DATA": str(folder / "var"), **settings},
    )  # fmt: skip
    return done.stdout.splitlines()[-1]


def test_a_scheduler_loads_no_ranking_whether_there_is_work_or_not(tmp_path: Path) -> None:
    assert _schedule(tmp_path) == "0 []"
    papers, _, loaded = _schedule(tmp_path, PAPERWATCH_WATCH=str(ROOT / "samples")).partition(" ")
    assert int(papers) == 40
    assert loaded == "[]"


@pytest.mark.postgres
def test_a_run_by_a_process_of_its_own_is_a_run(
    ingested: Service, here: Service, outbox: OutboxFolder
) -> None:
    subscribe_reader(here)
    hands = Apart(_make)
    assert hands.refit(here, NOW, "r")
    assert multiprocessing.active_children() == [], "what an edition took does not stay"
    assert not hands.refit(here, NOW, "r")
    assert hands.match(here, NOW, "r").batches == 1
    assert hands.deliver(here, NOW, "r")[1].sent == 1
    assert len(mails(outbox)) == 1
    assert hands.library(here, NOW, "r") == 40
    began = outbox.folder.parent.with_name("processes").read_text().split()
    assert len(set(began)) == len(began) == 2, "one for the edition, one for all that followed"
    assert [str(child.pid) for child in multiprocessing.active_children()] == began[1:]
    hands.over("r")
    hands.over("r")
    assert multiprocessing.active_children() == []
    with here.database.reading() as session:
        assert not due.library(session, NOW)
        assert alert_store.unmatched_batches(session) == []


def test_no_process_is_made_where_nothing_is_due(service: Service) -> None:
    hands = Apart(_broken)
    assert not hands.refit(service, NOW, "r")
    assert hands.match(service, NOW, "r") == Matched()
    assert hands.shadow(service, NOW, "r") == 0
    assert hands.deliver(service, NOW, "r") == (Delivered(), Delivered())
    assert hands.library(service, NOW, "r") == 0


def test_a_step_that_fails_or_is_killed_is_told_as_an_error(ingested: Service) -> None:
    hands = Apart(_broken)
    with pytest.raises(StepError, match="ValueError: nothing can be built"):
        hands.match(ingested, NOW, "r")
    hands.over("r")
    with pytest.raises(StepError, match="status -9"):
        Apart(_killed).match(ingested, NOW, "r")
    assert multiprocessing.active_children() == []


def test_a_process_that_is_killed_between_two_steps_loses_nothing(
    ingested: Service, here: Service, outbox: OutboxFolder
) -> None:
    subscribe_reader(here)
    hands = Apart(_make)
    assert hands.match(here, NOW, "one").batches == 1
    (process,) = multiprocessing.active_children()
    process.kill()
    process.join()
    with pytest.raises(StepError, match="status -9"):
        hands.deliver(here, NOW, "one")
    hands.over("one")
    assert hands.deliver(here, NOW, "two")[1].sent == 1
    hands.over("two")
    assert len(mails(outbox)) == 1


def test_an_idle_tick_takes_no_more_steps_with_many_papers_on_hand(tmp_path: Path) -> None:
    few, many = (_steps_of_an_idle_tick(tmp_path / f"{size}.db", size) for size in (30, 600))
    assert many < 1.1 * few


def _steps_of_an_idle_tick(file: Path, size: int) -> int:
    """Tens of SQLite's steps for a tick at which nothing is due, with so many papers on hand."""
    database = Database(f"sqlite:///{file}")
    migrate.upgrade(database)
    outbox = OutboxFolder(file.parent / "outbox")
    links = Links("http://papers.example.org", "a secret")
    service = Service(database, links, Sender("P", "p@x.org"), lambda: outbox)
    with database.writing() as session:
        source = source_store.add(session, name="a", kind="file", location="a", every_minutes=0, now=None)
        paper_store.merge(session, synthetic.papers(size), source.id, NOW)
    post, moment = Post(service, "one"), NOW
    clock = Clock(60, lambda: moment, lambda: f"r{moment:%M}", "one")
    post.renew(NOW)
    assert tick(service, post, clock) is not None  # everything is matched and indexed
    moment += timedelta(minutes=1)

    with counted(database) as steps:
        assert tick(service, post, clock, Apart(_broken)) is not None
    database.dispose()
    return steps.tens


# --- mail beside a long run --------------------------------------------------------------------------------


class Slow(Here):
    """Is at its library, or at a match, until it is let go."""

    def __init__(self, at: str) -> None:
        self.at = at
        self.begun, self.go_on = threading.Event(), threading.Event()

    def _stay(self, at: str) -> None:
        if at == self.at:
            self.begun.set()
            assert self.go_on.wait(30)

    def match(self, service: Service, now: datetime, run: str) -> Matched:
        self._stay("match")
        return super().match(service, now, run)

    def library(self, service: Service, now: datetime, run: str) -> int:
        self._stay("library")
        return 0


@pytest.fixture
def post(service: Service) -> Iterator[Post]:
    """The post of a scheduler that is active."""
    found = Post(service, "one")
    found.renew(NOW)
    yield found
    found.resign()


@pytest.mark.parametrize(("at", "sent"), [("library", 1), ("match", 0)])
def test_mail_goes_out_beside_a_long_step_but_not_before_its_papers_are_matched(
    ingested: Service, post: Post, outbox: OutboxFolder, at: str, sent: int
) -> None:
    hands, moment = Slow(at), NOW
    clock = Clock(60, lambda: moment, lambda: f"r{moment:%M}", "one")
    run = threading.Thread(target=lambda: tick(ingested, post, clock, hands))
    assert mail_beside(ingested, post, clock, hands) is None  # nothing is under way
    run.start()
    assert hands.begun.wait(30)
    subscribe_reader(ingested)
    assert mail_beside(ingested, post, clock, hands) is None  # it has only begun
    for moment in (NOW + timedelta(minutes=1), NOW + timedelta(minutes=1, seconds=5)):
        post.renew(moment)
        mail_beside(ingested, post, clock, hands)
        assert len(mails(outbox)) == sent
    hands.go_on.set()
    run.join()
    assert post.began is None
    assert len(mails(outbox)) == 1
