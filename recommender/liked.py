"""The papers that a reader judged, on the columns that any of them holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recommender.vectors import Edition, Matrix

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_MANY = 20_000


@dataclass(frozen=True, slots=True)
class Liked:
    """A reader's n judged papers on the fitted ``columns`` that any of them holds, in ascending order.

    The first ``words`` of the columns are words and pairs, the others categories, institutions and tags;
    ``shares`` are the shares of all papers that hold them. Each of the papers' ``values`` is in the column at
    ``where`` among ``columns``, and in the paper at ``owners``. ``mass`` says as how many papers each paper
    counts, negative where it was disliked.
    """

    columns: Ints
    words: int
    shares: Floats
    where: Ints
    values: NDArray[np.float32]
    owners: Ints
    mass: Floats

    @classmethod
    def of(cls, edition: Edition, X: Matrix, mass: Floats) -> Liked:
        """Read the judged papers ``X``, whose columns begin with those of ``edition``."""
        # By hand: taking columns of a scipy matrix costs as much as all of this.
        owners = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
        held, values = X.indices, X.data
        if X.shape[1] > edition.base_size:
            inside = held < edition.base_size
            owners, held, values = owners[inside], held[inside], values[inside]
        columns, where = distinct(held)
        words = int(np.searchsorted(columns, edition.text_columns.stop))
        return cls(columns, words, edition.fitting.shares[columns], where, values, owners, mass)

    @property
    def count(self) -> float:
        """As how many papers the liked ones count."""
        return float(self.side(1).sum())

    def side(self, sign: float) -> Floats:
        """As how many papers each paper counts among the liked (1) or the disliked (-1)."""
        return np.maximum(sign * self.mass, 0.0)

    def total(self, masses: Floats, values: NDArray[np.floating[Any]] | None = None) -> Floats:
        """The sum over papers of ``masses``, times ``values`` of their entries, for each column."""
        spread = masses[self.owners]
        each = spread if values is None else spread * values
        return np.bincount(self.where, each, minlength=len(self.columns)).astype(np.float64, copy=False)

    def repeats(self) -> Floats:
        """(1 + ln tf)^q of each value, as in `Edition.transform`; of no meaning for what is no word."""
        # A row is (1 + ln tf)^q · √idf over its length, and every paper has words that it uses once.
        raw = self.values / np.sqrt(-np.log(self.shares))[self.where]
        once = np.full(len(self.mass), np.inf)
        np.minimum.at(once, self.owners, np.where(self.where < self.words, raw, np.inf))
        return np.asarray(raw / once[self.owners])

    def text(self) -> Matrix:
        """The words and pairs of the papers, n × words."""
        inside = self.where < self.words
        starts = np.searchsorted(self.owners[inside], np.arange(len(self.mass) + 1))
        held = (self.values[inside], self.where[inside].astype(np.int32), starts.astype(np.int32))
        return sparse.csr_matrix(held, shape=(len(self.mass), self.words))


def distinct(columns: NDArray[np.integer[Any]]) -> tuple[Ints, Ints]:
    """The different ones of ``columns`` (0 or more, few millions at most), ascending, and where each is."""
    if len(columns) < _MANY:
        # With the index numpy sorts by merging; papers' columns ascend already, which makes it twice as fast.
        found, _, where = np.unique(columns, return_index=True, return_inverse=True)
        return found.astype(np.int64), where
    # Beyond some ten papers' columns a mark for each one there could be is faster than sorting.
    marks = np.zeros(int(columns.max()) + 1, np.int32)
    marks[columns] = 1
    found = np.flatnonzero(marks)
    marks[found] = np.arange(len(found), dtype=np.int32)
    return found, marks[columns].astype(np.int64)
