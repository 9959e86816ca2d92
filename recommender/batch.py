"""A batch of papers made ready for many profiles: its columns alone, and the product with their weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import cast

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.utils.extmath import safe_sparse_dot

from recommender.features import Feature, Kind
from recommender.paper import Paper
from recommender.ready import Ready
from recommender.vectors import Matrix
from recommender.weights import Packed

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


_MOST_NAMES = 200_000


class Batch:
    """Papers as vectors on the columns that any of them has, in the order of their ids.

    A profile has weights on a thousand columns of near a million; those of the batch are some ten thousand,
    and only they are multiplied. ``ready`` are the papers of the batch; ``others`` are more papers that
    scores are measured against (see `dial`). ``order`` (n) are the places in ``ready`` of the batch's papers
    in the order of their ids, which is that of all scores here.
    """

    def __init__(self, ready: Ready, others: Sequence[Paper] = ()) -> None:
        self.ready = ready
        ids = [paper.id for paper in ready.papers]
        self.order = np.array(sorted(range(len(ids)), key=ids.__getitem__), np.int64)
        rest = Ready.of(ready.edition, others) if others else None
        self._parts = [_Words.of(ready), *([_Words.of(rest)] if rest else [])]
        self.edition = rest.edition if rest else ready.edition
        X = _stacked([ready.X, *([rest.X] if rest else [])], self.edition.size)
        held = np.unique(X.indices)
        self._place = np.full(self.edition.size, -1, np.int32)
        self._place[held] = np.arange(len(held), dtype=np.int32)
        X = X[np.concatenate([self.order, np.arange(len(ids), X.shape[0])])]
        self._X = sparse.csr_matrix((X.data, self._place[X.indices], X.indptr), shape=(X.shape[0], len(held)))
        # Where each text stands in X: those of the batch, then the others.
        self._row = np.arange(X.shape[0])
        self._row[self.order] = np.arange(len(ids))
        self._fitted = len(held)
        self._columns: dict[str, list[int]] = {}
        self._open: list[sparse.csc_matrix[np.float32]] = []

    def scores(self, blobs: Sequence[bytes]) -> Floats:
        """The scores of profiles, given as blobs of `Weights.to_bytes`: profiles × texts, the batch's papers
        in their order first, then the others.

        They are those of `Weights.scores` in single precision. Raises ValueError for weights of another
        fitting, and for blobs that hold none.
        """
        if not blobs or not len(self._row):
            return np.zeros((len(blobs), len(self._row)), np.float32)
        W, begins = self._weights(blobs)
        # linear_kernel's own product, without its checks of every number.
        product = np.asarray(safe_sparse_dot(W, self._by_column, dense_output=True))
        return product if len(begins) == W.shape[0] else np.maximum.reduceat(product, begins, axis=0)

    def _weights(self, blobs: Sequence[bytes]) -> tuple[Matrix, Ints]:
        """The rows of all weights on the columns of the batch, and where each profile's rows begin."""
        parts = [Packed.of(blob) for blob in blobs]
        fitted = self.edition.base_size
        for part in parts:
            if part.fitted != fitted:
                raise ValueError(
                    f"weights on {part.fitted} columns, papers on {fitted} of edition {self.edition.name}; "
                    "learn them anew"
                )
        rows = np.array([len(part.starts) - 1 for part in parts])
        begins = np.cumsum(rows) - rows
        lengths = np.concatenate([np.diff(part.starts) for part in parts]).astype(np.int64)
        starts = np.concatenate([[0], np.cumsum(lengths)])
        columns = np.cumsum(np.concatenate([part.steps for part in parts]), dtype=np.int64)
        before = np.concatenate([[0], columns])[starts[:-1]]
        place = self._place[columns - np.repeat(before, lengths)]
        held = np.flatnonzero(place >= 0)
        data = np.concatenate([part.values for part in parts])[held].astype(np.float32)
        indices, indptr = place[held], np.searchsorted(held, starts)
        named = [(int(row), part) for row, part in zip(begins, parts, strict=True) if part.names]
        if named:
            indices, data, indptr = self._with_names(indices, data, indptr, named)
        shape = (len(indptr) - 1, self._by_column.shape[0])
        return sparse.csr_matrix((data, indices, indptr.astype(np.int32)), shape=shape), begins

    def _with_names(
        self, indices: NDArray[np.int32], data: Floats, indptr: Ints, named: Sequence[tuple[int, Packed]]
    ) -> tuple[NDArray[np.int32], Floats, Ints]:
        """The same with the weights that go by name at the end of their rows."""
        spots = [
            (row + at, column, number)
            for row, part in named
            for line, numbers in part.named()
            for column in self._columns_of(line)
            for at, number in enumerate(numbers)
        ]
        spots.sort(key=lambda spot: spot[0])
        rows = np.array([row for row, _, _ in spots], np.int64)
        ends = indptr[rows + 1]
        added = np.bincount(rows, minlength=len(indptr) - 1)
        return (
            np.insert(indices, ends, np.array([column for _, column, _ in spots], np.int32)),
            np.insert(data, ends, np.array([number for _, _, number in spots], np.float32)),
            indptr + np.concatenate([[0], np.cumsum(added)]),
        )

    # -- what goes by name -----------------------------------------------------------------------------------

    def _columns_of(self, line: str) -> list[int]:
        """The columns of a feature, given as in `Packed.named`.

        Most people are in no paper of the batch, which their surname tells; they are not remembered, since
        a million readers follow millions of people.
        """
        found = self._columns.get(line)
        if found is not None:
            return found
        kind, _, name = line.partition("\t")
        if kind == "author" and name.rpartition(" ")[2] not in self._surnames:
            return []
        feature = Feature(cast(Kind, kind), name)
        columns = self.edition.columns_of(feature)
        found = [int(self._place[at]) for at in columns if self._place[at] >= 0]
        if not columns and kind == "term" and (column := self._column(feature)) is not None:
            found = [self._by_column.shape[0]]
            self._open.append(column)
            del self._by_column
        if len(self._columns) > _MOST_NAMES:
            # What was given a column keeps it.
            self._columns = {held: at for held, at in self._columns.items() if at and at[0] >= self._fitted}
        self._columns[line] = found
        return found

    @cached_property
    def _surnames(self) -> frozenset[str]:
        people = (feature for feature in self.edition.extension if feature.kind == "author")
        return frozenset(person.name.rpartition(" ")[2] for person in people)

    def _column(self, feature: Feature) -> sparse.csc_matrix[np.float32] | None:
        """The values of a term that the edition has no column for, in all texts; None where none holds it."""
        rows: list[int] = []
        values: list[float] = []
        wide = self.edition
        for part, begin in zip(self._parts, (0, len(self.order)), strict=False):
            holders = part.holders(feature.name)
            if len(holders):
                words = (Feature("term", word) for word in feature.name.split())
                wide = self.edition.including([feature, *words])
                X = wide.transform([part.papers[at] for at in holders]).tocsc()
                at = wide.column(feature) or 0
                values += np.asarray(X[:, at : at + 1].todense()).ravel().tolist()
                rows += self._row[holders + begin].tolist()
        if not rows:
            return None
        places = (np.array(rows), np.zeros(len(rows), np.int64))
        return sparse.csc_matrix((np.array(values, np.float32), places), shape=(len(self._row), 1))

    @cached_property
    def _by_column(self) -> Matrix:
        """The vectors of all texts, a row for each column: columns × texts."""
        return sparse.csr_matrix(sparse.hstack([self._X, *self._open]).T)


