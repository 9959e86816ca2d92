"""What readers get: batches of news, each profile's matches, and the outbox.

A paper belongs to one batch, and a profile has one match a batch: so no paper comes twice to a profile.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, bindparam, delete, func, select, update
from sqlalchemy.orm import Session

from db.match_rows import NONE_CHOSEN, SHARD, pack, scores_without, unpack
from db.records import Batch, Match, Queued, Stored
from db.session import insert_or, rows_changed
from db.tables import BatchRow, DigestRow, MatchRow, PaperRow, ScoresRow

# The dial looks 30 days back; a batch that waited may still ask for the days before it.
_SCORES_COUNT = timedelta(days=45)
_NOT_SENT = ("cancelled", "empty", "failed", "queued", "sending", "suppressed")

# --- batches ---------------------------------------------------------------------------------------------


def has_news(session: Session) -> bool:
    """Whether there is news that belongs to no batch yet."""
    waiting = select(PaperRow.id).where(PaperRow.news, PaperRow.batch_id.is_(None)).limit(1)
    return session.execute(waiting).first() is not None


def make_batch(session: Session, now: datetime, receipt: str) -> Batch | None:
    """Gather the news that belongs to no batch yet into a new one; None if there is none."""
    if not has_news(session):
        return None
    row = BatchRow(made_at=now, papers=0, receipt=receipt, matched_at=None)
    session.add(row)
    session.flush()
    unbatched = PaperRow.news, PaperRow.batch_id.is_(None)
    gathered = update(PaperRow).where(*unbatched).values(batch_id=row.id)
    row.papers = rows_changed(session, gathered.execution_options(synchronize_session=False))
    if not row.papers:  # another process was first
        session.delete(row)
        return None
    session.flush()
    return _batch(row)


def unmatched_batches(session: Session) -> list[Batch]:
    """Batches that not every profile was matched against, oldest first."""
    query = select(BatchRow).where(BatchRow.matched_at.is_(None)).order_by(BatchRow.id)
    return [_batch(row) for row in session.scalars(query)]


def latest_batch(session: Session) -> Batch | None:
    """The newest batch."""
    row = session.scalars(select(BatchRow).order_by(BatchRow.id.desc()).limit(1)).first()
    return _batch(row) if row else None


def batches(session: Session, numbers: Iterable[int]) -> dict[int, Batch]:
    """Batches by number."""
    query = select(BatchRow).where(BatchRow.id.in_(list(numbers)))
    return {row.id: _batch(row) for row in session.scalars(query)}


def paper_numbers(session: Session, batch_id: int) -> list[int]:
    """Row numbers of a batch's papers, in order."""
    query = select(PaperRow.id).where(PaperRow.batch_id == batch_id, PaperRow.withdrawn.is_(False))
    return list(session.scalars(query.order_by(PaperRow.id)))


def finish_batch(session: Session, batch_id: int, now: datetime) -> bool:
    """Every profile was matched against this batch; whether nobody had said so before."""
    session.execute(delete(ScoresRow).where(ScoresRow.made_at < now - _SCORES_COUNT))
    mine = BatchRow.id == batch_id, BatchRow.matched_at.is_(None)
    return rows_changed(session, update(BatchRow).where(*mine).values(matched_at=now)) == 1


# --- matches ---------------------------------------------------------------------------------------------


def add_matches(session: Session, matches: Sequence[Match]) -> None:
    """Store matches; those that a profile already has for a batch stay as they were."""
    if not matches:
        return
    rows = [
        {
            "profile_id": m.profile_id, "batch_id": m.batch_id, "made_at": m.made_at, "ranked": m.ranked,
            "picks": pack(m.chosen, m.near), "digest_id": None,
        }
        for m in matches
    ]  # fmt: skip
    session.execute(insert_or(session, MatchRow).on_conflict_do_nothing(), rows)


