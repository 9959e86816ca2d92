"""What happens where the way out for mail is blocked, slow, or refuses."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from db import alert_store, relay_store
from db.records import Queued
from db.relay_store import Relay
from jobs import compose, deliver, sending, settling
from jobs.alerts.outbox_folder import OutboxFolder
from jobs.alerts.smtp import Outcome
from jobs.sending import FAULTS
from jobs.service import Service
from tests.conftest import NOW
from tests.outboxes import DOWN, MINUTE, Answering, states, through, waiting
from tests.readers import mails


def test_many_faults_in_a_row_pause_all_mail_and_one_mail_goes_ahead_afterwards(
    service: Service, outbox: OutboxFolder, tmp_path: Path
) -> None:
    waiting(service, tmp_path / "in", FAULTS + 10)
    way = Answering(outbox.folder, DOWN)
    through(service, way)
    first = deliver.send_due(service, NOW)
    assert (first.retried, way.asked) == (FAULTS, FAULTS)
    assert first.paused_until is not None
    stands = deliver.state(service)
    assert stands.states == {"queued": FAULTS + 10}
    assert (stands.relay.faults, stands.relay.pauses, stands.relay.error) == (FAULTS, 1, DOWN.text)
    with service.database.reading() as session:
        assert {mail.attempts for mail in alert_store.outbox(session)} == {0, 1}

    assert deliver.send_due(service, first.paused_until - timedelta(seconds=1)).paused_until is not None
    assert way.asked == FAULTS
    through(service, way)
    second = deliver.send_due(service, first.paused_until)
    assert (second.retried, way.asked) == (1, FAULTS + 1)
    assert second.paused_until is not None
    assert second.paused_until - first.paused_until > MINUTE  # each pause is longer than the one before

    through(service, outbox)
    third = deliver.send_due(service, second.paused_until + timedelta(hours=1))
    assert third.sent == FAULTS + 10
    assert deliver.state(service).relay == Relay()
    assert len(mails(outbox)) == FAULTS + 10


def test_faults_add_up_over_runs_where_mail_is_rare(service: Service, tmp_path: Path) -> None:
    waiting(service, tmp_path / "in", 2)
    runs = [NOW + n * timedelta(minutes=20) for n in range(FAULTS)]
    done = []
    for at in runs:
        through(service, Answering(tmp_path, DOWN))
        done.append(deliver.send_due(service, at))
        if done[-1].paused_until:
            break
    assert sum(d.retried for d in done) == FAULTS
    assert len(done) == FAULTS // 2
    assert deliver.state(service).relay.holds(at + timedelta(seconds=30))


def test_one_mail_that_goes_through_clears_the_count(service: Service, tmp_path: Path) -> None:
    waiting(service, tmp_path / "in", 5)
    through(service, Answering(tmp_path / "out", DOWN, DOWN, DOWN, None, DOWN))
    deliver.send_due(service, NOW)
    assert deliver.state(service).relay == Relay(1, error=DOWN.text)


def test_a_refusal_of_one_mail_is_no_fault_of_the_server(service: Service, tmp_path: Path) -> None:
    waiting(service, tmp_path / "in", FAULTS + 1)
    through(service, Answering(tmp_path / "out", Outcome("retry", 450, "greylisted")))
    assert deliver.send_due(service, NOW).retried == FAULTS + 1
    assert deliver.state(service).relay == Relay()


def test_a_clock_that_is_set_back_holds_no_mail_back(
    service: Service, outbox: OutboxFolder, tmp_path: Path
) -> None:
    waiting(service, tmp_path / "in", 3)
    with service.database.writing() as session:
        relay_store.keep(session, Relay(FAULTS, 1, NOW, NOW + MINUTE, "down"))
    assert deliver.send_due(service, NOW - timedelta(days=3)).sent == 3
    assert deliver.state(service).relay == Relay()


def test_a_stranded_mail_of_a_clock_that_was_set_back_can_be_freed(
    service: Service, outbox: OutboxFolder, tmp_path: Path
) -> None:
    waiting(service, tmp_path / "in", 1)
    with service.database.writing() as session:
        (mail,) = alert_store.lease(session, NOW, seconds=300, at_most=9)
        assert alert_store.retry(session, [mail.id], NOW, lease_seconds=300) == []
    before = NOW - timedelta(days=1)
    assert deliver.send_due(service, before).sent == 0
    with service.database.writing() as session:
        assert alert_store.retry(session, [mail.id], before, lease_seconds=300) == [mail.id]
    assert deliver.send_due(service, before).sent == 1


def test_a_mail_that_cannot_be_made_holds_no_other_up(
    service: Service, outbox: OutboxFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting(service, tmp_path / "in", 4)
    letter = compose.letter

    def odd(service: Service, session: object, queued: Queued, *more: Any) -> object:
        if queued.id == 2:
            raise KeyError("sections")
        return letter(service, session, queued, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(compose, "letter", odd)
    done = deliver.send_due(service, NOW)
    assert (done.sent, done.retried) == (3, 1)
    with service.database.reading() as session:
        mail = alert_store.mail(session, 2)
    assert mail is not None
    assert (mail.state, mail.last_error) == ("queued", "could not be made: KeyError: 'sections'")


class Slow(OutboxFolder):
    """Takes its time over every mail."""

    async def send(self, envelope_from: str, to: str, message: bytes, *more: Any) -> Outcome:
        await asyncio.sleep(0.5)
        return await super().send(envelope_from, to, message, *more)


def test_a_slow_server_keeps_its_leases_and_no_other_process_sends_the_same(
    service: Service, outbox: OutboxFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting(service, tmp_path / "in", 5)
    monkeypatch.setattr(sending, "LEASE_SECONDS", 1.5)
    through(service, Slow(outbox.folder))
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(deliver.send_due, service, NOW)
        second: list[int] = []
        begun = datetime.now(UTC)
        while not slow.done():
            now = NOW + (datetime.now(UTC) - begun)
            with service.database.reading() as session:
                mine = [m for m in alert_store.outbox(session) if m.state == "sending"]
            second += [
                m.id for m in mine if m.leased_until is not None and m.leased_until < now - MINUTE / 300
            ]
            asyncio.run(asyncio.sleep(0.05))
    assert slow.result().sent == 5
    assert second == []
    assert states(service) == {"sent": 5}


def test_what_an_outcome_means_is_decided_by_its_kind_and_age() -> None:
    def queued(attempts: int, hours: float = 0) -> Queued:
        at = NOW - timedelta(hours=hours)
        return Queued(1, 1, "digest", "p", "<m@x>", "sending", {}, attempts, at, None, at, None, "")

    def waits(outcome: Outcome, attempts: int, jitter: float = 0.0, hours: float = 0) -> timedelta:
        plan = settling.settle(queued(attempts, hours), outcome, NOW, jitter)
        assert plan.retry_at is not None
        return plan.retry_at - NOW

    later = Outcome("retry", 451, "later")
    assert [waits(later, n) // MINUTE for n in range(1, 10)] == [1, 5, 15, 60, 240, 720, 1440, 1440, 1440]
    assert waits(later, 3, 0.99) > 1.49 * waits(later, 3)
    # The server's own faults say nothing about the mail.
    assert [waits(DOWN, n) // MINUTE for n in (1, 2, 3, 4, 9)] == [1, 5, 15, 15, 15]
    # Two hundred kills use up two hundred attempts, but the mail is young.
    assert waits(later, 200, hours=2) == timedelta(days=1)
    assert waits(later, 9, hours=24 * 6) == timedelta(days=1)
    given_up = settling.settle(queued(10, 24 * 6), later, NOW, 0.0)
    assert (given_up.state, given_up.error) == ("failed", "given up after 5 days: later")
    gone = settling.settle(queued(1), Outcome("failed", 550, "no such user", "address"), NOW, 0.0)
    assert (gone.state, gone.suppress) == ("failed", "address refused: no such user")
    assert settling.settle(queued(1), Outcome("failed", 554, "spam", "message"), NOW, 0.0).suppress == ""


def test_waits_are_spread_by_the_given_chance(service: Service, tmp_path: Path) -> None:
    waiting(service, tmp_path / "in", 8)
    draws = iter([n / 100 for n in range(100)])
    service.jitter = lambda: next(draws)
    through(service, Answering(tmp_path / "out", Outcome("retry", 451, "later")))
    deliver.send_due(service, NOW)
    with service.database.reading() as session:
        times = {mail.next_attempt_at for mail in alert_store.outbox(session)}
    assert len(times) == 8


def change(service: Service, what: Callable[..., list[int]], *numbers: int) -> list[int]:
    with service.database.writing() as session:
        more = {"lease_seconds": 300} if what is alert_store.retry else {}
        return what(session, numbers, *([NOW] if more else []), **more)


def test_an_operator_retries_and_cancels_only_what_can_be(
    service: Service, outbox: OutboxFolder, tmp_path: Path
) -> None:
    waiting(service, tmp_path / "in", 4)
    way = Answering(
        outbox.folder, None, Outcome("failed", 554, "spam", "message"), Outcome("retry", 451, "x")
    )
    through(service, way)
    deliver.send_due(service, NOW)
    assert states(service) == {"failed": 1, "queued": 2, "sent": 1}
    assert change(service, alert_store.cancel, 1, 2, 3, 77) == [2, 3]
    assert states(service) == {"cancelled": 2, "queued": 1, "sent": 1}
    assert change(service, alert_store.retry, 1, 2, 3, 4) == [2, 3, 4]
    through(service, outbox)
    assert deliver.send_due(service, NOW).sent == 3
    assert change(service, alert_store.cancel, 1, 2, 3, 4) == []
    assert len({mail["Message-ID"] for mail in mails(outbox)}) == len(mails(outbox)) == 4
