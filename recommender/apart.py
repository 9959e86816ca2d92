"""Papers taken apart: what their explanations have in common, whoever reads them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from recommender.features import Feature
from recommender.frequencies import split_keys
from recommender.paper import Paper
from recommender.vectors import Edition, Matrix

_TOGETHER = 1.5  # a pair of words is named as a phrase where it stands e^1.5 times as often as by chance


class TakenApart:
    """The values of ``X`` (n × size of ``edition``), which are the vectors of ``papers``, as flat arrays.

    Paper i has the places ``spans[i]`` in all of them. ``columns`` and ``values`` are those of ``X``,
    ascending by column within a paper. ``terms`` marks words and pairs, ``firm`` those of them that can be
    named as a phrase, ``people`` authors. ``first`` and ``second`` say where the two words of a pair stand,
    counted from the paper's first place; -1 for what is no pair, or where the paper lacks the word.
    """

    def __init__(self, edition: Edition, X: Matrix, papers: Sequence[Paper]) -> None:
        self.edition = edition
        self.papers = papers
        held = X if X.has_sorted_indices else X.sorted_indices()
        self.columns: NDArray[np.int32] = held.indices
        self.values = held.data.astype(np.float64)
        ends = held.indptr.tolist()
        self.spans = [slice(start, end) for start, end in pairwise(ends)]
        columns = self.columns.astype(np.int64)
        self.terms = columns < edition.text_columns.stop
        self.people = np.zeros(len(columns), bool)
        # A handful, of an open end that has thousands in a busy week.
        beyond = np.flatnonzero(columns >= edition.base_size)
        kinds = np.array([edition.feature(column).kind for column in columns[beyond].tolist()], str)
        self.terms[beyond], self.people[beyond] = kinds == "term", kinds == "author"
        words = self._words_of_pairs(columns)
        self.firm = self.terms & self._are_firm(columns, words)
        row = np.repeat(np.arange(len(papers)), np.diff(held.indptr))
        starts = held.indptr[row]
        self.first, self.second = (self._places(row, starts, columns, word) for word in words)
        self._features: dict[int, Feature] = {}

    def feature(self, place: int) -> Feature:
        """What stands at a place; looked up once for all papers that hold it."""
        column = int(self.columns[place])
        found = self._features.get(column)
        if found is None:
            found = self._features[column] = self.edition.feature(column)
        return found

    def _words_of_pairs(self, columns: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The columns of the two words of each pair, -1 where there is none."""
        edition, fitting = self.edition, self.edition.fitting
        first, second = np.full(len(columns), -1), np.full(len(columns), -1)
        pairs = (columns >= fitting.pairs_start) & (columns < fitting.names_start)
        first[pairs], second[pairs] = split_keys(
            fitting.frequencies.pairs[columns[pairs] - fitting.pairs_start]
        )
        # Rare terms that some reader stated: a handful.
        for place in np.flatnonzero(self.terms & (columns >= edition.base_size)).tolist():
            one, _, other = edition.feature(int(columns[place])).name.partition(" ")
            if other:
                found = (edition.column(Feature("term", word)) for word in (one, other))
                first[place], second[place] = (-1 if column is None else column for column in found)
        return first, second

    def _are_firm(
        self, columns: NDArray[np.int64], words: tuple[NDArray[np.int64], NDArray[np.int64]]
    ) -> NDArray[np.bool_]:
        """`Edition.togetherness` of each column, as far as to say whether it is enough."""
        shares, base = self.edition.fitting.shares, self.edition.base_size
        pairs = (words[0] >= 0) & (words[1] >= 0) & (words[0] < base) & (words[1] < base)
        firm = np.ones(len(columns), bool)
        alone = shares[words[0][pairs]] * shares[words[1][pairs]]
        firm[pairs] = np.log(100 * self.edition.shares_at(columns[pairs]) / alone) >= _TOGETHER
        return firm

    def _places(
        self, row: NDArray[np.int64], starts: NDArray[np.int32], columns: NDArray[np.int64],
        wanted: NDArray[np.int64],
    ) -> NDArray[np.int64]:  # fmt: skip
        """Where each wanted column stands in the same paper, counted from its start."""
        if not len(columns):
            return np.empty(0, np.int64)
        keys, key = (row * self.edition.size + of for of in (columns, wanted))
        place = np.minimum(np.searchsorted(keys, key), len(keys) - 1)
        return np.where((keys[place] == key) & (wanted >= 0), place - starts, -1)
