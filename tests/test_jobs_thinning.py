"""What grows by day is thinned once a night; what somebody still waits for stays."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from db import alert_store, copying, source_store, subscriber_store, thin_store, turn_store
from jobs import thinning
from jobs.alerts.outbox_folder import OutboxFolder
from jobs.service import Keep, Service
from tests.conftest import NOW
from tests.readers import mails, subscribe_reader, tick, write_digest

LATER = NOW + timedelta(days=40)


@pytest.fixture
def thinned(service: Service) -> Service:
    """A service that keeps for 35 days what readers were sent, and for 2 what was checked."""
    service.keep = Keep(timedelta(days=35), timedelta(days=2))
    return service


def _old_batch(service: Service, folder: Path, now: datetime = NOW) -> int:
    """A reader whose digest was sent; the reader's profile."""
    with service.database.writing() as session:
        source_store.add(session, name="d", kind="folder", location=str(folder), every_minutes=0, now=now)
    profile = subscribe_reader(service)
    write_digest(folder, "tuesday.md", wanted=2)
    tick(service)
    return profile.id


def test_old_matches_and_sent_digests_go_and_nothing_else(
    thinned: Service, outbox: OutboxFolder, tmp_path: Path
) -> None:
    _old_batch(thinned, tmp_path / "digests")
    before = copying.counts(thinned.database)
    assert (before["match"], before["digest"]) == (1, 1)
    assert thinning.thin(thinned, LATER, "later") == {
        "match": 1, "scores": 1, "shadow": 0, "digest": 1, "receipt": 0, "turn": 1,
    }  # fmt: skip
    after = copying.counts(thinned.database)
    assert {t: n for t, n in before.items() if after[t] != n} == {"match": 1, "digest": 1, "scores": 1}
    # The paper is in its batch, and comes to nobody again.
    tick(thinned, minutes=41 * 24 * 60)
    assert len(mails(outbox)) == 1


def test_once_a_night(thinned: Service) -> None:
    night = datetime.fromisoformat("2025-11-20T03:00:00+00:00")
    assert thinning.thin(thinned, night - timedelta(minutes=1), "a") is not None
    assert thinning.thin(thinned, night, "b") is not None
    assert thinning.thin(thinned, night + timedelta(hours=23, minutes=59), "c") is None
    assert thinning.thin(thinned, night + timedelta(hours=24), "d") is not None


def test_a_mail_that_waits_stays_however_old(thinned: Service, tmp_path: Path) -> None:
    profile = _old_batch(thinned, tmp_path / "digests")
    with thinned.database.writing() as session:
        person = subscriber_store.profile(session, profile)
        assert person is not None
        waits = alert_store.queue(
            session, subscriber_id=person.subscriber_id, kind="digest", period="p", message_id="<w@x>",
            content={}, now=NOW, matches=(),
        )  # fmt: skip
    thinning.thin(thinned, LATER, "later")
    with thinned.database.reading() as session:
        assert [mail.id for mail in alert_store.outbox(session)] == [waits]


def test_the_last_receipt_of_each_source_stays(thinned: Service, tmp_path: Path) -> None:
    _old_batch(thinned, tmp_path / "digests")
    write_digest(tmp_path / "digests", "wednesday.md", wanted=1, first=20)
    tick(thinned, minutes=60)
    gone = thinning.thin(thinned, LATER, "later")
    assert gone is not None
    assert gone["receipt"] >= 1
    with thinned.database.reading() as session:
        assert len(source_store.receipts(session)) == 1
        assert len(source_store.latest_receipts(session)) == 1


def test_a_young_history_is_left_alone(service: Service, tmp_path: Path) -> None:
    profile = _old_batch(service, tmp_path / "digests")
    gone = thinning.thin(service, LATER, "later")
    assert gone is not None
    assert gone["match"] == gone["digest"] == 0
    with service.database.reading() as session:
        assert alert_store.matches_of(session, profile)


def test_many_rows_go_in_small_steps(thinned: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thinning, "_TOGETHER", 2)
    with thinned.database.writing() as session:
        for minute in range(5):
            turn_store.done(session, "run", NOW + timedelta(minutes=minute), "r", "t", NOW, {})
        assert thin_store.turns(session, NOW + timedelta(minutes=1), at_most=2) == 1
    gone = thinning.thin(thinned, LATER, "later")
    assert gone is not None
    assert gone["turn"] == 4
    with thinned.database.reading() as session:
        assert [turn.job for turn in turn_store.latest(session, "thin")] == ["thin"]
