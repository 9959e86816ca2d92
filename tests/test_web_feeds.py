"""Feeds over HTTP: forms, conditional requests, compression, and what happens to a cached one."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import Path

import feedparser
import pytest
from starlette.testclient import TestClient

from app.settings import Settings
from app.web.feed_maker import FeedMaker
from app.web.feed_shelf import Pile
from app.web.server import create_app
from db import alert_store, paper_store, source_store, subscriber_store
from db.tables import BatchRow
from jobs import feeds, indexing, leaving, reading, subscribe
from jobs.feeds import Asked
from jobs.service import Service
from profiles.feedback import Opinion
from profiles.profile import Profile
from profiles.request import request
from recommender.paper import abs_url
from tests.conftest import NOW, ROOT
from tests.readers import subscribe_reader, tick, write_digest

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


def test_feeds_of_those_who_left_go_on_and_of_those_who_never_agreed_do_not_begin(
    service: Service, tmp_path: Path
) -> None:
    here = Settings(data=tmp_path / "var", base_url=BASE)

    def reads(profile: Profile) -> int:
        with TestClient(create_app(service, here, lambda: NOW), base_url=BASE) as client:
            return len(feedparser.parse(client.get(f"/feeds/{profile.feed_token}.rss").content).entries)

    stays, left, bounced = (subscribe_reader(service, email=f"{name}@example.org") for name in "abc")
    leaving.leave(service, left.subscriber_id, None, NOW, "by link")
    with service.database.writing() as session:
        subscriber_store.suppress(session, bounced.subscriber_id, NOW, "no such mailbox")
    unsure = subscribe.create(service, request(email="d@example.org", statement="speculative decoding"), NOW)
    folder = tmp_path / "digests"
    write_digest(folder, "monday.md", wanted=2)
    with service.database.writing() as session:
        source_store.add(
            session, name="digests", kind="folder", location=str(folder), every_minutes=1, now=NOW
        )
    tick(service)
    assert [reads(one) for one in (stays, left, bounced, unsure)] == [2, 2, 2, 0]


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
    settings = Settings(data=tmp_path / "var", base_url=BASE)
    with TestClient(create_app(ingested, settings, clock), base_url=BASE) as anew:
        for known in ({"if-none-match": first["etag"]}, {"if-modified-since": first["last-modified"]}):
            assert anew.get(rss, headers=known).status_code == 304
    assert made == []


def test_a_renewed_or_deleted_feed_stops_at_once(
    reader: TestClient, ingested: Service, profile: Profile, rss: str
) -> None:
    assert reader.get(rss).status_code == 200
    with ingested.database.writing() as session:
        subscriber_store.change_profile(session, replace(profile, feed_token="a-new-token-of-the-feed"), NOW)
    assert reader.get(rss).status_code == 404
    assert reader.get("/feeds/a-new-token-of-the-feed.rss").status_code == 200
    with ingested.database.writing() as session:
        subscriber_store.delete_profile(session, profile.id)
    assert reader.get("/feeds/a-new-token-of-the-feed.rss").status_code == 404


def test_only_reading_is_allowed(reader: TestClient, rss: str) -> None:
    answer = reader.post(rss)
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


def rate(service: Service, profile: Profile, opinion: Opinion, now: datetime) -> str:
    """The profile's reader says this of their first paper; which one that is."""
    key = reading.latest(service, profile, NOW)[0].item.paper.id
    with service.database.writing() as session:
        assert subscribe.rate(session, profile.id, key, opinion, now, "feed")
    return key


