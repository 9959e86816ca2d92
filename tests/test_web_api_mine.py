"""What belongs to a reader over all profiles, through the API: the same as on the tabs of their page."""

from __future__ import annotations

import re
from typing import Any

import pytest
import rispy
from sqlalchemy import event
from starlette.testclient import TestClient

from db import alert_store, subscriber_store
from jobs import deliver, match, subscribe
from jobs.service import Service
from jobs.sources import opml
from profiles.profile import Profile
from profiles.request import request
from tests.conftest import NOW
from tests.test_web_api import BASE, api, got, profile, settings
from tests.test_web_mine_tabs import rate

__all__ = ["api", "profile", "settings"]  # fixtures


def my_page(service: Service, profile: Profile) -> str:
    return service.links.preferences(profile.subscriber_id, NOW).removeprefix(BASE)


def mail_out(service: Service) -> None:
    match.match_pending(service, NOW)
    deliver.queue_due(service, NOW)
    deliver.send_due(service, NOW)


def state_of(service: Service, profile: Profile) -> tuple[str, str]:
    with service.database.reading() as session:
        person = subscriber_store.subscriber(session, profile.subscriber_id)
    assert person is not None
    return person.state, person.state_note


@pytest.fixture
def mailed(ingested: Service) -> None:
    wanted = request(email="ada@example.org", name="Caches", statement="KV cache", every="announced")
    subscribe.create(ingested, wanted, NOW, confirmed="by the test")
    mail_out(ingested)


def test_the_digests_that_were_mailed_are_those_of_the_history(
    api: TestClient, ingested: Service, profile: Profile, mailed: None
) -> None:
    (mail,) = got(api, "/mails")["mails"]
    page = api.get(f"{my_page(ingested, profile)}/history").text
    assert re.findall(r"/history/(\d+)", page) == [str(mail["id"])]
    assert mail["state"] == "sent" and mail["sent_at"].startswith("2025-11-20T12:00:00")
    whole = got(api, f"/mails/{mail['id']}")
    shown = api.get(f"{my_page(ingested, profile)}/history/{mail['id']}").text
    (section,) = whole["sections"]
    titles = re.findall(r'<h4 dir="auto"><a[^>]*>(.*?)</a>', shown)
    assert len(titles) == len(section["papers"]) == mail["parts"][0]["papers"] > 0
    assert [paper["url"] for paper in section["papers"]] == re.findall(
        r'<h4 dir="auto"><a href="([^"]*)"', shown
    )
    assert section["profile"] == mail["parts"][0]["profile"] and whole["receipt"] in shown


def test_digests_are_paged_and_only_ones_own(
    api: TestClient, ingested: Service, profile: Profile, mailed: None
) -> None:
    with ingested.database.writing() as session:
        alert_store.queue(
            session, subscriber_id=profile.subscriber_id, kind="digest", period="empty", content={}, now=NOW,
            message_id="<empty@example.org>", state="empty",
        )  # fmt: skip
    first = got(api, "/mails", limit=1)
    second = got(api, "/mails", limit=1, before=first["next"])
    assert [one["mails"][0]["parts"] == [] for one in (first, second)].count(True) == 1
    assert second["next"] is None and got(api, "/mails", before=second["mails"][0]["id"])["mails"] == []
    other = subscribe.create(ingested, request(email="eve@example.org", statement="x"), NOW, confirmed="test")
    with ingested.database.writing() as session:
        session.connection().exec_driver_sql(f"UPDATE digest SET subscriber_id = {other.subscriber_id}")
    got(api, f"/mails/{first['mails'][0]['id']}", 404)


