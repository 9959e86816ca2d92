"""A second ranker beside the first for chosen profiles: silent, or sharing the list with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby

import numpy as np
import structlog

from db import alert_store, mine_store, shadow_store, subscriber_store
from db.records import Match, Pick
from db.session import Session
from db.shadow_store import Shadow, Trial
from jobs import candidates, learning
from jobs.news import News
from jobs.service import Service
from profiles.profile import Profile
from recommender import select
from recommender.choosing import NEAR
from recommender.interleave import Drafted, Team, credited, sign_test, team_draft
from recommender.ranking import RANKERS

log = structlog.get_logger()


def score_pending(service: Service, now: datetime) -> int:
    """Let every ranker on trial look at the batches that were matched since it began; how many lists it made.

    Its list is as long as the first one's and made by the same rules, so that the two can be compared. Where
    they share the list, the reader gets the team draft of both, unless a digest was faster.
    """
    with service.database.reading() as session:
        waiting = shadow_store.waiting(session)
    made = 0
    for ranker in sorted({trial.ranker for trial, _ in waiting} - RANKERS.keys()):
        _end(service, ranker)
    for trial, batch_id in waiting:
        if trial.ranker not in RANKERS:
            continue
        with service.database.reading() as session:
            found = _shadow(service, session, trial, batch_id, now)
        if found is None:
            continue
        shadow, match = found
        with service.database.writing() as session:
            if not subscriber_store.undeleted(session, trial.profile, trial.profile):
                continue
            shared = bool(shadow.drafted) and shadow_store.share_list(
                session, trial.profile, batch_id, match.chosen, match.near
            )
            made += shadow_store.keep(session, shadow if shared else replace(shadow, drafted=()), now)
    service.news = None
    return made


def _end(service: Service, ranker: str) -> None:
    """End the trials of a ranker of another version; otherwise they would be looked at again in each run."""
    with service.database.writing() as session:
        ended = shadow_store.stop(session, ranker)
    log.warning(
        "a ranker on trial does not exist in this version; its trials are ended", ranker=ranker,
        profiles=ended, cure=f"`paperwatch shadow report {ranker}` keeps what it found; begin another trial "
        "with `paperwatch shadow start`",
    )  # fmt: skip


def _shadow(
    service: Service, session: Session, trial: Trial, batch_id: int, now: datetime
) -> tuple[Shadow, Match] | None:
    """What the second ranker makes of a batch, and the match as it is to be where the list is shared; None
    where the profile was deleted meanwhile."""
    match = next(iter(alert_store.matches_of(session, trial.profile, between=(batch_id, batch_id))), None)
    if match is None:
        return None
    profile = subscriber_store.profile(session, trial.profile)
    ranked = candidates.of_batch(service, session, batch_id)
    first = [p for p in match.chosen if p.explore is None]
    nothing = Shadow(trial.profile, batch_id, trial.ranker, (), ())
    # A new reader's first papers are those of a week, which the second ranker is not asked about.
    if profile is None or not first or match.ranked != ranked.ranked:
        return nothing, match
    second = _second(service, session, profile, trial.ranker, ranked, len(first), now)
    shadow = replace(nothing, first=tuple(p.paper for p in first), second=tuple(p.paper for p in second))
    if not trial.interleaved:
        return shadow, match
    chance = np.random.default_rng([trial.profile, batch_id])
    ids = [[str(p.paper) for p in side] for side in (first, second)]
    drafted = team_draft(ids[0], ids[1], len(first), chance)
    places = tuple((int(place.paper), place.team) for place in drafted)
    return replace(shadow, drafted=places), _shared(match, second, [paper for paper, _ in places])


def _second(
    service: Service, session: Session, profile: Profile, ranker: str, ranked: News, count: int, now: datetime
) -> list[Pick]:
    """The best ``count`` papers of a batch by a ranker."""
    edition = learning.edition(service, session)
    judged = learning.examples(session, [profile], now)[profile.id]
    weights = RANKERS[ranker].learn(edition, profile.interests, judged)
    batch = ranked.batch
    scores = np.zeros(len(batch.order))
    scores[batch.order] = batch.scores([weights.to_bytes()])[0, : len(batch.order)]
    found = select.choose(
        batch.ready.papers, scores, limit=count, mutes=profile.interests.mutes,
        seen=frozenset(profile.interests.seeds), X=batch.ready.likeness,
    )  # fmt: skip
    numbers = ranked.numbers
    return [
        Pick(int(numbers[c.paper]), c.score, c.strength, tuple(int(numbers[at]) for at in c.similar))
        for c in found.chosen
    ]


def _shared(match: Match, second: Sequence[Pick], drafted: Sequence[int]) -> Match:
    """The match with the drafted papers in their order; what lost its place is near now.

    Readers see papers by falling score, and each score anew as the sum of its reasons; so the places get the
    scores that are there, best first, whichever ranker filled them.
    """
    known = {p.paper: p for p in (*second, *match.near, *match.chosen)}
    explored = [p for p in match.chosen if p.explore is not None and p.paper not in drafted]
    ordered = [known[paper] for paper in drafted]
    scores = sorted((p.score for p in ordered), reverse=True)
    chosen = [replace(p, score=score) for p, score in zip(ordered, scores, strict=True)]
    lost = [p for p in match.chosen if p.explore is None and p.paper not in drafted]
    inside = {*drafted, *(n for p in (*chosen, *explored) for n in p.similar)}
    near = [replace(p, similar=()) for p in (*lost, *match.near) if p.paper not in inside][:NEAR]
    return replace(match, chosen=(*chosen, *explored), near=tuple(near))


@dataclass(frozen=True, slots=True)
class Side:
    """What became of the papers that one ranker listed: how many its lists held, how many of them readers
    saw on its account in shared lists, and what they said of those that it listed."""

    listed: int
    shown: int
    liked: int
    saved: int
    disliked: int


@dataclass(frozen=True, slots=True)
class Report:
    """A trial so far: of ``batches`` lists for ``profiles`` readers, the two rankers' sides, the mean share
    of papers that both listed, and the shared lists that each won by the team draft's credit.

    ``by_chance`` is the probability (two-sided sign test) that so uneven a result is chance.
    """

    ranker: str
    profiles: int
    batches: int
    first: Side
    second: Side
    overlap: float
    first_wins: int
    second_wins: int
    ties: int
    by_chance: float


def report(session: Session, ranker: str | None = None) -> list[Report]:
    """What every trial found, or that of one ranker."""
    found = shadow_store.found(session, ranker)
    said = mine_store.opinions(session, {s.profile for s in found}, ("like", "save", "dislike"))
    opinion = {(each.profile, each.paper): each.opinion for each in said}
    return [_report(name, list(group), opinion) for name, group in groupby(found, key=lambda s: s.ranker)]


def _report(name: str, found: Sequence[Shadow], opinion: dict[tuple[int, int], str]) -> Report:
    held = [shadow for shadow in found if shadow.first]
    wins: dict[Team | None, int] = {"first": 0, "second": 0, None: 0}
    for shadow in held:
        if shadow.drafted:
            liked = {
                str(p) for p, _ in shadow.drafted if opinion.get((shadow.profile, p)) in {"like", "save"}
            }
            places = [Drafted(str(p), "first" if team == "first" else "second") for p, team in shadow.drafted]
            wins[credited(places, liked).winner] += 1
    overlaps = [len({*s.first} & {*s.second}) / len(s.first) for s in held]
    return Report(
        name, len({s.profile for s in held}), len(held), _side(held, opinion, "first"),
        _side(held, opinion, "second"), round(float(np.mean(overlaps)), 3) if overlaps else 0.0,
        wins["first"], wins["second"], wins[None], round(sign_test(wins["second"], wins["first"]), 4),
    )  # fmt: skip


def _side(found: Sequence[Shadow], opinion: dict[tuple[int, int], str], team: Team) -> Side:
    listed = [(s.profile, p) for s in found for p in (s.first if team == "first" else s.second)]
    words = [opinion.get(each) for each in listed]
    shown = sum(1 for s in found for _, drafted in s.drafted if drafted == team)
    return Side(len(listed), shown, words.count("like"), words.count("save"), words.count("dislike"))
