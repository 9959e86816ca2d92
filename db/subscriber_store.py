"""Subscribers, their profiles, and what they said about papers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any, cast

from sqlalchemy import case, delete, func, insert, literal, select, update
from sqlalchemy.orm import Session

from db import alert_store, spent_numbers
from db.session import rows_changed
from db.tables import FeedbackRow, MatchRow, ModelRow, Moment, PaperRow, ProfileRow, SubscriberRow
from profiles.delivery import DeliveryPlan
from profiles.feedback import Feedback, Opinion
from profiles.profile import Profile, Subscriber
from recommender.interest import Interests, Mutes

_ADDRESSES = 7202614  # beside the numbers of an address; db.bulk has the one before
ERASED = "erased"
"""The state of a subscriber who was forgotten: a number without an address."""


@dataclass(frozen=True, slots=True)
class Standing:
    """The address, the state, and the numbers of the profiles that come by mail."""

    email: str
    state: str
    mailed: frozenset[int]


class UnknownProfileError(LookupError):
    """There is no profile of that name or number."""


def subscriber(session: Session, number: int) -> Subscriber | None:
    """The subscriber with this number; None for one who was forgotten."""
    row = session.get(SubscriberRow, number)
    return _subscriber(row) if row and row.state != ERASED else None


def by_email(session: Session, email: str) -> Subscriber | None:
    """The subscriber with this address, whatever its case."""
    row = session.scalars(select(SubscriberRow).where(SubscriberRow.email == email.lower())).first()
    return _subscriber(row) if row and email else None


def hold_address(session: Session, email: str) -> None:
    """Let nobody else subscribe this address until the transaction ends; SQLite has one writer anyway."""
    if email and session.get_bind().dialect.name == "postgresql":
        held = func.pg_advisory_xact_lock(_ADDRESSES, func.hashtext(email.lower()))
        session.execute(select(held))


def standings(session: Session, numbers: Iterable[int]) -> dict[int, Standing]:
    """How these subscribers stand towards mail at this moment, by number; who is gone is not in it."""
    query = (
        select(SubscriberRow.id, SubscriberRow.email, SubscriberRow.state, ProfileRow.id, ProfileRow.delivery)
        .outerjoin(ProfileRow, ProfileRow.subscriber_id == SubscriberRow.id)
        .where(SubscriberRow.id.in_(list(numbers)))
    )
    states: dict[int, tuple[str, str]] = {}
    mailed: dict[int, set[int]] = {}
    for number, email, state, profile, delivery in session.execute(query):
        states[number] = email, state
        mailed.setdefault(number, set())
        if profile and delivery["frequency"] != "feed":
            mailed[number].add(profile)
    return {number: Standing(*state, frozenset(mailed[number])) for number, state in states.items()}


def standing(session: Session, number: int) -> Standing | None:
    """How this subscriber stands towards mail at this moment."""
    return standings(session, [number]).get(number)


def add_subscriber(session: Session, email: str, state: str, now: datetime, note: str) -> Subscriber:
    """A new subscriber; the address must be new (or empty, for a reader of feeds only)."""
    agreed = (now, note) if state == "confirmed" else (None, None)
    row = SubscriberRow(
        email=email.lower(), state=state, state_at=now, state_note=note, created_at=now,
        confirmed_at=agreed[0], confirmed_note=agreed[1],
    )  # fmt: skip
    session.add(row)
    session.flush()
    return _subscriber(row)


def set_state(session: Session, number: int, state: str, now: datetime, note: str) -> bool:
    """Move a subscriber to a state; false if it was in that state already (nothing is written then)."""
    values = {"state": state, "state_at": now, "state_note": note}
    if state == "confirmed":
        values |= {"confirmed_at": now, "confirmed_note": note}
    able = SubscriberRow.id == number, SubscriberRow.state.not_in((state, ERASED))
    return rows_changed(session, update(SubscriberRow).where(*able).values(values)) == 1


def suppress(session: Session, number: int, now: datetime, why: str) -> bool:
    """Send no more mail to an address that takes none; false where its owner has left, which stays so."""
    able = SubscriberRow.id == number, SubscriberRow.state.in_(["confirmed", "unconfirmed"])
    values = {"state": "suppressed", "state_at": now, "state_note": why}
    return rows_changed(session, update(SubscriberRow).where(*able).values(values)) == 1


def lift(session: Session, number: int, now: datetime, note: str) -> str:
    """Write to a suppressed address again; its new state, empty where it was not suppressed.

    It is confirmed where its owner had agreed to mail before, which remains what it was; else unconfirmed.
    """
    state = case((SubscriberRow.confirmed_at.is_(None), "unconfirmed"), else_="confirmed")
    able = SubscriberRow.id == number, SubscriberRow.state == "suppressed"
    change = update(SubscriberRow).where(*able).values(state=state, state_at=now, state_note=note)
    return session.scalar(change.returning(SubscriberRow.state)) or ""


def suppressed(session: Session) -> list[tuple[Subscriber, datetime | None]]:
    """Addresses that get no more mail, the latest first, each with when somebody last subscribed with it
    since then."""
    asked = (
        select(func.max(ProfileRow.created_at))
        .where(ProfileRow.subscriber_id == SubscriberRow.id, ProfileRow.created_at > SubscriberRow.state_at)
        .scalar_subquery()
    )
    query = select(SubscriberRow, asked).where(SubscriberRow.state == "suppressed")
    ordered = query.order_by(SubscriberRow.state_at.desc(), SubscriberRow.id)
    return [(_subscriber(row), at) for row, at in session.execute(ordered)]


def subscribers(session: Session) -> list[Subscriber]:
    """All subscribers, oldest first, without those who were forgotten."""
    query = select(SubscriberRow).where(SubscriberRow.state != ERASED).order_by(SubscriberRow.id)
    return [_subscriber(row) for row in session.scalars(query)]


# --- profiles ------------------------------------------------------------------------------------------


def add_profile(
    session: Session, subscriber_id: int, name: str, interests: Interests, *, per_day: int,
    delivery: DeliveryPlan, feed_token: str, now: datetime,
) -> Profile:  # fmt: skip
    """A new profile; a subscriber's profiles have different names."""
    row = ProfileRow(
        id=spent_numbers.unspent(session), subscriber_id=subscriber_id, name=name,
        interests=_interests_out(interests), per_day=per_day,
        delivery=delivery_out(delivery), feed_token=feed_token, created_at=now, revision=1,
        next_digest_at=delivery.next_slot(now),
    )  # fmt: skip
    session.add(row)
    session.flush()
    return _profile(row)


