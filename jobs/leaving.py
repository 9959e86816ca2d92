"""Leaving: by one click, on a page, or by mail."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from db import subscriber_store
from jobs.service import Service


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