def test_what_was_liked_and_saved_is_listed_and_exported(
    api: TestClient, ingested: Service, profile: Profile
) -> None:
    second = subscribe.create(
        ingested, request(email="ada@example.org", name="Second", statement="caches"), NOW
    )
    liked, _, saved = rate(ingested, profile, "like", "dislike", "save")
    again = got(api, f"/papers/{saved}")["id"]
    api.post(f"/api/v1/profiles/{second.id}/feedback", json={"paper": again, "opinion": "save"})
    found = got(api, "/kept")
    assert [(one["paper"]["id"], one["profile"], one["opinion"]) for one in found["papers"]] == [
        (saved, second.id, "save"), (saved, profile.id, "save"), (liked, profile.id, "like"),
    ]  # fmt: skip
    page = api.get(f"{my_page(ingested, profile)}/saved").text
    assert re.findall(r'name="paper" value="([^"]+)"', page) == [
        one["paper"]["id"] for one in found["papers"]
    ]
    assert (found["total"], found["next"]) == (3, None)
    few = got(api, "/kept", limit=2)
    assert got(api, "/kept", limit=2, start=few["next"])["papers"] == found["papers"][2:]
    assert [one["paper"]["id"] for one in got(api, "/kept", opinion="like")["papers"]] == [liked]
    for form in ("bibtex", "ris", "csl", "digest"):
        own = api.get("/api/v1/kept", params={"opinion": "save", "format": form})
        assert own.content == api.get(f"{my_page(ingested, profile)}/saved/{form}").content
    both = api.get("/api/v1/kept", params={"format": "ris"})
    assert len(rispy.loads(both.text)) == 2, "each once"


def test_all_feeds_leave_as_opml(api: TestClient, ingested: Service, profile: Profile) -> None:
    answer = api.get("/api/v1/feeds.opml")
    assert answer.headers["content-disposition"] == 'attachment; filename="paperwatch.opml"'
    page = api.get(f"{my_page(ingested, profile)}/feeds.opml")
    assert opml.feeds(answer.content) == opml.feeds(page.content) != []
    assert answer.headers["content-type"] == page.headers["content-type"]


def test_a_reader_leaves_and_comes_back(api: TestClient, ingested: Service, profile: Profile) -> None:
    for _ in range(2):
        assert api.delete("/api/v1/me/mail").json()["state"] == "unsubscribed"
    assert state_of(ingested, profile) == ("unsubscribed", "left through the API from testclient")
    assert "You have left" in api.get(my_page(ingested, profile)).text
    mail_out(ingested)
    assert got(api, "/mails")["mails"] == []
    for _ in range(2):
        assert api.put("/api/v1/me/mail").json()["state"] == "confirmed"
    assert state_of(ingested, profile) == ("confirmed", "came back through the API from testclient")


@pytest.mark.parametrize(
    ("email", "state", "words"),
    [("ada@example.org", "unconfirmed", "Confirm your address first"),
     ("ada@example.org", "suppressed", "came back"), ("", "confirmed", "no address")],
)  # fmt: skip
def test_mail_begins_again_only_where_it_was_agreed_to(
    api: TestClient, ingested: Service, profile: Profile, email: str, state: str, words: str
) -> None:
    with ingested.database.writing() as session:
        session.connection().exec_driver_sql(f"UPDATE subscriber SET state = '{state}', email = '{email}'")
    answer = api.put("/api/v1/me/mail")
    assert answer.status_code == 409 and words in answer.json()["detail"]
    assert state_of(ingested, profile)[0] == state
    assert api.delete("/api/v1/me/mail").status_code == (200 if email else 409)


@pytest.mark.parametrize("path", ["/kept", "/mails", "/feeds.opml", "/me", "/kept?format=ris"])
def test_what_is_mine_takes_as_many_queries_for_many_rows_as_for_few(
    api: TestClient, ingested: Service, profile: Profile, path: str
) -> None:
    statements: list[Any] = []
    event.listen(ingested.database.engine, "before_cursor_execute", lambda *told: statements.append(told[2]))
    rate(ingested, profile, "like", "save")
    api.get("/api/v1/me")
    statements.clear()
    api.get(f"/api/v1{path}")
    few = len(statements)
    rate(ingested, profile, *(["like", "save"] * 8))
    for number in range(3):
        wanted = request(email="ada@example.org", name=f"Profile {number}", statement="caches")
        subscribe.create(ingested, wanted, NOW, confirmed="by the test")
    statements.clear()
    assert api.get(f"/api/v1{path}").status_code == 200
    assert len(statements) == few
