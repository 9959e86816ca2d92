"""Feeds over HTTP: conditional requests, compression, and what happens to a cached one."""

from __future__ import annotations

import gzip
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import Path

import feedparser
import pytest
from starlette.testclient import TestClient

from app.settings import Settings
from app.web.feed_shelf import Pile
from app.web.server import create_app
from jobs import feeds
from jobs.feeds import Asked
from jobs.service import Service
from profiles.profile import Profile
from tests.conftest import NOW, WEB, Clock
from tests.readers import history, rate


def test_etag_and_last_modified_each_alone_give_304(reader: TestClient, rss: str) -> None:
    first = reader.get(rss)
    tag, modified = first.headers["etag"], first.headers["last-modified"]
    assert tag.startswith('W/"') and tag.endswith('"')
    assert first.headers["cache-control"] == "private, no-cache"
    for headers in (
        {"if-none-match": tag},
        {"if-none-match": f'"other", {tag}'},
        {"if-none-match": tag.removeprefix("W/")},
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


def test_a_date_counts_in_each_form_that_http_knows_and_never_if_it_is_yet_to_come(
    reader: TestClient, rss: str, clock: Clock
) -> None:
    modified = parsedate_to_datetime(reader.get(rss).headers["last-modified"])
    day = timedelta(days=1)
    for form in ("%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"):

        def status(at: datetime, form: str = form) -> int:
            return reader.get(rss, headers={"if-modified-since": at.strftime(form)}).status_code

        clock.now = modified + 9 * day
        assert (status(modified), status(modified + day)) == (304, 304), form
        assert (status(modified - day), status(modified + 10 * day)) == (200, 200), form
    for nonsense in (
        "Thu, 20 Nov 99999999999999999999 12:00:00 GMT",
        "Thu, 20 Nov 2025 12:00:00 +99999999999999",
        "0",
        "\xfc",
    ):
        given = {"if-modified-since": nonsense.encode("latin-1")}
        assert reader.get(rss, headers=given).status_code == 200, nonsense  # type: ignore[arg-type]


def test_tags_may_come_in_several_lines_and_a_star_counts_only_alone(reader: TestClient, rss: str) -> None:
    tag = reader.get(rss).headers["etag"]
    lines = [("if-none-match", tag), ("if-none-match", '"other"')]
    assert reader.get(rss, headers=lines).status_code == 304  # type: ignore[arg-type]
    assert reader.get(rss, headers={"if-none-match": '"a,*,b"'}).status_code == 200


def test_ranges_queries_and_addresses_without_end_do_no_harm(reader: TestClient, rss: str) -> None:
    whole = reader.get(rss)
    part = reader.get(rss, headers={"range": "bytes=0-9", "if-range": whole.headers["etag"]})
    assert (part.status_code, part.content) == (200, whole.content)
    assert reader.get(rss + "?utm_source=reader").content == whole.content
    for path in (f"/feeds/{'a' * 60_000}.rss", f"/feeds/topics/{'a' * 60_000}.atom", f"{rss}/..", "/feeds/"):
        assert reader.get(path).status_code == 404, path[:40]


def test_a_head_request_has_the_headers_and_no_body(reader: TestClient, rss: str) -> None:
    whole, head = reader.get(rss), reader.head(rss)
    assert (head.status_code, head.content) == (200, b"")
    for name in ("etag", "last-modified", "content-type", "content-length"):
        assert head.headers[name] == whole.headers[name]


def test_a_compressed_feed_is_the_same_feed(reader: TestClient, rss: str) -> None:
    plain = reader.get(rss)
    for accepted in ("gzip", "br;q=1.0, gzip;q=0.5", "gzip, deflate"):
        with reader.stream("GET", rss, headers={"accept-encoding": accepted}) as packed:
            body = b"".join(packed.iter_raw())
        assert packed.headers["content-encoding"] == "gzip" and gzip.decompress(body) == plain.content
        assert packed.headers["etag"] == plain.headers["etag"], "a weak tag is the same for each encoding"
    assert packed.headers["vary"] == plain.headers["vary"] == "accept-encoding"
    for accepted in ("identity", "gzip;q=0", "br, gzip; q=0.0"):
        assert "content-encoding" not in reader.get(rss, headers={"accept-encoding": accepted}).headers


def rendered(monkeypatch: pytest.MonkeyPatch) -> list[Asked]:
    """Which feeds were rendered, as they are."""
    asked: list[Asked] = []
    render = feeds.rendered

    def noted(service: Service, one: Asked, updated: datetime, now: datetime) -> bytes | None:
        asked.append(one)
        return render(service, one, updated, now)

    monkeypatch.setattr(feeds, "rendered", noted)
    return asked


def test_a_feed_is_rendered_once_per_change(
    reader: TestClient, ingested: Service, profile: Profile, rss: str, clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    made = rendered(monkeypatch)
    first = reader.get(rss)
    clock.now += timedelta(hours=1)
    assert reader.get(rss).content == first.content and len(made) == 1

    rate(ingested, profile, "like", clock.now)
    changed = reader.get(rss, headers={"if-modified-since": first.headers["last-modified"]})
    assert changed.status_code == 200 and len(made) == 2
    assert changed.headers["etag"] != first.headers["etag"]
    assert changed.headers["last-modified"] == format_datetime(clock.now, usegmt=True)
    old, new = feedparser.parse(first.content), feedparser.parse(changed.content)
    assert {e.id for e in old.entries} == {e.id for e in new.entries}, "a rating makes nothing unread"

    rate(ingested, profile, "dislike", clock.now)
    again = reader.get(rss, headers={"if-modified-since": changed.headers["last-modified"]})
    assert again.status_code == 200, "two changes within a second have two dates"


def test_one_reader_waits_for_new_papers_and_the_others_have_the_old_ones_meanwhile(
    reader: TestClient, ingested: Service, profile: Profile, rss: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = reader.get(rss)
    history(ingested, profile, 1)
    render, began, go_on = feeds.rendered, threading.Event(), threading.Event()

    def slow(service: Service, one: Asked, updated: datetime, now: datetime) -> bytes | None:
        began.set()
        assert go_on.wait(20)
        return render(service, one, updated, now)

    monkeypatch.setattr(feeds, "rendered", slow)
    with ThreadPoolExecutor(2) as threads:
        waiting = threads.submit(reader.get, rss)
        assert began.wait(20)
        meanwhile = reader.get(rss)
        known = reader.get(rss, headers={"if-none-match": first.headers["etag"]})
        rate(ingested, profile, "like", NOW)
        rated = threads.submit(reader.get, rss)
        go_on.set()
        found = waiting.result(30), rated.result(30)
    assert (meanwhile.content, meanwhile.headers["etag"]) == (first.content, first.headers["etag"])
    assert known.status_code == 304
    assert len({answer.headers["etag"] for answer in (first, *found)}) == 3, "after a rating everybody waits"


def test_where_rendering_takes_long_the_first_reader_has_the_old_papers_too(
    reader: TestClient, ingested: Service, profile: Profile, rss: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = reader.get(rss)
    history(ingested, profile, 1)
    render, go_on = feeds.rendered, threading.Event()

    def slow(service: Service, one: Asked, updated: datetime, now: datetime) -> bytes | None:
        assert go_on.wait(20)
        return render(service, one, updated, now)

    monkeypatch.setattr(feeds, "rendered", slow)
    monkeypatch.setattr("app.web.feeds._PATIENCE_SECONDS", 0.01)
    assert reader.get(rss).headers["etag"] == first.headers["etag"]
    go_on.set()
    until = time.monotonic() + 30
    while reader.get(rss).headers["etag"] == first.headers["etag"]:
        assert time.monotonic() < until, "the new papers never came"


def test_after_a_restart_nothing_is_rendered_for_readers_who_have_it(
    reader: TestClient, ingested: Service, rss: str, clock: Clock, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    first = reader.get(rss).headers
    made = rendered(monkeypatch)
    settings = Settings(data=tmp_path / "var", base_url=WEB)
    with TestClient(create_app(ingested, settings, clock), base_url=WEB) as anew:
        for known in ({"if-none-match": first["etag"]}, {"if-modified-since": first["last-modified"]}):
            assert anew.get(rss, headers=known).status_code == 304
    assert made == []


def test_the_least_used_feed_is_forgotten_when_there_is_too_much() -> None:
    pile: Pile[int, bytes] = Pile(120, len)
    pile.put(1, b"x" * 50)
    pile.put(2, b"x" * 50)
    assert pile.get(1)
    pile.put(3, b"x" * 50)
    assert [pile.get(n) is not None for n in (1, 2, 3)] == [True, False, True]
    pile.put(3, b"y" * 500)
    assert pile.get(3) == b"y" * 500 and pile.get(1) is None, "the last one stays, however large"
