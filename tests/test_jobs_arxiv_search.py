"""Days that arXiv's feed never showed, while its archive is down: they come through the search API."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from db import paper_store, source_store
from db.records import Receipt
from db.session import Database
from jobs import ingest
from jobs.alerts.links import Links
from jobs.alerts.mail import Sender
from jobs.alerts.outbox_folder import OutboxFolder
from jobs.checks import arxiv_search
from jobs.pacing import SharedPace
from jobs.rhythm import Place
from jobs.service import ArxivAddresses, Service
from jobs.sources import arxiv_api
from jobs.sources.fetch import Fetcher
from jobs.sources.parsed import SourceError
from tests import fake_arxiv
from tests.fake_arxiv import Clock, FakeArxiv, eastern

FIRST, LAST = date(2025, 10, 6), date(2025, 10, 17)
LOST = {date(2025, 10, 14)}


@pytest.fixture
def fake() -> FakeArxiv:
    papers = fake_arxiv.make_papers(date(2025, 9, 22), LAST, set(), seed=4, each=(12, 20))
    always = [(eastern(FIRST, 0), eastern(LAST, 23))]
    return FakeArxiv(papers, Clock(eastern(FIRST, 11)), set(), lost=set(LOST), archive_down=always, page=15)


@pytest.fixture
def service(fake: FakeArxiv, database: Database, tmp_path: Path) -> Iterator[Service]:
    """A service that watches two categories of it."""
    with fake.serving() as port:
        fetcher = Fetcher(
            agent="Paperwatch/test", now=fake.clock.now,
            pace=SharedPace(database, fake.clock.now, fake.clock.sleep), allow_private=True,
            resolve=lambda _host, _port: ["127.0.0.1"],
        )  # fmt: skip
        addresses = ArxivAddresses(
            oai=f"http://oaipmh.arxiv.org:{port}/oai", api=f"http://export.arxiv.org:{port}/api/query"
        )
        with database.writing() as session:
            source_store.add(
                session, name="arXiv cs.DC cs.LG", kind="arxiv", every_minutes=60, now=fake.clock.now(),
                location=f"http://rss.arxiv.org:{port}/rss/cs.DC+cs.LG",
            )  # fmt: skip
        yield Service(
            database, Links("http://papers.example.org", "a secret for tests only"),
            Sender("Paperwatch", "digest@papers.example.org"), lambda: OutboxFolder(tmp_path / "outbox"),
            fetcher=fetcher, arxiv=addresses, jitter=random.Random(1).random,
        )  # fmt: skip


def watch(service: Service, fake: FakeArxiv) -> list[Receipt]:
    """Do what is due until the last day is over."""
    receipts: list[Receipt] = []
    while fake.clock.now() < eastern(LAST, 22):
        receipts += ingest.check_due(service, fake.clock.now(), "days")
        with service.database.reading() as session:
            due = source_store.next_due(session)
        assert due is not None
        fake.clock.at = max(fake.clock.now(), due)
    return receipts


def asked(fake: FakeArxiv, path: str) -> list[dict[str, list[str]]]:
    return [
        parse_qs(urlsplit(f"//{url}").query) for _, url in fake.requests if urlsplit(f"//{url}").path == path
    ]


def assert_nothing_is_missed(service: Service, fake: FakeArxiv) -> None:
    with service.database.reading() as session:
        found = {s.paper.id.removeprefix("arxiv:"): s.paper for s in paper_store.all_papers(session)}
    truth = {p.id: p for p in fake.papers if p.day >= FIRST}
    assert truth.keys() - found.keys() == set()
    for key, paper in truth.items():
        assert found[key].version == paper.events[-1].number, key
        # When a paper was held back, the API does not say; it stands under the day that was missed.
        if not (paper.held and paper.day in LOST):
            assert found[key].announced == paper.day, key


@pytest.mark.parametrize("fault", ["", "empty at times"])
def test_a_lost_day_comes_through_the_search_while_the_archive_is_down(
    service: Service, fake: FakeArxiv, fault: str
) -> None:
    fake.api_fault = fault
    receipts = watch(service, fake)
    (filled,) = [r for r in receipts if r.outcome == "filled"]
    assert filled.note.startswith("Tue 14 Oct looked up in arXiv's search, since its archive does not answer")
    assert filled.format == "arxiv-api"
    assert filled.new
    failures = [r for r in receipts if r.outcome == "error"]
    assert len(failures) == 3, "the archive is given three chances"
    assert_nothing_is_missed(service, fake)
    pages = [int(query["start"][0]) for query in asked(fake, "/api/query")]
    assert len(pages) > 2
    times = [at for at, _ in fake.requests]
    assert min(b - a for a, b in pairwise(times)) >= timedelta(seconds=3)


def test_what_was_announced_before_the_source_was_added_is_no_news(service: Service, fake: FakeArxiv) -> None:
    watch(service, fake)
    before = {f"arxiv:{p.id}" for p in fake.papers if p.day < FIRST}
    with service.database.writing() as session:
        from db import alert_store

        batch = alert_store.make_batch(session, fake.clock.now(), "")
        assert batch is not None
        numbers = alert_store.paper_numbers(session, batch.id)
        news = {s.paper.id for s in paper_store.by_numbers(session, numbers).values()}
    assert news & before == set()
    assert {f"arxiv:{p.id}" for p in fake.papers if p.day in LOST and not p.withdrawn_on} <= news


@pytest.mark.parametrize(("fault", "why"), [("refuses", "refuses the query"), ("empty", "no entries at 0")])
def test_a_search_that_fails_too_takes_turns_with_the_archive(
    service: Service, fake: FakeArxiv, fault: str, why: str
) -> None:
    fake.api_fault = fault
    receipts = watch(service, fake)
    failed = [r for r in receipts if r.outcome == "error"]
    assert {r.location.rpartition("/")[2] for r in failed[:3]} == {"oai"}
    assert [r.location.rpartition("/")[2] for r in failed[3:7]] == ["query", "oai", "query", "oai"]
    assert why in failed[3].error
    assert all("next try" in r.error for r in failed)
    with service.database.reading() as session:
        (source,) = source_store.every(session)
    assert source.cursor["missing"] == ["2025-10-14"], "it is still to be filled"


def test_a_search_that_ends_before_the_day_is_an_error(
    service: Service, fake: FakeArxiv, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arxiv_api, "MOST", 30)
    fake.clock.at = eastern(LAST, 12)
    pages = arxiv_search.harvest(service, ["cs.DC", "cs.LG"], Place("2025-10-01"), "2025-10-01")
    with pytest.raises(SourceError, match="no more than 30 papers, which do not reach back to 2025-10-01"):
        list(pages)


def test_an_archive_with_subjects_is_asked_for_with_all_of_them() -> None:
    query = parse_qs(urlsplit(arxiv_search.address("http://x/q", ["cs.DC", "math"], "0")).query)
    assert query["search_query"] == ["cat:cs.DC OR cat:math OR cat:math.*"]