def matches_of(
    session: Session, profile_id: int, *, at_most: int = 60, between: tuple[int, int] | None = None,
    filled: bool = False,
) -> list[Match]:  # fmt: skip
    """A profile's latest matches, newest first; with ``between`` only those of the batches from one number
    to the other, with ``filled`` only those that chose a paper."""
    query = select(MatchRow).where(MatchRow.profile_id == profile_id).order_by(MatchRow.batch_id.desc())
    if between is not None:
        query = query.where(MatchRow.batch_id.between(*between))
    if filled:
        query = query.where(func.substr(MatchRow.picks, 1, len(NONE_CHOSEN)) != NONE_CHOSEN)
    return [_match(row) for row in session.scalars(query.limit(at_most))]


def word_given(session: Session, profile_id: int, paper: Stored) -> str | None:
    """With which strength the profile was given a paper, as chosen or near; None where it was not.

    A paper is in the match of its batch, or in the profile's first one, which looks back.
    """
    first = select(func.min(MatchRow.batch_id)).where(MatchRow.profile_id == profile_id).scalar_subquery()
    query = select(MatchRow).where(MatchRow.profile_id == profile_id).order_by(MatchRow.batch_id.desc())
    rows = session.scalars(query.where((MatchRow.batch_id == paper.batch) | (MatchRow.batch_id == first)))
    picks = (pick for row in rows for held in [_match(row)] for pick in (*held.chosen, *held.near))
    return next((pick.strength for pick in picks if pick.paper == paper.number), None)


def unmailed(session: Session, profile_ids: Iterable[int]) -> list[Match]:
    """Matches of these profiles that no digest has taken yet, oldest first."""
    query = (
        select(MatchRow)
        .where(MatchRow.profile_id.in_(list(profile_ids)), MatchRow.digest_id.is_(None))
        .order_by(MatchRow.batch_id, MatchRow.profile_id)
    )
    return [_match(row) for row in session.scalars(query)]


def forget_scores(session: Session, profile_id: int) -> None:
    """Take a profile's scores out of their blocks; its matches go with it, or are taken elsewhere."""
    query = select(ScoresRow.id, ScoresRow.data).where(
        ScoresRow.shard == profile_id // SHARD, ScoresRow.first <= profile_id, ScoresRow.last >= profile_id
    )
    for number, data in session.execute(query).all():
        left = scores_without(data, [profile_id])
        change = update(ScoresRow).where(ScoresRow.id == number).values(data=left)
        session.execute(change if left else delete(ScoresRow).where(ScoresRow.id == number))


# --- the outbox --------------------------------------------------------------------------------------------


def queue(
    session: Session, *, subscriber_id: int, kind: str, period: str, message_id: str, content: dict[str, Any],
    now: datetime, matches: Sequence[Match] = (), state: str = "queued",
) -> int | None:  # fmt: skip
    """Put one mail into the outbox and mark the matches that it holds; None if that period is there."""
    statement = (
        insert_or(session, DigestRow)
        .values(
            subscriber_id=subscriber_id, kind=kind, period=period, message_id=message_id, state=state,
            content=content, attempts=0, next_attempt_at=now, leased_until=None, queued_at=now, sent_at=None,
            last_error="",
        )
        .on_conflict_do_nothing(index_elements=["subscriber_id", "kind", "period"])
        .returning(DigestRow.id)
    )  # fmt: skip
    number = session.execute(statement).scalar()
    if number is not None:
        for match in matches:
            session.execute(
                update(MatchRow)
                .where(MatchRow.profile_id == match.profile_id, MatchRow.batch_id == match.batch_id)
                .where(MatchRow.digest_id.is_(None))
                .values(digest_id=number)
            )
    return number


