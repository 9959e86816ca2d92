"""Delivery reports by POST."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from app.settings import Settings, SettingsError, load
from app.web.server import create_app
from db import alert_store, subscriber_store
from jobs import deliver
from jobs.service import Service
from tests.conftest import NOW
from tests.outboxes import waiting
from tests.test_jobs_bounces import dsn

KEY = "a-key-of-sixteen-letters-or-more"
MAIL = {"content-type": "message/rfc822"}
NOTHING = {"hard": 0, "soft": 0, "other": 0, "suppressed": 0, "left": 0}


@pytest.fixture
def browser(service: Service, tmp_path: Path) -> Iterator[TestClient]:
    """The service, with a mail sent to one reader."""
    waiting(service, tmp_path / "in", 1)
    assert deliver.send_due(service, NOW).sent == 1
    app = create_app(service, Settings(bounce_key=KEY), lambda: NOW)
    with TestClient(app, base_url="http://papers.example.org") as client:
        yield client


def report(service: Service, *, padding: int = 0) -> bytes:
    """That the reader's mailbox is gone, with our mail returned."""
    with service.database.reading() as session:
        (mail,) = alert_store.outbox(session)
    raw = dsn("reader0@example.org", "5.1.1", "smtp; 550 5.1.1 unknown", mail.message_id)
    return raw.replace(b"Subject: 3 papers\n", b"Subject: 3 papers\nX-Padding: " + b"x" * padding + b"\n")


def state(service: Service) -> str:
    with service.database.reading() as session:
        person = subscriber_store.by_email(session, "reader0@example.org")
    assert person is not None
    return person.state


@pytest.mark.parametrize("way", ["address", "header"])
def test_a_report_that_is_posted_ends_the_mail_and_counts_once(
    browser: TestClient, service: Service, way: str
) -> None:
    address = f"/bounces/{KEY}" if way == "address" else "/bounces"
    headers = MAIL if way == "address" else MAIL | {"authorization": f"Bearer {KEY}"}
    raw = report(service, padding=200_000)
    first = browser.post(address, content=raw, headers=headers)
    assert (first.status_code, first.json()) == (200, NOTHING | {"hard": 1, "suppressed": 1})
    assert state(service) == "suppressed"
    again = browser.post(address, content=raw, headers=headers)
    assert (again.status_code, again.json()) == (200, NOTHING)
    odd = browser.post(address, content=b"Subject: out of office\n\nback soon\n", headers=headers)
    assert (odd.status_code, odd.json()) == (200, NOTHING | {"other": 1})


@pytest.mark.parametrize(
    ("address", "headers", "status"),
    [
        ("/bounces", {}, 401),
        ("/bounces", {"authorization": "Bearer wrong"}, 401),
        ("/bounces/wrong", {}, 401),
        (f"/bounces/{KEY}", {"content-type": "application/json"}, 415),
        (f"/bounces/{KEY}", {"content-type": "application/x-www-form-urlencoded"}, 415),
        (f"/bounces/{KEY}", {"sec-fetch-site": "cross-site"}, 403),
    ],
)
def test_what_is_no_report_from_who_may_send_one_is_refused_in_words(
    browser: TestClient, service: Service, address: str, headers: dict[str, str], status: int
) -> None:
    answer = browser.post(address, content=report(service), headers=MAIL | headers)
    assert answer.status_code == status
    assert answer.text.strip()
    assert state(service) == "confirmed"


def test_an_empty_or_an_endless_body_is_refused(browser: TestClient) -> None:
    assert browser.post(f"/bounces/{KEY}", content=b"\r\n", headers=MAIL).status_code == 400
    assert browser.post(f"/bounces/{KEY}", content=bytes(1_100_000), headers=MAIL).status_code == 413

    def pieces() -> Iterator[bytes]:
        yield from [bytes(100_000)] * 12

    assert browser.post(f"/bounces/{KEY}", content=pieces(), headers=MAIL).status_code == 413
    assert browser.get(f"/bounces/{KEY}").status_code == 405


def test_without_a_key_there_is_no_such_address(service: Service) -> None:
    with TestClient(create_app(service, Settings(), lambda: NOW)) as client:
        assert client.post("/bounces", content=b"x", headers=MAIL).status_code == 404
        assert client.post("/bounces/any", content=b"x", headers=MAIL).status_code == 404


def test_a_key_that_anybody_could_guess_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"PAPERWATCH_BOUNCE_KEY.*16 characters"):
        load({"PAPERWATCH_BOUNCE_KEY": "secret"})
