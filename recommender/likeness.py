"""How alike papers are: by their words, and by their titles."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics.pairwise import linear_kernel

from recommender.narrow import Narrow
from recommender.paper import Paper, normal_title
from recommender.vectors import Matrix

SAME = 0.75
"""Papers whose words are closer than this cosine are shown as one."""

_WHOLE = 3_000  # up to here the whole n × n matrix is kept: 36 MB


class Likeness:
    """How alike each two papers of a batch are: the cosine of their words, 1 where they have the same title.

    Made once for all readers of a batch. ``X`` are the text columns of the papers' vectors, of length one
    (`Edition.text_columns`); without it only titles count.
    """

    def __init__(self, papers: Sequence[Paper], X: Matrix | None = None) -> None:
        titles = [normal_title(paper.title) for paper in papers]
        _, numbers = np.unique(np.array(titles, dtype=str), return_inverse=True)
        # Papers without a title are like no other.
        self._titles = np.where([t != "" for t in titles], numbers, -1 - np.arange(len(titles)))
        # What turns a matrix goes through all of its columns, however few hold anything.
        self._X = None if X is None else Narrow.of(X).X

    @cached_property
    def whole(self) -> NDArray[np.float32] | None:
        """The likeness of all papers to each other, n × n; None where there are too many."""
        if len(self._titles) > _WHOLE:
            return None
        same = self._titles[:, None] == self._titles[None, :]
        if self._X is None:
            return np.asarray(same, np.float32)
        found = np.asarray(linear_kernel(self._X, dense_output=True), np.float32)
        found[same] = 1
        return found

    @cached_property
    def paired(self) -> NDArray[np.bool_] | None:
        """Which papers another one is the same as; None where there are too many papers."""
        if self.whole is None:
            return None
        return np.asarray((self.whole >= SAME).sum(axis=1) - (self.whole.diagonal() >= SAME) > 0)

    def among(self, places: NDArray[np.int64]) -> NDArray[np.float32]:
        """The likeness of the papers at these places to each other: m × m, in the order given."""
        if self.whole is not None:
            return np.asarray(self.whole[np.ix_(places, places)])
        titles = self._titles[places]
        same = titles[:, None] == titles[None, :]
        if self._X is None or not len(places):
            return np.asarray(same, np.float32)
        few = Narrow.of(self._X[places]).X
        found = np.asarray(linear_kernel(few, dense_output=True), np.float32)
        found[same] = 1
        return found
