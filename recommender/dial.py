"""The dial "about N a day": the score that a paper must reach, learned from a profile's recent scores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recommender.select import cut_for

Floats = NDArray[np.float64]

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
