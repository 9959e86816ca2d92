"""Feeds over HTTP: forms, conditional requests, compression, and what happens to a cached one."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import feedparser
import pytest
from starlette.testclient import TestClient

from app.settings import Settings
from app.web.feeds import Rendered, Shelf, State
from app.web.server import create_app
from jobs import reading, subscribe
from jobs.service import Service
from profiles.profile import Profile
from profiles.request import request
from tests.conftest import NOW

BASE = "http://papers.example.org"


class Clock:
    def __init__(self) -> None:
        self.now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def reader(ingested: Service, tmp_path: Path, clock: Clock) -> Iterator[TestClient]:
    settings = Settings(data=tmp_path / "var", base_url=BASE)
    headers = {"accept-encoding": "identity"}
    with TestClient(create_app(ingested, settings, clock), base_url=BASE, headers=headers) as client:
        yield client


@pytest.fixture
def profile(ingested: Service) -> Profile:
    wanted = request(name="LLM inference", statement="KV cache and speculative decoding", per_day=4)
    return subscribe.create(ingested, wanted, NOW)


@pytest.fixture
def rss(profile: Profile) -> str:
    return f"/feeds/{profile.feed_token}.rss"


def test_every_form_holds_the_papers_of_the_profile(
    reader: TestClient, ingested: Service, profile: Profile
) -> None:
    titles = {e.item.paper.title for e in reading.latest(ingested, profile, NOW)}
    assert titles
    for form, kind in [("rss", "application/rss+xml"), ("atom", "application/atom+xml")]:
        answer = reader.get(f"/feeds/{profile.feed_token}.{form}")
        assert answer.headers["content-type"] == f"{kind}; charset=utf-8"
        feed = feedparser.parse(answer.content)
        assert not feed.bozo and {entry.title for entry in feed.entries} == titles
    answer = reader.get(f"/feeds/{profile.feed_token}.json")
    assert answer.headers["content-type"] == "application/feed+json; charset=utf-8"
    assert {item["title"] for item in json.loads(answer.content)["items"]} == titles


def test_etag_and_last_modified_each_alone_give_304(reader: TestClient, rss: str) -> None:
    first = reader.get(rss)
    tag, modified = first.headers["etag"], first.headers["last-modified"]
    assert tag.startswith('"') and tag.endswith('"')
    assert first.headers["cache-control"].startswith("private")
    for headers in (
        {"if-none-match": tag},
        {"if-none-match": f'"other", W/{tag}'},
        {"if-none-match": "*"},
        {"if-modified-since": modified},
    ):
        answer = reader.get(rss, headers=headers)
        assert (answer.status_code, answer.content) == (304, b""), headers
        assert answer.headers["etag"] == tag
    earlier = format_datetime(NOW - timedelta(seconds=1), usegmt=True)
    for headers in (
        {"if-none-match": '"other"'},
        {"if-modified-since": earlier},
        {"if-modified-since": "yesterday"},
        # RFC 9110, section 13.1.3: with an ETag at hand the date is not looked at.
        {"if-none-match": '"other"', "if-modified-since": modified},
    ):
        assert reader.get(rss, headers=headers).status_code == 200, headers


def test_a_head_request_has_the_headers_and_no_body(reader: TestClient, rss: str) -> None:
    whole, head = reader.get(rss), reader.head(rss)
    assert (head.status_code, head.content) == (200, b"")
    for name in ("etag", "last-modified", "content-type", "content-length"):
        assert head.headers[name] == whole.headers[name]


def test_a_compressed_feed_is_the_same_feed_under_its_own_tag(reader: TestClient, rss: str) -> None:
    plain = reader.get(rss)
    with reader.stream("GET", rss, headers={"accept-encoding": "gzip"}) as packed:
        body = b"".join(packed.iter_raw())
    assert packed.headers["content-encoding"] == "gzip" and gzip.decompress(body) == plain.content
    assert packed.headers["etag"] != plain.headers["etag"]
    assert "Accept-Encoding" in packed.headers["vary"] and "Accept-Encoding" in plain.headers["vary"]
    again = {"if-none-match": packed.headers["etag"], "accept-encoding": "gzip"}
    assert reader.get(rss, headers=again).status_code == 304


def test_a_feed_is_rendered_once_per_change(
    reader: TestClient, ingested: Service, profile: Profile, rss: str, clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    ranked = []
    latest = reading.latest

    def noted(service: Service, of: Profile, now: datetime, at_most: int = 50) -> list[reading.Entry]:
        ranked.append(of)
        return latest(service, of, now, at_most)

    monkeypatch.setattr(reading, "latest", noted)
    first = reader.get(rss)
    clock.now += timedelta(hours=1)
    assert reader.get(rss).content == first.content and len(ranked) == 1

    paper = latest(ingested, profile, NOW)[0].item.paper
    with ingested.database.writing() as session:
        subscribe.rate(session, profile.id, paper.id, "like", clock.now, "feed")
    changed = reader.get(rss, headers={"if-modified-since": first.headers["last-modified"]})
    assert changed.status_code == 200 and len(ranked) == 2
    assert changed.headers["etag"] != first.headers["etag"]
    old, new = feedparser.parse(first.content), feedparser.parse(changed.content)
    assert {e.id for e in old.entries} == {e.id for e in new.entries}, "a rating makes nothing unread"


def test_an_unknown_feed_is_a_plain_404(reader: TestClient, profile: Profile) -> None:
    for path in ("/feeds/nothing.rss", f"/feeds/{profile.feed_token}.xml"):
        answer = reader.get(path)
        assert answer.status_code == 404 and answer.headers["content-type"].startswith("text/plain")
        assert "no feed at this address" in answer.text


def test_a_profile_without_papers_has_an_empty_valid_feed(service: Service, tmp_path: Path) -> None:
    profile = subscribe.create(service, request(name="Quiet", statement="anything"), NOW)
    settings = Settings(data=tmp_path / "var", base_url=BASE)
    with TestClient(create_app(service, settings, lambda: NOW), base_url=BASE) as client:
        feed = feedparser.parse(client.get(f"/feeds/{profile.feed_token}.atom").content)
    assert not feed.bozo and feed.feed.title == "Quiet" and feed.entries == []


def test_the_shelf_forgets_the_least_used_feed_when_it_is_full() -> None:
    def feed(profile: int) -> Rendered:
        return Rendered(State(profile, 1, 1), b"x" * 40, b"y" * 10, "tag", NOW)

    shelf = Shelf(most_bytes=120)
    shelf.put("rss", feed(1))
    shelf.put("rss", feed(2))
    assert shelf.get(State(1, 1, 1), "rss") == feed(1)
    shelf.put("rss", feed(3))
    assert [shelf.get(State(n, 1, 1), "rss") is not None for n in (1, 2, 3)] == [True, False, True]
    assert shelf.get(State(1, 2, 1), "rss") is None, "an edited profile's feed is another"
