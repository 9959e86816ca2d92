"""The papers that readers keep."""

from __future__ import annotations

from datetime import datetime

from db import paper_store, subscriber_store
from db.records import Stored
from db.session import Session
from jobs.service import Service
from profiles.feedback import current
from profiles.profile import Profile
from recommender.paper import Paper


def kept(session: Session, profile: Profile) -> list[tuple[Stored, datetime]]:
    """The papers that the profile's reader keeps as saved, and since when; the latest first."""
    events = subscriber_store.feedback(session, [profile.id]).get(profile.id, [])
    since = {key: event.at for key, event in current(events).items() if event.opinion == "save"}
    papers = paper_store.by_keys(session, since, with_sources=True)
    newest = sorted((key for key in since if key in papers), key=lambda key: (since[key], key), reverse=True)
    return [(papers[key], since[key]) for key in newest]


def saved(service: Service, profile: Profile) -> list[Paper]:
    """The papers alone."""
    with service.database.reading() as session:
        return [stored.paper for stored, _ in kept(session, profile)]
