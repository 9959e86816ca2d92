"""One shard of profiles against one batch: read in bulk, scored in one product, chosen, stored."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from db import match_store, model_store, subscriber_store
from db.match_blocks import PICK, pack_many
from db.match_rows import BEST, SHARD, WORDS
from db.match_store import Waiting
from db.model_store import Model
from db.records import Scores
from db.session import Session
from jobs import candidates, learning
from jobs.news import News
from jobs.service import Service
from jobs.tally import Matched
from recommender import choosing
from recommender.choosing import Asked, Bars, Chosen, choose_many
from recommender.dial import ENOUGH_DAYS, Past, Recent
from recommender.interest import Mutes
from recommender.mutes import Filter
from recommender.packed import readable
from recommender.ranking import DEFAULT

_HISTORY = timedelta(days=30)
_TODAY = timedelta(hours=20)
# As many scores at once as keep a chunk's matrices at some ten MB each.
_SCORES_AT_ONCE = 2_000_000
# The explore slot takes a place, so it is for readers who get several and whose cut is known by now.
_EXPLORE_FROM = 3

Ints = NDArray[np.int64]
assert WORDS == choosing.WORDS, "strengths are stored as places in the same list"  # noqa: S101


def match_range(service: Service, batch_id: int, now: datetime, first: int, last: int) -> Matched:
    """Match the profiles numbered ``first`` to ``last`` against a batch, in transactions of its own.

    A profile that has its match for the batch keeps it, so that it may be called again, by whomever and
    however often, and goes on where an earlier call stopped. Scores are kept by blocks of `SHARD` numbers,
    so no transaction reaches over the end of one.
    """
    total = Matched()
    # The other processors have shards of their own, or pages to serve.
    with threadpool_limits(1, user_api="blas"):
        for begin in range(first - first % SHARD, last + 1, SHARD):
            low, high = max(first, begin), min(last, begin + SHARD - 1)
            with service.database.reading() as session:
                ranked = candidates.of_batch(service, session, batch_id)
                found = match_store.waiting(session, batch_id, low, high)
                work = _Work.of(service, session, ranked, found, now)
            done = work.done(service, now)
            total = Matched(0, ranked.ranked, total.profiles + done.profiles, total.chosen + done.chosen)
    return total


def match_profiles(service: Service, ranked: News, profiles: Iterable[int], now: datetime) -> None:
    """Match these profiles against papers that the caller chose, as the match of their batch."""
    wanted = sorted(set(profiles))
    for number in wanted:
        with service.database.reading() as session:
            found = match_store.waiting(session, ranked.batch_id, number, number)
            work = _Work.of(service, session, ranked, found, now)
        work.done(service, now)


@dataclass(frozen=True, slots=True, eq=False)
class _Work:
    """What a shard's profiles need to be matched: their weights, and the scores of their last weeks."""

    news: News
    profiles: Sequence[Waiting]
    weights: Sequence[bytes]
    learned: dict[int, Model]
    past: Sequence[Scores]

    @classmethod
    def of(
        cls, service: Service, session: Session, ranked: News, found: Sequence[Waiting], now: datetime
    ) -> _Work:
        current = (ranked.edition, DEFAULT)
        stale = [
            w.profile for w in found
            if (w.edition, w.ranker) != current or w.learned_from != w.revision
            or not (w.weights and readable(w.weights))
        ]  # fmt: skip
        shard = subscriber_store.with_revisions(session, stale) if stale else []
        made, learned = learning.weights(service, session, shard, now) if shard else ({}, {})
        # Another process may have learned one of them since it was found stale.
        anew = {n: learned[n].weights if n in learned else made[n].to_bytes() for n in made}
        weights = [anew.get(w.profile, w.weights or b"") for w in found]
        past: list[Scores] = []
        if found:
            since = now - _HISTORY
            past = match_store.recent_scores(session, found[0].profile, found[-1].profile, since)
        return cls(ranked, found, weights, learned, past)

    def done(self, service: Service, now: datetime) -> Matched:
        """Choose for all of them and store it."""
        if not self.profiles or not self.news.ranked:
            return Matched()
        size = max(1, _SCORES_AT_ONCE // (len(self.news.numbers) or 1))
        parts = [self._chosen(slice(at, at + size), now) for at in range(0, len(self.profiles), size)]
        counts = np.concatenate([part.counts[:, 0] for part in parts])
        picks = [data for part in parts for data in _packed(self.news, part)]
        best = np.concatenate([_halves(part) for part in parts])
        numbers = np.array([w.profile for w in self.profiles], np.int64)
        scores = Scores(self.news.batch_id, now, self.news.ranked, numbers, counts.astype(np.uint16), best)
        at_once = [
            w.profile for w, count in zip(self.profiles, counts.tolist(), strict=True) if w.at_once and count
        ]
        with service.database.writing() as session:
            # Readers may have left for good since they were read; the others are not to wait for them.
            held = subscriber_store.undeleted(session, int(numbers[0]), int(numbers[-1]))
            model_store.keep_models(session, {n: m for n, m in self.learned.items() if n in held}, now)
            match_store.store(session, scores, picks, held)
            subscriber_store.announce(session, at_once, now)
        return Matched(profiles=len(self.profiles), chosen=int(counts.sum()))

    def _chosen(self, part: slice, now: datetime) -> Chosen:
        """What a chunk of the profiles gets: about ``per_day`` for each day that the batch spans, less what
        they had today, above the cut of their recent scores."""
        profiles, batch = self.profiles[part], self.news.batch
        scores = batch.scores(self.weights[part])
        barred: dict[int, Bars] = {}
        for row, waiting in enumerate(profiles):
            if waiting.seeds:
                # A seed is the reader's own example: it would set a mark that no new paper reaches.
                scores[row, self.news.columns(json.loads(waiting.seeds))] = 0
            if waiting.mutes:
                barred[row] = partial(self.news.barring.bars, _filter(waiting.mutes))
        past, today = _past(self.past, np.array([w.profile for w in profiles], np.int64), now)
        per_day = np.array([w.per_day for w in profiles], np.int64)
        cuts, marks = past.cuts(per_day), past.marks()
        young = np.flatnonzero(past.days < ENOUGH_DAYS)
        if len(young):
            wider = past.of_rows(young).with_reference(scores[young])
            cuts[young], marks[young] = wider.cuts(per_day[young]), wider.marks()
        draws = np.array(
            [
                draw_of(w.profile, self.news.batch_id) if w.explore and w.per_day >= _EXPLORE_FROM else np.nan
                for w in profiles
            ]
        )
        draws[young] = np.nan
        own = scores[:, : len(self.news.numbers)]
        if (outside := self.news.numbers[batch.order] < 0).any():
            own[:, outside] = 0
        limits = np.maximum(1, per_day * self.news.days - today)
        return choose_many(
            own, Asked(limits, cuts, marks, draws, barred), batch.ready.likeness,
            remembered=BEST, places=batch.order,
        )  # fmt: skip


def recent_scores(session: Session, profile: int, now: datetime) -> Recent:
    """What one profile's papers scored in the last weeks."""
    blocks = match_store.recent_scores(session, profile, profile, now - _HISTORY)
    past, _ = _past(blocks, np.array([profile]), now)
    return Recent(past.top[0, : past.known[0]].astype(np.float64), int(past.papers[0]), int(past.days[0]))


def _past(blocks: Sequence[Scores], profiles: Ints, now: datetime) -> tuple[Past, Ints]:
    """What these profiles scored in the last weeks, and how many papers each got within the day."""
    batches = {block.batch_id: block.best.shape[1] for block in blocks}
    for block in blocks:
        batches[block.batch_id] = max(batches[block.batch_id], block.best.shape[1])
    begins = dict(zip(batches, np.cumsum([0, *batches.values()]).tolist(), strict=False))
    place = {number: at for at, number in enumerate(batches)}
    days = {day: at for at, day in enumerate(dict.fromkeys(block.made_at.date() for block in blocks))}
    best = np.zeros((len(profiles), sum(batches.values())), np.float16)
    ranked = np.zeros((len(profiles), len(batches)), np.int64)
    today = np.zeros((len(profiles), len(batches)), np.int64)
    on_day = np.zeros((len(profiles), len(days)), bool)
    for block in blocks:
        at = np.minimum(np.searchsorted(profiles, block.profiles), len(profiles) - 1)
        held = np.flatnonzero(profiles[at] == block.profiles)
        rows, column = at[held], place[block.batch_id]
        begin = begins[block.batch_id]
        best[rows, begin : begin + block.best.shape[1]] = block.best[held]
        ranked[rows, column] = block.ranked
        on_day[rows, days[block.made_at.date()]] = True
        if now - block.made_at < _TODAY:
            today[rows, column] = block.chosen[held]
    return Past.of(best, ranked.sum(axis=1), on_day.sum(axis=1)), today.sum(axis=1)


@lru_cache(maxsize=4_096)
def _filter(mutes: str) -> Filter:
    return Filter.of(Mutes(**{name: tuple(words) for name, words in json.loads(mutes).items()}))


def draw_of(profile: int, batch_id: int) -> float:
    """A number from [0, 1) for a profile and batch: the same whenever they are matched again."""
    drawn = hashlib.blake2b(f"{profile}/{batch_id}".encode(), digest_size=8).digest()
    return int.from_bytes(drawn) / 2**64


def _halves(chosen: Chosen) -> NDArray[np.float16]:
    best = np.zeros((len(chosen.best), BEST), np.float16)
    width = min(BEST, chosen.best.shape[1])
    best[:, :width] = chosen.best[:, :width]
    return best


def _packed(ranked: News, chosen: Chosen) -> list[bytes]:
    records = np.zeros(len(chosen.paper), PICK)
    records["paper"] = ranked.numbers[chosen.paper]
    records["score"], records["explore"], records["word"] = chosen.score, chosen.explore, chosen.word
    folded = np.bincount(chosen.similar_to, minlength=len(chosen.paper))
    records["similar"] = np.minimum(folded, 255)
    similar, to = ranked.numbers[chosen.similar].astype(np.uint32), chosen.similar_to
    if (folded > 255).any():
        nth = np.arange(len(to)) - np.repeat(np.cumsum(folded) - folded, folded)
        similar = similar[nth < 255]
    return pack_many(chosen.counts, records, similar)
