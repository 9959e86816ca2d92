"""Leaving: by one click, on a page, or by mail; and being forgotten."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from db import mine_store, subscriber_store
from jobs.alerts.outbox_folder import OutboxFolder
from jobs.service import Service
from profiles.profile import Subscriber


def leave(service: Service, subscriber_id: int, profile_id: int | None, now: datetime, note: str) -> bool:
    """Stop the mails of one profile, or of the whole subscriber; whether there was anything to stop.

    The feed of a profile goes on: it is asked for, not sent.
    """
    with service.database.writing() as session:
        if profile_id is None:
            return subscriber_store.set_state(session, subscriber_id, "unsubscribed", now, note)
        profile = subscriber_store.profile(session, profile_id)
        if profile is None or profile.subscriber_id != subscriber_id or profile.delivery.frequency == "feed":
            return False
        quiet = replace(profile, delivery=replace(profile.delivery, frequency="feed"))
        subscriber_store.change_profile(session, quiet, now)
        return True


def erase(service: Service, person: Subscriber, outbox: OutboxFolder, now: datetime) -> None:
    """Forget a subscriber with all profiles, ratings and digests, and what the local outbox holds of them."""
    with service.database.writing() as session:
        mine_store.erase(session, person.id, now)
    outbox.forget(person.email)
