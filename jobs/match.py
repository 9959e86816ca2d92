"""News against profiles: which few papers of a batch each reader gets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from db import alert_store, model_store, paper_store, source_store, subscriber_store
from db.records import Batch, Match, Pick, Receipt, Stored
from jobs import learning, receipts
from jobs.service import Service
from profiles.profile import Profile
from recommender import select
from recommender.dial import ENOUGH_DAYS, Recent
from recommender.select import Choice, Likeness
from recommender.weights import score_all

# One shard of work: small enough to lose, large enough that the database is asked seldom.
_SHARD = 1_000
# A batch may span a week (a weekly digest) or years (an archive given by hand): only its latest days count.
_DAYS = 7
_HISTORY = timedelta(days=30)
_TODAY = timedelta(hours=20)
# A new profile's scores are measured against so many of the latest papers, until it has scores of its own.
_REFERENCE = 1_000
# So many of a batch's best scores are remembered; the dial goes up to 100 a day, and most want five.
_TOP = 64


@dataclass(frozen=True, slots=True)
class Matched:
    """How many batches and papers were matched against how many profiles, and how many papers were chosen."""

    batches: int = 0
    papers: int = 0
    profiles: int = 0
    chosen: int = 0


def gather(service: Service, now: datetime, checked: Sequence[Receipt]) -> Batch | None:
    """Make a batch of what is news and belongs to none, with the words that tell readers what was checked."""
    with service.database.writing() as session:
        latest = alert_store.latest_batch(session)
        since = latest.made_at if latest else None
        # What was ingested by hand since the last batch counts too, whichever process did it.
        known = [r for r in source_store.receipts(session, since=since) if r.new] or list(checked)
        names = {s.id: s.name for s in source_store.every(session)}
        return alert_store.make_batch(session, now, receipts.in_words(known, names))


def match_pending(service: Service, now: datetime) -> Matched:
    """Match every batch that waits against every profile. Begun again after a crash, it goes on where it
    stopped: a profile that has its match for a batch keeps it."""
    with service.database.reading() as session:
        waiting = alert_store.unmatched_batches(session)
    total = Matched()
    for batch in waiting:
        done = match_shard(service, batch.id, now)
        with service.database.writing() as session:
            alert_store.finish_batch(session, batch.id, now)
        total = Matched(
            total.batches + 1, total.papers + done.papers, total.profiles + done.profiles,
            total.chosen + done.chosen,
        )  # fmt: skip
    return total


def match_shard(
    service: Service, batch_id: int, now: datetime, *, after: int = 0, upto: int | None = None
) -> Matched:
    """Match the profiles numbered ``after`` < number <= ``upto`` against a batch: all of them by default.

    Any number of processes may do it, at once or again: a profile that has its match for the batch keeps it.
    """
    papers = _papers(service, batch_id)
    profiles = chosen = 0
    while shard := _next_shard(service, after, upto):
        picked = _match_shard(service, batch_id, papers, shard, now)
        profiles, chosen, after = profiles + len(shard), chosen + picked, shard[-1][0].id
    return Matched(0, len(papers), profiles, chosen)


def welcome(service: Service, profile_ids: Iterable[int], now: datetime) -> None:
    """Give new profiles their first papers, from the latest days on hand, so that nobody starts empty."""
    with service.database.reading() as session:
        batch = alert_store.latest_batch(session)
        wanted = set(profile_ids)
        shard = [(p, revision) for p, revision in subscriber_store.with_revisions(session, wanted)]
        papers = paper_store.recent(session, days=_DAYS, at_most=20_000)
        papers = [s for s in papers if batch is not None and s.batch is not None and s.batch <= batch.id]
    if batch is not None and papers and shard:
        _match_shard(service, batch.id, papers, shard, now)


def _next_shard(service: Service, after: int, upto: int | None) -> list[tuple[Profile, int]]:
    with service.database.reading() as session:
        return subscriber_store.active_profiles(session, after=after, upto=upto, at_most=_SHARD)


def _papers(service: Service, batch_id: int) -> list[Stored]:
    with service.database.reading() as session:
        found = paper_store.by_numbers(session, alert_store.paper_numbers(session, batch_id))
    days = sorted({s.paper.announced for s in found.values() if s.paper.announced}, reverse=True)[:_DAYS]
    return [s for s in found.values() if s.paper.announced is None or s.paper.announced in days]


def _match_shard(
    service: Service,
    batch_id: int,
    papers: Sequence[Stored],
    shard: Sequence[tuple[Profile, int]],
    now: datetime,
) -> int:
    """Match these profiles, store what each gets; how many papers were chosen in all."""
    with service.database.reading() as session:
        done = alert_store.matched_profiles(session, batch_id, [p.id for p, _ in shard])
        todo = [(p, revision) for p, revision in shard if p.id not in done]
        weights, learned = learning.weights(service, session, todo, now)
        past = alert_store.recent_matches(session, [p.id for p, _ in todo], now - _HISTORY)
        history = {p.id: recent_scores(past.get(p.id, [])) for p, _ in todo}
        young = any(h.days < ENOUGH_DAYS for h in history.values())
        others = paper_store.recent(session, days=_DAYS, at_most=_REFERENCE) if young else []
        edition = learning.edition(service, session)
    if not papers or not todo:
        return 0
    batch = {s.number for s in papers}
    reference = [s for s in others if s.number not in batch]
    texts = [s.paper for s in (*papers, *reference)]
    edition = edition.extended(texts, [p.interests for p, _ in todo])
    X = edition.transform(texts)
    scores = score_all(X, [weights[p.id].on(edition) for p, _ in todo]).astype(np.float64)
    likeness = Likeness([s.paper for s in papers], X[: len(papers), edition.text_columns])
    matches = []
    for column, (profile, _) in enumerate(todo):
        own, beside = scores[: len(papers), column], scores[len(papers) :, column]
        known = history[profile.id]
        if known.days < ENOUGH_DAYS:
            known = known.with_reference([*own, *beside])
        today = sum(len(m.chosen) for m in past.get(profile.id, []) if now - m.made_at < _TODAY)
        matches.append(_match(profile, Scored(papers, own, likeness), known, today, now))
    with service.database.writing() as session:
        model_store.keep_models(session, learned, now)
        alert_store.add_matches(session, [replace(m, batch_id=batch_id) for m in matches])
        mailed = {m.profile_id for m in matches if m.chosen}
        at_once = [p.id for p, _ in todo if p.delivery.frequency == "announced" and p.id in mailed]
        subscriber_store.announce(session, at_once, now)
    return sum(len(m.chosen) for m in matches)


@dataclass(frozen=True, slots=True)
class Scored:
    """A batch as one profile sees it: the papers, a score for each, and how alike they are."""

    papers: Sequence[Stored]
    scores: NDArray[np.float64]
    likeness: Likeness


def _match(profile: Profile, batch: Scored, known: Recent, today: int, now: datetime) -> Match:
    """What the profile gets of the batch: about ``per_day`` for each day that it spans, less what it had
    ``today``, above the cut of its ``known`` scores."""
    days = max(1, len({s.paper.announced for s in batch.papers}))
    seeds = frozenset(profile.interests.seeds)
    # A seed is the reader's own example: it would set a mark that no new paper reaches.
    own = np.array([s.paper.id in seeds for s in batch.papers], dtype=bool)
    if own.any():
        known = Recent.of(np.setdiff1d(known.top, batch.scores[own]), known.papers, known.days)
    picked = select.choose(
        [s.paper for s in batch.papers],
        batch.scores,
        limit=max(1, profile.per_day * days - today),
        mutes=profile.interests.mutes,
        seen=seeds,
        cut=known.cut(profile.per_day),
        X=batch.likeness,
        history=known.scores,
    )
    top = np.sort(batch.scores[(batch.scores > 0) & ~own])[::-1][:_TOP]
    return Match(
        profile.id, 0, now, len(batch.papers), tuple(_pick(batch, c) for c in picked.chosen),
        tuple(_pick(batch, c) for c in picked.near), tuple(top.tolist()),
    )  # fmt: skip


def recent_scores(past: Sequence[Match]) -> Recent:
    """The scores that these matches remember."""
    scores = [score for m in past for score in m.scores]
    return Recent.of(scores, sum(m.ranked for m in past), len({m.made_at.date() for m in past}))


def _pick(batch: Scored, choice: Choice) -> Pick:
    similar = tuple(batch.papers[at].number for at in choice.similar)
    return Pick(batch.papers[choice.paper].number, choice.score, choice.strength, similar, choice.explore)
