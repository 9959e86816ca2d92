"""The papers that readers judged, on the columns that any paper of the same reader holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
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
    """The papers that some readers judged: theirs one after the other, each with columns of their own.

    ``columns`` are the fitted columns that any paper of the reader holds, in ascending order for each reader;
    ``whose`` is the reader of each, ``word`` says which are words and pairs, the others being categories,
    institutions and tags, and ``shares`` are the shares of all papers that hold them. Each of the papers'
    ``values`` is in the column at ``where`` of ``columns``, and in the paper at ``owners``. ``mass`` says as
    how many papers each paper counts, negative where it was disliked; ``papers`` how many each reader judged.
    """

    columns: Ints
    whose: Ints
    word: NDArray[np.bool_]
    shares: Floats
    where: Ints
    values: NDArray[np.float32]
    owners: Ints
    mass: Floats
    papers: Ints

    @classmethod
    def of(cls, edition: Edition, X: Matrix, mass: Floats, papers: Sequence[int] = ()) -> Liked:
        """Read the judged papers ``X``, whose columns begin with those of ``edition``.

        ``papers`` are those of several readers; without it they are all of one.
        """
        # By hand: taking columns of a scipy matrix costs as much as all of this.
        owners = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
        held, values = X.indices, X.data
        if X.shape[1] > edition.base_size:
            inside = held < edition.base_size
            owners, held, values = owners[inside], held[inside], values[inside]
        many = np.array(papers or [len(mass)])
        bounds = np.searchsorted(owners, np.concatenate([[0], np.cumsum(many)])).tolist()
        own = [distinct(held[begin:end]) for begin, end in pairwise(bounds)]
        counts = [len(columns) for columns, _ in own]
        columns = np.concatenate([columns for columns, _ in own])
        before = accumulate(counts[:-1], initial=0)
        where = np.concatenate([start + where for start, (_, where) in zip(before, own, strict=True)])
        whose = np.repeat(np.arange(len(many)), counts)
        word = columns < edition.text_columns.stop
        shares = edition.fitting.shares[columns]
        return cls(columns, whose, word, shares, where, values, owners, mass, many)

    def counted(self) -> list[Counted]:
        """How many papers hold each column, for each reader."""
        sides = [self.side(1), self.side(-1)]
        held = np.array([self.total(side) if side.any() else np.zeros(len(self.columns)) for side in sides])
        totals = np.array([self.by_reader(side) for side in sides])
        bounds = np.searchsorted(self.whose, np.arange(len(self.papers) + 1)).tolist()
        return [
            Counted(self.columns[a:b], self.shares[a:b], totals[:, reader], held[:, a:b])
            for reader, (a, b) in enumerate(pairwise(bounds))
        ]

    @property
    def count(self) -> float:
        """As how many papers all liked ones count."""
        return float(self.side(1).sum())

    def side(self, sign: float) -> Floats:
        """As how many papers each paper counts among the liked (1) or the disliked (-1)."""
        return np.maximum(sign * self.mass, 0.0)

    def by_reader(self, masses: Floats) -> Floats:
        """The sum of ``masses`` of each reader's papers."""
        judges = np.repeat(np.arange(len(self.papers)), self.papers)
        return np.bincount(judges, masses, minlength=len(self.papers)).astype(np.float64, copy=False)

    def total(self, masses: Floats, values: NDArray[np.floating[Any]] | None = None) -> Floats:
        """The sum over papers of ``masses``, times ``values`` of their entries, for each column."""
        spread = masses[self.owners]
        each = spread if values is None else spread * values
        return np.bincount(self.where, each, minlength=len(self.columns)).astype(np.float64, copy=False)

    def repeats(self) -> Floats:
        """(1 + ln tf)^q of each value, as in `Edition.transform`; of no meaning for what is no word."""
        # A row is (1 + ln tf)^q · √idf over its length, and every paper has words that it uses once.
        raw = self.values / np.sqrt(-np.log(self.shares))[self.where]
        begins = np.flatnonzero(np.diff(self.owners, prepend=-1))
        once = np.ones(len(self.mass))
        least = np.minimum.reduceat(np.where(self.word[self.where], raw, np.inf), begins) if len(raw) else raw
        once[self.owners[begins]] = least
        return np.asarray(raw / once[self.owners])

    def text(self) -> Matrix:
        """The words and pairs of one reader's papers, n × words."""
        inside = self.word[self.where]
        starts = np.searchsorted(self.owners[inside], np.arange(len(self.mass) + 1))
        held = (self.values[inside], self.where[inside].astype(np.int32), starts.astype(np.int32))
        return sparse.csr_matrix(held, shape=(len(self.mass), int(self.word.sum())))


@dataclass(frozen=True, slots=True)
class Counted:
    """What one reader's papers hold: each of the fitted ``columns``, which ``shares`` of all papers hold.

    ``held`` (2 × columns) says as how many the liked and the disliked papers count that hold it, and
    ``totals`` (2) as how many they count in all.
    """

    columns: Ints
    shares: Floats
    totals: Floats
    held: Floats


def distinct(columns: NDArray[np.integer[Any]]) -> tuple[Ints, Ints]:
    """The different ones of ``columns`` (0 or more, few millions at most), ascending, and where each is."""
    if len(columns) < _MANY:
        # Papers' columns ascend already: merging them takes a tenth of the time of the sort of `np.unique`.
        order = np.argsort(columns, kind="stable")
        ascending = columns[order]
        new = np.ones(len(columns), bool)
        np.not_equal(ascending[1:], ascending[:-1], out=new[1:])
        where = np.empty(len(columns), np.int64)
        where[order] = np.cumsum(new) - 1
        return ascending[new].astype(np.int64), where
    # Beyond some ten papers' columns a mark for each one there could be is faster than sorting.
    marks = np.zeros(int(columns.max()) + 1, np.int32)
    marks[columns] = 1
    found = np.flatnonzero(marks)
    marks[found] = np.arange(len(found), dtype=np.int32)
    return found, marks[columns].astype(np.int64)