def lease(session: Session, now: datetime, *, seconds: int, at_most: int) -> list[Queued]:
    """Take due mails for this process, each by exactly one: queued ones whose time has come, and those whose
    sender died in the middle (their lease ran out).

    A mail that was never tried is due whatever the clock says, which may have been set back since.
    """
    until = now + timedelta(seconds=seconds)
    due = (DigestRow.next_attempt_at <= now) | (DigestRow.attempts == 0)
    ready = ((DigestRow.state == "queued") & due) | _stranded(now)
    numbers = select(DigestRow.id).where(ready).order_by(DigestRow.next_attempt_at, DigestRow.id)
    if session.get_bind().dialect.name == "postgresql":
        numbers = numbers.with_for_update(skip_locked=True)
    chosen = list(session.scalars(numbers.limit(at_most)))
    if not chosen:
        return []
    taken = (
        update(DigestRow)
        .where(DigestRow.id.in_(chosen), ready)
        .values(state="sending", leased_until=until, attempts=DigestRow.attempts + 1)
        .returning(DigestRow.id)
    )
    query = select(DigestRow).where(DigestRow.id.in_(list(session.scalars(taken))))
    return [_queued(row) for row in session.scalars(query.order_by(DigestRow.id))]


def due_mails(session: Session, now: datetime, *, at_most: int) -> int:
    """How many mails could be leased now, counted up to ``at_most``."""
    due = (DigestRow.next_attempt_at <= now) | (DigestRow.attempts == 0)
    ready = ((DigestRow.state == "queued") & due) | _stranded(now)
    found = select(DigestRow.id).where(ready).limit(at_most).subquery()
    return session.execute(select(func.count()).select_from(found)).scalar_one()


def _stranded(now: datetime) -> ColumnElement[bool]:
    return (DigestRow.state == "sending") & (DigestRow.leased_until < now)


def extend(session: Session, numbers: Iterable[int], until: datetime) -> None:
    """This process is still at work on these mails."""
    mine = DigestRow.id.in_(list(numbers)), DigestRow.state == "sending"
    session.execute(update(DigestRow).where(*mine).values(leased_until=until))


def give_back(session: Session, numbers: Iterable[int]) -> None:
    """These leased mails were not tried after all."""
    mine = DigestRow.id.in_(list(numbers)), DigestRow.state == "sending"
    untried = {"state": "queued", "leased_until": None, "attempts": DigestRow.attempts - 1}
    session.execute(update(DigestRow).where(*mine).values(untried))


def sent(session: Session, number: int, now: datetime) -> None:
    """The mail server has taken it."""
    session.execute(_SENT, {"number": number, "at": now})


# Made once: putting the statement together takes longer than the database takes for it.
_SENT = (
    update(DigestRow)
    .where(DigestRow.id == bindparam("number"))
    .values(state="sent", sent_at=bindparam("at"), leased_until=None, last_error="")
    .execution_options(synchronize_session=False)
)


def was_taken(session: Session, message_id: str, attempt: int, at: datetime) -> bool:
    """The mail server took it at this attempt, as a sender noted that did not live to record it; false where
    that is recorded, or the mail has been tried anew since."""
    mine = DigestRow.message_id == message_id, DigestRow.state == "sending", DigestRow.attempts == attempt
    values = {"state": "sent", "sent_at": at, "leased_until": None, "last_error": ""}
    return rows_changed(session, update(DigestRow).where(*mine).values(values)) == 1


def failed(
    session: Session, number: int, error: str, *, attempt: int, retry_at: datetime | None = None
) -> None:
    """It was not taken: to be tried again at ``retry_at``, or never.

    Only where ``attempt`` is still the last one: a mail that another process took over stays as it left it.
    """
    state = "queued" if retry_at else "failed"
    values = {"state": state, "next_attempt_at": retry_at, "leased_until": None, "last_error": error}
    _close(session, number, attempt, values)


def suppressed(session: Session, number: int, why: str, *, attempt: int) -> None:
    """It is not to be sent: the subscriber left, paused or never confirmed."""
    _close(session, number, attempt, {"state": "suppressed", "leased_until": None, "last_error": why})


def _close(session: Session, number: int, attempt: int, values: dict[str, Any]) -> None:
    mine = DigestRow.id == number, DigestRow.state == "sending", DigestRow.attempts == attempt
    session.execute(update(DigestRow).where(*mine).values(values))


