"""A paper's way with something broken on it: what is held up, what goes on, what is tried again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from db import alert_store, source_store, subscriber_store
from jobs import bounces, deliver, learning, library, match, shadow, subscribe, thinning
from jobs.alerts.outbox_folder import OutboxFolder
from jobs.alerts.smtp import Outcome
from jobs.service import Service
from profiles.request import request
from tests.conftest import NOW
from tests.readers import (
    mails,
    match_and_queue,
    subscribe_reader,
    tick,
    write_digest,
)


def test_a_run_cut_short_anywhere_is_finished_by_the_next(
    service: Service, outbox: OutboxFolder, folder: Path
) -> None:
    from jobs import ingest

    subscribe_reader(service)
    write_digest(folder, "monday.md", wanted=2)
    steps: list[Callable[[], object]] = [
        lambda: ingest.check_due(service, NOW, "cut"),
        lambda: match.gather(service, NOW, []),
        lambda: match.match_pending(service, NOW),
        lambda: deliver.queue_due(service, NOW),
    ]
    for step in steps:
        step()  # the process dies after it; the next one begins again
    tick(service, 1)
    tick(service, 2)
    assert len(mails(outbox)) == 1


@pytest.mark.parametrize(
    ("where", "what"),
    [
        (learning, "refit"),
        (shadow, "score_pending"),
        (bounces, "read"),
        (library, "keep"),
        (thinning, "thin"),
    ],
)
def test_what_no_mail_waits_for_may_fail_at_every_run_and_is_told(
    service: Service, outbox: OutboxFolder, folder: Path, monkeypatch: pytest.MonkeyPatch,
    where: ModuleType, what: str,
) -> None:  # fmt: skip
    def fails(*_: object) -> None:
        raise MemoryError(f"no room for {what}")

    subscribe_reader(service)
    write_digest(folder, "monday.md", wanted=2)
    monkeypatch.setattr(where, what, fails)
    for minute in (0, 1):
        with pytest.raises(MemoryError, match=what):
            tick(service, minute)
    assert len(mails(outbox)) == 1


def test_a_match_that_fails_holds_digests_for_an_hour_and_a_confirmation_not_at_all(
    service: Service, outbox: OutboxFolder, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise MemoryError("no room for matching")

    def subjects() -> list[str]:
        return [mail["Subject"].split()[0] for mail in mails(outbox)]

    subscribe_reader(service, every="daily", hour=13, send_empty=True)  # an hour from now
    wanted = request(email="new@example.org", statement="speculative decoding", every="announced")
    write_digest(folder, "monday.md", wanted=2)
    with monkeypatch.context() as broken:
        broken.setattr(match, "match_pending", fails)
        subscribe.create(service, wanted, NOW)
        for minute in (30, 60, 89):
            with pytest.raises(MemoryError, match="matching"):
                tick(service, minute)
            assert subjects() == ["Confirm"]
        with pytest.raises(MemoryError, match="matching"):
            tick(service, 91)
        assert len(subjects()) == 2
    tick(service, 92)
    tick(service, 92 + 24 * 60)
    assert subjects()[2:] == ["2"]


def test_a_sender_that_died_is_followed_by_one_with_the_same_message_id(
    service: Service, outbox: OutboxFolder, folder: Path
) -> None:
    subscribe_reader(service)
    write_digest(folder, "monday.md", wanted=2)
    match_and_queue(service)
    with service.database.writing() as session:
        (leased,) = alert_store.lease(session, NOW, seconds=300, at_most=10)
    assert deliver.send_due(service, NOW + timedelta(minutes=1)).sent == 0
    assert deliver.send_due(service, NOW + timedelta(minutes=6)).sent == 1
    (mail,) = mails(outbox)
    assert mail["Message-ID"] == leased.message_id


class Refusing(OutboxFolder):
    """An outbox that answers as a mail server in trouble would."""

    def __init__(self, folder: Path, outcome: Outcome) -> None:
        super().__init__(folder)
        self.outcome = outcome

    async def send(self, envelope_from: str, to: str, message: bytes, *more: Any) -> Outcome:
        return self.outcome


def test_a_passing_fault_is_tried_again_later(service: Service, outbox: OutboxFolder, folder: Path) -> None:
    subscribe_reader(service)
    write_digest(folder, "monday.md", wanted=2)
    service.mailer = lambda: Refusing(outbox.folder, Outcome("retry", 451, "try later"))
    assert tick(service).sent.retried == 1
    service.mailer = lambda: outbox
    assert deliver.send_due(service, NOW + timedelta(seconds=30)).sent == 0
    assert deliver.send_due(service, NOW + timedelta(minutes=2)).sent == 1


def test_an_address_that_is_refused_for_good_gets_no_more(
    service: Service, outbox: OutboxFolder, folder: Path
) -> None:
    profile = subscribe_reader(service)
    write_digest(folder, "monday.md", wanted=2)
    service.mailer = lambda: Refusing(outbox.folder, Outcome("failed", 550, "no such user", "address"))
    assert tick(service).sent.failed == 1
    with service.database.reading() as session:
        person = subscriber_store.subscriber(session, profile.subscriber_id)
        states = alert_store.outbox_states(session)
    assert person is not None
    assert person.state == "suppressed"
    assert states == {"failed": 1}


def test_a_missing_folder_is_an_error_with_the_next_try_and_stops_no_other(
    service: Service, folder: Path, tmp_path: Path
) -> None:
    with service.database.writing() as session:
        source_store.add(
            session,
            name="gone",
            kind="folder",
            location=str(tmp_path / "gone"),
            every_minutes=1,
            now=NOW - timedelta(1),
        )
    write_digest(folder, "monday.md", wanted=1)
    run = tick(service)
    failed, good = run.receipts
    assert "next try" in failed.error
    assert good.new == 7
    assert len(tick(service, 1).receipts) >= 1


def test_an_address_that_bounces_for_good_gets_no_more(
    service: Service, outbox: OutboxFolder, folder: Path, tmp_path: Path
) -> None:
    profile = subscribe_reader(service)
    write_digest(folder, "monday.md", wanted=2)
    tick(service)
    service.bounces = tmp_path / "bounces"
    tick(service, 1)  # the folder is missing: logged, and no run is stopped
    service.bounces.mkdir()
    (service.bounces / "report.eml").write_bytes(hard_bounce(mails(outbox)[0]))
    tick(service, 2)
    with service.database.reading() as session:
        person = subscriber_store.subscriber(session, profile.subscriber_id)
    assert person is not None
    assert person.state == "suppressed"


def hard_bounce(mail: EmailMessage) -> bytes:
    """What a mail server returns for an address that does not exist (RFC 3464)."""
    return (
        "From: MAILER-DAEMON@mail.example.org\r\nTo: digest@papers.example.org\r\n"
        "Subject: Undelivered\r\n"
        "MIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\nNo such user.\r\n"
        "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mail.example.org\r\n\r\n"
        f"Final-Recipient: rfc822; {mail['To']}\r\nAction: failed\r\nStatus: 5.1.1\r\n"
        "Diagnostic-Code: smtp; 550 5.1.1 no such user\r\n\r\n"
        f"--b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: {mail['Message-ID']}\r\n"
        f"To: {mail['To']}\r\n\r\n--b--\r\n"
    ).encode()
