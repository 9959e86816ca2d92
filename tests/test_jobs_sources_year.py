"""A year of arXiv, from due time to due time: no paper missed, none twice, and never impolite."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Row, select

from db import migrate, source_store
from db.records import Receipt
from db.session import Database
from db.tables import BatchRow, PaperRow
from jobs import ingest, match
from jobs.alerts.links import Links
from jobs.alerts.mail import Sender
from jobs.alerts.outbox_folder import OutboxFolder
from jobs.pacing import SharedPace
from jobs.service import ArxivAddresses, Service
from jobs.sources.fetch import Fetcher
from tests import fake_arxiv
from tests.fake_arxiv import Clock, FakeArxiv, eastern

FIRST, LAST = date(2025, 3, 3), date(2026, 3, 13)  # two changes to summer time, one back
# arXiv's holidays as its feeds show them (the feed after the evening without a mailing), and one day off
# that nobody announced.
AD_HOC = date(2025, 8, 13)
OFF = {
    date(2025, 5, 27), date(2025, 6, 20), date(2025, 9, 2), date(2025, 11, 28), date(2025, 12, 25),
    date(2025, 12, 26), date(2026, 1, 1), date(2026, 1, 2), date(2026, 1, 20), AD_HOC,
}  # fmt: skip
LATE = {date(2025, 4, 8): 9, date(2025, 6, 3): 15, date(2025, 10, 21): 6, date(2026, 2, 3): 23}
STALE = {date(2025, 6, 3): "redated", date(2025, 10, 21): "empty", date(2026, 2, 3): "redated"}
LOST = {date(2025, 7, 10), date(2025, 12, 5)}  # a Thursday and a Friday whose feed never came
DAY_DOWN = (eastern(date(2025, 5, 13), 0), eastern(date(2025, 5, 14), 1))  # all of arXiv
WEEK_DOWN = (eastern(date(2026, 1, 25), 12), eastern(date(2026, 1, 31), 12))
WEEK_OFF = (eastern(date(2025, 9, 15), 3), eastern(date(2025, 9, 22), 14))  # our own machine
ARCHIVE_DOWN = (eastern(date(2025, 9, 22), 0), eastern(date(2025, 9, 22), 22))
FILLED = LOST | {date(2025, 5, 13)} | {date(2025, 9, 16) + timedelta(days=n) for n in range(4)}
FILLED |= {date(2026, 1, 26) + timedelta(days=n) for n in range(5)}


@dataclass
class Year:
    fake: FakeArxiv
    database: Database
    receipts: list[Receipt]


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> Year:
    """The year, watched by the real checking code over real requests to loopback."""
    folder = tmp_path_factory.mktemp("year")
    clock = Clock(eastern(FIRST, 11))
    papers = fake_arxiv.make_papers(date(2025, 2, 3), LAST, OFF, seed=11)
    rng = random.Random(5)
    refused = {rng.randrange(2, 4_000) for _ in range(120)}
    fake = FakeArxiv(
        papers, clock, OFF, LATE, STALE, LOST, down=[DAY_DOWN, WEEK_DOWN], archive_down=[ARCHIVE_DOWN],
        busy=lambda number: number in refused,
    )  # fmt: skip
    database = Database(f"sqlite:///{folder / 'p.db'}")
    migrate.upgrade(database)
    receipts: list[Receipt] = []
    with fake.serving() as port:
        service = _service(database, folder, clock, port, rng)
        with database.writing() as session:
            source_store.add(
                session, name="arXiv cs.DC cs.LG", kind="arxiv", every_minutes=60, now=clock.now(),
                location=f"http://rss.arxiv.org:{port}/rss/cs.DC+cs.LG",
            )  # fmt: skip
        while clock.now() < eastern(LAST, 23, 30):
            receipts += ingest.check_due(service, clock.now(), "year")
            match.gather(service, clock.now(), receipts[-1:])
            with database.reading() as session:
                due = source_store.next_due(session)
            assert due is not None and due > clock.now() - timedelta(minutes=10), "a source due for ever"
            clock.at = max(clock.now(), due)
            if WEEK_OFF[0] <= clock.now() < WEEK_OFF[1]:
                clock.at = WEEK_OFF[1]
    return Year(fake, database, receipts)


def _service(database: Database, folder: Path, clock: Clock, port: int, rng: random.Random) -> Service:
    fetcher = Fetcher(
        agent="Paperwatch/test", now=clock.now, pace=SharedPace(database, clock.now, clock.sleep),
        allow_private=True, resolve=lambda _host, _port: ["127.0.0.1"],
    )  # fmt: skip
    return Service(
        database, Links("http://papers.example.org", "a secret for tests only"),
        Sender("Paperwatch", "digest@papers.example.org"), lambda: OutboxFolder(folder / "outbox"),
        fetcher=fetcher, jitter=rng.random, arxiv=ArxivAddresses(
            oai=f"http://oaipmh.arxiv.org:{port}/oai", api=f"http://export.arxiv.org:{port}/api/query"
        ),
    )  # fmt: skip


def _rows(year: Year) -> dict[str, Row[Any]]:
    columns = (
        PaperRow.key, PaperRow.version, PaperRow.news, PaperRow.announced, PaperRow.withdrawn,
        PaperRow.first_seen_at,
    )  # fmt: skip
    with year.database.reading() as session:
        return {row.key.removeprefix("arxiv:"): row for row in session.execute(select(*columns))}


def test_the_ledger_is_the_ground_truth_paper_by_paper(year: Year) -> None:
    rows = _rows(year)
    truth = {p.id: p for p in year.fake.papers}
    watched = {key for key, paper in truth.items() if paper.day >= FIRST}
    assert any(paper.held and paper.day in FILLED for paper in truth.values())
    assert watched - set(rows) == set(), "papers missed"
    assert set(rows) - set(truth) == set(), "papers that never were"
    for key in watched:
        paper, row = truth[key], rows[key]
        assert row.version == paper.events[-1].number, key
        assert row.news is True, key
        if paper.held and paper.day in FILLED:
            # The archive does not say when it was announced: it stands under the first day that was missed.
            assert row.announced in FILLED, key
        else:
            assert row.announced == paper.day, key


def test_what_was_announced_before_we_watched_is_no_news(year: Year) -> None:
    before = {p.id for p in year.fake.papers if p.day < FIRST}
    seen = [row for key, row in _rows(year).items() if key in before]
    assert seen, "later versions of older papers are kept"
    assert not any(row.news for row in seen)


def test_nothing_is_news_twice(year: Year) -> None:
    rows = _rows(year)
    with year.database.reading() as session:
        told = sum(session.scalars(select(BatchRow.papers)))
    assert told == sum(row.news for row in rows.values())


def test_withdrawn_papers_are_marked(year: Year) -> None:
    rows = _rows(year)
    truth = {p.id for p in year.fake.papers if p.withdrawn_on and p.withdrawn_on >= FIRST}
    assert {key for key, row in rows.items() if row.withdrawn} == truth
    assert truth


def test_arxiv_is_never_asked_twice_within_three_seconds(year: Year) -> None:
    times = [at for at, _ in year.fake.requests]
    assert min(b - a for a, b in pairwise(times)) >= timedelta(seconds=3)
    assert year.fake.most_at_once == 1


def test_a_quiet_year_takes_few_requests(year: Year) -> None:
    days = Counter(at.astimezone(UTC).date() for at, _ in year.fake.requests)
    assert sum(days.values()) / 366 < 3
    assert max(days.values()) < 40


def test_every_receipt_says_what_happened(year: Year) -> None:
    outcomes = Counter(r.outcome for r in year.receipts)
    assert {"papers", "stale", "not yet", "holiday", "filled", "error"} <= set(outcomes)
    stale = {r.note.split(" is due")[0] for r in year.receipts if r.outcome == "stale"}
    assert "Tue 3 Jun" in stale, "a redated batch is stale"
    filled = [r.note for r in year.receipts if r.outcome == "filled"]
    assert any("Thu 10 Jul looked up" in note for note in filled)
    assert any("Tue 16 Sep to Fri 19 Sep looked up" in note for note in filled)
    assert all("next try" in r.error for r in year.receipts if r.error)


def test_a_batch_is_read_within_the_hour_of_its_announcement(year: Year) -> None:
    first_seen = {key: row.first_seen_at for key, row in _rows(year).items()}
    ordinary = [p for p in year.fake.papers if p.day >= FIRST + timedelta(days=1) and p.day not in LATE]
    waits = [first_seen[p.id] - eastern(p.day, 0) for p in ordinary if p.day not in FILLED]
    assert sorted(waits)[int(len(waits) * 0.95)] < timedelta(hours=1)


def test_a_late_batch_is_read_within_hours(year: Year) -> None:
    first_seen = {key: row.first_seen_at for key, row in _rows(year).items()}
    for day, hour in LATE.items():
        waits = [first_seen[p.id] - eastern(day, hour) for p in year.fake.papers if p.day == day]
        assert max(waits) < timedelta(hours=3), day