def change_profile(session: Session, profile: Profile, now: datetime) -> None:
    """Store the profile as it now is; its model is stale from here on, and its next digest planned anew
    unless one is due already."""
    session.execute(
        update(ProfileRow)
        .where(ProfileRow.id == profile.id)
        .values(
            name=profile.name, interests=_interests_out(profile.interests), per_day=profile.per_day,
            delivery=delivery_out(profile.delivery), feed_token=profile.feed_token,
            revision=ProfileRow.revision + 1, changed_at=now,
            next_digest_at=case(
                (ProfileRow.next_digest_at <= now, ProfileRow.next_digest_at),
                else_=literal(profile.delivery.next_slot(now), Moment()),
            ),
        )
    )  # fmt: skip


def delete_profile(session: Session, profile_id: int) -> None:
    """Forget a profile with its feedback, model, matches and scores."""
    alert_store.forget_scores(session, profile_id)
    for table in (FeedbackRow, ModelRow, MatchRow):
        session.execute(delete(table).where(table.profile_id == profile_id))
    session.execute(delete(ProfileRow).where(ProfileRow.id == profile_id))
    spent_numbers.spend(session, [profile_id])


def profile(session: Session, number: int, *, held: bool = False) -> Profile | None:
    """The profile with this number; ``held`` keeps others from changing it until the transaction ends."""
    row = session.get(ProfileRow, number, with_for_update=held)
    return _profile(row) if row else None


def profile_by_token(session: Session, token: str) -> Profile | None:
    """The profile whose feed has this token."""
    row = session.scalars(select(ProfileRow).where(ProfileRow.feed_token == token)).first()
    return _profile(row) if row else None


