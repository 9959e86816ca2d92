"""Matching by shards: what a shard of profiles needs in one narrow query, and what it writes in bulk."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import cast

import numpy as np
from sqlalchemy import ARRAY, BigInteger, LargeBinary, Table, and_, func, literal, or_, select
from sqlalchemy.orm import Session

from db.bulk import insert_rows
from db.match_blocks import pack_scores, unpack_scores
from db.match_rows import SHARD
from db.records import Scores
from db.session import insert_or
from db.tables import MatchRow, ModelRow, Moment, ProfileRow, ScoresRow, SubscriberRow

_BLOCK = 1_024


@dataclass(frozen=True, slots=True)
class Waiting:
    """One profile that has no match for a batch yet, and what matching asks of it.

    ``mutes`` and ``seeds`` are as JSON, empty where there are none. ``weights`` are those that are stored,
    with what they were learned by, on and from; None where there are none.
    """

    profile: int
    revision: int
    per_day: int
    at_once: bool
    explore: bool
    mutes: str
    seeds: str
    edition: str | None
    ranker: str | None
    learned_from: int | None
    weights: bytes | None


def waiting(session: Session, batch_id: int, first: int, last: int) -> list[Waiting]:
    """Profiles from number ``first`` to ``last`` that have no match for the batch, by number: of subscribers
    who are confirmed, or were until they left or their address failed, since their feeds go on."""
    interests, delivery = ProfileRow.interests, ProfileRow.delivery
    query = (
        select(
            ProfileRow.id, ProfileRow.revision, ProfileRow.per_day,
            delivery["frequency"].as_string(), delivery["explore"].as_boolean(),
            interests["mutes"].as_string(), interests["seeds"].as_string(),
            ModelRow.edition, ModelRow.ranker, ModelRow.revision, ModelRow.weights,
        )
        .join(SubscriberRow, SubscriberRow.id == ProfileRow.subscriber_id)
        .outerjoin(ModelRow, ModelRow.profile_id == ProfileRow.id)
        .outerjoin(
            MatchRow, and_(MatchRow.profile_id == ProfileRow.id, MatchRow.batch_id == batch_id)
        )
        .where(
            ProfileRow.id.between(first, last),
            or_(SubscriberRow.state == "confirmed", SubscriberRow.confirmed_at.is_not(None)),
        )
        .where(MatchRow.profile_id.is_(None))
        .order_by(ProfileRow.id)
    )  # fmt: skip
    # On the connection: the session's own way from rows to rows takes half as long again as the database.
    return [
        Waiting(
            number, revision, per_day, frequency == "announced", explore is not False,
            _given(mutes), _given(seeds), edition, ranker, learned, weights,
        )
        for number, revision, per_day, frequency, explore, mutes, seeds, edition, ranker, learned, weights
        in session.connection().execute(query)
    ]  # fmt: skip


@lru_cache(maxsize=4_096)
def _given(held: str | None) -> str:
    """JSON of lists, or of an object of lists, as it is; empty where all of them are."""
    found = json.loads(held or "[]")
    return held or "" if any(found.values() if isinstance(found, dict) else found) else ""


def recent_scores(session: Session, first: int, last: int, since: datetime) -> list[Scores]:
    """The scores that profiles from number ``first`` to ``last`` had since then, and maybe those of profiles
    beside them; by batch, and the later first where a profile has two for one batch."""
    query = (
        select(ScoresRow.batch_id, ScoresRow.made_at, ScoresRow.ranked, ScoresRow.data)
        .where(ScoresRow.shard.between(first // SHARD, last // SHARD), ScoresRow.made_at >= since)
        .where(ScoresRow.first <= last, ScoresRow.last >= first)
        .order_by(ScoresRow.batch_id, ScoresRow.id)
    )
    return [
        Scores(batch_id, made_at, ranked, *unpack_scores(data))
        for batch_id, made_at, ranked, data in session.execute(query)
    ]


def store(session: Session, scores: Scores, picks: Sequence[bytes], known: Collection[int]) -> int:
    """Keep the matches and the best scores of those profiles of one shard that are ``known``; those that have
    a match for the batch already stay as they were. How many were new."""
    numbers = scores.profiles
    if not len(numbers):
        return 0
    held = select(MatchRow.profile_id).where(
        MatchRow.batch_id == scores.batch_id, MatchRow.profile_id.between(int(numbers[0]), int(numbers[-1]))
    )
    new = np.isin(numbers, list(known)) & ~np.isin(numbers, list(session.scalars(held)))
    chosen = np.flatnonzero(new).tolist()
    _insert(session, scores, [int(numbers[at]) for at in chosen], [picks[at] for at in chosen])
    keep_scores(session, scores.of(np.array(chosen, np.int64)))
    return len(chosen)


def keep_scores(session: Session, scores: Scores) -> None:
    """Keep the best scores of profiles of one shard, in blocks."""
    for begin in range(0, len(scores.profiles), _BLOCK):
        block = scores.of(np.arange(begin, min(begin + _BLOCK, len(scores.profiles))))
        row = ScoresRow(
            batch_id=block.batch_id, shard=int(block.profiles[0]) // SHARD, first=int(block.profiles[0]),
            last=int(block.profiles[-1]), made_at=block.made_at, ranked=block.ranked,
            data=pack_scores(block),
        )  # fmt: skip
        session.add(row)
    session.flush()


def _insert(session: Session, scores: Scores, numbers: list[int], picks: list[bytes]) -> None:
    if not numbers:
        return
    if session.get_bind().dialect.name == "postgresql":
        # One statement with two arrays takes a tenth of the time of as many rows of parameters.
        rows = select(
            func.unnest(literal(numbers, ARRAY(BigInteger))), literal(scores.batch_id),
            literal(scores.made_at, Moment()), literal(scores.ranked),
            func.unnest(literal(picks, ARRAY(LargeBinary))),
        )  # fmt: skip
        columns = ["profile_id", "batch_id", "made_at", "ranked", "picks"]
        session.execute(insert_or(session, MatchRow).from_select(columns, rows).on_conflict_do_nothing())
        return
    fixed = {"batch_id": scores.batch_id, "made_at": scores.made_at, "ranked": scores.ranked}
    insert_rows(
        session, cast(Table, MatchRow.__table__),
        [
            {"profile_id": number, **fixed, "picks": data, "digest_id": None}
            for number, data in zip(numbers, picks, strict=True)
        ],
    )  # fmt: skip
