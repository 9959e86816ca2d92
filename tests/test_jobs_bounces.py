"""Delivery reports: what they mean, and what becomes of the address."""

from __future__ import annotations

from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db import alert_store, bounce_store, subscriber_store
from jobs import bounces, deliver
from jobs.alerts import bounce_report
from jobs.bounces import Bounced
from jobs.service import Service
from profiles.profile import Profile
from tests.conftest import NOW
from tests.readers import subscribe_reader

OURS = "<digest-0123456789abcdef01234567@papers.example.org>"


def dsn(
    address: str, status: str, diagnostic: str, message_id: str = OURS, *, action: str = "failed",
    original: str = "", returned: str = "text/rfc822-headers",
) -> bytes:  # fmt: skip
    """A delivery report as mail servers write them (RFC 3464, with RFC 3462 around it)."""
    whose = f"Original-Recipient: rfc822;{original}\n" if original else ""
    headers = f"From: digest@papers.example.org\nTo: {address}\nMessage-ID: {message_id}\nSubject: 3 papers\n"
    back = f"--=_b\nContent-Type: {returned}\n\n{headers}\n" if message_id else ""
    said = f"Diagnostic-Code: {diagnostic}\n" if diagnostic else ""
    text = (
        "From: MAILER-DAEMON@mx.example.net\nTo: digest@papers.example.org\nSubject: Undelivered Mail\n"
        "MIME-Version: 1.0\nAuto-Submitted: auto-replied\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="=_b"\n\n'
        "--=_b\nContent-Type: text/plain\n\nYour mail could not be delivered.\n\n"
        "--=_b\nContent-Type: message/delivery-status\n\n"
        "Reporting-MTA: dns; mx.example.net\nArrival-Date: Thu, 20 Nov 2025 12:00:00 +0000\n\n"
        f"{whose}Final-Recipient: rfc822; {address}\nAction: {action}\nStatus: {status}\n{said}\n"
        f"{back}--=_b--\n"
    )
    return text.encode()


@pytest.mark.parametrize(
    ("status", "diagnostic", "action", "kind"),
    [
        ("5.1.1", "smtp; 550 5.1.1 <a@example.org>: user unknown", "failed", "hard"),
        ("5.1.1", "", "failed", "hard"),
        ("5.1.2", "", "failed", "hard"),
        ("5.1.10", "smtp; 556 null MX", "failed", "hard"),
        ("5.2.1", "smtp; 554 mailbox disabled", "failed", "hard"),
        ("5.0.0", "smtp; 550 no such user here", "failed", "hard"),
        ("5.0.0", "x-unix; user unknown", "failed", "soft"),
        ("5.2.2", "smtp; 552 5.2.2 mailbox full", "failed", "soft"),
        ("5.7.1", "smtp; 550 5.7.1 looks like spam", "failed", "soft"),
        ("5.3.4", "smtp; 552 too big", "failed", "soft"),
        ("4.4.7", "smtp; delivery expired", "failed", "soft"),
        ("4.4.1", "smtp; connection timed out", "delayed", "other"),
        ("2.0.0", "", "relayed", "other"),
        ("", "", "failed", "soft"),
    ],
)
def test_a_report_is_hard_only_where_the_address_is_gone(
    status: str, diagnostic: str, action: str, kind: str
) -> None:
    (report,) = bounce_report.parse(dsn("Ada@example.org", status, diagnostic, action=action))
    assert (report.kind, report.address, report.message_id) == (kind, "ada@example.org", OURS)


@pytest.mark.parametrize("returned", ["text/rfc822-headers", "message/rfc822"])
def test_the_mail_that_came_back_is_known_whole_or_by_its_headers(returned: str) -> None:
    (report,) = bounce_report.parse(dsn("a@example.org", "5.1.1", "", returned=returned))
    assert report.message_id == OURS


def test_an_answer_from_a_person_is_no_report() -> None:
    message = EmailMessage()
    message["Subject"] = "Out of office"
    message.set_content("Final-Recipient: rfc822; a@example.org\nAction: failed\nStatus: 5.1.1")
    assert bounce_report.parse(bytes(message)) == []


@given(st.binary(max_size=400), st.integers(0, 1200))
def test_no_bytes_break_the_reader(noise: bytes, at: int) -> None:
    whole = dsn("a@example.org", "5.1.1", "smtp; 550 x")
    for raw in (noise, whole[:at] + noise, whole[:at] + noise + whole[at:]):
        for report in bounce_report.parse(raw):
            assert "\n" not in report.why + report.address + report.message_id


