"""What a ranker learned of one reader: weights on the columns of an edition."""

from __future__ import annotations

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

_MAGIC = b"PWW2"
_HEAD = struct.Struct("<4sIHHII")  # magic, bytes of the header, rows, named features, fitted columns, values
_FAR = 0xFFFF  # a step between columns that does not fit into two bytes is made in several
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
        """Weights on ``edition``: k rows on its fitted columns (k × base_size), and those that go by name.

        The rows are rounded to half precision, in which they are kept, so that what was just learned and
        what was stored say the same to the last digit.
        """
        data = rows.data.astype(np.float16).astype(np.float32)
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
        """The weights as one compact blob that `from_bytes` reads; those of the open end go by name.

        It takes four bytes a weight: the step from the column before, and the weight in half precision.
        """
        rows = self._fitted_rows()
        steps, values, starts = _stepped(rows)
        # A byte each that no name in its normal form holds.
        names = "\n".join(f"{feature.kind}\t{feature.name}" for feature, _ in self.named)
        header = f"{self.edition}\n{self.ranker}\n{names}".encode()
        numbers = np.array([held for _, held in self.named], "<f4").reshape(len(self.named), rows.shape[0])
        return b"".join(
            (
                _HEAD.pack(_MAGIC, len(header), rows.shape[0], len(self.named), self.fitted, len(steps)),
                header,
                starts.astype("<u4").tobytes(),
                steps.astype("<u2").tobytes(),
                values.astype("<f2").tobytes(),
                numbers.tobytes(),
            )
        )

    @classmethod
    def from_bytes(cls, blob: bytes) -> Weights:
        """Read what `to_bytes` wrote, the open end still by name; `on` puts it into its columns.

        Raises ValueError where the blob is cut short or something else.
        """
        packed = Packed.of(blob)
        starts = packed.starts.astype(np.int32)
        columns = np.cumsum(packed.steps, dtype=np.int64)
        before = np.concatenate([[0], columns])[starts[:-1]]
        columns -= np.repeat(before, np.diff(starts))
        kept = packed.values != 0
        indptr = np.concatenate([[0], np.cumsum(kept)])[starts]
        rows = sparse.csr_matrix(
            (packed.values[kept].astype(np.float32), columns[kept].astype(np.int32), indptr),
            shape=(len(starts) - 1, packed.fitted),
        )
        edition, ranker, *_ = packed.header.decode().split("\n", 2)
        named = tuple(
            (Feature(cast(Kind, kind), name), tuple(numbers))
            for line, numbers in packed.named()
            for kind, name in [line.split("\t", 1)]
        )
        return cls(edition, ranker, rows, packed.fitted, named)


@dataclass(frozen=True, slots=True)
class Packed:
    """The parts of a blob of `Weights.to_bytes`, not unpacked: weight i of row r stands for
    ``starts[r] <= i < starts[r + 1]`` in the column that the ``steps`` of its row up to it add up to."""

    header: bytes
    fitted: int
    names: int
    starts: NDArray[np.uint32]
    steps: NDArray[np.uint16]
    values: NDArray[np.float16]
    numbers: NDArray[np.float32]

    @classmethod
    def of(cls, blob: bytes) -> Packed:
        """Find the parts. Raises ValueError where the blob is cut short or something else."""
        try:
            magic, length, k, names, fitted, values = _HEAD.unpack_from(blob)
            if magic != _MAGIC:
                raise ValueError(f"it begins with {magic!r}")
            at = _HEAD.size
            header = blob[at : at + length]
            at += length
            starts = np.frombuffer(blob, "<u4", k + 1, at)
            at += 4 * (k + 1)
            steps = np.frombuffer(blob, "<u2", values, at)
            halves = np.frombuffer(blob, "<f2", values, at + 2 * values)
            numbers = np.frombuffer(blob, "<f4", names * k, at + 4 * values)
            return cls(header, fitted, names, starts, steps, halves, numbers)
        except (struct.error, ValueError) as error:
            raise ValueError(f"not the weights of a profile ({error}); learn them anew") from error

    def named(self) -> list[tuple[str, list[float]]]:
        """The weights that go by name: kind and name with a tab between, and one number a row."""
        if not self.names:
            return []
        lines = self.header.decode().split("\n")[2:]
        return list(zip(lines, self.numbers.reshape(self.names, -1).tolist(), strict=True))


def _stepped(rows: Matrix) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.int64]]:
    """Steps between the columns of each row, the values, and where each row starts among them.

    A longer step than two bytes hold is made in several, with values of 0 on the way.
    """
    rows.sort_indices()
    columns = rows.indices.astype(np.int64)
    steps = np.diff(columns, prepend=0)
    begins = rows.indptr[:-1][np.diff(rows.indptr) > 0]
    steps[begins] = columns[begins]
    extra = steps // _FAR
    places = np.repeat(np.arange(len(steps)), extra)
    starts = rows.indptr + np.concatenate([[0], np.cumsum(extra)])[rows.indptr]
    return (
        np.insert(steps % _FAR, places, _FAR),
        np.insert(rows.data, places, np.float32(0)),
        starts.astype(np.int64),
    )


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
