"""Subscribing, confirming and rating."""

from __future__ import annotations

import secrets
from datetime import datetime

from db import paper_store, subscriber_store
from db.session import Session
from jobs import deliver, match
from jobs.service import Service
from profiles.feedback import Opinion
from profiles.profile import Profile, Subscriber
from profiles.request import Request, RequestError


def create(
    service: Service, wanted: Request, now: datetime, *, confirmed: str = "", welcome: bool = True
) -> Profile:
    """Store a subscription. ``confirmed`` says who vouches for the address; otherwise the subscriber gets a
    confirmation mail and nothing else until they confirm. A reader of feeds only needs none.

    A known address gets a further profile, and where it is confirmed its first papers, unless the ``welcome``
    is left to the caller. Raises `RequestError` if it has one of that name.
    """
    with service.database.writing() as session:
        subscriber_store.hold_address(session, wanted.email)  # a button may be pressed twice
        person = subscriber_store.by_email(session, wanted.email)
        if person is None:
            state = "confirmed" if confirmed or not wanted.email else "unconfirmed"
            note = confirmed or ("reads feeds only" if not wanted.email else "subscribed, not confirmed yet")
            person = subscriber_store.add_subscriber(session, wanted.email, state, now, note)
        elif any(p.name == wanted.name for p in subscriber_store.profiles_of(session, person.id)):
            raise RequestError(
                "name", f"There is a profile named {wanted.name!r} for this address; give another name."
            )
        profile = subscriber_store.add_profile(
            session, person.id, wanted.name, wanted.interests, per_day=wanted.per_day,
            delivery=wanted.delivery, feed_token=secrets.token_urlsafe(24), now=now,
        )  # fmt: skip
        if person.state == "unconfirmed":
            deliver.queue_link(service, session, person, "confirmation", now)
    if welcome and person.state == "confirmed":
        match.welcome(service, [profile.id], now)
    return profile


def confirm(service: Service, subscriber_id: int, now: datetime, note: str) -> Subscriber | None:
    """The address wants mail: from here on its digests go out. Confirming again changes nothing."""
    with service.database.writing() as session:
        person = subscriber_store.subscriber(session, subscriber_id)
        if person is None:
            return None
        newly = person.state in {"unconfirmed", "unsubscribed"}
        if newly:
            subscriber_store.set_state(session, subscriber_id, "confirmed", now, note)
        profiles = [p.id for p in subscriber_store.profiles_of(session, subscriber_id)]
    if newly:
        match.welcome(service, profiles, now)
    return person


def rate(session: Session, profile_id: int, paper_id: str, opinion: Opinion, now: datetime, via: str) -> bool:
    """Record what a reader said about a paper; false if the paper is not on hand."""
    found = paper_store.by_keys(session, [paper_id]).get(paper_id)
    if found is None:
        return False
    subscriber_store.add_feedback(session, profile_id, found.number, opinion, now, via)
    return True
