"""Sources of every kind: asked when due, stored once, their failures recorded and contained."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from db import paper_store, source_store
from db.records import Receipt, Source
from db.session import Database
from db.tables import PaceRow
from jobs import files, ingest
from jobs.checks import oai
from jobs.pacing import SharedPace
from jobs.service import Service
from jobs.sources.fetch import Fetched, FetchError, Validators
from tests.conftest import NOW
from tests.fake_arxiv import Clock, FakeArxiv, make_papers
from tests.readers import news

TODAY = NOW.date()


@dataclass
class Web:
    """Servers that answer from a dictionary, and remember what they were asked."""

    answers: dict[str, bytes | FetchError] = field(default_factory=dict)
    etag: str = ""
    asked: list[str] = field(default_factory=list)

    def get(self, url: str, validators: Validators = Validators()) -> Fetched:  # noqa: B008  # frozen
        self.asked.append(url)
        found = self.answers[url]
        if isinstance(found, FetchError):
            raise found
        if self.etag and validators.etag == self.etag:
            return Fetched(304, url, b"", validators)
        return Fetched(200, url, found, Validators(self.etag, ""))


@pytest.fixture
def web(service: Service) -> Web:
    found = Web()
    service.fetcher = found
    return found


def rss(*numbers: int, day: date = TODAY) -> bytes:
    items = "".join(
        f"<item><title>A study of leaky buckets, number {n}</title><link>https://example.org/{n}</link>"
        f"<guid>https://example.org/{n}</guid><dc:creator>Ada Example</dc:creator>"
        f"<pubDate>{day:%a, %d %b %Y} 06:00:00 GMT</pubDate>"
        f"<description>Words about bucket {n}.</description></item>"
        for n in numbers
    )
    return (
        '<?xml version="1.0"?><rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/"><channel>'
        f"<title>Buckets</title><link>https://example.org</link><description>x</description>{items}"
        "</channel></rss>"
    ).encode()


def add(service: Service, location: str, kind: str = "feed", **options: Any) -> Source:
    with service.database.writing() as session:
        given = {"name": location, "kind": kind, "location": location, "every_minutes": 60, "now": NOW}
        return source_store.add(session, **(given | options))


def known(service: Service, source: Source) -> Source:
    with service.database.reading() as session:
        return next(s for s in source_store.every(session) if s.id == source.id)


# --- feeds -------------------------------------------------------------------------------------------------


def test_a_feed_is_asked_after_its_interval_and_sends_its_etag(service: Service, web: Web) -> None:
    url = "https://example.org/feed"
    web.answers[url], web.etag = rss(1, 2), '"a"'
    source = add(service, url)
    (first,) = ingest.check_due(service, NOW, "one")
    assert (first.received, first.new, first.outcome) == (2, 2, "papers")
    assert ingest.check_due(service, NOW + timedelta(minutes=59), "two") == []
    (again,) = ingest.check_due(service, NOW + timedelta(minutes=61), "two")
    assert (again.outcome, again.note) == ("unchanged", "nothing new in the feed")
    assert known(service, source).etag == '"a"'


def test_the_same_bytes_without_an_etag_are_not_parsed_again(service: Service, web: Web) -> None:
    url = "https://example.org/feed"
    web.answers[url] = rss(1)
    add(service, url)
    ingest.check_due(service, NOW, "one")
    (again,) = ingest.check_due(service, NOW + timedelta(hours=2), "two")
    assert again.outcome == "unchanged"


def test_what_a_feed_published_long_ago_is_kept_but_no_news(service: Service, web: Web) -> None:
    url = "https://example.org/feed"
    web.answers[url] = rss(1, 2, day=NOW.date() - timedelta(days=40))
    add(service, url)
    (receipt,) = ingest.check_due(service, NOW, "one")
    assert receipt.new == 2
    assert news(service) == 0


def test_a_failure_backs_off_obeys_the_server_and_stops_no_other(service: Service, web: Web) -> None:
    bad, good = "https://example.org/bad", "https://example.org/good"
    wait = NOW + timedelta(hours=5)
    web.answers |= {bad: FetchError("example.org: HTTP 429", status=429, retry_after=wait), good: rss(1)}
    failing = add(service, bad)
    add(service, good)
    outcomes = {r.location: r for r in ingest.check_due(service, NOW, "one")}
    assert outcomes[good].new == 1
    assert "next try 2025-11-20 17:00 UTC" in outcomes[bad].error
    source = known(service, failing)
    assert (source.failures, source.next_check_at) == (1, wait)
    web.answers[bad] = rss(2)
    ingest.check_due(service, wait, "two")
    assert (known(service, failing).failures, known(service, failing).last_error) == (0, "")


def test_a_surprise_in_one_check_is_recorded_and_stops_no_other(service: Service, web: Web) -> None:
    add(service, "https://example.org/missing")
    web.answers["https://example.org/good"] = rss(1)
    add(service, "https://example.org/good")
    with capture_logs() as lines:
        found = {r.outcome for r in ingest.check_due(service, NOW, "one")}
    assert found == {"error", "papers"}
    assert [line["source"] for line in lines] == ["https://example.org/missing"]
    assert "unexpected" in lines[0]["event"]


def test_an_api_is_followed_page_by_page_while_it_brings_something_new(service: Service, web: Web) -> None:
    url = "https://export.arxiv.org/api/query?search_query=cat:cs.DC&start=0&max_results=10"
    fake = _fake()
    total = len(fake.papers)
    for start in range(0, total + 10, 10):
        page = f"https://export.arxiv.org/api/query?search_query=cat%3Acs.DC&max_results=10&start={start}"
        web.answers[page] = fake._api({"start": str(start), "max_results": "10"})
    web.answers[url] = fake._api({"start": "0", "max_results": "10"})
    add(service, url)
    (receipt,) = ingest.check_due(service, NOW, "one")
    assert receipt.new == total
    web.asked.clear()
    fake.papers.append(replace(fake.papers[-1], id="2511.99999"))
    web.answers[url] = fake._api({"start": "0", "max_results": "10"})
    (later,) = ingest.check_due(service, NOW + timedelta(hours=2), "two")
    assert later.new == 1
    assert len(web.asked) <= 2


def _fake() -> FakeArxiv:
    first, last = date(2025, 11, 10), date(2025, 11, 18)
    return FakeArxiv(make_papers(first, last, set(), seed=3), Clock(NOW), set())


def test_an_archive_is_harvested_by_tokens_and_goes_on_from_its_own_date(service: Service, web: Web) -> None:
    base = "https://archive.example.org/oai?verb=ListRecords&metadataPrefix=arXivRaw&set=cs:cs:OS"
    fake = replace(_fake(), page=7)
    names = {p.id for p in fake.papers}

    def answer(url: str, _validators: Validators = Validators()) -> Fetched:  # noqa: B008  # frozen
        web.asked.append(url)
        return Fetched(200, url, fake.answer("oai", "/oai?" + url.partition("?")[2], {})[2], Validators())

    web.get = answer  # type: ignore[method-assign]
    source = add(service, base, "oai", cursor={"days": 30})
    (receipt,) = ingest.check_due(service, NOW, "one")
    assert receipt.new == len(names)
    assert len(web.asked) > 2
    assert known(service, source).cursor["from"] == f"{NOW.date()}"
    web.asked.clear()
    ingest.check_due(service, NOW + timedelta(days=1), "two")
    assert web.asked == [web.asked[0]]
    assert "from=2025-11-20" in web.asked[0]


def test_a_long_archive_is_read_in_parts_and_says_so(
    service: Service, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oai, "_MOST_PAGES", 2)
    base = "https://archive.example.org/oai?verb=ListRecords&metadataPrefix=arXivRaw&set=cs:cs:OS"
    fake = replace(_fake(), page=7)
    web.get = lambda url, _=None: Fetched(  # type: ignore[method-assign,misc,assignment]
        200, url, fake.answer("oai", "/oai?" + url.partition("?")[2], {})[2], Validators()
    )
    source = add(service, base, "oai", cursor={"days": 30})
    (first,) = ingest.check_due(service, NOW, "one")
    assert (first.received, first.note) == (14, "2 pages read; the rest follows with the next run")
    # Where the token is refused, all of it is asked for again.
    assert known(service, source).cursor["from"] == "2025-10-20"
    new, run = first.new, 1
    while known(service, source).cursor["token"]:
        (receipt,) = ingest.check_due(service, NOW + timedelta(minutes=run), f"run {run}")
        new, run = new + receipt.new, run + 1
    assert run > 2
    assert new == len({paper.id for paper in fake.papers})
    assert known(service, source).cursor["from"] == f"{NOW.date()}"
    assert ingest.check_due(service, NOW + timedelta(minutes=run), "at rest") == []


# --- folders, files, streams -------------------------------------------------------------------------------


def test_an_address_is_ingested_by_hand_with_all_its_pages(service: Service, web: Web) -> None:
    fine, gone = "https://example.org/feed", "https://example.org/other"
    web.answers |= {fine: rss(1, 2, 3), gone: FetchError("no such host")}
    good, bad = ingest.ingest_locations(service, [fine, gone], NOW, "one")
    assert (good.new, good.format) == (3, "feed")
    assert bad.error == "no such host"
    with service.database.reading() as session:
        assert source_store.watched(session) == []


def test_a_file_that_is_too_large_is_refused_without_reading_it_all(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MAX_BYTES", 1000)
    file = tmp_path / "feed.xml"
    file.write_bytes(rss(*range(1, 50)))
    (receipt,) = ingest.ingest_locations(service, [str(file)], NOW, "one")
    assert "more than 1,000 bytes" in receipt.error


# --- the store ---------------------------------------------------------------------------------------------


def test_a_removed_source_is_asked_no_more_and_comes_back_when_added_again(
    service: Service, web: Web
) -> None:
    url = "https://example.org/feed"
    web.answers[url] = rss(1)
    source = add(service, url)
    ingest.check_due(service, NOW, "one")
    with service.database.writing() as session:
        source_store.remove(session, known(service, source), NOW)
    assert ingest.check_due(service, NOW + timedelta(days=9), "two") == []
    with service.database.reading() as session:
        assert source_store.every(session) == []
        (stored,) = paper_store.all_papers(session)
    assert stored.paper.sources == (url,)
    assert add(service, url).id == source.id
    assert len(ingest.check_due(service, NOW, "three")) == 1


def test_a_paused_source_waits_until_it_is_resumed(service: Service, web: Web) -> None:
    url = "https://example.org/feed"
    web.answers[url] = rss(1)
    source = add(service, url)
    with service.database.writing() as session:
        source_store.pause(session, source, NOW)
    assert ingest.check_due(service, NOW, "one") == []
    with service.database.writing() as session:
        source_store.resume(session, source, NOW)
    assert len(ingest.check_due(service, NOW, "two")) == 1


def test_the_same_silence_is_kept_once(database: Database) -> None:
    with database.writing() as session:
        source = source_store.add(session, name="f", kind="folder", location="/f", every_minutes=1, now=NOW)
        for minute in range(5):
            quiet = Receipt(source.id, NOW + timedelta(minutes=minute), "/f", outcome="unchanged")
            source_store.record(session, f"run{minute}", [quiet])
        source_store.record(session, "x", [Receipt(source.id, NOW, "/f", received=1, outcome="papers")])
        source_store.record(session, "y", [Receipt(source.id, NOW, "/f", outcome="unchanged")])
    with database.reading() as session:
        kept = source_store.receipts(session, source_id=source.id)
        assert source_store.latest_receipts(session)[source.id].outcome == "unchanged"
    assert sorted(r.outcome for r in kept) == ["papers", "unchanged", "unchanged"]


def test_turns_are_shared_by_all_who_share_the_database(database: Database) -> None:
    clock, lock = Clock(NOW), threading.Lock()
    begun: list[datetime] = []
    inside: list[int] = []

    def sleep(seconds: float) -> None:
        with lock:
            clock.sleep(seconds)

    def ask() -> None:
        pace = SharedPace(database, clock.now, sleep)
        for _ in range(3):
            with pace.turn("arxiv.org"):
                inside.append(1)
                assert len(inside) == 1
                # The others turn the clock while this one gets going: the turn's own time is what counts.
                with database.reading() as session:
                    begun.append(session.scalars(select(PaceRow.next_at)).one())
                inside.pop()

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    gaps = [later - earlier for earlier, later in pairwise(begun)]
    assert len(begun) == 9
    assert min(gaps) >= timedelta(seconds=3)


def test_a_turn_whose_holder_died_is_taken_after_some_minutes(database: Database) -> None:
    clock = Clock(NOW)
    pace = SharedPace(database, clock.now, clock.sleep)
    turn = pace.turn("arxiv.org")
    turn.__enter__()
    with SharedPace(database, clock.now, clock.sleep).turn("arxiv.org"):
        assert timedelta(minutes=5) <= clock.now() - NOW < timedelta(minutes=6)


def test_arxiv_papers_that_share_a_doi_stay_two(service: Service) -> None:
    from recommender.paper import Paper

    source = add(service, "x")
    pair = [Paper(f"arxiv:1102.0{n}", f"Title {n}", doi="10.1063/1.3571005") for n in (515, 500)]
    for papers in (pair, pair[::-1], [Paper("doi:10.1063/1.3571005", "Proceedings")]):
        with service.database.writing() as session:
            paper_store.merge(session, papers, source.id, NOW)
    with service.database.reading() as session:
        assert {s.paper.id: s.paper.title for s in paper_store.all_papers(session)} == {
            "arxiv:1102.0515": "Title 515", "arxiv:1102.0500": "Title 500"
        }  # fmt: skip


def test_papers_that_an_archive_deleted_are_withdrawn_and_no_news(service: Service) -> None:
    from recommender.paper import Paper

    source = add(service, "x")
    with service.database.writing() as session:
        paper_store.merge(session, [Paper("arxiv:2510.00001", "T")], source.id, NOW)
        paper_store.withdraw(session, ["arxiv:2510.00001", "arxiv:2510.00002"])
    assert news(service) == 0


def test_kept_papers_with_a_newer_version_are_found(service: Service) -> None:
    from db import subscriber_store
    from jobs import subscribe
    from profiles.request import request
    from recommender.paper import Paper

    source = add(service, "x")
    first = [Paper(f"arxiv:2510.0000{n}", f"Title {n}", 1, "Old words.") for n in range(1, 4)]
    with service.database.writing() as session:
        paper_store.merge(session, first, source.id, NOW)
    profile = subscribe.create(service, request(statement="caches that forget"), NOW)
    with service.database.writing() as session:
        numbers = {s.paper.id: s.number for s in paper_store.all_papers(session)}
        for paper, opinion in zip(first, ("like", "dislike", "open"), strict=True):
            subscriber_store.add_feedback(session, profile.id, numbers[paper.id], opinion, NOW, "page")
        later = [replace(p, version=2, abstract="New words.") for p in first]
        paper_store.merge(session, later, source.id, NOW + timedelta(days=1))
    with service.database.reading() as session:
        (found,) = paper_store.revised_since_kept(session, profile.id, NOW)
        assert paper_store.revised_since_kept(session, profile.id, NOW + timedelta(days=2)) == []
    assert found.paper.id == first[0].id
