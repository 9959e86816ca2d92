"""What a subscriber's own pages show beside the day's papers, and all of it in one file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from db import mine_store, paper_store, subscriber_store
from db.mine_store import Digest
from jobs.service import Service
from profiles.profile import Profile, Subscriber
from recommender.paper import Paper

VOLUME_DAYS = 30


@dataclass(frozen=True, slots=True)
class Kept:
    """A paper that the reader of ``profile`` liked or saved, and when."""

    paper: Paper
    profile: Profile
    opinion: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Volume:
    """How many papers a profile got on each of the last `VOLUME_DAYS` days, oldest first; likes and saves."""

    days: tuple[int, ...]
    liked: int
    saved: int


def kept(
    service: Service, profiles: Sequence[Profile], *, start: int, at_most: int,
    opinions: Sequence[str] = ("like", "save"),
) -> tuple[list[Kept], int]:  # fmt: skip
    """What the readers of these profiles liked or saved, or one of both, the latest first, from place
    ``start`` on; and how many there are in all."""
    mine = {p.id: p for p in profiles}
    with service.database.reading() as session:
        said = mine_store.opinions(session, mine, opinions)
        shown = said[start : start + at_most]
        papers = paper_store.by_numbers(session, [s.paper for s in shown], with_sources=True)
    found = [
        Kept(papers[s.paper].paper, mine[s.profile], s.opinion, s.at) for s in shown if s.paper in papers
    ]
    return found, len(said)


def taken_along(service: Service, profiles: Sequence[Profile], opinions: Sequence[str]) -> list[Paper]:
    """The papers that the readers of these profiles have such an opinion of, each once, the latest first."""
    with service.database.reading() as session:
        said = mine_store.opinions(session, [p.id for p in profiles], opinions)
        numbers = list(dict.fromkeys(s.paper for s in said))
        papers = paper_store.by_numbers(session, numbers, with_sources=True)
    return [papers[number].paper for number in numbers if number in papers]


def volumes(service: Service, profiles: Sequence[Profile], now: datetime) -> dict[int, Volume]:
    """The volume of each profile, for side by side."""
    numbers = [p.id for p in profiles]
    with service.database.reading() as session:
        matched = mine_store.volume(session, numbers, now - timedelta(days=VOLUME_DAYS))
        events = subscriber_store.feedback(session, numbers)
    found = {}
    for number in numbers:
        days = [0] * VOLUME_DAYS
        for at, papers in matched.get(number, ()):
            days[VOLUME_DAYS - 1 - min(VOLUME_DAYS - 1, max(0, (now - at).days))] += papers
        last = {e.paper_id: e.opinion for e in events.get(number, ()) if e.opinion != "open"}
        opinions = list(last.values())
        found[number] = Volume(tuple(days), opinions.count("like"), opinions.count("save"))
    return found


def digest_papers(service: Service, digest: Digest) -> dict[int, Paper]:
    """The papers of a digest by row number; one that was removed since is left out."""
    numbers = [number for _, papers in digest.sections for number in papers]
    with service.database.reading() as session:
        return {n: s.paper for n, s in paper_store.by_numbers(session, numbers, with_sources=True).items()}


def everything(service: Service, person: Subscriber, now: datetime) -> dict[str, Any]:
    """All that is kept of a subscriber, for a file of their own: papers by canonical id, times in UTC."""
    with service.database.reading() as session:
        profiles = subscriber_store.profiles_of(session, person.id)
        events = subscriber_store.feedback(session, [p.id for p in profiles])
        digests = mine_store.digests(session, person.id, at_most=10_000)
        keys = mine_store.keys(session, {n for d in digests for _, held in d.sections for n in held})
    names = {p.id: p.name for p in profiles}
    return {
        "exported_at": now.isoformat(),
        "subscriber": {
            "email": person.email, "state": person.state, "state_at": person.state_at.isoformat(),
            "state_note": person.state_note, "created_at": person.created_at.isoformat(),
            "confirmed_at": person.confirmed_at.isoformat() if person.confirmed_at else None,
            "confirmed_note": person.confirmed_note,
        },
        "profiles": [
            {
                "name": p.name, "created_at": p.created_at.isoformat(), "per_day": p.per_day,
                **asdict(p.interests), "delivery": _delivery(p),
                "feed": service.links.feed(p.feed_token),
                "feedback": [
                    {"paper": e.paper_id, "opinion": e.opinion, "at": e.at.isoformat(), "via": e.via}
                    for e in events.get(p.id, ())
                ],
            }
            for p in profiles
        ],
        "digests": [
            {
                "state": d.state, "queued_at": d.queued_at.isoformat(),
                "sent_at": d.sent_at.isoformat() if d.sent_at else None,
                "papers": {
                    names.get(number, "a deleted profile"): [keys[n] for n in held if n in keys]
                    for number, held in d.sections
                },
            }
            for d in digests
        ],
    }  # fmt: skip


def _delivery(profile: Profile) -> dict[str, Any]:
    until = profile.delivery.paused_until
    return asdict(profile.delivery) | {"paused_until": until.isoformat() if until else None}
