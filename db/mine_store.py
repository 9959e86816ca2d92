"""What a subscriber's own pages show beside their papers: digests, volume; and how they are forgotten."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from db import alert_store, spent_numbers
from db.feed_store import chosen_head
from db.match_rows import HEAD
from db.subscriber_store import ERASED
from db.tables import (
    ApiKeyRow,
    BounceRow,
    DigestRow,
    FeedbackRow,
    MatchRow,
    ModelRow,
    PaperRow,
    ProfileRow,
    ShadowRow,
    SubscriberRow,
    TrialRow,
)


@dataclass(frozen=True, slots=True)
class Digest:
    """One digest in the outbox: ``sections`` are (profile, row numbers of its papers), in their order."""

    number: int
    state: str
    queued_at: datetime
    sent_at: datetime | None
    receipt: str
    sections: tuple[tuple[int, tuple[int, ...]], ...]

    @property
    def papers(self) -> int:
        """How many papers it holds."""
        return sum(len(numbers) for _, numbers in self.sections)


def digests(session: Session, subscriber_id: int, *, at_most: int, before: int | None = None) -> list[Digest]:
    """The subscriber's latest digests, newest first; those older than ``before``, if given."""
    query = (
        select(DigestRow)
        .where(DigestRow.subscriber_id == subscriber_id, DigestRow.kind == "digest")
        .order_by(DigestRow.id.desc())
        .limit(at_most)
    )
    if before is not None:
        query = query.where(DigestRow.id < before)
    return [_digest(row) for row in session.scalars(query)]


def digest(session: Session, subscriber_id: int, number: int) -> Digest | None:
    """One digest of this subscriber."""
    row = session.get(DigestRow, number)
    return _digest(row) if row and row.subscriber_id == subscriber_id and row.kind == "digest" else None


def volume(
    session: Session, profile_ids: Iterable[int], since: datetime
) -> dict[int, list[tuple[datetime, int]]]:
    """When each of these profiles was matched since then, and how many papers it got; oldest first."""
    query = (
        select(MatchRow.profile_id, MatchRow.made_at, chosen_head().label("head"))
        .where(MatchRow.profile_id.in_(list(profile_ids)), MatchRow.made_at >= since)
        .order_by(MatchRow.batch_id)
    )
    found: dict[int, list[tuple[datetime, int]]] = {}
    for row in session.execute(query):
        found.setdefault(row.profile_id, []).append((row.made_at, HEAD.unpack(row.head)[0]))
    return found


@dataclass(frozen=True, slots=True)
class Said:
    """The current opinion of a profile's reader on a paper, by row numbers."""

    profile: int
    paper: int
    opinion: str
    at: datetime


def opinions(session: Session, profile_ids: Iterable[int], words: Iterable[str]) -> list[Said]:
    """The current opinions of these profiles that are one of ``words``, latest first."""
    query = (
        select(FeedbackRow.profile_id, FeedbackRow.paper_id, FeedbackRow.opinion, FeedbackRow.at)
        .where(FeedbackRow.profile_id.in_(list(profile_ids)), FeedbackRow.opinion != "open")
        .order_by(FeedbackRow.at, FeedbackRow.id)
    )
    last = {(row.profile_id, row.paper_id): Said(*row) for row in session.execute(query)}
    wanted = set(words)
    kept = [said for said in last.values() if said.opinion in wanted]
    return sorted(kept, key=lambda said: (said.at, said.paper, said.profile), reverse=True)


def keys(session: Session, numbers: Iterable[int]) -> dict[int, str]:
    """The canonical keys of papers by row number."""
    wanted = sorted(set(numbers))
    found: dict[int, str] = {}
    for start in range(0, len(wanted), 1_000):
        query = select(PaperRow.id, PaperRow.key).where(PaperRow.id.in_(wanted[start : start + 1_000]))
        found |= {row.id: row.key for row in session.execute(query)}
    return found


def erase(session: Session, subscriber_id: int, now: datetime) -> None:
    """Forget a subscriber with all that was kept for them.

    A row without an address stays, so that its number, which signed links name, never means somebody else.
    """
    own = select(ProfileRow.id).where(ProfileRow.subscriber_id == subscriber_id)
    deleted = session.scalars(own).all()
    for number in deleted:
        alert_store.forget_scores(session, number)
    spent_numbers.spend(session, deleted)
    for table in (FeedbackRow, ModelRow, MatchRow, TrialRow, ShadowRow):
        session.execute(delete(table).where(table.profile_id.in_(own)))
    for held in (ProfileRow, DigestRow, BounceRow, ApiKeyRow):
        session.execute(delete(held).where(held.subscriber_id == subscriber_id))
    nobody = {
        "email": "", "state": ERASED, "state_at": now, "state_note": "", "created_at": now,
        "confirmed_at": None, "confirmed_note": None,
    }  # fmt: skip
    session.execute(update(SubscriberRow).where(SubscriberRow.id == subscriber_id).values(nobody))


def _digest(row: DigestRow) -> Digest:
    sections = tuple(
        (int(section["profile"]), tuple(int(item[0]) for item in section["items"]))
        for section in row.content.get("sections", ())
    )
    receipt = str(row.content.get("receipt", ""))
    return Digest(row.id, row.state, row.queued_at, row.sent_at, receipt, sections)
