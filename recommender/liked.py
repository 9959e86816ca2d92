"""The words of the papers that a reader judged, on the columns that any of them holds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recommender.logodds import distinct
from recommender.vectors import Edition, Matrix

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_SAME = 1e-5


@dataclass(frozen=True, slots=True)
class Liked:
    """The words and pairs of a reader's judged papers: n papers, on the ``columns`` that any of them holds.

    ``X`` is n × columns; ``where`` gives the place among ``columns`` of each of its values, ``tf`` their
    (1 + ln tf)^q as in `Edition.transform`, ``owners`` the paper of each, and ``mass`` as how many papers
    each paper counts, negative where it was disliked.
    """

    columns: Ints
    X: Matrix
    where: Ints
    tf: Floats
    mass: Floats
    owners: Ints

    @classmethod
    def of(cls, edition: Edition, X: Matrix, mass: Floats) -> Liked:
        """Read the judged papers ``X``, whose columns begin with those of ``edition``."""
        text = X[:, edition.text_columns]
        columns, where = distinct(text.indices)
        shape = (text.shape[0], len(columns))
        own = sparse.csr_matrix((text.data, where.astype(np.int32), text.indptr), shape=shape)
        # A row is (1 + ln tf)^q · √idf over its length, and every paper has words that it uses once.
        raw = text.data / np.sqrt(-np.log(edition.fitting.shares[text.indices]))
        sizes = np.diff(text.indptr)
        once = np.ones(len(sizes))
        if len(raw):
            filled = sizes > 0
            once[filled] = np.minimum.reduceat(raw, text.indptr[:-1][filled])
        owners = np.repeat(np.arange(len(sizes)), sizes)
        return cls(columns, own, where, raw / once[owners], mass, owners)

    @property
    def count(self) -> float:
        """As how many papers the liked ones count."""
        return float(self.side(1).sum())

    def side(self, sign: float) -> Floats:
        """As how many papers each paper counts among the liked (1) or the disliked (-1)."""
        return (sign * self.mass).clip(min=0)

    def total(self, masses: Floats, values: Floats | None = None) -> Floats:
        """The sum over papers of ``masses``, times ``values`` of their entries, for each column."""
        spread = masses[self.owners]
        each = spread if values is None else spread * values
        return np.bincount(self.where, each, minlength=len(self.columns)).astype(np.float64)

    def among(self, others: sparse.csc_matrix[np.float32]) -> NDArray[np.bool_]:
        """Which of ``others`` (m × columns) are judged papers: a liked one must not stand for all the rest.

        Such a paper has all of its words, so all of its length, on the columns of the judged ones, and the
        same sum of values in a mixed order of signs as one of them.
        """
        mixed = np.cos(np.arange(len(self.columns), dtype=np.float64) ** 1.5)
        own = np.sort(self.X @ mixed)
        sums = np.asarray(others @ mixed)
        place = np.searchsorted(own, sums - _SAME).clip(max=len(own) - 1)
        same = np.asarray(np.abs(own[place] - sums) <= _SAME)
        if same.any():
            squares = others.data.astype(np.float64) ** 2
            same &= np.abs(np.bincount(others.indices, squares, minlength=others.shape[0]) - 1) < 1e-3
        return same
