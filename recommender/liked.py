"""The papers that readers judged, on the columns that any paper of the same reader holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recommender.vectors import Edition, Matrix

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Ints = NDArray[np.int64]

_MANY = 20_000
_COLUMN_BITS = 32


@dataclass(frozen=True, slots=True)
class Liked:
    """The papers that some readers judged: theirs one after the other, each with columns of their own.

    ``columns`` are the fitted columns that any paper of the reader holds: first, reader by reader and in
    ascending order, the ``words`` many words and pairs of all readers, then their names: categories,
    institutions and tags. ``whose`` is the reader of each, and ``shares`` are the shares of all papers that
    hold them. Each of the papers' ``values`` is in the column at ``where`` of ``columns``, and in the paper
    at ``owners``. ``mass`` says as how many papers each paper counts, negative where it was disliked;
    ``papers`` how many each reader judged.
    ``held`` (2 × columns) says as how many the liked and the disliked papers count that hold each column, and
    ``totals`` (2 × readers) as how many they count in all. What there is of each column is in single
    precision: weights are kept in half, and so much less has to be fetched.
    """

    columns: Ints
    words: int
    whose: Ints
    shares: Singles
    where: Ints
    values: Singles
    owners: Ints
    mass: Floats
    papers: Ints
    held: Singles
    totals: Singles

    @classmethod
    def of(cls, edition: Edition, X: Matrix, mass: Floats, papers: Sequence[int] = ()) -> Liked:
        """Read the judged papers ``X``, whose columns begin with those of ``edition``.

        ``papers`` are those of several readers; without it they are all of one.
        """
        # By hand: taking columns of a scipy matrix costs as much as all of this.
        owners = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
        inside, values = X.indices, X.data
        if X.shape[1] > edition.base_size:
            fitted = inside < edition.base_size
            owners, inside, values = owners[fitted], inside[fitted], values[fitted]
        many = np.array(papers or [len(mass)])
        judges = np.repeat(np.arange(len(many)), many)
        numbers = inside
        if len(many) > 1:
            # One sort for all readers: whose a column is stands before its number, names come after words.
            name = inside >= edition.text_columns.stop
            numbers = ((judges[owners] + len(many) * name) << _COLUMN_BITS) | inside
        found, where = distinct(numbers)
        turns, columns = found >> _COLUMN_BITS, found & ((1 << _COLUMN_BITS) - 1)
        whose = turns - len(many) * (turns >= len(many))
        words = int(np.count_nonzero(columns < edition.text_columns.stop))
        shares = edition.fitting.shares[columns].astype(np.float32)
        held = np.zeros((2, len(columns)), np.float32)
        totals = np.zeros((2, len(many)), np.float32)
        for side, sign in ((0, 1.0), (1, -1.0)):
            masses = np.maximum(sign * mass, 0.0)
            if masses.any():
                held[side] = np.bincount(where, masses[owners], len(columns))
                totals[side] = np.bincount(judges, masses, len(many))
        return cls(columns, words, whose, shares, where, values, owners, mass, many, held, totals)

    def spans(self) -> list[tuple[slice, slice]]:
        """Where each reader's words and names are among the columns."""
        readers = np.arange(len(self.papers) + 1)
        words = np.searchsorted(self.whose[: self.words], readers)
        names = np.searchsorted(self.whose[self.words :], readers) + self.words
        spans = [[slice(a, b) for a, b in pairwise(bounds.tolist())] for bounds in (words, names)]
        return list(zip(*spans, strict=True))

    def counted(self, reader: int, words: slice, names: slice) -> Counted:
        """What the papers of one reader hold, whose words and names are there."""
        columns, shares, held = (
            np.concatenate([part[..., words], part[..., names]], axis=-1)
            for part in (self.columns, self.shares, self.held)
        )
        return Counted(columns, shares, self.totals[:, reader], held)

    @property
    def count(self) -> float:
        """As how many papers all liked ones count."""
        return float(self.totals[0].sum())

    def side(self, sign: float) -> Floats:
        """As how many papers each paper counts among the liked (1) or the disliked (-1)."""
        return np.maximum(sign * self.mass, 0.0)

    def total(self, masses: Floats, values: Singles) -> Singles:
        """The sum over papers of ``masses`` times ``values`` of their entries, for each column."""
        each = masses[self.owners] * values
        return np.bincount(self.where, each, minlength=len(self.columns)).astype(np.float32)

    def repeats(self) -> Singles:
        """(1 + ln tf)^q of each value, as in `Edition.transform`; of no meaning for what is no word."""
        # A row is (1 + ln tf)^q · √idf over its length, and every paper has words that it uses once.
        raw = self.values / np.sqrt(-np.log(self.shares))[self.where]
        used = np.where(self.where < self.words, raw, np.float32(np.inf))
        begins = np.flatnonzero(np.diff(self.owners, prepend=-1))
        once = np.ones(len(self.mass), np.float32)
        if len(raw):
            once[self.owners[begins]] = np.minimum.reduceat(used, begins)
        return np.asarray(raw / once[self.owners])

    def text(self) -> Matrix:
        """The words and pairs of one reader's papers, n × words."""
        inside = self.where < self.words
        starts = np.searchsorted(self.owners[inside], np.arange(len(self.mass) + 1))
        held = (self.values[inside], self.where[inside].astype(np.int32), starts.astype(np.int32))
        return sparse.csr_matrix(held, shape=(len(self.mass), self.words))


@dataclass(frozen=True, slots=True)
class Counted:
    """What one reader's papers hold: each of the fitted ``columns``, which ``shares`` of all papers hold.

    ``held`` (2 × columns) says as how many the liked and the disliked papers count that hold it, and
    ``totals`` (2) as how many they count in all.
    """

    columns: Ints
    shares: Singles
    totals: Singles
    held: Singles


def distinct(numbers: NDArray[np.integer[Any]]) -> tuple[Ints, Ints]:
    """The different ones of ``numbers``, 0 or more, ascending, and where each is among those."""
    if len(numbers) < _MANY or int(numbers.max()) >> _COLUMN_BITS:
        # Papers' columns ascend already: merging them takes a tenth of the time of the sort of `np.unique`.
        order = np.argsort(numbers, kind="stable")
        ascending = numbers[order]
        new = np.ones(len(numbers), bool)
        np.not_equal(ascending[1:], ascending[:-1], out=new[1:])
        where = np.empty(len(numbers), np.int64)
        where[order] = np.cumsum(new) - 1
        return ascending[new].astype(np.int64, copy=False), where
    # Beyond some ten papers' columns a mark for each one there could be is faster than sorting.
    marks = np.zeros(int(numbers.max()) + 1, np.int32)
    marks[numbers] = 1
    found = np.flatnonzero(marks)
    marks[found] = np.arange(len(found), dtype=np.int32)
    return found, marks[numbers].astype(np.int64)
