"""An installation made up for measuring: an archive of papers, readers who have been there for a month.

What readers leave behind (matches, digests, ratings) is stored in bulk; everything else goes the service's
own way.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from benchmarks import match as matching
from benchmarks import synthetic
from db import paper_store, source_store, subscriber_store
from db.bulk import make_room
from db.match_rows import pack
from db.records import Pick
from db.session import Session
from db.tables import Base, BatchRow, DigestRow, FeedbackRow, MatchRow, ReceiptRow, TurnRow
from jobs import days, indexing, learning, match, subscribe, trends
from jobs.service import Service
from profiles.profile import Profile
from profiles.request import request
from recommender.interest import Interests, Judged
from recommender.ranking import DEFAULT, RANKERS

NOW = datetime(2025, 11, 20, 12, tzinfo=UTC)
"""The moment at which the installation stands."""
_A_WEEK = 3_000  # new papers of a busy week
_DISTINCT = 200  # models that are learned; readers share them in turn
_DAYS = 30  # batches that readers have had, each with a digest
_RATED = 20
_SOURCES = 20  # asked once an hour
_PICKS = 6
_ROWS = 50_000


def installed(folder: Path, papers: int, readers: int) -> tuple[Service, Profile]:
    """A service with so many papers and readers in this folder, and the first profile of one more reader, who
    has three with 40 ratings each. Says on standard error how far it is."""
    service = matching.service(folder)
    began = time.perf_counter()

    def done(what: str) -> None:
        print(f"{time.perf_counter() - began:6.1f} s  {what}", file=sys.stderr, flush=True)

    _store(service, papers)
    done(f"{papers:,} papers stored")
    learning.refit(service, NOW)
    done("an edition fitted")
    while taken := indexing.index(service, NOW):
        done(f"{taken:,} papers indexed")
    trends.make(service, NOW)
    done("trends made")
    _settle(service, readers)
    done(f"{readers:,} readers with a month behind them")
    _watch(service)
    days.keep(service.database, NOW)
    done("a month of checks and runs told")
    match.gather(service, NOW, [])
    match.match_pending(service, NOW)
    done("the latest batch matched")
    return service, _one_more(service)


def _store(service: Service, papers: int) -> None:
    """An archive of weeks; the latest one is news."""
    with service.database.writing() as session:
        make_room(session)
        source = source_store.add(session, name="made up", kind="file", location="", every_minutes=0, now=NOW)
        for first in range(0, papers, _A_WEEK):
            day = NOW.date() - timedelta(days=7 * first // _A_WEEK)
            week = synthetic.papers(min(_A_WEEK, papers - first), first=first, day=day)
            paper_store.merge(session, week, source.id, NOW, archive=first > 0)


def _settle(service: Service, readers: int) -> None:
    """Confirmed readers with models that are up to date, matches, digests and ratings."""
    liked = synthetic.papers(10 * _DISTINCT)
    with service.database.reading() as session:
        edition = learning.edition(service, session)
        last = paper_store.last_number(session)
    models = [
        RANKERS[DEFAULT].learn(edition, Interests(), [Judged(p, "like") for p in liked[at : at + 10]])
        for at in range(0, len(liked), 10)
    ]
    with service.database.writing() as session:
        make_room(session)
        for table, rows in matching.readers(range(1, readers + 1), models, edition.name):
            session.execute(insert(table), rows)
        _insert(session, DigestRow, _digests(range(1, readers + 1), last))
        for day in range(_DAYS, 0, -1):
            at = NOW - timedelta(days=day)
            batch = BatchRow(made_at=at, papers=600, receipt="", matched_at=at)
            session.add(batch)
            session.flush()
            first = (_DAYS - day) * readers + 1  # the day's digests are numbered as the readers are
            _insert(session, MatchRow, _matches(readers, batch.id, at, last, first))
        _insert(session, FeedbackRow, _ratings(range(1, readers + 1), last, _RATED))


def _insert(session: Session, table: type[Base], rows: Iterator[dict[str, Any]]) -> None:
    while block := list(islice(rows, _ROWS)):
        session.execute(insert(table), block)


def _matches(readers: int, batch: int, at: datetime, last: int, digest: int) -> Iterator[dict[str, Any]]:
    chance = random.Random(batch)
    for profile in range(1, readers + 1):
        picks = [Pick(chance.randint(1, last), 1.0, "good") for _ in range(2 * _PICKS)]
        yield {
            "profile_id": profile, "batch_id": batch, "made_at": at, "ranked": 600,
            "picks": pack(picks[:_PICKS], picks[_PICKS:]), "digest_id": digest + profile - 1,
        }  # fmt: skip


def _digests(people: Iterable[int], last: int) -> Iterator[dict[str, Any]]:
    """A digest a day for each of these subscribers, who have a profile of the same number."""
    chance = random.Random(1)
    everybody = list(people)
    for day in range(_DAYS, 0, -1):
        queued = NOW - timedelta(days=day)
        for person in everybody:
            items = [[chance.randint(1, last), 1.0, "good", []] for _ in range(_PICKS)]
            sections = [{"profile": person, "items": items}]
            yield {
                "subscriber_id": person, "kind": "digest", "period": queued.isoformat(), "state": "sent",
                "message_id": f"{person}.{day}@example.org", "content": {"receipt": "", "sections": sections},
                "attempts": 1, "next_attempt_at": None, "leased_until": None, "queued_at": queued,
                "sent_at": queued + timedelta(minutes=chance.randint(1, 60)), "last_error": "",
            }  # fmt: skip


def _ratings(profiles: Iterable[int], last: int, each: int) -> Iterator[dict[str, Any]]:
    chance = random.Random(2)
    for profile in profiles:
        for day in range(each, 0, -1):
            opinion = chance.choice(("like", "like", "save", "dislike"))
            yield {
                "profile_id": profile, "paper_id": chance.randint(1, last), "opinion": opinion,
                "at": NOW - timedelta(days=day), "via": "page",
            }  # fmt: skip


def _watch(service: Service) -> None:
    """Sources with a month of checks, and a run a minute. Of checks that brought nothing one a day is kept:
    the service keeps the last one where they all say the same."""
    with service.database.writing() as session:
        sources = [
            source_store.add(
                session, name=f"Source {n}", kind="arxiv" if n % 2 else "feed",
                location=f"https://example.org/{n}", every_minutes=60, now=NOW + timedelta(hours=1),
            ).id
            for n in range(_SOURCES)
        ]  # fmt: skip
        halves = [NOW - timedelta(hours=12 * half) for half in range(2 * _DAYS, 0, -1)]
        _insert(session, ReceiptRow, (_check(source, at) for at in halves for source in sources))
        minutes = (NOW - timedelta(minutes=minute) for minute in range(1440 * _DAYS, 0, -1))
        _insert(session, TurnRow, map(_turn, minutes))


def _check(source: int, at: datetime) -> dict[str, Any]:
    news = at.hour == 0
    return {
        "run": "r", "source_id": source, "at": at, "location": "", "format": "", "batch": at.date(),
        "outcome": "papers" if news else "unchanged", "received": 40 * news, "new": 30 * news, "updated": 0,
        "merged": 10 * news, "rejected": 0, "rejections": [], "note": "", "error": "",
    }  # fmt: skip


def _turn(at: datetime) -> dict[str, Any]:
    return {
        "job": "run", "slot": at, "run": "r", "taker": "host/7", "started_at": at, "finished_at": at,
        "report": {}, "error": "",
    }  # fmt: skip


def _one_more(service: Service) -> Profile:
    """A reader with three profiles, 40 ratings each, the latest papers and twenty digests."""
    themes = synthetic.papers(3)
    found = []
    for at, theme in enumerate(themes):
        words = theme.title.split()
        wanted = request(
            email="ada@example.org", name=f"Interest {at + 1}", per_day=10, statement=" ".join(words[:6]),
            terms=words[6:], authors=theme.authors[:1],
        )  # fmt: skip
        found.append(subscribe.create(service, wanted, NOW, confirmed="by the benchmark"))
    with service.database.writing() as session:
        last = paper_store.last_number(session)
        _insert(session, DigestRow, _digests([found[0].subscriber_id], last))
        _insert(session, FeedbackRow, _ratings([p.id for p in found], last, 40))
        for profile in found:
            subscriber_store.change_profile(session, profile, NOW)
    return found[0]
