"""What a ranker learned of one reader: weights on the columns of an edition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recommender.features import Feature
from recommender.packed import Unpacked, feature_of, pack
from recommender.vectors import Edition, Matrix

_PROFILES_AT_ONCE = 1_000  # keeps the dense product of 3,000 papers at 12 MB
Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]
Named = tuple[tuple[Feature, tuple[float, ...]], ...]


def rounded(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Weights as they are after they were stored."""
    return values.astype(np.float16).astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """k rows of weights on the ``size`` columns of an edition; a paper's score is that of its best row.

    ``edition`` is the name of the fitting, which its extensions share; the first ``fitted`` columns are its
    own. ``named`` holds the weights on features beyond them (people, institutions, tags, rare terms), k
    numbers each, whether or not the extension at hand has a column for them: they travel by name.
    """

    edition: str
    ranker: str
    rows: Matrix
    fitted: int
    named: Named = ()

    @classmethod
    def single(
        cls, edition: Edition, ranker: str, columns: Ints, values: Floats, named: Mapping[Feature, float]
    ) -> Weights:
        """One row of ``values`` at fitted ``columns``, which ascend, and of those that go by name."""
        # Bounds in the type of the columns, or scipy looks for one that holds both.
        data, bounds = rounded(values.astype(np.float32)), np.array([0, len(columns)], np.int32)
        row = sparse.csr_matrix((data, columns.astype(np.int32), bounds), shape=(1, edition.base_size))
        kept = tuple(sorted((feature, (value,)) for feature, value in named.items() if value))
        if not edition.extension:
            return cls(edition.name, ranker, row, edition.base_size, kept)
        return cls.made(edition, ranker, row, kept)

    @classmethod
    def made(cls, edition: Edition, ranker: str, rows: Matrix, named: Named = ()) -> Weights:
        """Weights on ``edition``: k rows on its fitted columns (k × base_size), and those that go by name.

        The rows are rounded to half precision, in which they are kept, so that what was just learned and
        what was stored say the same to the last digit.
        """
        data = rounded(rows.data)
        spots = [(column, numbers) for feature, numbers in named for column in edition.columns_of(feature)]
        k = rows.shape[0]
        columns = np.array([column for column, _ in spots], np.int32)
        values = np.array([numbers for _, numbers in spots], np.float32).reshape(len(spots), k)
        # Put together by hand: scipy's hstack takes three times as long as scoring a thousand papers.
        starts = rows.indptr.tolist()
        bounds = list(pairwise(starts))
        whole: Matrix = sparse.csr_matrix(
            (
                np.concatenate(
                    [part for r, (a, b) in enumerate(bounds) for part in (data[a:b], values[:, r])]
                ),
                np.concatenate([part for a, b in bounds for part in (rows.indices[a:b], columns)]),
                np.array([start + at * len(spots) for at, start in enumerate(starts)], np.int32),
            ),
            shape=(k, edition.size),
        )
        return cls(edition.name, ranker, whole, edition.base_size, named)

    def on(self, edition: Edition) -> Weights:
        """The same weights on another extension of their fitting. Raises ValueError for another fitting."""
        if edition.name != self.edition:
            raise ValueError(f"weights of edition {self.edition} on {edition.name}; learn them anew")
        return Weights.made(edition, self.ranker, self._fitted_rows(), self.named)

    def _fitted_rows(self) -> Matrix:
        """The rows without the open end (k × fitted)."""
        rows = self.rows
        if rows.shape[1] == self.fitted:
            return rows
        kept = rows.indices < self.fitted
        before = np.concatenate([[0], np.cumsum(kept)])
        parts = (rows.data[kept], rows.indices[kept], before[rows.indptr])
        return sparse.csr_matrix(parts, shape=(rows.shape[0], self.fitted))

    def scores(self, X: Matrix) -> NDArray[np.float64]:
        """The score of each of the n rows of ``X``, which must be of the same extension of the edition."""
        return self.row_scores(X).max(axis=1) if X.shape[0] else np.empty(0)

    def row_scores(self, X: Matrix) -> NDArray[np.float64]:
        """The n × k scores by each row of weights."""
        if X.shape[1] != self.rows.shape[1]:
            raise ValueError(
                f"papers with {X.shape[1]} columns, weights with {self.rows.shape[1]}: "
                "bring both onto one extension of the edition (Weights.on)"
            )
        # In double precision, so that the contributions of an explanation sum to the score far below 1e-6.
        return np.asarray(X.astype(np.float64) @ self.rows.toarray().astype(np.float64).T)

    def to_bytes(self) -> bytes:
        """The weights as one compact blob that `from_bytes` reads; those of the open end go by name."""
        rows = self._fitted_rows()
        rows.sort_indices()
        parts = [(rows.indices[a:b], rows.data[a:b]) for a, b in pairwise(rows.indptr.tolist())]
        return pack(self.edition, self.ranker, self.fitted, parts, self.named)

    @classmethod
    def from_bytes(cls, blob: bytes) -> Weights:
        """Read what `to_bytes` wrote, the open end still by name; `on` puts it into its columns.

        Raises ValueError where the blob is cut short or something else.
        """
        unpacked = Unpacked.of([blob])
        kept = unpacked.values != 0
        indptr = np.concatenate([[0], np.cumsum(kept)])[unpacked.starts]
        rows = sparse.csr_matrix(
            (unpacked.values[kept], unpacked.columns[kept], indptr), shape=(len(indptr) - 1, unpacked.fitted)
        )
        edition, ranker = unpacked.header(0)
        lines, _ = unpacked.lines(np.arange(len(unpacked.marks)))
        numbers = unpacked.numbers.reshape(len(lines), -1).tolist() if lines else []
        named = tuple((feature_of(line), tuple(held)) for line, held in zip(lines, numbers, strict=True))
        return cls(edition, ranker, rows, unpacked.fitted, named)


def score_all(X: Matrix, profiles: Sequence[Weights]) -> NDArray[np.float32]:
    """The n × profiles scores of ``X``, all weights being on the extension of ``X``: one sparse product."""
    # Here, since it brings 60 MB along that a process which sends mail never needs.
    from sklearn.metrics.pairwise import linear_kernel  # noqa: PLC0415

    found = np.empty((X.shape[0], len(profiles)), np.float32)
    for start in range(0, len(profiles), _PROFILES_AT_ONCE):
        shard = profiles[start : start + _PROFILES_AT_ONCE]
        stacked = sparse.vstack([weights.rows for weights in shard], format="csr")
        # Three times as fast as sparse @ sparse.
        product = linear_kernel(X, stacked, dense_output=True)
        begins = np.cumsum([0, *(weights.rows.shape[0] for weights in shard)])[:-1]
        found[:, start : start + len(shard)] = np.maximum.reduceat(product, begins, axis=1)
    return found
