"""Feeds over HTTP: who has one, what each form holds, and older pages."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path

import feedparser
import pytest
from sqlalchemy import update
from starlette.testclient import TestClient

from app.settings import Settings
from app.web.feed_maker import FeedMaker
from app.web.server import create_app
from db import alert_store, paper_store, source_store, subscriber_store, thin_store
from db.tables import BatchRow, MatchRow, PaperRow
from jobs import indexing, leaving, reading, subscribe
from jobs.feeds import Asked
from jobs.service import Service
from profiles.profile import Profile
from profiles.request import request
from recommender.paper import abs_url
from tests.conftest import NOW, ROOT, WEB, Clock
from tests.readers import history, rate, subscribe_reader, tick, write_digest


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


def test_feeds_of_those_who_left_go_on_and_of_those_who_never_agreed_do_not_begin(
    service: Service, tmp_path: Path
) -> None:
    here = Settings(data=tmp_path / "var", base_url=WEB)

    def reads(profile: Profile) -> int:
        with TestClient(create_app(service, here, lambda: NOW), base_url=WEB) as client:
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
        found = feedparser.parse(reader.get(address.removeprefix(WEB)).content)
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


def test_old_papers_that_are_deleted_leave_the_later_pages_as_they_were(
    reader: TestClient, ingested: Service, profile: Profile
) -> None:
    history(ingested, profile, 200)
    with ingested.database.writing() as session:
        # A batch every other day, the first one more than a year ago.
        for match in alert_store.matches_of(session, profile.id, at_most=1_000):
            at = NOW - timedelta(days=2 * (201 - match.batch_id))
            session.execute(update(BatchRow).where(BatchRow.id == match.batch_id).values(made_at=at))
            session.execute(update(MatchRow).where(MatchRow.batch_id == match.batch_id).values(made_at=at))

    def pages() -> list[str]:
        address, found = f"{WEB}/feeds/{profile.feed_token}.json", []
        while address := reader.get(address.removeprefix(WEB)).json().get("next_url"):
            found.append(address)
        return found

    before = pages()
    for night in (0, 2, 4):
        with ingested.database.writing() as session:
            assert thin_store.matches(session, NOW - timedelta(days=366 - night), at_most=1_000)
        history(ingested, profile, 1)
        left = pages()
        later = [address for address in before if address in left]
        assert left[: len(later)] == later
        assert len(left) - len(later) <= 45 // 5, (
            "of five batches each; only the oldest quarter's 45 may move"
        )


def test_announcements_that_brought_nothing_crowd_out_no_paper(
    reader: TestClient, ingested: Service, profile: Profile
) -> None:
    with ingested.database.writing() as session:
        (match,) = alert_store.matches_of(session, profile.id)
        quiet = [BatchRow(made_at=NOW, papers=1, receipt="", matched_at=NOW) for _ in range(80)]
        session.add_all(quiet)
        session.flush()
        nothing = [replace(match, batch_id=row.id, chosen=(), near=()) for row in quiet]
        alert_store.add_matches(session, nothing)
    shown = {p.paper for p in match.chosen}
    assert len(reading.latest(ingested, profile, NOW)) == len(shown) > 1
    with ingested.database.writing() as session:
        row = BatchRow(made_at=NOW, papers=1, receipt="", matched_at=NOW)
        session.add(row)
        session.flush()
        alert_store.add_matches(session, [replace(match, batch_id=row.id)])
    feed = reader.get(f"/feeds/{profile.feed_token}.json").json()
    assert len(feed["items"]) == 2 * len(shown)


def test_json_feeds_lead_to_older_pages(reader: TestClient, ingested: Service, profile: Profile) -> None:
    history(ingested, profile, 120)
    page = reader.get(f"/feeds/{profile.feed_token}.json").json()
    seen = 1
    while address := page.get("next_url"):
        page = reader.get(address.removeprefix(WEB)).json()
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
    settings = Settings(data=tmp_path / "var", base_url=WEB)
    with TestClient(create_app(service, settings, lambda: NOW), base_url=WEB) as client:
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
        paper = next(p for p in paper_store.all_papers(session) if p.paper.title == found.entries[0].title)
        session.execute(update(PaperRow).where(PaperRow.id == paper.number).values(announced=None))
    undated = reader.get("/feeds/topics/cluster-scheduling.json").json()["items"]
    assert [item["date_published"] for item in undated] == [entry.published for entry in found.entries]

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