def profile_named(session: Session, name: str) -> Profile:
    """The profile that a person means: a number, a name, or ``address/name`` where names repeat.

    Raises `UnknownProfileError` saying what there is.
    """
    query = select(ProfileRow).order_by(ProfileRow.id)
    if name.isdecimal():
        row = session.get(ProfileRow, int(name))
        found = [row] if row else []
    elif "/" in name and "@" in name.partition("/")[0]:
        email, _, label = name.partition("/")
        query = query.join(SubscriberRow, SubscriberRow.id == ProfileRow.subscriber_id)
        found = list(
            session.scalars(query.where(SubscriberRow.email == email.lower(), ProfileRow.name == label))
        )
    else:
        found = list(session.scalars(query.where(ProfileRow.name == name)))
    if len(found) == 1:
        return _profile(found[0])
    if found:
        numbers = ", ".join(str(row.id) for row in found)
        raise UnknownProfileError(f"several profiles are named {name!r}: give one of the numbers {numbers}")
    raise UnknownProfileError(f"no profile {name!r}; `paperwatch profile list` shows them")


def profiles_of(session: Session, subscriber_id: int) -> list[Profile]:
    """A subscriber's profiles, oldest first."""
    query = select(ProfileRow).where(ProfileRow.subscriber_id == subscriber_id).order_by(ProfileRow.id)
    return [_profile(row) for row in session.scalars(query)]


def profiles(session: Session) -> list[Profile]:
    """All profiles, oldest first."""
    return [_profile(row) for row in session.scalars(select(ProfileRow).order_by(ProfileRow.id))]


def active_profiles(
    session: Session, *, after: int = 0, upto: int | None = None, at_most: int
) -> list[tuple[Profile, int]]:
    """A shard of the profiles to match, with the revision of each: those of confirmed subscribers, by number
    after ``after``, up to ``upto`` if it is given."""
    query = (
        select(ProfileRow)
        .join(SubscriberRow, SubscriberRow.id == ProfileRow.subscriber_id)
        .where(ProfileRow.id > after, SubscriberRow.state == "confirmed")
        .order_by(ProfileRow.id)
        .limit(at_most)
    )
    if upto is not None:
        query = query.where(ProfileRow.id <= upto)
    return [(_profile(row), row.revision) for row in session.scalars(query)]


def last_number(session: Session) -> int:
    """The highest number that a profile has; 0 if there is none."""
    return session.scalar(select(func.max(ProfileRow.id))) or 0


def undeleted(session: Session, first: int, last: int) -> set[int]:
    """The numbers from ``first`` to ``last`` that profiles have; none of these can be deleted before the
    session ends."""
    query = select(ProfileRow.id).where(ProfileRow.id.between(first, last))
    return set(session.scalars(query.with_for_update(read=True, key_share=True)))


def due_number(session: Session, now: datetime, *, at_most: int) -> int:
    """How many profiles have a digest due, counted up to ``at_most``."""
    found = select(ProfileRow.id).where(ProfileRow.next_digest_at <= now).limit(at_most).subquery()
    return session.execute(select(func.count()).select_from(found)).scalar_one()


def due_profiles(
    session: Session, now: datetime, *, at_most: int
) -> list[tuple[Subscriber, list[tuple[Profile, datetime]]]]:
    """Subscribers with a digest due, each with the profiles that are due and since when; longest waiting
    first. In PostgreSQL the rows are locked, so that two processes get different ones."""
    first = (
        select(ProfileRow.subscriber_id, func.min(ProfileRow.next_digest_at).label("since"))
        .where(ProfileRow.next_digest_at <= now)
        .group_by(ProfileRow.subscriber_id)
        .order_by("since", ProfileRow.subscriber_id)
        .limit(at_most)
        .subquery()
    )
    query = (
        select(SubscriberRow, ProfileRow)
        .join(first, first.c.subscriber_id == SubscriberRow.id)
        .join(ProfileRow, ProfileRow.subscriber_id == SubscriberRow.id)
        .where(ProfileRow.next_digest_at <= now)
        .order_by(first.c.since, SubscriberRow.id, ProfileRow.id)
        .with_for_update(skip_locked=True, of=ProfileRow)
    )
    found: dict[int, tuple[Subscriber, list[tuple[Profile, datetime]]]] = {}
    for person, row in session.execute(query):
        entry = found.setdefault(person.id, (_subscriber(person), []))
        entry[1].append((_profile(row), row.next_digest_at or now))
    return list(found.values())


