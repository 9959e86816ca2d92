"""The dial "about N a day": the score that a paper must reach, learned from a profile's recent scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recommender.choosing import STRENGTHS
from recommender.select import cut_for

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Halves = NDArray[np.float16]
Ints = NDArray[np.int64]

ENOUGH_DAYS = 5
"""From so many days on the dial goes by what the profile's own scores were."""
WORTHWHILE = 0.25
"""Before that, a paper must reach this share of the best score on hand: a reader's first papers are to be few
and right, rather than as many as the dial allows."""

NOISE = 0.02
"""Weights have length one, so a score is about a cosine: under this, paper and profile share a stray word."""


@dataclass(frozen=True, slots=True)
class Recent:
    """A profile's scores of the last weeks: the ``top`` ones, best first, of ``papers`` papers on ``days``
    days."""

    top: Floats
    papers: int
    days: int

    @classmethod
    def of(cls, scores: ArrayLike, papers: int, days: int) -> Recent:
        """From scores in any order."""
        return cls(np.sort(np.asarray(scores, dtype=np.float64))[::-1], papers, days)

    def with_reference(self, scores: ArrayLike) -> Recent:
        """The same and the scores of papers on hand, for a profile that has too little of its own yet."""
        more = np.asarray(scores, dtype=np.float64)
        return Recent.of(np.concatenate([self.top, more]), self.papers + len(more), self.days)

    def cut(self, per_day: float) -> float:
        """The score that about ``per_day`` papers a day reached; while there are too few days, a share of the
        best score."""
        if self.days >= ENOUGH_DAYS:
            return max(NOISE, cut_for(per_day, self.top, self.days))
        return max(NOISE, WORTHWHILE * float(self.top.max(initial=0.0)))

    @property
    def scores(self) -> Floats:
        """All scores, those below the top ones standing as 0."""
        return np.concatenate([self.top, np.zeros(max(0, self.papers - len(self.top)))])


@dataclass(frozen=True, slots=True)
class Past:
    """What `Recent` is for one profile, for P of them at once.

    ``top`` (P × w) are their best scores, best first, of which ``known`` (P) are more than filling up;
    ``papers`` and ``days`` (P) say of how many papers on how many days.
    """

    top: Halves | Singles
    known: Ints
    papers: Ints
    days: Ints

    @classmethod
    def of(cls, scores: Halves, papers: Ints, days: Ints) -> Past:
        """From P × w scores in any order, those that are not known being 0."""
        # Positive numbers are in the order of their bits, and bits are sorted in half the time.
        bits = np.sort(scores.view(np.uint16), axis=1)
        return cls(bits[:, ::-1].view(np.float16), _positive(bits), papers, days)

    def of_rows(self, rows: Ints) -> Past:
        """The same of these profiles alone."""
        return Past(self.top[rows], self.known[rows], self.papers[rows], self.days[rows])

    def with_reference(self, scores: Singles) -> Past:
        """The same and P × m scores of papers on hand, for profiles that have too little of their own yet."""
        top = np.concatenate([self.top, np.maximum(scores, 0)], axis=1, dtype=np.float32)
        top.sort(axis=1)
        return Past(top[:, ::-1], _positive(top), self.papers + scores.shape[1], self.days)

    def cuts(self, per_day: Ints) -> Floats:
        """Of each profile what `Recent.cut` is."""
        wanted = per_day * self.days
        reached = np.where(wanted < self.known, self._at(wanted - 1), 0.0)
        best = self._at(np.zeros(len(self.top), np.int64))
        return np.maximum(NOISE, np.where(self.days >= ENOUGH_DAYS, reached, WORTHWHILE * best))

    def marks(self) -> Floats:
        """From which score on each word of `STRENGTHS` holds (P × 3), as `select.strength` says."""
        count = self.papers
        found = np.zeros((len(count), len(STRENGTHS)))
        some = count > 0
        for at, (_, share) in enumerate(STRENGTHS):
            # The fewest papers that are this share or more, in the arithmetic of a mean.
            fewest = np.ceil(share * count)
            safe = np.maximum(count, 1)
            fewest -= (fewest - 1) / safe >= share
            fewest += fewest / safe < share
            place = (count - fewest).astype(np.int64)
            found[:, at] = np.where(some & (place < self.known), self._at(place), 0.0)
        # Where nothing is known every match is good, and none strong.
        found[~some, 0] = np.inf
        return found

    def _at(self, places: Ints) -> Floats:
        """The score at this place from the best of each profile."""
        if not self.top.shape[1]:
            return np.zeros(len(places))
        inside = np.clip(places, 0, self.top.shape[1] - 1)
        return np.asarray(np.take_along_axis(self.top, inside[:, None], axis=1)[:, 0], np.float64)


def _positive(ascending: NDArray[Any]) -> Ints:
    """How many numbers of each row are above 0, each row being in order and without negative ones."""
    if not ascending.shape[1]:
        return np.zeros(len(ascending), np.int64)
    above = ascending > 0
    return np.where(above[:, -1], above.shape[1] - above.argmax(axis=1), 0)
