"""A month of a service's life, written straight into its tables."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import insert

from db import source_store
from db.session import Database
from db.tables import (
    BatchRow,
    BounceRow,
    DigestRow,
    FeedbackRow,
    MatchRow,
    PaperRow,
    ProfileRow,
    SubscriberRow,
)
from jobs.days import DAYS
from jobs.service import Service
from tests.conftest import NOW

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def add_source(service: Service, name: str = "arXiv cs.DC", kind: str = "arxiv") -> int:
    """A source of this name that is due in an hour; its number."""
    with service.database.writing() as session:
        return source_store.add(
            session, name=name, kind=kind, location=f"https://rss.arxiv.org/rss/{name}", every_minutes=60,
            now=NOW + HOUR,
        ).id  # fmt: skip


def a_month(database: Database, readers: int = 1, papers: int = 0) -> None:
    """Batches, matches, digests, bounces and likes of so many readers: a digest for each every day, 40
    minutes after the batch, which is matched within a minute."""
    everyone = range(1, readers + 1)
    with database.writing() as session:
        session.execute(insert(SubscriberRow), [_subscriber(n) for n in everyone])
        session.execute(insert(ProfileRow), [_profile(n) for n in everyone])
        session.execute(insert(PaperRow), [_paper(n) for n in range(papers + 1)])
        for day in range(DAYS):
            made = NOW - day * DAY - HOUR
            batch = insert(BatchRow).values(made_at=made, papers=9, receipt="", matched_at=made + MINUTE)
            number = session.execute(batch.returning(BatchRow.id)).scalar_one()
            digests = [_digest(day * readers + n, n, made) for n in everyone]
            session.execute(insert(DigestRow), digests)
            session.execute(insert(MatchRow), [_match(d, number, made) for d in digests])
            like = {"profile_id": 1, "paper_id": 1, "opinion": "like", "at": made, "via": "mail"}
            session.execute(insert(FeedbackRow).values(like))
        bounce = {"mark": "m", "subscriber_id": 1, "at": NOW - DAY, "kind": "hard", "status": "5.1.1"}
        session.execute(insert(BounceRow).values(bounce | {"why": "gone"}))


def _subscriber(n: int) -> dict[str, Any]:
    return {
        "email": f"r{n}@example.org", "state": "confirmed", "state_at": NOW, "state_note": "",
        "created_at": NOW,
    }  # fmt: skip


def _profile(n: int) -> dict[str, Any]:
    return {
        "subscriber_id": n, "name": "p", "interests": {}, "per_day": 5, "delivery": {"days": []},
        "feed_token": f"t{n}", "created_at": NOW, "next_digest_at": NOW + 5 * HOUR, "revision": 1,
    }  # fmt: skip


def _paper(n: int) -> dict[str, Any]:
    return {
        "key": f"arxiv:2511.{n:05d}", "version": 1, "title": "A title", "abstract": "", "summary": "",
        "authors": [], "authors_complete": True, "categories": [], "announced": NOW.date(),
        "announce_type": "", "url": "", "withdrawn": False, "extra": {}, "news": False, "first_seen_at": NOW,
    }  # fmt: skip


def _digest(number: int, reader: int, made: Any) -> dict[str, Any]:
    return {
        "id": number, "subscriber_id": reader, "kind": "digest", "period": f"{made}", "state": "sent",
        "message_id": f"<{number}>", "content": {}, "attempts": 1, "queued_at": made,
        "sent_at": made + 40 * MINUTE, "last_error": "",
    }  # fmt: skip


def _match(digest: dict[str, Any], batch: int, made: Any) -> dict[str, Any]:
    return {
        "profile_id": digest["subscriber_id"], "batch_id": batch, "made_at": made, "ranked": 9, "picks": b"",
        "digest_id": digest["id"],
    }  # fmt: skip