def test_saved_papers_have_a_feed_of_their_own(
    reader: TestClient, ingested: Service, profile: Profile, clock: Clock
) -> None:
    address = f"/feeds/{profile.feed_token}/saved.atom"
    assert feedparser.parse(reader.get(address).content).entries == []
    clock.now += timedelta(days=1)
    key = rate(ingested, profile, "save", clock.now)
    answer = reader.get(address)
    found = feedparser.parse(answer.content)
    assert not found.bozo and [e.link for e in found.entries] == [abs_url(key)]
    assert found.entries[0].published_parsed[:3] == (2025, 11, 21), "an entry is as old as its saving"
    assert answer.headers["last-modified"] == format_datetime(clock.now, usegmt=True)
    usual = feedparser.parse(reader.get(f"/feeds/{profile.feed_token}.atom").content)
    assert found.feed.id != usual.feed.id
    rate(ingested, profile, "clear", clock.now)
    assert feedparser.parse(reader.get(address).content).entries == []


def history(service: Service, profile: Profile, days: int) -> None:
    """So many further batches, each with the papers of the profile's present match."""
    with service.database.writing() as session:
        match = alert_store.matches_of(session, profile.id)[0]
        rows = [BatchRow(made_at=NOW, papers=1, receipt="", matched_at=NOW) for _ in range(days)]
        session.add_all(rows)
        session.flush()
        alert_store.add_matches(session, [replace(match, batch_id=row.id) for row in rows])


@pytest.mark.parametrize("form", ["rss", "atom"])
def test_older_papers_are_on_archive_pages_that_never_change(
    reader: TestClient, ingested: Service, profile: Profile, form: str
) -> None:
    with ingested.database.reading() as session:
        (match,) = alert_store.matches_of(session, profile.id)
    each = len(match.chosen)
    days = 120 // each + 1
    history(ingested, profile, days)

    def older(address: str) -> tuple[feedparser.FeedParserDict, dict[str, str]]:
        found = feedparser.parse(reader.get(address.removeprefix(BASE)).content)
        assert not found.bozo
        return found, {link["rel"]: link["href"] for link in found.feed.links}

    newest, links = older(f"/feeds/{profile.feed_token}.{form}")
    assert len(newest.entries) == 50 and "fh_archive" not in newest.feed
    pages, seen = [], 0
    while address := links.get("prev-archive"):
        assert links["next"] == address
        page, links = older(address)
        assert "fh_archive" in page.feed and links["current"].endswith(f"{profile.feed_token}.{form}")
        pages.append((address, page.entries))
        seen += len(page.entries)
    assert [len(entries) >= 50 for _, entries in pages] == [True, True]
    open_ = each * (days + 1) - seen
    assert 0 <= open_ < 50, "whatever is on no older page is on the newest one"
    history(ingested, profile, 1)
    for address, entries in pages:
        assert [e.id for e in older(address)[0].entries] == [e.id for e in entries]
    assert reader.get(f"/feeds/{profile.feed_token}/1-3.{form}").status_code == 404


def test_json_feeds_lead_to_older_pages(reader: TestClient, ingested: Service, profile: Profile) -> None:
    history(ingested, profile, 120)
    page = reader.get(f"/feeds/{profile.feed_token}.json").json()
    seen = 1
    while address := page.get("next_url"):
        page = reader.get(address.removeprefix(BASE)).json()
        assert page["feed_url"] == address
        seen += 1
    assert seen > 2


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_process_without_the_ranking_has_feeds_rendered_beside_it(
    ingested: Service, profile: Profile, rss: str
) -> None:
    asked = Asked(profile.feed_token, "atom")
    here, apart = FeedMaker(ingested, apart=False), FeedMaker(ingested, apart=True)
    try:
        assert apart(asked, NOW, NOW) == here(asked, NOW, NOW)
        assert apart._process is not None and apart._process.pid
        os.kill(apart._process.pid, signal.SIGKILL)
        assert apart(replace(asked, form="rss"), NOW, NOW), "another takes its place"
        assert apart(Asked("no-such-token", "rss"), NOW, NOW) is None
    finally:
        apart.close()
    assert apart._process is None


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


