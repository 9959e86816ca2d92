"""Delivery reports: what they mean, and what becomes of the address."""

from __future__ import annotations

import re
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db import alert_store, bounce_store, subscriber_store
from jobs import bounces, deliver, leaving, subscribe, suppression
from jobs.alerts import bounce_report
from jobs.alerts.outbox_folder import OutboxFolder
from jobs.bounces import Bounced
from jobs.service import Service
from profiles.profile import Profile
from profiles.request import Request, request
from tests.conftest import NOW
from tests.outboxes import waiting
from tests.readers import mails, subscribe_reader

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


def in_words(address: str, why: str, message_id: str = OURS) -> bytes:
    """A report as qmail writes it: no fields, only words, and the mail that came back below."""
    text = (
        "From: MAILER-DAEMON@mx.example.net\nTo: digest@papers.example.org\nMessage-ID: <1@mx.example.net>\n"
        "Subject: failure notice\n\nHi. This is the mail program at mx.example.net.\n\n"
        f"<{address}>:\n{why}\n\n--- Below this line is a copy of the message.\n\n"
        f"From: digest@papers.example.org\nTo: {address}\nMessage-ID: {message_id}\n\nHello\n"
    )
    return text.encode()


def test_a_report_in_the_words_of_a_single_server_is_understood() -> None:
    (report,) = bounce_report.parse(in_words("Ada@example.org", "Sorry, no mailbox here. (#5.1.1)"))
    assert (report.kind, report.address, report.message_id) == ("hard", "ada@example.org", OURS)


def test_a_report_in_words_ends_the_mail_only_if_it_returns_ours(
    service: Service, sent: tuple[Profile, str]
) -> None:
    profile, message_id = sent
    made_up = in_words("ada@example.org", "Sorry, no mailbox here.", "<made-up@example.net>")
    assert bounces.take(service, made_up, NOW).suppressed == 0
    assert state_of(service, profile)[0] == "confirmed"
    assert bounces.take(service, in_words("ada@example.org", "Sorry.", message_id), NOW).suppressed == 1
    assert state_of(service, profile)[0] == "suppressed"


def test_an_answer_from_a_person_is_no_report() -> None:
    message = EmailMessage()
    message["Subject"] = "Out of office"
    message.set_content("Final-Recipient: rfc822; a@example.org\nAction: failed\nStatus: 5.1.1")
    assert bounce_report.parse(bytes(message)) == []


@given(st.binary(max_size=400), st.integers(0, 1200))
def test_no_bytes_break_the_reader(noise: bytes, at: int) -> None:
    whole = dsn("a@example.org", "5.1.1", "smtp; 550 x")
    words = in_words("a@example.org", "Sorry.")
    for raw in (noise, whole[:at] + noise, whole[:at] + noise + whole[at:], words[:at] + noise + words[at:]):
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


def wanted_by(email: str, name: str = "Rivers") -> Request:
    return request(email=email, name=name, statement="hydrology of rivers")


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


@pytest.mark.parametrize("subject", ["unsubscribe {}", "Re: Unsubscribe  {}"])
def test_a_mail_that_asks_to_be_unsubscribed_does_it_whoever_sent_it(
    service: Service, sent: tuple[Profile, str], tmp_path: Path, subject: str
) -> None:
    profile = sent[0]
    token = service.links.unsubscribe_token(profile.subscriber_id)
    asking = f"From: forwarded@example.net\r\nSubject: {subject.format(token)}\r\n\r\nThanks\r\n".encode()
    put(tmp_path, "1.eml", asking)
    put(tmp_path, "2.eml", asking.replace(token.encode(), token.encode()[:-3] + b"xyz"))
    put(tmp_path, "3.eml", b"Subject: unsubscribe\n\nplease\n")
    assert bounces.check(service, tmp_path, NOW) == Bounced(other=2, left=1)
    assert state_of(service, profile) == ("unsubscribed", "left by mail")
    put(tmp_path, "again.eml", asking)
    assert bounces.check(service, tmp_path, NOW) == Bounced()


def test_the_address_in_our_mails_asks_in_the_form_that_is_read(service: Service, tmp_path: Path) -> None:
    """What a mail program makes of the mailto address of List-Unsubscribe."""
    waiting(service, tmp_path / "in", 1)
    assert deliver.send_due(service, NOW).sent == 1
    (mail,) = mails(OutboxFolder(tmp_path / "var" / "outbox"))
    (mailto,) = re.findall(r"<mailto:[^>?]+\?subject=([^>]+)>", mail["List-Unsubscribe"])
    put(tmp_path / "box", "1.eml", f"Subject: {unquote(mailto)}\n\n\n".encode())
    assert bounces.check(service, tmp_path / "box", NOW).left == 1


def test_a_lifted_suppression_brings_back_what_was_agreed_to_and_nothing_else(
    service: Service, sent: tuple[Profile, str], tmp_path: Path
) -> None:
    profile, message_id = sent
    put(tmp_path, "1.eml", dsn("reader@example.org", "5.1.1", "smtp; 550 5.1.1 unknown", message_id))
    newcomer = subscribe.create(service, wanted_by("new@example.org"), NOW)
    bounces.check(service, tmp_path, NOW)
    with service.database.writing() as session:
        assert subscriber_store.suppress(session, newcomer.subscriber_id, NOW, "address refused: 550")
        known = {p.email: asked for p, asked in subscriber_store.suppressed(session)}
    assert known == {"reader@example.org": None, "new@example.org": None}
    later = NOW + timedelta(days=3)
    subscribe.create(service, wanted_by("reader@example.org", name="Again"), later)
    with service.database.reading() as session:
        known = {p.email: asked for p, asked in subscriber_store.suppressed(session)}
    assert known["reader@example.org"] == later

    assert suppression.lift(service, "Reader@example.org", later) == "confirmed"
    state, note = state_of(service, profile)
    assert state == "confirmed"
    assert note == "lifted by the operator; suppressed 2025-11-20, mail bounced: 550 5.1.1 unknown"
    with service.database.reading() as session:
        person = subscriber_store.subscriber(session, profile.subscriber_id)
    assert person is not None
    assert (person.confirmed_at, person.confirmed_note) == (NOW, "in a test")  # the consent itself, unchanged
    assert suppression.lift(service, "new@example.org", later) == "unconfirmed"
    with service.database.reading() as session:
        kinds = [mail.kind for mail in alert_store.outbox(session, subscriber_id=newcomer.subscriber_id)]
    assert kinds == ["confirmation", "confirmation"]
    with pytest.raises(suppression.NotSuppressedError, match="is confirmed, not suppressed"):
        suppression.lift(service, "reader@example.org", later)
    with pytest.raises(suppression.NotSuppressedError, match="nobody here"):
        suppression.lift(service, "", later)


def test_a_refused_mail_does_not_undo_that_somebody_left(service: Service, sent: tuple[Profile, str]) -> None:
    profile = sent[0]
    leaving.leave(service, profile.subscriber_id, None, NOW, "left by link")
    with service.database.writing() as session:
        assert not subscriber_store.suppress(session, profile.subscriber_id, NOW, "address refused")
    assert state_of(service, profile) == ("unsubscribed", "left by link")


def test_a_missing_folder_is_named(service: Service, tmp_path: Path) -> None:
    with pytest.raises(bounces.BounceError, match="PAPERWATCH_BOUNCES names a Maildir"):
        bounces.check(service, tmp_path / "none", NOW)
