"""Shards of work handed out to workers on a real PostgreSQL: done once each, whoever dies."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client.metrics_core import Metric
from sqlalchemy import text

from app.web.metrics import Metrics
from db import alert_store, migrate, queue_store, turn_store
from db.session import Database
from jobs import diagnosis, ingest, match, overview, shards, workers
from jobs.alerts.outbox_folder import OutboxFolder
from jobs.pipeline import Run, run_once
from jobs.service import Service
from tests.conftest import NOW
from tests.readers import mails, subscribe_reader, write_digest

pytestmark = pytest.mark.postgres


@pytest.fixture
def database(postgres: str, request: pytest.FixtureRequest) -> Database:
    """Workers are for PostgreSQL only."""
    from tests.test_db_copying import made_on_postgres

    made = made_on_postgres(postgres)
    request.addfinalizer(made.dispose)
    return made


@pytest.fixture
def waiting(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Service:
    """Five readers and a batch that waits, in shards of two."""
    monkeypatch.setattr(shards, "SIZE", 2)
    for at in range(5):
        subscribe_reader(service, email=f"reader{at}@example.org")
    write_digest(tmp_path / "digests", "tuesday.md", wanted=3)
    found = list(ingest.ingest_locations(service, [str(tmp_path / "digests")], NOW, "by hand"))
    match.gather(service, NOW, found)
    return service


def _worker(service: Service, until: Callable[[], bool], seconds: float = 30) -> None:
    """Let one worker work until it is so."""

    async def run() -> None:
        stopping = asyncio.Event()
        working = asyncio.create_task(workers.work(service, "worker", lambda: NOW, stopping))
        for _ in range(int(seconds / 0.05)):
            await asyncio.sleep(0.05)
            if working.done() or await asyncio.to_thread(until):
                break
        stopping.set()
        await working

    asyncio.run(run())


def _tick(service: Service, run: str = "run") -> Run:
    return run_once(service, NOW, run, workers.Workers("leader"))


def _alive(service: Service, sign: str = "now()") -> int:
    """A worker that shows signs of life, and does nothing."""
    with service.database.writing() as session:
        queue_store.driver_connection(session)
        made: int = session.execute(
            text(f"INSERT INTO procrastinate_workers (last_heartbeat) VALUES ({sign}) RETURNING id")
        ).scalar_one()
    return made


def _state(service: Service) -> queue_store.Queue:
    with service.database.reading() as session:
        return queue_store.state(session, workers.DEAD_SECONDS)


def test_without_workers_the_scheduler_does_the_work_and_says_so(
    waiting: Service, outbox: OutboxFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    done = _tick(waiting)
    assert (done.matched.batches, done.sent.sent) == (1, 5)
    assert "no worker is alive" in capsys.readouterr().out
    assert len(mails(outbox)) == 5


def test_workers_match_the_shards_and_send_the_mails(waiting: Service, outbox: OutboxFolder) -> None:
    _alive(waiting)
    assert _tick(waiting).matched.batches == 0  # handed out, not done
    assert _state(waiting).waiting == 3
    _tick(waiting)
    assert _state(waiting).waiting == 3  # and once
    _worker(waiting, lambda: len(mails(outbox)) >= 5)
    assert len(mails(outbox)) == 5
    with waiting.database.reading() as session:
        assert alert_store.unmatched_batches(session) == []
        plan = turn_store.latest(session, "match 1")[0]
        assert plan.report == {"shards": 3, "size": 2, "papers": 27, "profiles": 5, "chosen": 15}
        assert _state(waiting) == queue_store.Queue(1, 0, 0, 0)


def test_a_digest_that_is_due_waits_for_the_papers_that_are_being_matched_but_not_for_ever(
    waiting: Service,
) -> None:
    with waiting.database.writing() as session:
        session.execute(text("UPDATE profile SET next_digest_at = :now"), {"now": NOW})
    _alive(waiting)
    _tick(waiting)
    assert _state(waiting).waiting == 3, "shards, and no mail without their papers"
    run_once(waiting, NOW + timedelta(hours=2), "later", workers.Workers("leader"))
    assert _state(waiting).waiting == 3 + 1


def test_the_queue_is_told_and_a_backlog_is_trouble(waiting: Service) -> None:
    _alive(waiting)
    _tick(waiting)
    stands = overview.standing(waiting.database, datetime.now(UTC))
    assert stands.queue == queue_store.Queue(1, 3, 0, 0)
    told = {s.name: s.value for family in _metrics(waiting) for s in family.samples if not s.labels}
    assert told["paperwatch_workers"] == 1
    assert 0 <= told["paperwatch_oldest_job_seconds"] < 600
    assert diagnosis.of_queue(stands.queue, stands.at) == []
    later = stands.at + timedelta(hours=1)
    (found,) = diagnosis.of_queue(stands.queue, later)
    assert "1 are alive and behind with 3 jobs" in found.why
    with waiting.database.writing() as session:
        session.execute(text(f"DELETE FROM {queue_store.schema()}.procrastinate_workers"))
    (found,) = diagnosis.of_queue(overview.standing(waiting.database, later).queue, later)
    assert "none is alive" in found.why


def _metrics(service: Service) -> Iterable[Metric]:
    return list(Metrics(service.database, lambda: datetime.now(UTC)).collect())


def test_the_work_of_a_worker_that_died_is_handed_out_again(waiting: Service, outbox: OutboxFolder) -> None:
    dead = _alive(waiting)
    _tick(waiting)
    with waiting.database.writing() as session:
        queue_store.driver_connection(session)
        job = session.execute(text("SELECT id FROM procrastinate_fetch_job_v2(NULL, :id)"), {"id": dead})
        assert job.scalar_one()
        session.execute(text("UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 hour'"))
    assert _state(waiting).stalled == 1
    _alive(waiting)
    _tick(waiting, "second")
    assert _state(waiting) == queue_store.Queue(1, 3, 0, 0)
    _worker(waiting, lambda: len(mails(outbox)) >= 5)
    assert len(mails(outbox)) == 5


def test_a_shard_that_fails_is_tried_again_and_the_others_are_done(
    waiting: Service, outbox: OutboxFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    _alive(waiting)
    _tick(waiting)
    real, failed = match.match_shard, []

    def fails_once(service: Service, batch: int, now: datetime, *, after: int = 0, upto: int | None = None):  # type: ignore[no-untyped-def]
        if after == 2 and not failed:
            failed.append(after)
            raise ValueError("a fault in the second shard")
        return real(service, batch, now, after=after, upto=upto)

    monkeypatch.setattr(match, "match_shard", fails_once)
    _worker(waiting, lambda: failed and not _state(waiting).waiting and not _state(waiting).running)  # type: ignore[arg-type,return-value]
    assert mails(outbox) == []
    _tick(waiting)
    assert _state(waiting).waiting >= 1
    _worker(waiting, lambda: len(mails(outbox)) >= 5)
    assert len(mails(outbox)) == 5


def test_a_worker_comes_back_when_the_database_does(waiting: Service, outbox: OutboxFolder) -> None:
    _alive(waiting)
    _tick(waiting)
    cut = False

    def after_a_cut() -> bool:
        nonlocal cut
        if not cut:
            cut = True
            with waiting.database.reading() as session:
                session.execute(
                    text(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                        " WHERE application_name = 'paperwatch work' AND datname = current_database()"
                    )
                )
        return len(mails(outbox)) >= 5

    _worker(waiting, after_a_cut)
    _tick(waiting)
    _worker(waiting, lambda: len(mails(outbox)) >= 5)
    assert len(mails(outbox)) == 5


def test_the_queue_is_no_part_of_our_schema_and_old_ones_go(database: Database) -> None:
    migrate.upgrade(database)
    assert migrate.differences(database) == []
    with database.writing() as session:
        session.execute(text("CREATE SCHEMA paperwatch_queue_old"))
        session.execute(
            text("CREATE TABLE paperwatch_queue_old.procrastinate_workers (last_heartbeat timestamptz)")
        )
        assert queue_store.drop_old(session) == ["paperwatch_queue_old"]
        assert queue_store.drop_old(session) == []
        assert queue_store.state(session, 1).workers == 0