def test_a_topic_has_a_public_feed(reader: TestClient, ingested: Service, clock: Clock) -> None:
    assert reader.get("/feeds/topics/cluster-scheduling.atom").status_code == 404
    indexing.index(ingested, NOW)
    for form in ("rss", "atom"):
        answer = reader.get(f"/feeds/topics/cluster-scheduling.{form}")
        assert answer.headers["cache-control"].startswith("public")
        found = feedparser.parse(answer.content)
        assert not found.bozo and found.entries
        assert all("cluster scheduling" in {tag.term for tag in e.tags} for e in found.entries)
        assert "/rate/" not in answer.text
        for known in ("etag", "if-none-match"), ("last-modified", "if-modified-since"):
            assert (
                reader.get(answer.request.url.path, headers={known[1]: answer.headers[known[0]]}).status_code
                == 304
            )
    days = [entry.published_parsed for entry in found.entries]
    assert days == sorted(days, reverse=True)

    with ingested.database.writing() as session:
        paper = next(
            p.paper for p in paper_store.all_papers(session) if p.paper.title == found.entries[0].title
        )
        source = source_store.add(session, name="s", kind="file", location="s", every_minutes=0, now=None)
        better = replace(paper, title=f"{paper.title}, Corrected", version=(paper.version or 1) + 1)
        paper_store.merge(session, [better], source.id, NOW)
    clock.now += timedelta(hours=1)
    indexing.index(ingested, clock.now)
    known = {"if-modified-since": answer.headers["last-modified"]}
    assert ", Corrected" in reader.get(answer.request.url.path, headers=known).text
    told = reader.get("/feeds/topics/cluster scheduling.json").json()
    assert set(told["items"][0]["_paperwatch"]) == {"about", "paper"}
    assert "/feeds/topics/cluster-scheduling.atom" in reader.get("/papers/topic/cluster-scheduling").text


LEAN = """
import asyncio, json, sys
from datetime import UTC, datetime
import httpx2
from pathlib import Path
from app import build
from app.settings import Settings
from app.web.server import create_app

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20

async def main():
    settings = Settings(data=Path(sys.argv[1]), database_url=sys.argv[2], base_url="http://papers.example.org")
    app = create_app(build.service(settings), settings, lambda: datetime.now(UTC))
    asked, status = sys.argv[3:], {}
    async with app.router.lifespan_context(app):
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url=settings.base_url) as client:
            for path in asked:
                answers = [await client.get(path) for _ in range(20)]
                again = await client.get(path, headers={"if-none-match": answers[0].headers["etag"]})
                status[path] = [answers[0].status_code, again.status_code, len(answers[0].content)]
    app.state.feed_maker.close()
    heavy = sorted({"sklearn", "scipy", "numpy", "recommender.vectors"} & set(sys.modules))
    print(json.dumps({"heavy": heavy, "megabytes": resident(), "status": status}))

if __name__ == "__main__":
    asyncio.run(main())
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads memory where Linux shows it")
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_process_that_serves_feeds_never_loads_the_ranking(
    ingested: Service, profile: Profile, tmp_path: Path
) -> None:
    script = tmp_path / "lean.py"
    script.write_text(LEAN, encoding="utf-8")
    token = profile.feed_token
    paths = [f"/feeds/{token}.{form}" for form in ("rss", "atom", "json")] + [f"/feeds/{token}/saved.rss"]
    done = subprocess.run(
        [sys.executable, script, tmp_path / "var", ingested.database.url, *paths], capture_output=True,
        text=True, timeout=120, check=True, env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    found = json.loads(done.stdout)
    assert found["heavy"] == []
    assert all(answer[:2] == [200, 304] for answer in found["status"].values())
    assert found["megabytes"] < 120


def test_the_least_used_feed_is_forgotten_when_there_is_too_much() -> None:
    pile: Pile[int, bytes] = Pile(120, len)
    pile.put(1, b"x" * 50)
    pile.put(2, b"x" * 50)
    assert pile.get(1)
    pile.put(3, b"x" * 50)
    assert [pile.get(n) is not None for n in (1, 2, 3)] == [True, False, True]
    pile.put(3, b"y" * 500)
    assert pile.get(3) == b"y" * 500 and pile.get(1) is None, "the last one stays, however large"