def plan_digest(session: Session, profile_id: int, at: datetime | None) -> None:
    """When the profile's next digest is due; None where nothing is planned."""
    session.execute(update(ProfileRow).where(ProfileRow.id == profile_id).values(next_digest_at=at))


def announce(session: Session, profile_ids: Iterable[int], now: datetime) -> None:
    """These profiles have matches and want them at once: their digests are due."""
    session.execute(
        update(ProfileRow)
        .where(ProfileRow.id.in_(list(profile_ids)), ProfileRow.next_digest_at.is_(None))
        .values(next_digest_at=now)
    )


def revision(session: Session, profile_id: int) -> int:
    """How often the profile was edited or rated; 0 if it does not exist."""
    return session.scalar(select(ProfileRow.revision).where(ProfileRow.id == profile_id)) or 0


def with_revisions(session: Session, profile_ids: Iterable[int]) -> list[tuple[Profile, int]]:
    """These profiles, each with how often it was edited or rated."""
    query = select(ProfileRow).where(ProfileRow.id.in_(list(profile_ids))).order_by(ProfileRow.id)
    return [(_profile(row), row.revision) for row in session.scalars(query)]


# --- feedback ------------------------------------------------------------------------------------------


def add_feedback(
    session: Session, profile_id: int, paper: int, opinion: Opinion, now: datetime, via: str
) -> None:
    """Append one event; the profile's model is stale from here on."""
    session.execute(
        insert(FeedbackRow).values(profile_id=profile_id, paper_id=paper, opinion=opinion, at=now, via=via)
    )
    risen = {"revision": ProfileRow.revision + 1, "changed_at": now}
    session.execute(update(ProfileRow).where(ProfileRow.id == profile_id).values(risen))


def feedback(session: Session, profile_ids: Iterable[int]) -> dict[int, list[Feedback]]:
    """All events of these profiles, oldest first; the papers by canonical key."""
    query = (
        select(FeedbackRow.profile_id, PaperRow.key, FeedbackRow.opinion, FeedbackRow.at, FeedbackRow.via)
        .join(PaperRow, PaperRow.id == FeedbackRow.paper_id)
        .where(FeedbackRow.profile_id.in_(list(profile_ids)))
        .order_by(FeedbackRow.at, FeedbackRow.id)
    )
    events: dict[int, list[Feedback]] = {}
    for profile_id, key, opinion, at, via in session.execute(query):
        event = Feedback(profile_id, key, cast(Opinion, opinion), at, via)
        events.setdefault(profile_id, []).append(event)
    return events


# --- rows ----------------------------------------------------------------------------------------------


def _subscriber(row: SubscriberRow) -> Subscriber:
    return Subscriber(
        row.id, row.email, row.state, row.state_at, row.state_note, row.created_at, row.confirmed_at,
        row.confirmed_note or "",
    )  # fmt: skip


def _profile(row: ProfileRow) -> Profile:
    return Profile(
        row.id, row.subscriber_id, row.name, _interests_in(row.interests), row.per_day,
        _delivery_in(row.delivery), row.feed_token, row.created_at,
    )  # fmt: skip


def _interests_out(interests: Interests) -> dict[str, Any]:
    return asdict(interests)


def _interests_in(data: dict[str, Any]) -> Interests:
    mutes = {name: tuple(words) for name, words in data.get("mutes", {}).items()}
    return Interests(
        statement=data.get("statement", ""),
        terms=tuple((str(term), float(weight)) for term, weight in data.get("terms", ())),
        authors=tuple(data.get("authors", ())),
        categories=tuple(data.get("categories", ())),
        seeds=tuple(data.get("seeds", ())),
        mutes=Mutes(**mutes),
    )


def delivery_out(plan: DeliveryPlan) -> dict[str, Any]:
    """A plan as it is stored."""
    return asdict(plan) | {"paused_until": plan.paused_until.isoformat() if plan.paused_until else None}


def _delivery_in(data: dict[str, Any]) -> DeliveryPlan:
    until = data.get("paused_until")
    return DeliveryPlan(
        **(data | {"days": tuple(data["days"]), "paused_until": date.fromisoformat(until) if until else None})
    )
