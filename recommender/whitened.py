"""The whitened mean of what readers like: Fisher's discriminant with the covariance of all papers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommender.background import Background
from recommender.liked import Liked
from recommender.vectors import Matrix

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Whitened:
    """λ (Σ + λI)⁻¹ (mean of the likes − mean of all papers) on the words of some readers' papers.

    ``own`` is the mean of the likes, ``found`` and ``places`` (k) say which words are among the terms whose
    covariance is known, and which of those they are; ``noise`` is λ for each reader.
    """

    weights: Floats
    own: Floats
    found: Ints
    places: Ints
    noise: Floats

    @classmethod
    def of(cls, background: Background, liked: Liked, noise: Floats) -> Whitened:
        """Learn from ``liked``."""
        columns, whose = liked.columns[: liked.words], liked.whose[: liked.words]
        own = liked.total(liked.side(1), liked.values)[: liked.words] / liked.totals[0][whose]
        weights = own - background.mean[columns]
        found, places = background.within(columns)
        bounds = np.searchsorted(whose[found], np.arange(len(noise) + 1)).tolist()
        for one, begin, end in zip(noise.tolist(), bounds[:-1], bounds[1:], strict=True):
            at, place = found[begin:end], places[begin:end]
            weights[at] -= background.shrunk(place, own[at], one, background.centre)
        return cls(weights, own, found, places, noise)

    def alone(self, background: Background, liked: Liked, X: Matrix) -> Floats:
        """What each of one reader's judged papers ``X`` loses of its score if it is taken out of the mean."""
        masses = liked.side(1)
        share = masses / np.maximum(liked.count - masses, 1e-9)
        rest = self.own.copy()
        rest[self.found] -= background.shrunk(self.places, self.own[self.found], float(self.noise[0]))
        along = np.asarray(X[:, self.found] @ background.directions.T[self.places])
        taken = (along**2) @ background.shrinking(float(self.noise[0]))
        squares = np.asarray(X.power(2) @ np.ones(X.shape[1]))
        return np.asarray(share * (X @ rest - (squares - taken)))