def retry(session: Session, numbers: Iterable[int], now: datetime, *, lease_seconds: int) -> list[int]:
    """Make these mails due at once, with all their attempts before them; which of them could be.

    Those that were sent, were empty or are just being sent could not. A lease that is longer than leases are
    was made before the clock was set back, and holds nothing.
    """
    beyond = DigestRow.leased_until > now + timedelta(seconds=lease_seconds)
    waiting = DigestRow.state.in_(["queued", "failed", "suppressed", "cancelled"])
    able = waiting | _stranded(now) | ((DigestRow.state == "sending") & beyond)
    again = {"state": "queued", "attempts": 0, "next_attempt_at": now, "leased_until": None}
    change = update(DigestRow).where(DigestRow.id.in_(list(numbers)), able).values(again)
    return sorted(session.scalars(change.returning(DigestRow.id)))


def cancel(session: Session, numbers: Iterable[int]) -> list[int]:
    """Never send these mails; which of them could be stopped: those that wait or have failed."""
    able = DigestRow.id.in_(list(numbers)), DigestRow.state.in_(["queued", "failed", "suppressed"])
    change = update(DigestRow).where(*able).values(state="cancelled", next_attempt_at=None)
    return sorted(session.scalars(change.returning(DigestRow.id)))


def outbox(
    session: Session, *, subscriber_id: int | None = None, states: Sequence[str] = (),
    before: int | None = None, at_most: int = 100,
) -> list[Queued]:  # fmt: skip
    """The outbox's latest mails, newest first; all of these ``states``, or of any, with numbers below
    ``before`` if one is given."""
    query = select(DigestRow).order_by(DigestRow.id.desc()).limit(at_most)
    if subscriber_id is not None:
        query = query.where(DigestRow.subscriber_id == subscriber_id)
    if states:
        query = query.where(DigestRow.state.in_(states))
    if before is not None:
        query = query.where(DigestRow.id < before)
    return [_queued(row) for row in session.scalars(query)]


def in_state(session: Session, state: str) -> list[int]:
    """The numbers of all mails in this state, oldest first."""
    return list(session.scalars(select(DigestRow.id).where(DigestRow.state == state).order_by(DigestRow.id)))


def mail(session: Session, number: int) -> Queued | None:
    """The mail with this number."""
    row = session.get(DigestRow, number)
    return _queued(row) if row else None


def mail_with_id(session: Session, message_id: str) -> Queued | None:
    """The mail with this Message-ID, angle brackets included."""
    row = session.scalars(select(DigestRow).where(DigestRow.message_id == message_id)).first()
    return _queued(row) if row else None


def oldest_waiting(session: Session) -> datetime | None:
    """Since when the mail that has waited longest is in the outbox."""
    waiting = DigestRow.state.in_(["queued", "sending"])
    return session.scalar(select(func.min(DigestRow.queued_at)).where(waiting))


def outbox_states(session: Session) -> dict[str, int]:
    """How many mails are in each state. Sent ones are those that are in no other, of which there are few:
    SQLite counts all rows ten times as fast as those of the commonest state."""
    mails = select(func.count()).select_from(DigestRow)
    counts = [mails, *(mails.where(DigestRow.state == state) for state in _NOT_SENT)]
    total, *others = session.execute(select(*(each.scalar_subquery() for each in counts))).one()
    states = dict(zip(_NOT_SENT, others, strict=True)) | {"sent": total - sum(others)}
    return {state: number for state, number in sorted(states.items()) if number}


# --- rows --------------------------------------------------------------------------------------------------


def _batch(row: BatchRow) -> Batch:
    return Batch(row.id, row.made_at, row.papers, row.receipt, row.matched_at is not None)


def _match(row: MatchRow) -> Match:
    return Match(row.profile_id, row.batch_id, row.made_at, row.ranked, *unpack(row.picks))


def _queued(row: DigestRow) -> Queued:
    return Queued(
        row.id, row.subscriber_id, row.kind, row.period, row.message_id,
        row.state,  # type: ignore[arg-type]  # the column holds only these words
        row.content, row.attempts, row.next_attempt_at, row.leased_until, row.queued_at, row.sent_at,
        row.last_error,
    )  # fmt: skip
