"""Matrices without their empty columns: an edition has millions, a week fills a tenth of them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recommender.vectors import Matrix
from recommender.weights import Weights


@dataclass(frozen=True, slots=True, eq=False)
class Narrow:
    """The rows of a matrix on the ``columns`` (ascending) that hold something, as ``X`` (n × columns)."""

    columns: NDArray[np.int64]
    X: Matrix

    @classmethod
    def of(cls, X: Matrix) -> Narrow:
        """The same rows, their values shared."""
        marks = np.zeros(X.shape[1], np.int32)
        marks[X.indices] = 1
        columns = np.flatnonzero(marks)
        marks[columns] = np.arange(len(columns), dtype=np.int32)
        narrow = sparse.csr_matrix((X.data, marks[X.indices], X.indptr), shape=(X.shape[0], len(columns)))
        return cls(columns, narrow)

    def in_double(self) -> Narrow:
        """The same in double precision, for exact scores."""
        return Narrow(self.columns, sparse.csr_matrix(self.X.astype(np.float64)))

    def scores(self, weights: Weights) -> NDArray[np.float64]:
        """The n × k scores by each row of weights on the columns of the whole matrix, as
        `Weights.row_scores` has them."""
        rows = weights.rows
        found = np.zeros((self.X.shape[0], rows.shape[0]))
        if not len(self.columns):
            return found
        for at, (start, end) in enumerate(pairwise(rows.indptr.tolist())):
            own, values = rows.indices[start:end], rows.data[start:end]
            place = np.searchsorted(self.columns, own).clip(max=len(self.columns) - 1)
            held = self.columns[place] == own
            # A column that is there twice, for two people who may be one, counts with the sum.
            dense = np.bincount(place[held], values[held], len(self.columns))
            found[:, at] = self.X @ dense
        return found
