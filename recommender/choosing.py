"""Which of the scored papers readers get, for many readers of one batch at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from recommender.likeness import SAME, Likeness
from recommender.ordering import LEAST, Flags, Floats, Ints, Scores, best_first, where_set

Bars = Callable[[Ints], Flags]
Strength = Literal["strong", "good", "near", "weak"]
STRENGTHS: tuple[tuple[Strength, float], ...] = (("strong", 0.98), ("good", 0.92), ("near", 0.80))
"""The share of the recent scores that a score must reach for each word."""
WORDS: tuple[Strength, ...] = (*(word for word, _ in STRENGTHS), "weak")
NEAR = 5
POOL = 50
"""From so many papers under the cut the explore slot is drawn."""
JUST_UNDER = 0.5
"""They must score this share of the cut."""

# Of a batch too large for the likeness of all its papers, each reader has a matrix of their own best ones: up
# to 14 MB for 100 a day of a week's. So many numbers at once are 64 MB.
_ALIKE_AT_ONCE = 16_000_000
_WIDTHS = (128, 512)  # most readers need the best hundred of a batch in order, few need all


@dataclass(frozen=True, slots=True)
class Asked:
    """What P readers want of a batch.

    ``limits`` (P): at most so many papers. ``cuts`` (P): what a paper must score. ``marks`` (P × 3): from
    which score on each word of `STRENGTHS` holds. ``draws`` (P): a number from [0, 1) that draws the paper
    of the explore slot, NaN for none. ``barred`` says for readers (by row) with mutes which of the papers at
    some places are muted.
    """

    limits: Ints
    cuts: Floats
    marks: Floats
    draws: Floats
    barred: Mapping[int, Bars] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Chosen:
    """What P readers get, as flat arrays of picks: reader by reader, first the chosen papers, best first, an
    explored one last, then the near misses, best first.

    ``counts`` (P × 2): how many are chosen and near. Of each pick: ``paper``, its place in the batch;
    ``score``; ``word``, its strength as a place in `WORDS`; ``explore``, the probability with which it was
    drawn, NaN for the others. ``similar`` are places of papers folded under the picks ``similar_to``, in
    order. ``best`` (P × at least the number asked for) are the best scores, best first, 0 where none is.
    ``passing``, ``muted`` and ``folded`` (P) count the papers that reached the cut, those of them that are
    muted, and those that were folded.
    """

    counts: Ints
    paper: Ints
    score: Floats
    word: NDArray[np.uint8]
    explore: Floats
    similar: Ints
    similar_to: Ints
    best: Scores
    passing: Ints
    muted: Ints
    folded: Ints


def choose_many(
    scores: Scores, asked: Asked, likeness: Likeness, *, diversity: float = 0.2, remembered: int = 0,
    places: Ints | None = None,
) -> Chosen:  # fmt: skip
    """Choose from the P × n ``scores`` of a batch in the order of paper ids, by which ties break.

    ``places`` (n) are the places of these papers in ``likeness`` and wherever else places are spoken of; left
    out where they are in the order of ids there too.

    A paper must score above 0 and reach the cut. What is muted is neither chosen nor near. Papers that say
    the same are folded under the best of them, the rest is spread by maximal marginal relevance (Carbonell
    and Goldstein 1998), ``diversity`` being the weight of being unlike. Of what is left, the best `NEAR` are
    near misses, and where a reader draws, gets a paper and may have another, one of the best `POOL` that
    score `JUST_UNDER` of the cut takes the last place, with a probability proportional to its score.
    ``remembered`` best scores are handed back.
    """
    cuts = _at_least(asked.cuts, scores.dtype)
    _, passing = where_set(scores >= cuts[:, None])
    n = scores.shape[1]
    wanted = np.maximum(np.minimum(passing, _most_above(asked.limits)) + POOL, remembered)
    widths = np.array([*(w for w in _WIDTHS if w < n), n])
    width = np.searchsorted(widths[:-1], wanted)
    parts = []
    for at in np.unique(width).tolist():
        rows = np.flatnonzero(width == at)
        whole = len(rows) == len(scores)
        part = _Part.of(scores if whole else scores[rows], cuts[rows], int(widths[at]), places)
        parts.append((rows, part.chosen(rows, asked, likeness, diversity)))
    return _together(parts, scores, passing)


def _at_least(cuts: Floats, dtype: np.dtype[np.float32] | np.dtype[np.float64]) -> Scores:
    """The smallest numbers of a type that are positive and reach the cuts."""
    found = np.maximum(cuts, LEAST if dtype == np.float32 else np.nextafter(0.0, 1.0))
    if dtype != np.float32:
        return found
    single = found.astype(np.float32)
    return np.where(single < found, np.nextafter(single, np.float32(np.inf)), single)


def _most_above(limits: Ints) -> Ints:
    """From so many papers above the cut the varied choice is made."""
    return np.asarray(4 * limits + 20)


@dataclass(slots=True)
class _Part:
    """Readers whose best papers are in order: R × width ``places`` and ``values``."""

    scores: Scores
    cuts: Scores
    names: Ints | None
    places: Ints
    best: Scores
    values: Floats

    @classmethod
    def of(cls, scores: Scores, cuts: Scores, width: int, names: Ints | None) -> _Part:
        columns, best = best_first(scores, width)
        places = columns if names is None else names[columns]
        return cls(scores, cuts, names, places, best, best.astype(np.float64))

    def chosen(self, rows: Ints, asked: Asked, likeness: Likeness, diversity: float) -> _Picked:
        limits = asked.limits[rows]
        most = _most_above(limits)
        muted = np.zeros(len(rows), np.int64)
        if asked.barred:
            for at, row in enumerate(rows.tolist()):
                if bars := asked.barred.get(row):
                    muted[at] = self._admit(at, bars, int(most[at]))
        passes = (self.values >= self.cuts[:, None]) & (self.values > 0)
        above = np.minimum(passes.sum(axis=1), most)
        found = np.minimum((self.values > 0).sum(axis=1), above + POOL)
        leader = self._leaders(above, limits, likeness, diversity)
        slots = np.arange(self.places.shape[1])
        chosen = leader == slots
        left = (slots < found[:, None]) & (leader < 0)
        folded = (leader >= 0) & ~chosen
        # Beside something that was wanted, and of what nearly was: noise is no exploring.
        open_to = (limits > 1) & chosen.any(axis=1)
        close = left & (self.values >= JUST_UNDER * self.cuts[:, None])
        drawn, odds = _drawn(self.values, close, np.where(open_to, asked.draws[rows], np.nan))
        has = np.flatnonzero(drawn >= 0)
        left[has, drawn[has]] = False
        full = has[chosen[has].sum(axis=1) >= limits[has]]
        if len(full):
            last = chosen.shape[1] - 1 - chosen[full, ::-1].argmax(axis=1)
            chosen[full, last] = False
            left[full, last] = True
            folded[full] &= leader[full] != last[:, None]
        near = left & (np.cumsum(left, axis=1) <= NEAR)
        return _Picked.of(self, rows, chosen, near, folded, leader, drawn, odds, asked.marks[rows], muted)

    def _admit(self, at: int, bars: Bars, most: int) -> int:
        """Leave out what is muted of one reader's row; how many that reach the cut are. Papers are looked at
        from the best on until there are enough to choose from."""
        width, n = self.places.shape[1], self.scores.shape[1]
        places, values, cut = self.places[at], self.values[at], self.cuts[at]
        passes = (values >= cut) & (values > 0)
        upto = min(int(passes.sum()), most) + POOL
        muted = np.zeros(0, bool)
        while True:
            upto = min(upto, len(values))
            muted = np.concatenate([muted, bars(places[len(muted) : upto])])
            left = ~muted & (values[:upto] > 0)
            above = int((left & passes[:upto]).sum())
            through = upto == 0 or values[upto - 1] <= 0
            if through or upto == n:
                break
            if (above >= most or values[upto - 1] < cut) and left.sum() >= min(above, most) + POOL:
                break
            if upto == len(values):
                whole, best = best_first(self.scores[at : at + 1], n)
                places = whole[0] if self.names is None else self.names[whole[0]]
                values = best[0].astype(np.float64)
                passes = (values >= cut) & (values > 0)
            upto *= 2
        kept = np.flatnonzero(left)[:width]
        self.places[at, : len(kept)] = places[kept]
        self.values[at, : len(kept)] = values[kept]
        self.values[at, len(kept) :] = 0
        return int((muted & passes[:upto]).sum())

    def _leaders(self, above: Ints, limits: Ints, likeness: Likeness, diversity: float) -> NDArray[np.int32]:
        """For each slot the slot of the paper that it is chosen as or folded under, -1 for the others."""
        width = self.places.shape[1]
        leader = np.full((len(above), width), -1, np.int32)
        if not width or not len(above):
            return leader
        slots = np.arange(width, dtype=np.int32)
        plain = np.zeros(len(above), bool)
        if (paired := likeness.paired) is not None:
            inside = slots < above[:, None]
            # All of them are chosen, and none can be the same as another.
            plain = (above <= limits) & ((paired[self.places] & inside).sum(axis=1) < 2)
            leader[plain] = np.where(inside[plain], slots, -1)
        rest = np.flatnonzero(~plain & (above > 0) & (limits > 0))
        m = int(above[rest].max(initial=1))
        at_once = len(rest) or 1
        if likeness.whole is None:
            at_once = max(1, _ALIKE_AT_ONCE // m**2)
        for start in range(0, len(rest), at_once):
            some = rest[start : start + at_once]
            alike = _alike(likeness, self.places[some, :m], above[some])
            spread = _spread(self.values[some, :m], above[some], limits[some], alike, diversity)
            leader[some, :m] = spread
        return leader


def _alike(likeness: Likeness, places: Ints, above: Ints) -> Callable[[Ints, Ints], Floats]:
    """For readers and one slot of each: how alike the paper there is to those in all slots."""
    if (whole := likeness.whole) is not None:
        return lambda rows, slots: whole[places[rows, slots][:, None], places[rows]].astype(np.float64)
    m = places.shape[1]
    held = np.zeros((len(places), m, m), np.float32)
    for row, count in enumerate(above.tolist()):
        held[row, :count, :count] = likeness.among(places[row, :count])
    return lambda rows, slots: held[rows, slots].astype(np.float64)


def _spread(
    values: Floats, above: Ints, limits: Ints, alike: Callable[[Ints, Ints], Floats], diversity: float
) -> NDArray[np.int32]:
    """The slots of the chosen papers at these papers' slots, and at those folded under them; else -1."""
    slots = np.arange(values.shape[1], dtype=np.int32)
    open_to = slots < above[:, None]
    relevance = values / values[:, :1]
    nearest = np.zeros(values.shape)
    leader = np.full(values.shape, -1, np.int32)
    count = np.zeros(len(values), np.int64)
    active = np.arange(len(values))
    while len(active):
        gain = (1 - diversity) * relevance[active] - diversity * nearest[active]
        free = open_to[active]
        gain[~free] = -np.inf
        best = gain.argmax(axis=1)
        same = free & (alike(active, best) >= SAME)
        same[np.arange(len(active)), best] = True
        # The best scored of a group stands for it.
        first = same.argmax(axis=1)
        leader[active] = np.where(same, first[:, None].astype(np.int32), leader[active])
        free &= ~same
        open_to[active] = free
        nearest[active] = np.maximum(nearest[active], alike(active, first))
        count[active] += 1
        active = active[(count[active] < limits[active]) & free.any(axis=1)]
    return leader


