"""Rankers on trial: for which profiles, and what they would have chosen of each batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, delete, select, update
from sqlalchemy.orm import Session

from db.match_rows import pack
from db.records import Pick
from db.session import insert_or, rows_changed
from db.tables import MatchRow, ShadowRow, TrialRow


@dataclass(frozen=True, slots=True)
class Trial:
    """A second ranker beside the first for one profile; ``interleaved`` where the two share the list."""

    profile: int
    ranker: str
    interleaved: bool
    since: datetime


@dataclass(frozen=True, slots=True)
class Shadow:
    """Of one batch for one profile, as row numbers of papers, best first: what the ``first`` ranker chose,
    what the ``second`` would have, and, where they shared the list, each place with the one that filled it.
    """

    profile: int
    batch: int
    ranker: str
    first: tuple[int, ...]
    second: tuple[int, ...]
    drafted: tuple[tuple[int, str], ...] = ()


def start(session: Session, trial: Trial) -> None:
    """Begin a trial; one that runs goes on, interleaved or silent as now asked for."""
    values = {
        "profile_id": trial.profile, "ranker": trial.ranker, "interleaved": trial.interleaved,
        "since": trial.since,
    }  # fmt: skip
    statement = insert_or(session, TrialRow).values(values)
    changed = {"interleaved": trial.interleaved}
    session.execute(statement.on_conflict_do_update(index_elements=["profile_id", "ranker"], set_=changed))


def stop(session: Session, ranker: str, profile_id: int | None = None) -> int:
    """End the trials of a ranker, or that of one profile; what they found stays. How many there were."""
    query = delete(TrialRow).where(TrialRow.ranker == ranker)
    return rows_changed(
        session, query if profile_id is None else query.where(TrialRow.profile_id == profile_id)
    )


def trials(session: Session) -> list[Trial]:
    """All that run, by ranker and profile."""
    query = select(TrialRow).order_by(TrialRow.ranker, TrialRow.profile_id)
    return [Trial(r.profile_id, r.ranker, r.interleaved, r.since) for r in session.scalars(query)]


def waiting(session: Session) -> list[tuple[Trial, int]]:
    """Trials with each batch, matched since they began, that the second ranker has not seen; by batch."""
    seen = and_(
        ShadowRow.profile_id == MatchRow.profile_id, ShadowRow.batch_id == MatchRow.batch_id,
        ShadowRow.ranker == TrialRow.ranker,
    )  # fmt: skip
    query = (
        select(TrialRow, MatchRow.batch_id)
        .join(MatchRow, MatchRow.profile_id == TrialRow.profile_id)
        .outerjoin(ShadowRow, seen)
        .where(MatchRow.made_at >= TrialRow.since, ShadowRow.profile_id.is_(None))
        .order_by(MatchRow.batch_id, TrialRow.profile_id, TrialRow.ranker)
    )
    return [
        (Trial(r.profile_id, r.ranker, r.interleaved, r.since), batch) for r, batch in session.execute(query)
    ]


def keep(session: Session, found: Shadow, now: datetime) -> bool:
    """Remember what a batch came to; false where somebody has."""
    values = {
        "profile_id": found.profile, "batch_id": found.batch, "ranker": found.ranker, "made_at": now,
        "items": {"first": found.first, "second": found.second, "drafted": found.drafted},
    }  # fmt: skip
    statement = insert_or(session, ShadowRow).values(values).on_conflict_do_nothing()
    return session.execute(statement.returning(ShadowRow.profile_id)).scalar() is not None


def share_list(
    session: Session, profile: int, batch: int, chosen: Sequence[Pick], near: Sequence[Pick]
) -> bool:
    """Give the profile these papers of a batch instead; false where a digest has taken its match already."""
    mine = MatchRow.profile_id == profile, MatchRow.batch_id == batch, MatchRow.digest_id.is_(None)
    return rows_changed(session, update(MatchRow).where(*mine).values(picks=pack(chosen, near))) == 1


def found(session: Session, ranker: str | None = None) -> list[Shadow]:
    """What trials found so far, of one ranker or of all; by ranker, profile and batch."""
    query = select(ShadowRow).order_by(ShadowRow.ranker, ShadowRow.profile_id, ShadowRow.batch_id)
    if ranker is not None:
        query = query.where(ShadowRow.ranker == ranker)
    return [
        Shadow(
            row.profile_id, row.batch_id, row.ranker, tuple(row.items["first"]), tuple(row.items["second"]),
            tuple((paper, team) for paper, team in row.items["drafted"]),
        )
        for row in session.scalars(query)
    ]  # fmt: skip
