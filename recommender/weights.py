"""What a ranker learned of one reader: weights on the columns of an edition."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import cast

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recommender.features import Feature, Kind
from recommender.vectors import Edition, Matrix

_MAGIC = b"PWW1"
_HEAD = struct.Struct("<4sIIII")  # magic, bytes of the header, rows, fitted columns, values
_PROFILES_AT_ONCE = 1_000  # keeps the dense product of 3,000 papers at 12 MB
Named = tuple[tuple[Feature, tuple[float, ...]], ...]


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
    def made(cls, edition: Edition, ranker: str, rows: Matrix, named: Named = ()) -> Weights:
        """Weights on ``edition``: k rows on its fitted columns (k × base_size), and those that go by name."""
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
                    [part for r, (a, b) in enumerate(bounds) for part in (rows.data[a:b], values[:, r])]
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
        head = {
            "edition": self.edition,
            "ranker": self.ranker,
            "named": [[*feature, *values] for feature, values in self.named],
        }
        header = json.dumps(head, ensure_ascii=False).encode()
        return b"".join(
            (
                _HEAD.pack(_MAGIC, len(header), rows.shape[0], self.fitted, rows.nnz),
                header,
                rows.indptr.astype("<u4").tobytes(),
                rows.indices.astype("<u4").tobytes(),
                rows.data.astype("<f4").tobytes(),
            )
        )

    @classmethod
    def from_bytes(cls, blob: bytes) -> Weights:
        """Read what `to_bytes` wrote, the open end still by name; `on` puts it into its columns.

        Raises ValueError where the blob is cut short or something else.
        """
        try:
            magic, length, k, fitted, values = _HEAD.unpack_from(blob)
            if magic != _MAGIC:
                raise ValueError(f"it begins with {magic!r}")
            at = _HEAD.size
            head = json.loads(blob[at : at + length])
            at += length
            indptr = np.frombuffer(blob, "<u4", k + 1, at).astype(np.int32)
            indices = np.frombuffer(blob, "<u4", values, at + 4 * (k + 1)).astype(np.int32)
            data = np.frombuffer(blob, "<f4", values, at + 4 * (k + 1 + values)).astype(np.float32)
        except (struct.error, ValueError) as error:
            raise ValueError(f"not the weights of a profile ({error}); learn them anew") from error
        named = tuple(
            (Feature(cast(Kind, kind), name), tuple(map(float, numbers)))
            for kind, name, *numbers in head["named"]
        )
        rows = sparse.csr_matrix((data, indices, indptr), shape=(k, fitted))
        return cls(head["edition"], head["ranker"], rows, fitted, named)


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