def _drawn(values: Floats, left: Flags, draws: Floats) -> tuple[Ints, Floats]:
    """The slot that each reader's draw hits among the best `POOL` that are left, -1 for none, and with which
    probability it was hit."""
    drawn, odds = np.full(len(values), -1), np.full(len(values), np.nan)
    rows = np.flatnonzero(~np.isnan(draws) & left.any(axis=1))
    if len(rows):
        pool = left[rows] & (np.cumsum(left[rows], axis=1) <= POOL)
        shares = np.where(pool, values[rows], 0.0)
        sums = np.cumsum(shares, axis=1)
        hit = (sums > (draws[rows] * sums[:, -1])[:, None]).argmax(axis=1)
        drawn[rows] = hit
        odds[rows] = shares[np.arange(len(rows)), hit] / sums[:, -1]
    return drawn, odds


@dataclass(frozen=True, slots=True)
class _Picked:
    """The picks of some readers: as in `Chosen`, each with its ``reader`` and its ``order`` there."""

    reader: Ints
    order: Ints
    near: Flags
    paper: Ints
    score: Floats
    word: NDArray[np.uint8]
    explore: Floats
    similar: Ints
    similar_to: Ints
    best: Scores
    muted: Ints
    folded: Ints

    @classmethod
    def of(
        cls, part: _Part, rows: Ints, chosen: Flags, near: Flags, folded: Flags,
        leader: NDArray[np.int32], drawn: Ints, odds: Floats, marks: Floats, muted: Ints,
    ) -> _Picked:  # fmt: skip
        width = chosen.shape[1]
        explored = np.zeros(chosen.shape, bool)
        has = np.flatnonzero(drawn >= 0)
        explored[has, drawn[has]] = True
        row, slot = np.nonzero(chosen | near | explored)
        is_near, is_explored = near[row, slot], explored[row, slot]
        order = row * (3 * width) + slot + np.where(is_explored, width, 0) + np.where(is_near, 2 * width, 0)
        sorted_as = np.argsort(order)
        row, slot = row[sorted_as], slot[sorted_as]
        is_near, is_explored = is_near[sorted_as], is_explored[sorted_as]
        score = part.values[row, slot]
        pick_of = np.full(chosen.shape, -1, np.int64)
        pick_of[row, slot] = np.arange(len(row))
        under, at = np.nonzero(folded)
        to = pick_of[under, leader[under, at]]
        by_pick = np.argsort(to, kind="stable")
        return cls(
            rows[row], order[sorted_as], is_near, part.places[row, slot], score,
            (score[:, None] < marks[row]).sum(axis=1).astype(np.uint8),
            np.where(is_explored, odds[row], np.nan),
            part.places[under, at][by_pick], to[by_pick], part.best, muted, folded.sum(axis=1),
        )  # fmt: skip