@pytest.fixture
def sent(service: Service) -> tuple[Profile, str]:
    """A reader, and the Message-ID of a mail that went to them."""
    profile = subscribe_reader(service)
    with service.database.writing() as session:
        person = subscriber_store.subscriber(session, profile.subscriber_id)
        assert person is not None
        deliver.queue_link(service, session, person, "access", NOW)
    assert deliver.send_due(service, NOW).sent == 1
    with service.database.reading() as session:
        return profile, alert_store.outbox(session)[0].message_id


def state_of(service: Service, profile: Profile) -> tuple[str, str]:
    with service.database.reading() as session:
        person = subscriber_store.subscriber(session, profile.subscriber_id)
    assert person is not None
    return person.state, person.state_note


def put(folder: Path, name: str, raw: bytes) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(raw)


def test_a_hard_bounce_ends_the_mail_with_its_reason_and_counts_once(
    service: Service, sent: tuple[Profile, str], tmp_path: Path
) -> None:
    profile, message_id = sent
    raw = dsn("elsewhere@example.net", "5.1.1", "smtp; 550 5.1.1 unknown", message_id)
    put(tmp_path / "in", "1.eml", raw)
    assert bounces.check(service, tmp_path / "in", NOW) == Bounced(hard=1, suppressed=1)
    # Forwarded by the reader's own server, so under an address that is not known here.
    assert state_of(service, profile) == ("suppressed", "mail bounced: 550 5.1.1 unknown")
    assert [p.name for p in (tmp_path / "in" / "read").iterdir()] == ["1.eml"]
    put(tmp_path / "in", "again.eml", raw)
    assert bounces.check(service, tmp_path / "in", NOW) == Bounced()
    with service.database.reading() as session:
        (known,) = bounce_store.latest(session)
    assert (known.email, known.kind, known.status) == ("reader@example.org", "hard", "5.1.1")


def test_a_maildir_is_read_and_its_mails_are_marked_as_seen(
    service: Service, sent: tuple[Profile, str], tmp_path: Path
) -> None:
    profile, message_id = sent
    for name in ("cur", "tmp"):
        (tmp_path / "box" / name).mkdir(parents=True)
    put(tmp_path / "box" / "new", "1763640000.1.mx", dsn("reader@example.org", "5.2.2", "", message_id))
    put(tmp_path / "box" / "new", "1763640001.2.mx", b"Subject: out of office\n\nback on Monday\n")
    assert bounces.check(service, tmp_path / "box", NOW) == Bounced(soft=1, other=1)
    assert state_of(service, profile)[0] == "confirmed"
    assert sorted(p.name for p in (tmp_path / "box" / "cur").iterdir()) == [
        "1763640000.1.mx:2,S", "1763640001.2.mx:2,S"
    ]  # fmt: skip
    assert bounces.check(service, tmp_path / "box", NOW) == Bounced()


def test_a_report_about_a_mail_that_we_never_sent_ends_nothing(
    service: Service, sent: tuple[Profile, str], tmp_path: Path
) -> None:
    put(tmp_path, "forged.eml", dsn("reader@example.org", "5.1.1", "", "<other@example.net>"))
    assert bounces.check(service, tmp_path, NOW) == Bounced(other=1)
    assert state_of(service, sent[0])[0] == "confirmed"
    put(tmp_path, "bare.eml", dsn("x@example.net", "5.1.1", "", "", original="Reader@example.org"))
    assert bounces.check(service, tmp_path, NOW) == Bounced(hard=1)
    assert state_of(service, sent[0])[0] == "confirmed"
    with service.database.reading() as session:
        (shown,) = bounce_store.latest(session)
    assert (shown.email, shown.kind) == ("reader@example.org", "hard")


def test_who_left_stays_one_who_left(service: Service, sent: tuple[Profile, str], tmp_path: Path) -> None:
    profile, message_id = sent
    with service.database.writing() as session:
        subscriber_store.set_state(session, profile.subscriber_id, "unsubscribed", NOW, "by link")
    put(tmp_path, "1.eml", dsn("reader@example.org", "5.1.1", "", message_id))
    assert bounces.check(service, tmp_path, NOW + timedelta(days=1)) == Bounced(hard=1)
    assert state_of(service, profile) == ("unsubscribed", "by link")


def test_a_file_that_cannot_be_read_stops_no_other(
    service: Service, sent: tuple[Profile, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounces, "_LARGEST", 2_000)
    put(tmp_path, "1.eml", bytes(3_000))
    put(tmp_path, "2.eml", dsn("reader@example.org", "5.2.2", "", sent[1]))
    done = bounces.check(service, tmp_path, NOW)
    assert (done.soft, done.faults) == (1, ("1.eml: larger than 2,000 bytes",))


def test_a_missing_folder_is_named(service: Service, tmp_path: Path) -> None:
    with pytest.raises(bounces.BounceError, match="PAPERWATCH_BOUNCES names a Maildir"):
        bounces.check(service, tmp_path / "none", NOW)
