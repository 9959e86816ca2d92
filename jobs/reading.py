"""What a profile has to read: its latest matches with reasons, for its feed and its page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import cast

from db import alert_store, paper_store
from db.records import Match, Pick, Stored
from db.session import Session
from jobs.alerts.digest import Item, Strength
from jobs.match_shard import recent_scores
from jobs.reasons import Reasons
from jobs.saving import kept
from jobs.service import Service
from profiles.profile import Profile


@dataclass(frozen=True, slots=True)
class Entry:
    """One paper that the profile was given, and when."""

    item: Item
    at: datetime


@dataclass(frozen=True, slots=True)
class Brought:
    """What one batch of ``ranked`` papers brought a profile: the chosen ones and the near misses."""

    batch: int
    at: datetime
    ranked: int
    items: list[Item]
    near: list[Item]


def latest(
    service: Service, profile: Profile, now: datetime, at_most: int = 50, start: int = 0,
    parts: int | None = None,
) -> list[Entry]:  # fmt: skip
    """The papers that the profile was given, the newest batch first and the best first within it; from place
    ``start`` on. Of each score so many ``parts`` are told and the sum of the rest, or all."""
    with service.database.reading() as session:
        # Each of these has a paper at least; those without would crowd out what a reader of little was given.
        matches = alert_store.matches_of(session, profile.id, at_most=start + at_most, filled=True)
        return of_matches(service, session, profile, matches, now, at_most, start, parts)


def of_matches(
    service: Service, session: Session, profile: Profile, matches: Sequence[Match], now: datetime,
    at_most: int, start: int = 0, parts: int | None = None,
) -> list[Entry]:  # fmt: skip
    """The first papers that these matches of the profile chose, best first within each, with reasons."""
    picks = [
        (pick, match.made_at)
        for match in matches
        for pick in sorted(match.chosen, key=lambda p: (-p.score, p.paper))
    ][start : start + at_most]
    numbers = {n for pick, _ in picks for n in (pick.paper, *pick.similar)}
    papers = paper_store.by_numbers(session, numbers, with_sources=True)
    picks = [(p, at) for p, at in picks if p.paper in papers and not papers[p.paper].paper.withdrawn]
    if not picks:
        return []
    items = Reasons(service, session, profile, now, parts).items([p for p, _ in picks], papers)
    return [Entry(item, at) for item, (_, at) in zip(items, picks, strict=True)]


def saved(service: Service, session: Session, profile: Profile, now: datetime, at_most: int) -> list[Entry]:
    """The papers that the profile's reader saved last, the latest first, with reasons."""
    newest = kept(session, profile)[:at_most]
    if not newest:
        return []
    recent = recent_scores(session, profile.id, now)
    reasons = Reasons(service, session, profile, now)
    return [Entry(reasons.item(stored.paper, recent.scores), at) for stored, at in newest]


def brought(
    service: Service, profile: Profile, now: datetime, before: int | None, at_most: int,
    parts: int | None = None,
) -> list[Brought]:  # fmt: skip
    """The latest matches of the profile, those before a batch if one is given, with reasons. Of each score so
    many ``parts`` are told and the sum of the rest, or all."""
    with service.database.reading() as session:
        between = (1, before - 1) if before is not None else None
        matches = alert_store.matches_of(session, profile.id, at_most=at_most, between=between)
        picks = [pick for match in matches for pick in (*match.chosen, *match.near)]
        numbers = {n for pick in picks for n in (pick.paper, *pick.similar)}
        papers = paper_store.by_numbers(session, numbers, with_sources=True)
        reasons = Reasons(service, session, profile, now, parts)

        def items(picks: Sequence[Pick]) -> list[Item]:
            shown = [p for p in picks if p.paper in papers and not papers[p.paper].paper.withdrawn]
            return reasons.items(shown, papers)

        return [
            Brought(match.batch_id, match.made_at, match.ranked, items(match.chosen), items(match.near))
            for match in matches
        ]


def paper(service: Service, key: str) -> Stored | None:
    """A stored paper by its key or an alias, with its sources."""
    with service.database.reading() as session:
        return paper_store.by_keys(session, [key], with_sources=True).get(key)


def explained(service: Service, profile: Profile, key: str, now: datetime) -> Item | None:
    """Any paper on hand, explained for a profile; None if it is not on hand."""
    found = paper(service, key)
    return None if found is None else explained_paper(service, profile, found, now)


def explained_paper(
    service: Service, profile: Profile, given: Stored, now: datetime, parts: int | None = None, *,
    anew: bool = False,
) -> Item:  # fmt: skip
    """A paper, explained for a profile; of its score so many ``parts`` are told and the sum of the rest.

    Its strength is the word with which the profile was given it, so that a paper is called the same on every
    page. One that was not given, or any paper ``anew``, is measured against the latest scores.
    """
    with service.database.reading() as session:
        word = None if anew else alert_store.word_given(session, profile.id, given)
        history = () if word else recent_scores(session, profile.id, now).scores
        item = Reasons(service, session, profile, now, parts).item(given.paper, history)
        return replace(item, strength=cast(Strength, word)) if word else item
