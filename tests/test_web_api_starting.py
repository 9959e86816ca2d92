"""Subscribing through the API without a key: what it begins, and that it tells nobody who reads."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import feedparser
import pytest
from starlette.background import BackgroundTasks
from starlette.testclient import TestClient

from app.settings import Settings
from app.web import errands
from app.web.server import create_app
from db import alert_store, subscriber_store
from jobs import reading, subscribe
from jobs.alerts.outbox_folder import OutboxFolder
from jobs.service import Service
from profiles.request import request
from tests.conftest import NOW
from tests.test_web_subscribing import BASE, STATEMENT, link

WANTED = {"statement": STATEMENT, "name": "Mine"}


def begin(browser: TestClient, status: int, **fields: Any) -> Any:
    answer = browser.post("/api/v1/subscriptions", json=WANTED | fields)
    assert answer.status_code == status, answer.text
    assert ("location" in answer.headers) is (status == 201)
    return answer.json()


def test_without_an_address_a_feed_begins_at_once(browser: TestClient, ingested: Service) -> None:
    begun = begin(browser, 201, per_day=3)
    profile = begun["profile"]
    assert (profile["name"], profile["per_day"], profile["delivery"]["every"]) == ("Mine", 3, "feed")
    assert feedparser.parse(browser.get(profile["feeds"]["atom"].removeprefix(BASE)).content).entries
    mine = begun["page"].removeprefix(BASE)
    assert "Mine" in browser.get(mine).text
    key = re.search(r"pw_[\w-]{43}", browser.post(f"{mine}/keys", data={"name": "script"}).text)
    assert key is not None
    asked = browser.get("/api/v1/profiles", headers={"authorization": f"Bearer {key[0]}"}).json()
    assert asked == [profile]
    only = begin(browser, 201, email="ada@example.org", delivery={"every": "feed"})
    assert "page" in only
    with ingested.database.reading() as session:
        assert subscriber_store.by_email(session, "ada@example.org") is None, "as on the page"


def test_an_address_gets_the_confirmation_and_the_answer_is_always_the_same(
    browser: TestClient, ingested: Service, outbox: OutboxFolder
) -> None:
    first = begin(browser, 202, email="ada@example.org")
    confirm = link(outbox, "confirm")
    again = begin(browser, 202, email="ada@example.org", name="Second")
    assert "Confirmed" in browser.post(confirm).text
    known = [begin(browser, 202, email="ADA@example.org", name=name) for name in ("Mine", "Third")]
    assert [first, again, *known] == [first] * 4 and set(first) == {"detail"}
    with ingested.database.reading() as session:
        kinds = {mail.kind for mail in alert_store.outbox(session)}
        person = subscriber_store.by_email(session, "ada@example.org")
        assert person is not None
        mine = {p.name: p.delivery.frequency for p in subscriber_store.profiles_of(session, person.id)}
    assert "access" in kinds, "the owner of a known address is told by mail"
    assert mine == {"Mine": "daily", "Second": "daily", "Third": "feed"}, "nobody writes into another's mail"


def test_first_papers_of_a_known_reader_are_chosen_after_the_answer(ingested: Service) -> None:
    wanted = request(email="ada@example.org", name="First", statement=STATEMENT)
    person = subscribe.create(ingested, wanted, NOW, confirmed="by the test").subscriber_id
    later = BackgroundTasks()
    errands.begin(ingested, replace(wanted, name="Second"), NOW, later)
    with ingested.database.reading() as session:
        second = next(p for p in subscriber_store.profiles_of(session, person) if p.name == "Second")
    assert reading.latest(ingested, second, NOW) == []
    asyncio.run(later())
    assert reading.latest(ingested, second, NOW) != []


def test_asking_for_a_link_tells_strangers_nothing(browser: TestClient, outbox: OutboxFolder) -> None:
    begin(browser, 202, email="ada@example.org")
    before = len(outbox.letters())
    asked = [
        browser.post("/api/v1/links", json={"email": email})
        for email in ("nobody@example.org", "ada@example.org", "ada@example.org")
    ]
    assert {(answer.status_code, answer.text) for answer in asked} == {(202, asked[0].text)}
    assert len(outbox.letters()) == before + 1, "one within the hour"
    assert browser.get(link(outbox, "preferences")).status_code == 200


@pytest.mark.parametrize("path", ["/subscriptions", "/links"])
@pytest.mark.parametrize(
    "sent",
    [
        {"headers": {"origin": "https://evil.example"}, "json": WANTED | {"email": "ada@example.org"}},
        {"headers": {"sec-fetch-site": "cross-site"}, "json": WANTED | {"email": "ada@example.org"}},
        # What a form of another site can send without asking us: no JSON by its content type.
        {"content": b'{"email": "a@x.org", "statement": "x"}', "headers": {"content-type": "text/plain"}},
        {"data": {"email": "ada@example.org", "statement": "x"}},
    ],
)  # fmt: skip
def test_no_form_of_another_site_begins_anything(
    browser: TestClient, outbox: OutboxFolder, ingested: Service, path: str, sent: dict[str, Any]
) -> None:
    answer = browser.post(f"/api/v1{path}", **sent)
    assert answer.status_code in {403, 422}
    assert answer.headers["content-type"] == "application/problem+json"
    assert outbox.letters() == []
    with ingested.database.reading() as session:
        assert subscriber_store.subscribers(session) == []


@pytest.mark.parametrize(
    "email", ["ada", "ada@", "grüße@example.org", "a@b@c.org", "ada@example.org\r\nBcc: x"]
)
def test_an_address_that_is_none_is_named(browser: TestClient, email: str) -> None:
    for path, body in (("/subscriptions", WANTED), ("/links", {})):
        answer = browser.post(f"/api/v1{path}", json={**body, "email": email})
        assert (answer.status_code, answer.json()["field"]) == (422, "email")


@pytest.fixture
def limited(ingested: Service, tmp_path: Path) -> Iterator[TestClient]:
    some = Settings(data=tmp_path / "var", base_url=BASE, mail_requests_per_hour=3)
    with TestClient(create_app(ingested, some, lambda: NOW), base_url=BASE) as client:
        yield client


def test_what_costs_a_mail_is_counted_together_with_the_pages(limited: TestClient) -> None:
    ask = {"email": "someone@example.org"}
    assert limited.post("/preferences", data=ask, follow_redirects=False).status_code == 303
    assert limited.post("/api/v1/links", json=ask).status_code == 202
    assert limited.post("/api/v1/subscriptions", json=WANTED).status_code == 201
    refused = limited.post("/api/v1/subscriptions", json=WANTED | ask)
    assert refused.status_code == 429 and 1 <= int(refused.headers["retry-after"]) <= 3600
    assert limited.post("/preferences", data=ask, follow_redirects=False).status_code == 429
