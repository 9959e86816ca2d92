"""The operator's part of the API: its own key, the same as the page shows, and the same acts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, update
from starlette.testclient import TestClient

from app.settings import Settings
from app.web import charts
from app.web.server import create_app
from db import alert_store, key_store, relay_store, source_store
from db.records import Receipt
from db.relay_store import Relay
from db.tables import DigestRow, LeaseRow, TurnRow
from jobs import subscribe
from jobs.service import Service
from profiles.request import request
from tests.conftest import NOW
from tests.months import DAY, HOUR, MINUTE, a_month, add_source

BASE = "http://papers.example.org"
OPERATOR = "an operator's key for tests"
READER = "pw_a-key-of-these-tests-that-nobody-guesses"


@pytest.fixture
def api(service: Service, tmp_path: Path) -> Iterator[TestClient]:
    settings = Settings(data=tmp_path / "var", base_url=BASE, operator_key=OPERATOR)
    headers = {"authorization": f"Bearer {OPERATOR}"}
    with TestClient(create_app(service, settings, lambda: NOW), base_url=BASE, headers=headers) as client:
        yield client


def got(api: TestClient, path: str, status: int = 200, **params: Any) -> Any:
    answer = api.get(f"/api/v1/operator{path}", params=params)
    assert answer.status_code == status, answer.text
    return answer.json()


def post(api: TestClient, path: str, status: int = 200) -> Any:
    answer = api.post(f"/api/v1/operator{path}")
    assert answer.status_code == status, answer.text
    return answer.json()


def in_trouble(service: Service) -> int:
    """A month, a source that fails, a mail that failed, a pause, a scheduler that is gone; the source."""
    a_month(service.database, readers=2)
    number = add_source(service, "Journal", "feed")
    with service.database.writing() as session:
        source_store.record(session, "r", [
            Receipt(number, NOW - HOUR, "x", batch=NOW.date(), received=312, new=300, outcome="papers",
                    rejected=(("item 4", "no <title>"),))
        ])  # fmt: skip
        for _ in range(3):
            source = source_store.named(session, str(number))
            source_store.failed(session, source, "HTTP 500 <script>", NOW + HOUR)
        broken = {"state": "failed", "last_error": "550 no such user", "sent_at": None}
        session.execute(update(DigestRow).where(DigestRow.id == 1).values(broken))
        session.execute(insert(LeaseRow).values(name="scheduler", holder="host/7", until=NOW - HOUR))
        paused = {"paused_at": NOW - MINUTE, "resume_at": NOW + MINUTE, "error": "timed out"}
        relay_store.keep(session, Relay(faults=20, pauses=1, **paused))
        turn = {"job": "run", "slot": NOW - HOUR, "run": "r", "taker": "host/7", "started_at": NOW - HOUR}
        session.execute(insert(TurnRow).values(turn | {"report": {}, "error": "no memory"}))
    return number


# --- the key -----------------------------------------------------------------------------------------------


def test_each_key_opens_its_own_part_only(service: Service, api: TestClient) -> None:
    made = subscribe.create(service, request(name="One", statement="anything"), NOW)
    with service.database.writing() as session:
        key_store.add(session, made.subscriber_id, "a script", READER, NOW)
    number = add_source(service)
    schema = api.get("/api/openapi.json").json()
    keys = {"ReaderKey": READER, "OperatorKey": OPERATOR}
    assert set(keys) == set(schema["components"]["securitySchemes"])
    for path, method, wanted in (
        ("/v1/me", "get", "ReaderKey"),
        ("/v1/operator", "get", "OperatorKey"),
        ("/v1/operator/sources/{number}/pause", "post", "OperatorKey"),
    ):
        assert schema["paths"][path][method]["security"] == [{wanted: []}]
        address = "/api" + path.format(number=number)
        for name, key in keys.items():
            answer = api.request(method, address, headers={"authorization": f"Bearer {key}"})
            assert answer.status_code == (200 if name == wanted else 401), (path, name)
    refused = api.get("/api/v1/operator", headers={"authorization": f"Bearer {READER}"})
    assert "`paperwatch operator`" in refused.json()["detail"]
    assert refused.headers["www-authenticate"] == "Bearer"


def test_what_a_browser_sends_by_itself_opens_nothing(api: TestClient) -> None:
    del api.headers["authorization"]
    assert api.get("/operator", auth=("operator", OPERATOR)).status_code == 200
    assert api.get("/api/v1/operator", auth=("operator", OPERATOR)).status_code == 401
    assert api.get("/api/v1/operator").status_code == 401


def test_after_ten_wrong_keys_even_the_right_one_waits(api: TestClient) -> None:
    wrong = {"authorization": "Bearer guess"}
    assert [api.get("/api/v1/operator", headers=wrong).status_code for _ in range(11)] == [401] * 10 + [429]
    waits = api.get("/api/v1/operator")
    assert (waits.status_code, waits.headers["retry-after"]) == (429, "60")
    assert waits.headers["content-type"] == "application/problem+json"


# --- how it stands -----------------------------------------------------------------------------------------


def test_it_tells_what_the_page_shows(service: Service, api: TestClient) -> None:
    number = in_trouble(service)
    page = " ".join(unescape(re.sub(r"<[^>]+>", "", api.get("/operator").text)).split())
    stands = got(api, "")
    assert stands["at"] == "2025-11-20T12:00:00Z"
    assert len(stands["findings"]) == 4 and "4 things need you" in page
    for finding in stands["findings"]:
        assert finding["why"] in page
        assert finding["to_do"].replace("`", "") in page
    assert stands["subscribers"] == {"confirmed": 2} and stands["bounces"] == {"hard": 1}
    assert stands["outbox"] == {"failed": 1, "sent": 59}
    assert stands["sent_last_day"] == {"digest": 1}, "the other one failed"
    assert stands["waits_last_day"] == {"median_seconds": 2400.0, "p95_seconds": 2400.0}
    assert stands["relay"] == {"faults": 20, "paused_until": "2025-11-20T12:01:00Z", "error": "timed out"}
    assert stands["scheduler"] == {"holder": "host/7", "alive": False, "until": "2025-11-20T11:00:00Z"}
    idle = {"alive": 0, "waiting": 0, "running": 0, "stalled": 0, "oldest": None}
    assert stands["workers"] == (None if service.database.is_sqlite else idle)
    assert [one["what"] for one in stands["coming"]] == [
        "mail is tried again", "Journal is asked", "the next digest is written",
    ]  # fmt: skip
    for one in stands["coming"]:
        assert one["what"] in page
    (failed,) = stands["failed_mails"]
    assert (failed["id"], failed["last_error"]) == (1, "550 no such user")
    (failure,) = stands["failures"]
    assert f"{failure['job']}: {failure['error']}" in page
    (source,) = got(api, "/sources")["sources"]
    assert source == got(api, f"/sources/{number}")
    assert (source["name"], source["state"], source["failures"]) == ("Journal", "failing", 3)
    assert source["said"] in page and source["said"] == "Thu 20 Nov: 312 papers, 300 new, 1 left out"
    assert source["last_check"]["left_out"] == [{"where": "item 4", "why": "no <title>"}]


def test_a_service_without_trouble_has_no_findings(service: Service, api: TestClient) -> None:
    number = add_source(service, "Journal", "feed")
    with service.database.writing() as session:
        source = source_store.named(session, str(number))
        source_store.settle(session, source, NOW, cursor={}, next_check_at=NOW + HOUR)
    stands = got(api, "")
    assert stands["findings"] == [] and "Everything is running" in api.get("/operator").text
    assert stands["waits_last_day"] is None and stands["scheduler"] is None
    assert got(api, f"/sources/{number}")["state"] == "well"


def test_the_month_has_the_numbers_that_are_plotted(service: Service, api: TestClient) -> None:
    a_month(service.database)
    one, two = add_source(service), add_source(service, "Journal", "feed")
    with service.database.writing() as session:
        brought = ((one, 2, 40), (two, 2, 7), (two, 1, 60))
        source_store.record(session, "r", [
            Receipt(number, NOW - days * DAY, "x", received=new, new=new, outcome="papers")
            for number, days, new in brought
        ])  # fmt: skip
    month = got(api, "/month")
    assert len(month["days"]) == 30 and month["days"][-1] == "2025-11-20"
    assert [(each["source"], each["name"]) for each in month["new_papers"]] == [
        (two, "Journal"), (one, "arXiv cs.DC"),
    ]  # fmt: skip
    assert month["new_papers"][0]["papers"][-3:] == [7, 60, 0]
    assert (sum(month["digests"]), sum(month["bounces"]), sum(month["likes"])) == (30, 1, 30)
    assert month["waits"][-1] == {"median_seconds": 2400.0, "p95_seconds": 2400.0}
    page = api.get("/operator").text
    total = sum(sum(each["papers"]) for each in month["new_papers"])
    assert f"new papers: {total} in 30 days" in page
    assert f"digests: {sum(month['digests'])} in 30 days" in page
    assert charts.wait(40 * MINUTE) == "40 min"


def test_sources_and_mails_come_page_by_page(service: Service, api: TestClient) -> None:
    a_month(service.database)
    numbers = [add_source(service, f"Source {n}", "feed") for n in range(5)]
    with service.database.writing() as session:
        given = source_store.add(
            session, name="a.md", kind="file", location="a.md", every_minutes=0, now=None
        )
        session.execute(update(DigestRow).where(DigestRow.id.in_([3, 9])).values(state="failed"))
    first = got(api, "/sources", limit=3)
    rest = got(api, "/sources", limit=3, after=first["next"])
    assert [each["id"] for each in first["sources"] + rest["sources"]] == numbers
    assert rest["next"] is None
    assert [each["id"] for each in got(api, "/sources", by_hand=True)["sources"]] == [given.id]
    newest = got(api, "/mails", limit=20)
    older = got(api, "/mails", limit=20, before=newest["next"])
    found = [mail["id"] for mail in newest["mails"] + older["mails"]]
    assert found == sorted(found, reverse=True) and len(found) == 30
    assert older["next"] is None
    assert [mail["id"] for mail in got(api, "/mails", state="failed")["mails"]] == [9, 3]
    assert "example.org" not in str(newest), "whom it goes to is not told"
    got(api, "/mails", 422, state="lost")


# --- acts --------------------------------------------------------------------------------------------------


def test_a_source_is_paused_resumed_and_checked(service: Service, api: TestClient) -> None:
    number = add_source(service)
    at = f"/sources/{number}"
    paused = post(api, f"{at}/pause")
    assert (paused["state"], paused["paused_at"]) == ("paused", "2025-11-20T12:00:00Z")
    assert "Resume" in api.get("/operator").text
    assert post(api, f"{at}/check")["state"] == "paused"
    resumed = post(api, f"{at}/resume")
    assert (resumed["state"], resumed["paused_at"]) == ("new", None)
    assert resumed["next_check_at"] == "2025-11-20T12:00:00Z"
    with service.database.writing() as session:
        source = source_store.named(session, str(number))
        source_store.settle(session, source, NOW, cursor={}, next_check_at=NOW + DAY)
    assert got(api, at)["next_check_at"] == "2025-11-21T12:00:00Z"
    assert post(api, f"{at}/check") == got(api, at)
    assert got(api, at)["next_check_at"] == "2025-11-20T12:00:00Z"
    with service.database.reading() as session:
        assert source_store.named(session, str(number)).next_check_at == NOW


def test_the_checks_of_a_source_are_told_the_last_one_first(service: Service, api: TestClient) -> None:
    number, other = add_source(service), add_source(service, "Journal", "feed")
    with service.database.writing() as session:
        source_store.record(session, "r", [
            Receipt(at, NOW - days * DAY, "x", received=days, new=days, outcome="papers")
            for at, days in ((number, 3), (number, 2), (other, 1), (number, 1))
        ])  # fmt: skip
    found = got(api, f"/sources/{number}/checks", limit=2)["checks"]
    assert [(check["new"], check["said"]) for check in found] == [
        (1, "1 papers, 1 new"), (2, "2 papers, 2 new"),
    ]  # fmt: skip
    assert got(api, f"/sources/{number}")["last_check"] == found[0]


def test_a_failed_mail_is_sent_again_and_a_sent_one_is_not(service: Service, api: TestClient) -> None:
    in_trouble(service)
    again = post(api, "/mails/1/retry")
    assert (again["state"], again["attempts"]) == ("queued", 0)
    assert again["next_attempt_at"] == "2025-11-20T12:00:00Z"
    assert "nothing was done" in post(api, "/mails/2/retry", 409)["detail"]
    with service.database.reading() as session:
        mail = alert_store.mail(session, 2)
    assert mail is not None and mail.state == "sent"


def test_what_is_not_there_is_a_404_and_nothing_happens_on_get(service: Service, api: TestClient) -> None:
    with service.database.writing() as session:
        given = source_store.add(
            session, name="a.md", kind="file", location="a.md", every_minutes=0, now=None
        )
    for number in (given.id, 99, 2**31 - 1):
        assert f"no source {number}" in got(api, f"/sources/{number}", 404)["detail"]
        got(api, f"/sources/{number}/checks", 404)
        for act in ("pause", "resume", "check"):
            post(api, f"/sources/{number}/{act}", 404)
    assert "no mail 99" in post(api, "/mails/99/retry", 404)["detail"]
    number = add_source(service)
    for path in (f"/sources/{number}/pause", "/mails/1/retry"):
        got(api, path, 405)
    foreign = api.post(f"/api/v1/operator/sources/{number}/pause", headers={"origin": "https://evil.example"})
    assert foreign.status_code == 403
    with service.database.reading() as session:
        assert not source_store.named(session, str(number)).paused
