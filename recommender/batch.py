"""A batch of papers made ready for many profiles: its columns alone, and the product with their weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from threading import Lock

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.utils.extmath import safe_sparse_dot

from recommender.features import Feature
from recommender.packed import Unpacked, feature_of, mark
from recommender.paper import Paper
from recommender.ready import Ready
from recommender.vectors import Matrix

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

# A column costs a dense product 2 operations a paper, some 0.02 ns; a sparse one about 1 ns for each paper
# that holds it, where the profile has a weight on it, as on common words most have. With 1,500 papers, a
# profile: 68 us all sparse, 36 with 256 dense columns, 34 with 512, 36 with 768, 42 with 1,024.
_COMMON = 0.05
_MOST_COMMON = 1_024
_MOST_NAMES = 200_000
_MARKS = 1 << 20  # of others than those sought, less than one in a hundred is looked at in vain


class Batch:
    """Papers as vectors on the columns that any of them has, in the order of their ids.

    A profile has weights on a thousand columns of near a million; those of the batch are some ten thousand,
    and only they are multiplied: the commonest as a dense block, the others as sparse ones. ``ready`` are the
    papers of the batch; ``others`` are more papers that scores are measured against (see `dial`). ``order``
    (n) are the places in ``ready`` of the batch's papers in the order of their ids, which is that of all
    scores here.
    """

    def __init__(self, ready: Ready, others: Sequence[Paper] = ()) -> None:
        self.ready = ready
        ids = [paper.id for paper in ready.papers]
        self.order = np.array(sorted(range(len(ids)), key=ids.__getitem__), np.int64)
        rest = Ready.of(ready.edition, others) if others else None
        self._texts = [ready, *([rest] if rest else [])]
        self.edition = rest.edition if rest else ready.edition
        X = _stacked([ready.X, *([rest.X] if rest else [])], self.edition.size)
        X = X[np.concatenate([self.order, np.arange(len(ids), X.shape[0])])]
        # Where each text stands in X: those of the batch, then the others.
        self._row = np.arange(X.shape[0])
        self._row[self.order] = np.arange(len(ids))
        papers_of = np.bincount(X.indices, minlength=self.edition.size)
        held = np.flatnonzero(papers_of)
        held = held[np.argsort(-papers_of[held], kind="stable")]
        common = int((papers_of[held] >= max(2, _COMMON * X.shape[0])).sum())
        self._common = min(common, _MOST_COMMON)
        # Columns by falling number of papers, and between the common and the rare ones an empty one, which
        # stands for all that no paper has.
        self._place = np.full(self.edition.size, self._common, np.int32)
        places = np.arange(len(held), dtype=np.int32)
        self._place[held] = places + (places >= self._common)
        shape = (X.shape[0], len(held) + 1)
        placed = sparse.csr_matrix((X.data, self._place[X.indices], X.indptr), shape=shape)
        self._held = sparse.csr_matrix(placed.T)
        self._block = self._held[: self._common + 1].toarray()
        self._rare = self._held[self._common + 1 :]
        self._lock = Lock()  # two may subscribe at the same moment
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
        unpacked = Unpacked.of(blobs)
        if unpacked.fitted != self.edition.base_size:
            raise ValueError(
                f"weights on {unpacked.fitted} columns, papers on {self.edition.base_size} of edition "
                f"{self.edition.name}; learn them anew"
            )
        place = self._place[unpacked.columns]
        starts, count = unpacked.starts.astype(np.int32), len(unpacked.starts) - 1
        common = (unpacked.values, np.minimum(place, self._common), starts)
        found = sparse.csr_matrix(common, shape=(count, self._common + 1)).toarray() @ self._block
        at = np.flatnonzero(place > self._common)
        rare = (unpacked.values[at], place[at] - (self._common + 1), np.searchsorted(at, starts))
        weights = sparse.csr_matrix(rare, shape=(count, self._rare.shape[0]))
        # linear_kernel's own product, without its checks of every number.
        found += safe_sparse_dot(weights, self._rare, dense_output=True)
        with self._lock:
            self._add_names(found, unpacked)
        begins = unpacked.begins
        return found if len(begins) == count + 1 else np.maximum.reduceat(found, begins[:-1], axis=0)

    # -- what goes by name -----------------------------------------------------------------------------------

    def _add_names(self, found: Floats, unpacked: Unpacked) -> None:
        """Add to the scores (rows × texts) what goes by name."""
        hits = np.flatnonzero(self._marked[unpacked.marks & (_MARKS - 1)])
        lines, owners = unpacked.lines(hits)
        known = self._columns
        columns = [known[line] if line in known else self._columns_of(line) for line in lines]
        # One spot for each column of a name and each row of its profile.
        owners, hits = (np.repeat(part, [len(at) for at in columns]) for part in (owners, hits))
        rows = np.diff(unpacked.begins)[owners]
        nth = np.arange(rows.sum()) - np.repeat(np.cumsum(rows) - rows, rows)
        first = unpacked.numbers_of[owners] + (hits - unpacked.names[owners]) * rows
        values = unpacked.numbers[np.repeat(first, rows) + nth]
        if not len(values):
            return
        places = np.repeat(unpacked.begins[owners], rows) + nth
        spots = np.repeat([at for found_at in columns for at in found_at], rows)
        by_column = self._by_column
        named = sparse.csr_matrix((values, (places, spots)), shape=(len(found), by_column.shape[0]))
        added = sparse.csr_matrix(named @ by_column)
        found[np.repeat(np.arange(len(found)), np.diff(added.indptr)), added.indices] += added.data

    @cached_property
    def _marked(self) -> NDArray[np.bool_]:
        """Which marks may stand for something that these texts hold, by their last bits."""
        found = np.zeros(_MARKS, bool)
        found[[0, *(mark(feature) & (_MARKS - 1) for feature in self.edition.extension)]] = True
        return found

    def _columns_of(self, line: str) -> list[int]:
        """The columns of a feature, given as in `Unpacked.named`."""
        found = self._columns.get(line)
        if found is not None:
            return found
        feature = feature_of(line)
        columns = self.edition.columns_of(feature)
        found = [int(self._place[at]) for at in columns if self._place[at] != self._common]
        if not columns and feature.kind == "term" and (column := self._column(feature)) is not None:
            found = [self._held.shape[0] + len(self._open)]
            self._open.append(column)
            self.__dict__.pop("_by_column", None)
        if len(self._columns) > _MOST_NAMES:
            # What was given a column keeps it.
            self._columns = {
                held: at for held, at in self._columns.items() if at and at[0] >= len(self._held.indptr) - 1
            }
        self._columns[line] = found
        return found

    def _column(self, feature: Feature) -> sparse.csc_matrix[np.float32] | None:
        """The values of a term that the edition has no column for, in all texts; None where none holds it."""
        rows: list[int] = []
        values: list[float] = []
        wide = self.edition
        for part, begin in zip(self._words, (0, len(self.order)), strict=False):
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
    def _words(self) -> list[_Words]:
        return [_Words.of(ready) for ready in self._texts]

    @cached_property
    def _by_column(self) -> Matrix:
        """The vectors of all texts, a row for each column, those that were added at the end."""
        return sparse.csr_matrix(sparse.vstack([self._held, *(column.T for column in self._open)]))


@dataclass(frozen=True, slots=True)
class _Words:
    """The words of papers, to find those that hold a term: pairs of neighbours in order, and their places in
    the row of all words."""

    ready: Ready
    keys: Ints
    at: Ints

    @classmethod
    def of(cls, ready: Ready) -> _Words:
        text = ready.words.text.astype(np.int64)
        keys = (text[:-1] << 32) | text[1:]
        at = np.argsort(keys, kind="stable")
        return cls(ready, keys[at], at)

    @property
    def papers(self) -> Sequence[Paper]:
        return self.ready.papers

    def holders(self, term: str) -> Ints:
        """The places of the papers that hold a term of one or two words."""
        words = self.ready.words
        numbers = [words.lexicon.id_of(word) for word in term.split()]
        if not numbers or None in numbers:
            return np.empty(0, np.int64)
        first, second = numbers[0], numbers[-1]
        if len(numbers) == 1:
            found = np.flatnonzero(words.text == first)
        else:
            key = (int(first or 0) << 32) | int(second or 0)
            found = self.at[np.searchsorted(self.keys, key) : np.searchsorted(self.keys, key, side="right")]
        return np.unique(np.searchsorted(words.starts, found, side="right") - 1)


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
