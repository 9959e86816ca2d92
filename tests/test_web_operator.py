"""The operator's page: behind the key, true, and no longer with many rows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, insert, update
from starlette.testclient import TestClient

from app.settings import Settings
from app.web import charts
from app.web.server import create_app
from db import source_store, stats_store
from db.records import Receipt
from db.session import Database
from db.tables import (
    BatchRow,
    DigestRow,
    LeaseRow,
)
from jobs import days
from jobs.service import Service
from tests.conftest import NOW
from tests.months import DAY, HOUR, MINUTE, a_month, add_source
from tests.readers import subscribe_reader, tick, write_digest

BASE = "http://papers.example.org"
KEY = "an operator's key for tests"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path / "var", base_url=BASE, operator_key=KEY)


@pytest.fixture
def browser(service: Service, settings: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(service, settings, lambda: NOW), base_url=BASE) as client:
        yield client


@pytest.fixture
def operator(browser: TestClient) -> TestClient:
    browser.auth = ("operator", KEY)
    return browser


# --- the key -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/operator", "/operator/sources/1/pause", "/metrics"])
def test_without_the_key_nothing_is_shown(browser: TestClient, path: str) -> None:
    answer = browser.get(path)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Basic")
    assert "paperwatch operator" in answer.text
    assert browser.get(path, auth=("operator", "wrong")).status_code == 401
    assert browser.post(path, auth=("operator", "wrong")).status_code in (401, 405)


def test_the_key_is_taken_as_password_or_bearer(browser: TestClient) -> None:
    assert browser.get("/operator", auth=("anybody", KEY)).status_code == 200
    assert browser.get("/metrics", headers={"authorization": f"Bearer {KEY}"}).status_code == 200
    assert browser.get("/metrics", headers={"authorization": "Basic !!!"}).status_code == 401


def test_after_ten_wrong_keys_even_the_right_one_waits(browser: TestClient) -> None:
    for _ in range(10):
        assert browser.get("/operator", auth=("x", "wrong")).status_code == 401
    answer = browser.get("/operator", auth=("x", KEY))
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "60"


def test_a_form_from_another_site_does_nothing(service: Service, operator: TestClient) -> None:
    number = add_source(service)
    sent = operator.post(f"/operator/sources/{number}/pause", headers={"sec-fetch-site": "cross-site"})
    assert sent.status_code == 403
    with service.database.reading() as session:
        assert not source_store.named(session, str(number)).paused


# --- the page ----------------------------------------------------------------------------------------------


def test_a_service_without_trouble_says_so(service: Service, operator: TestClient) -> None:
    number = add_source(service, "Journal", "feed")
    with service.database.writing() as session:
        source = source_store.named(session, str(number))
        source_store.settle(session, source, NOW, cursor={}, next_check_at=NOW + HOUR)
        source_store.record(session, "r", [
            Receipt(number, NOW - HOUR, "x", batch=NOW.date(), received=312, new=300, outcome="papers",
                    rejected=(("item 4", "no title"),))
        ])  # fmt: skip
    page = operator.get("/operator").text
    assert "<h1>Everything is running</h1>" in page
    assert "Thu 20 Nov: 312 papers, 300 new, 1 left out" in page
    assert "item 4: no title" in page
    assert "in 60 min" in page


def test_what_is_wrong_stands_first_with_its_cure(service: Service, operator: TestClient) -> None:
    number = add_source(service, "Journal", "feed")
    with service.database.writing() as session:
        source = source_store.named(session, str(number))
        for _ in range(3):
            source_store.failed(session, source, "HTTP 500 <script>", NOW + HOUR)
            source = source_store.named(session, str(number))
        session.execute(insert(LeaseRow).values(name="scheduler", holder="host/7", until=NOW - HOUR))
    page = operator.get("/operator").text
    assert "2 things need you" in page
    assert "failed 3 times in a row" in page
    assert f"then <code>paperwatch sources check {number}</code>" in page
    assert "gave no sign of life" in page
    assert "<script>" not in page.replace('<script src="', "")
    assert page.index("no sign of life") < page.index("What came in")


def test_sources_are_paused_resumed_and_checked_after_a_question(
    service: Service, operator: TestClient
) -> None:
    number = add_source(service)

    def known() -> Any:
        with service.database.reading() as session:
            return source_store.named(session, str(number))

    for act, seen in (
        ("pause", lambda: known().paused),
        ("resume", lambda: not known().paused),
        ("check", lambda: known().next_check_at == NOW),
    ):
        asked = operator.get(f"/operator/sources/{number}/{act}")
        assert "arXiv cs.DC" in asked.text
        assert f'action="/operator/sources/{number}/{act}"' in asked.text
        if act != "check":
            assert not seen(), "a question changes nothing"
        done = operator.post(f"/operator/sources/{number}/{act}")
        assert seen(), act
        assert f"Source {number} is" in done.text
    assert operator.get(f"/operator/sources/{number}/erase").status_code == 404
    assert operator.get("/operator/sources/99/pause").status_code == 404
    assert operator.post(f"/operator/mails/{number}/pause").status_code == 404


def test_a_failed_mail_is_shown_with_its_error_and_sent_again(
    service: Service, operator: TestClient, tmp_path: Path
) -> None:
    write_digest(tmp_path / "d", "one.md", wanted=5)
    with service.database.writing() as session:
        source_store.add(
            session, name="d", kind="folder", location=str(tmp_path / "d"), every_minutes=1, now=NOW
        )
    subscribe_reader(service)
    tick(service)
    with service.database.writing() as session:
        broken = {"state": "failed", "last_error": "550 no such user", "sent_at": None}
        session.execute(update(DigestRow).values(broken))
    page = operator.get("/operator").text
    assert "550 no such user" in page
    address = re.search(r'href="(/operator/mails/\d+/retry)"', page)
    assert address
    assert operator.post(address[1]).status_code == 200
    with service.database.reading() as session:
        from db import alert_store

        (mail,) = alert_store.outbox(session)
    assert mail.state == "queued"
    with service.database.writing() as session:
        session.execute(update(DigestRow).values(state="sent"))
    assert operator.post(address[1]).status_code == 409


def test_the_month_is_plotted(service: Service, operator: TestClient) -> None:
    a_month(service.database)
    number = add_source(service)
    with service.database.writing() as session:
        source_store.record(
            session, "r", [Receipt(number, NOW - 2 * DAY, "x", received=40, new=40, outcome="papers")]
        )
    page = operator.get("/operator").text
    assert page.count('<svg class="plot"') == 5
    assert 'aria-label="new papers: 40 in 30 days, at most 40 a day"' in page
    assert 'aria-label="digests: 30 in 30 days, at most 1 a day"' in page
    assert "<title>Wed 19 Nov: half within 40 min, 95 % within 40 min</title>" in page
    assert 'aria-label="bounces: 1 in 30 days' in page
    assert 'aria-label="likes per digest: 30 in 30 days' in page


def test_a_month_without_anything_is_a_sentence_and_no_empty_plot(operator: TestClient) -> None:
    page = operator.get("/operator").text
    assert page.count("None in these 30 days.") == 5 and '<svg class="plot"' not in page


@pytest.mark.parametrize(
    ("span", "said"),
    [
        (timedelta(seconds=14), "14 s"),
        (timedelta(minutes=40), "40 min"),
        (timedelta(hours=5), "5 h"),
        (timedelta(hours=5, minutes=30), "5.5 h"),
        (timedelta(days=12), "12 days"),
    ],
)
def test_a_span_is_told_as_people_say_it(span: timedelta, said: str) -> None:
    assert charts.wait(span) == said


def test_a_paper_of_arxiv_was_announced_when_its_feed_came_out(service: Service) -> None:
    number = add_source(service)
    with service.database.writing() as session:
        day = NOW.date()
        made = NOW.replace(hour=6)
        session.execute(insert(BatchRow).values(made_at=made, papers=9, receipt="", matched_at=None))
        source_store.record(
            session, "r",
            [Receipt(number, made - MINUTE, "x", batch=day, received=9, new=9, outcome="papers")],
        )  # fmt: skip
        batches, arrivals = stats_store.batches(session, NOW - DAY), stats_store.arrivals(session, NOW - DAY)
    (moment,) = days.announced_at(batches, arrivals).values()
    assert moment == NOW.replace(hour=5, minute=10), "ten minutes after midnight, US Eastern"


@pytest.mark.parametrize(
    ("waits", "median", "high"), [([], 0, 0), ([5], 5, 5), (list(range(1, 101)), 50, 95)]
)
def test_quantiles_are_nearest_ranks(waits: list[int], median: int, high: int) -> None:
    given = [timedelta(minutes=n) for n in waits]
    assert days.quantile(given, 0.5) == timedelta(minutes=median)
    assert days.quantile(given, 0.95) == timedelta(minutes=high)


def statements(database: Database, act: Any) -> int:
    seen: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    act()
    event.remove(database.engine, "before_cursor_execute", note)
    return len([each for each in seen if each.lstrip().upper().startswith(("SELECT", "WITH"))])


def test_neither_queries_nor_bytes_grow_with_readers_and_sources(
    service: Service, operator: TestClient
) -> None:
    few = statements(service.database, lambda: operator.get("/operator"))
    a_month(service.database, readers=40, papers=300)
    for n in range(80):
        number = add_source(service, f"Source {n}", "feed")
        with service.database.writing() as session:
            rejected = tuple((f"item {k}", "no title " * 9) for k in range(50))
            source_store.record(
                session,
                "r",
                [Receipt(number, NOW, "x", received=9, new=9, rejected=rejected, outcome="papers")],
            )
    answer = operator.get("/operator")
    assert statements(service.database, lambda: operator.get("/operator")) == few
    assert len(answer.content) < 100_000
    assert "And 40 more" in answer.text