def _together(parts: list[tuple[Ints, _Picked]], scores: Scores, passing: Ints) -> Chosen:
    """The picks of all readers in the readers' order."""
    count = len(scores)
    picks = [picked for _, picked in parts]
    offsets = np.cumsum([0, *(len(p.paper) for p in picks)])
    reader = _joined([p.reader for p in picks], np.int64)
    order = np.argsort(reader, kind="stable")
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    near = _joined([p.near for p in picks], np.bool_)
    to = place[_joined([p.similar_to + begin for p, begin in zip(picks, offsets, strict=False)], np.int64)]
    by_pick = np.argsort(to, kind="stable")
    counts = np.zeros((count, 2), np.int64)
    np.add.at(counts, (reader, near.astype(np.int64)), 1)
    width = max((p.best.shape[1] for p in picks), default=0)
    best = np.zeros((count, width), scores.dtype)
    muted, folded = np.zeros(count, np.int64), np.zeros(count, np.int64)
    for rows, picked in parts:
        best[rows, : picked.best.shape[1]] = picked.best
        muted[rows], folded[rows] = picked.muted, picked.folded
    return Chosen(
        counts, _joined([p.paper for p in picks], np.int64)[order],
        _joined([p.score for p in picks], np.float64)[order],
        _joined([p.word for p in picks], np.uint8)[order],
        _joined([p.explore for p in picks], np.float64)[order],
        _joined([p.similar for p in picks], np.int64)[by_pick], to[by_pick], best, passing, muted, folded,
    )  # fmt: skip


def _joined(parts: list[NDArray[Any]], kind: type[np.generic]) -> NDArray[Any]:
    return np.concatenate(parts) if parts else np.empty(0, kind)
