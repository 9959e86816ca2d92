"""A background's sample of papers: what stands for all that readers did not choose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recommender.liked import Liked
from recommender.vectors import Matrix

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]
Singles = NDArray[np.float32]
ByColumn = sparse.csc_matrix[np.float32]

# The commonest 128 words are half of what readers' words hold of 2,000 papers: 0.22 ms a reader in a dense
# block, 0.34 without one, 0.25 with 512.
_COMMON = 128
_SAME = 1e-5
_SCATTERING = (2_654_435_761, 2_246_822_519)


class Others:
    """m papers, made ready to be looked at on the columns of readers."""

    def __init__(self, papers: ByColumn, words: int) -> None:
        """Take ``papers``, m × fitted columns, of which the first ``words`` are words and pairs."""
        self.count = papers.shape[0]
        held = np.diff(papers.indptr)
        common = np.argsort(-held[:words], kind="stable")[:_COMMON]
        common = np.sort(common[held[common] > 0])
        columns = np.concatenate([common, np.setdiff1d(np.flatnonzero(held), common)])
        # The common words come first, and last an empty row, which stands for all that no paper holds.
        self.empty = len(columns)
        self.place = np.full(len(held), self.empty, np.int32)
        self.place[columns] = np.arange(self.empty)
        some = papers[:, columns]
        bounds = np.append(some.indptr, some.indptr[-1:])
        self._rows: Matrix = sparse.csr_matrix(
            (some.data, some.indices, bounds), shape=(self.empty + 1, self.count)
        )
        self.block: Singles = self._rows[: len(common)].toarray()
        self.holds: Singles = (self.block > 0).astype(np.float32)
        text = sparse.coo_matrix(papers[:, :words])
        marks = np.array([_marks(text.col, text.data, text.row, self.count, which) for which in (0, 1)])
        order = np.argsort(marks[0])
        # Papers without words are all alike, and none of them is looked for.
        self._marked = order[marks[0, order] != 0]
        self._marks = marks[:, self._marked]

    def at(self, columns: Ints) -> ByColumn:
        """The papers on these columns alone, m × columns."""
        return self._rows[self.place[columns]].T

    def judged(self, liked: Liked) -> NDArray[np.bool_]:
        """Which of the papers each reader judged, readers × m."""
        found = np.zeros((len(liked.papers), self.count), bool)
        inside = liked.where < liked.words
        columns, values = liked.columns[liked.where[inside]], liked.values[inside]
        owners = liked.owners[inside]
        first = _marks(columns, values, owners, len(liked.mass), 0)
        begins, ends = (np.searchsorted(self._marks[0], first + far) for far in (-_SAME, _SAME))
        readers = np.repeat(np.arange(len(liked.papers)), liked.papers)
        for paper in np.flatnonzero(begins < ends).tolist():
            near, own = slice(begins[paper], ends[paper]), slice(*np.searchsorted(owners, (paper, paper + 1)))
            second = _marks(columns[own], values[own], owners[own] - paper, 1, 1)
            same = np.abs(self._marks[1, near] - second) <= _SAME
            found[readers[paper], self._marked[near][same]] = True
        return found


@dataclass(frozen=True, slots=True)
class Sample:
    """The m others as some readers see them: each on the columns of their own words alone.

    Of the readers' ``words`` those that are common among the others, at ``common``, are looked up in a dense
    block, at ``spots``; those that few of them hold are at ``rare``, on ``papers``, (readers · m) × rare: m
    rows for each reader. The rest, near half of all, are in none of them.
    ``unjudged`` (readers × m) are the papers that the reader did not judge: a liked one must not stand for
    all the rest.
    """

    others: Others
    words: int
    unjudged: NDArray[np.bool_]
    common: Ints
    spots: tuple[Ints, NDArray[np.int32]]
    rare: Ints
    papers: ByColumn

    @classmethod
    def of(cls, others: Others, liked: Liked) -> Sample:
        """The others for the readers of ``liked``."""
        columns, whose = liked.columns[: liked.words], liked.whose[: liked.words]
        place, block = others.place[columns], len(others.block)
        common = np.flatnonzero(place < block)
        rare = np.flatnonzero((place >= block) & (place < others.empty))
        papers, readers = others.at(columns[rare]), len(liked.papers)
        if readers > 1:
            papers.indices += np.repeat((others.count * whose[rare]).astype(np.int32), np.diff(papers.indptr))
            held = (papers.data, papers.indices, papers.indptr)
            papers = sparse.csc_matrix(held, shape=(readers * others.count, len(rare)))
        spots = whose[common], place[common]
        return cls(others, len(columns), ~others.judged(liked), common, spots, rare, papers)

    def scores(self, weights: Floats) -> Singles:
        """The scores by each reader's ``weights`` on their words, readers × m."""
        # In single precision, or scipy would copy all of the papers for a product.
        single = weights.astype(np.float32, copy=False)
        dense = np.zeros((len(self.unjudged), len(self.others.block)), np.float32)
        dense[self.spots] = single[self.common]
        found = dense @ self.others.block
        found += (self.papers @ single[self.rare]).reshape(found.shape)
        return np.asarray(found)

    def held(self, papers: Singles) -> Singles:
        """In how many of these ``papers`` (readers × m, 1 or 0) each of the readers' words is."""
        found = np.zeros(self.words, np.float32)
        found[self.common] = (papers @ self.others.holds.T)[self.spots]
        # By column it is its own transpose by row; five times as fast as adding up stretches of an array.
        ones = np.ones(self.papers.nnz, np.float32)
        shape = self.papers.shape[::-1]
        across = sparse.csr_matrix((ones, self.papers.indices, self.papers.indptr), shape=shape)
        found[self.rare] = across @ papers.ravel()
        return found

    def deviation(self, scores: Singles) -> Singles:
        """The standard deviation of what a reader did not judge, for each reader; 1 where it would be 0."""
        count = np.maximum(np.count_nonzero(self.unjudged, axis=1), 1).astype(np.float32)
        mean = np.einsum("rm,rm->r", scores, self.unjudged) / count
        apart = (scores - mean[:, None]) * self.unjudged
        found = np.sqrt(np.einsum("rm,rm->r", apart, apart) / count)
        return np.where(found > 0, found, np.float32(1.0))

    def best(self, scores: Singles, count: int) -> Singles:
        """1 for the ``count`` papers that score highest for the reader among those not judged, else 0."""
        far = -scores
        far[~self.unjudged] = np.inf
        best = np.argpartition(far, count - 1, axis=1)[:, :count]
        found = np.zeros(scores.shape, np.float32)
        np.put_along_axis(found, best, 1.0, axis=1)
        return found


def _marks(
    columns: NDArray[np.integer[Any]], values: Singles, owners: NDArray[np.integer[Any]], n: int, which: int
) -> Floats:
    """One of two numbers by which each of n papers is known again, 0 for one without words.

    It is the sum of its values, each times a number between -1 and 1 that the column's is scattered to.
    """
    scattered = (columns.astype(np.uint32) * np.uint32(_SCATTERING[which])).view(np.int32) / 2**31
    return np.bincount(owners, values * scattered, minlength=n).astype(np.float64, copy=False)
