"""What a profile has to read: its latest matches with reasons, for its feed and its page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from db import alert_store, paper_store
from db.records import Stored
from jobs.alerts.digest import Item
from jobs.match import recent_scores
from jobs.reasons import Reasons
from jobs.service import Service
from profiles.profile import Profile


@dataclass(frozen=True, slots=True)
class Entry:
    """One paper that the profile was given, and when."""

    item: Item
    at: datetime


def latest(service: Service, profile: Profile, now: datetime, at_most: int = 50) -> list[Entry]:
    """The papers that the profile was given, the newest batch first and the best first within it."""
    with service.database.reading() as session:
        picks = [
            (pick, match.made_at)
            for match in alert_store.matches_of(session, profile.id)
            for pick in sorted(match.chosen, key=lambda p: (-p.score, p.paper))
        ][:at_most]
        numbers = {n for pick, _ in picks for n in (pick.paper, *pick.similar)}
        papers = paper_store.by_numbers(session, numbers, with_sources=True)
        picks = [(p, at) for p, at in picks if p.paper in papers and not papers[p.paper].paper.withdrawn]
        if not picks:
            return []
        items = Reasons(service, session, profile, now).items([p for p, _ in picks], papers)
    return [Entry(item, at) for item, (_, at) in zip(items, picks, strict=True)]


def paper(service: Service, key: str) -> Stored | None:
    """A stored paper by its key or an alias, with its sources."""
    with service.database.reading() as session:
        return paper_store.by_keys(session, [key], with_sources=True).get(key)


def explained(service: Service, profile: Profile, key: str, now: datetime) -> Item | None:
    """Any paper on hand, explained for a profile; None if it is not on hand."""
    found = paper(service, key)
    if found is None:
        return None
    with service.database.reading() as session:
        recent = recent_scores(alert_store.matches_of(session, profile.id))
        return Reasons(service, session, profile, now).item(found.paper, recent.scores)
