"""Metrics: true, bounded in their labels, open only where nobody else is, and what the dashboard asks for."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import insert
from starlette.testclient import TestClient

from app.settings import Settings
from app.web.server import create_app
from db import source_store
from db.records import Receipt
from db.tables import LeaseRow
from jobs.service import Service
from tests.conftest import NOW, ROOT
from tests.months import HOUR, MINUTE, a_month, add_source

BASE = "http://papers.example.org"
KEY = "an operator's key for tests"


@pytest.fixture
def browser(service: Service, tmp_path: Path) -> Iterator[TestClient]:
    settings = Settings(data=tmp_path / "var", base_url=BASE, operator_key=KEY)
    with TestClient(create_app(service, settings, lambda: NOW), base_url=BASE) as client:
        yield client


@pytest.fixture
def operator(browser: TestClient) -> TestClient:
    browser.auth = ("operator", KEY)
    return browser


def metrics_of(client: TestClient) -> dict[str, dict[tuple[str, ...], float]]:
    answer = client.get("/metrics")
    assert answer.status_code == 200, answer.text
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            labels = tuple(value for _, value in sorted(sample.labels.items()))
            found.setdefault(sample.name, {})[labels] = sample.value
    return found


def test_prometheus_comes_in_with_the_key_as_the_readme_says(browser: TestClient) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (told,) = re.findall(r"```yaml\n(scrape_configs:.*?)```", readme, re.DOTALL)
    (job,) = yaml.safe_load(told)["scrape_configs"]
    assert set(job["authorization"]) == {"credentials_file"}, "Prometheus sends it as a Bearer token"
    assert browser.get("/metrics").status_code == 401
    assert browser.get("/metrics", headers={"authorization": f"Bearer {KEY}"}).status_code == 200


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({"base_url": "http://127.0.0.1:8000"}, 200),
        ({"base_url": BASE}, 401),
        ({"base_url": BASE, "metrics": "open"}, 200),
        ({"base_url": "http://127.0.0.1:8000", "metrics": "key"}, 401),
        ({"base_url": "http://127.0.0.1:8000", "metrics": "off"}, 404),
    ],
    ids=["at home", "behind a proxy", "opened", "closed", "off"],
)
def test_metrics_are_open_at_home_only_or_as_told(
    service: Service, tmp_path: Path, given: dict[str, Any], status: int
) -> None:
    settings = Settings(data=tmp_path / "var", **given)
    with TestClient(create_app(service, settings, lambda: NOW)) as client:
        assert client.get("/metrics").status_code == status


# --- metrics -----------------------------------------------------------------------------------------------


def test_metrics_tell_what_the_database_knows(service: Service, operator: TestClient) -> None:
    a_month(service.database, readers=3)
    number = add_source(service)
    with service.database.writing() as session:
        source = source_store.named(session, str(number))
        source_store.settle(session, source, NOW - HOUR, cursor={}, next_check_at=NOW - 5 * MINUTE)
        source_store.record(session, "r", [
            Receipt(number, NOW - HOUR, "x", received=40, new=38, merged=2, rejected=(("a", "b"),),
                    outcome="papers")
        ])  # fmt: skip
    found = metrics_of(operator)
    assert found["paperwatch_papers_last_day"]["new", "arXiv cs.DC"] == 38
    assert found["paperwatch_papers_last_day"]["rejected", "arXiv cs.DC"] == 1
    assert found["paperwatch_checks_last_day"]["papers", "arXiv cs.DC"] == 1
    assert found["paperwatch_source_last_success_seconds"]["arXiv cs.DC",] == 3600
    assert found["paperwatch_oldest_due_seconds"]["source",] == 300
    assert found["paperwatch_digests"]["sent",] == 90
    assert found["paperwatch_mails_sent_last_day"]["digest",] == 3
    assert found["paperwatch_delivery_seconds"]["0.5",] == 2400
    assert found["paperwatch_last_batch_match_seconds"][()] == 60
    assert found["paperwatch_bounces"]["hard",] == 1
    assert found["paperwatch_subscribers"]["confirmed",] == 3


def test_requests_are_counted_by_route_and_never_by_address(browser: TestClient, service: Service) -> None:
    browser.get("/")
    browser.head("/")
    browser.get("/papers/arxiv:2511.00001")
    browser.get("/feeds/no-such-token-at-all.rss")
    browser.get("/nowhere/at/all")
    browser.post("/preferences/x", headers={"sec-fetch-site": "cross-site"})
    browser.auth = ("operator", KEY)
    counted = metrics_of(browser)["paperwatch_http_requests_total"]
    assert counted["GET", "/", "200"] == 1
    assert counted["HEAD", "/", "200"] == 1
    assert counted["GET", "/papers/{key:path}", "404"] == 1
    assert counted["GET", "/feeds/{token}", "404"] == 1
    assert counted["GET", "other", "404"] == 1
    assert counted["POST", "other", "403"] == 1


def test_two_sources_of_one_name_have_a_label_each(service: Service, operator: TestClient) -> None:
    for location in ("a", "b"):
        with service.database.writing() as session:
            source = source_store.add(
                session, name="Same", kind="feed", location=location, every_minutes=1, now=NOW
            )
            source_store.settle(session, source, NOW, cursor={})
    assert len(metrics_of(operator)["paperwatch_source_last_success_seconds"]) == 2


def test_the_dashboard_asks_only_for_metrics_that_there_are(service: Service, operator: TestClient) -> None:
    a_month(service.database)
    number = add_source(service)
    with service.database.writing() as session:
        source = source_store.named(session, str(number))
        source_store.settle(session, source, NOW, cursor={}, next_check_at=NOW)
        source_store.record(session, "r", [Receipt(number, NOW, "x", received=1, new=1, outcome="papers")])
        session.execute(insert(LeaseRow).values(name="scheduler", holder="host/7", until=NOW))
    operator.get("/")
    told = set(metrics_of(operator))
    dashboard = json.loads((ROOT / "deploy" / "grafana-dashboard.json").read_text(encoding="utf-8"))
    asked = {
        name
        for panel in dashboard["panels"]
        for target in panel.get("targets", ())
        for name in re.findall(r"\b(?:paperwatch|process)_\w+", target["expr"])
    }
    assert len(asked) >= 15
    assert asked - told == set()
