"""A batch of papers made ready for many profiles: its columns alone, and the product with their weights."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.utils.extmath import safe_sparse_dot

from recommender import text
from recommender.features import Feature
from recommender.frequencies import segments
from recommender.likeness import Likeness
from recommender.paper import Paper
from recommender.vectors import Edition, Matrix
from recommender.weights import Packed

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


class Batch:
    """Papers as vectors on the columns that any of them has, in the order of their ids.

    A profile has weights on a thousand columns of near a million; those of the batch are some ten thousand,
    and only they are multiplied. ``papers`` are the batch, ``others`` more papers that scores are measured
    against (see `dial`).
    """

    def __init__(self, edition: Edition, papers: Sequence[Paper], others: Sequence[Paper] = ()) -> None:
        self.papers = sorted(papers, key=lambda paper: paper.id)
        self.texts = [*self.papers, *others]
        self.edition = edition.extended(self.texts)
        X = self.edition.transform(self.texts)
        X.sort_indices()
        held = np.unique(X.indices)
        self._place = np.full(self.edition.size, -1, np.int32)
        self._place[held] = np.arange(len(held), dtype=np.int32)
        self._X = sparse.csr_matrix((X.data, self._place[X.indices], X.indptr), shape=(X.shape[0], len(held)))
        self._words = X[: len(papers), self.edition.text_columns]
        self._columns: dict[Feature, list[int]] = {}
        self._open: list[sparse.csc_matrix[np.float32]] = []

    @cached_property
    def likeness(self) -> Likeness:
        """How alike the papers of the batch are."""
        return Likeness(self.papers, self._words)

    def scores(self, blobs: Sequence[bytes]) -> tuple[Floats, Floats]:
        """The scores of profiles, given as blobs of `Weights.to_bytes`: profiles × papers, and × others.

        They are those of `Weights.scores` in single precision. Raises ValueError for weights of another
        fitting, and for blobs that hold none.
        """
        n = len(self.papers)
        if not blobs or not self.texts:
            return np.zeros((len(blobs), n), np.float32), np.zeros(
                (len(blobs), len(self.texts) - n), np.float32
            )
        W, begins = self._stacked(blobs)
        # linear_kernel's own product, without its checks of every number.
        product = np.asarray(safe_sparse_dot(W, self._by_column, dense_output=True))
        if len(begins) < W.shape[0]:
            product = np.maximum.reduceat(product, begins, axis=0)
        return product[:, :n], product[:, n:]

    def _stacked(self, blobs: Sequence[bytes]) -> tuple[Matrix, Ints]:
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
        named = [(int(row), part) for row, part in zip(begins, parts, strict=True) if part.has_names]
        if named:
            indices, data, indptr = self._with_names(indices, data, indptr, named)
        shape = (len(indptr) - 1, self._by_column.shape[0])
        return sparse.csr_matrix((data, indices, indptr.astype(np.int32)), shape=shape), begins

    def _with_names(
        self, indices: NDArray[np.int32], data: Floats, indptr: Ints, named: Sequence[tuple[int, Packed]]
    ) -> tuple[NDArray[np.int32], Floats, Ints]:
        """The same with the weights that go by name at the end of their rows."""
        weights = [(row, part.named()) for row, part in named]
        self._meet({feature for _, held in weights for feature, _ in held})
        spots = [
            (row + at, column, number)
            for row, held in weights
            for feature, numbers in held
            for column in self._columns[feature]
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

    def _meet(self, features: set[Feature]) -> None:
        """Find the columns of features, giving one to each term that only the papers' own words hold."""
        unknown = sorted(features - self._columns.keys())
        fresh = []
        for feature in unknown:
            found = [int(self._place[at]) for at in self.edition.columns_of(feature)]
            self._columns[feature] = [at for at in found if at >= 0]
            if not found and feature.kind == "term" and feature.name in self._rare_terms:
                fresh.append(feature)
        if not fresh:
            return
        # A stated term that the edition never saw has a value in the few papers that hold it.
        rows = sorted({row for feature in fresh for row in self._rare_terms[feature.name]})
        words = {Feature("term", word) for feature in fresh for word in feature.name.split()}
        wide = self.edition.including({*fresh, *words})
        at = [wide.column(feature) for feature in fresh]
        found_in = sparse.coo_matrix(wide.transform([self.texts[row] for row in rows])[:, at])
        shape = (len(self.texts), len(fresh))
        column = sparse.csc_matrix(
            (found_in.data, (np.array(rows)[found_in.row], found_in.col)), shape=shape
        )
        begin = self._by_column.shape[0]
        self._open.append(column)
        for place, feature in enumerate(fresh):
            self._columns[feature] = [begin + place]
        del self._by_column

    @cached_property
    def _by_column(self) -> Matrix:
        """The vectors of all texts, a row for each column: columns × texts."""
        return sparse.csr_matrix(sparse.hstack([self._X, *self._open]).T)

    @cached_property
    def _rare_terms(self) -> dict[str, list[int]]:
        """The words and pairs of the papers that the edition has no column for, and the papers that hold
        them."""
        known = self.edition
        found: dict[str, list[int]] = {}
        for row, paper in enumerate(self.texts):
            held = {term for piece, _ in segments(paper) if piece for term in text.terms(piece)}
            for term in held:
                found.setdefault(term, []).append(row)
        return {term: rows for term, rows in found.items() if known.column(Feature("term", term)) is None}