@dataclass(frozen=True, slots=True)
class _Words:
    """The words of papers, to find those that hold a term: pairs of neighbours in order, and their places in
    the row of all words."""

    ready: Ready
    keys: Ints
    at: Ints

    @classmethod
    def of(cls, ready: Ready) -> _Words:
        keys = (ready.text[:-1].astype(np.int64) << 32) | ready.text[1:].astype(np.int64)
        at = np.argsort(keys, kind="stable")
        return cls(ready, keys[at], at)

    @property
    def papers(self) -> Sequence[Paper]:
        return self.ready.papers

    def holders(self, term: str) -> Ints:
        """The places of the papers that hold a term of one or two words."""
        numbers = [self.ready.lexicon.id_of(word) for word in term.split()]
        if not numbers or None in numbers:
            return np.empty(0, np.int64)
        first, second = numbers[0], numbers[-1]
        if len(numbers) == 1:
            found = np.flatnonzero(self.ready.text == first)
        else:
            key = (int(first or 0) << 32) | int(second or 0)
            found = self.at[np.searchsorted(self.keys, key) : np.searchsorted(self.keys, key, side="right")]
        return np.unique(np.searchsorted(self.ready.starts, found, side="right") - 1)


def _stacked(parts: Sequence[Matrix], size: int) -> Matrix:
    """The rows of all parts on so many columns."""
    whole = sparse.csr_matrix(
        (
            np.concatenate([X.data for X in parts]),
            np.concatenate([X.indices for X in parts]),
            np.concatenate([[0], *(X.indptr[1:] + b for X, b in zip(parts, _begins(parts), strict=True))]),
        ),
        shape=(sum(X.shape[0] for X in parts), size),
    )
    whole.sort_indices()
    return whole


def _begins(parts: Sequence[Matrix]) -> list[int]:
    return [0, *accumulate(X.nnz for X in parts)][:-1]
