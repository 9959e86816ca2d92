"""Papers kept as vectors, so that another reader is ranked without reading the papers again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recommender.features import Feature
from recommender.frequencies import STOP, read
from recommender.interest import Interests
from recommender.likeness import Likeness
from recommender.narrow import Narrow
from recommender.paper import Paper
from recommender.text import normal
from recommender.vectors import Edition, Matrix
from recommender.weights import Weights

_END = -2  # closes a segment: no pair of neighbours reaches over it


class _Lexicon(dict[str, int]):
    """Ids of written forms; a word that the fitting lacks gets a number of its own beyond the fitting's."""

    def __init__(self, words: dict[str, int]) -> None:
        super().__init__()
        self.words = words
        self.new: dict[str, int] = {}

    def __missing__(self, form: str) -> int:
        word = normal(form)
        number = STOP if not word else self.id_of(word)
        if number is None:
            number = self.new[word] = len(self.words) + len(self.new)
        self[form] = number
        return number

    def id_of(self, word: str) -> int | None:
        """The number of a word in its normal form; None for one that was never met."""
        found = self.words.get(word)
        return self.new.get(word) if found is None else found


class Words:
    """The words of papers in a row, to find those that hold a term: read when that is asked first, since it
    takes half as long again as making vectors and few readers name a term that no edition knows.

    ``text`` are the words as numbers of ``lexicon``, each segment closed by an end mark; the words of paper i
    begin at ``starts[i]``.
    """

    def __init__(self, papers: Sequence[Paper], words: dict[str, int]) -> None:
        self._papers = papers
        self._known = words

    def read(self) -> None:
        """Read them now."""
        self._read  # noqa: B018 - kept by looking at it

    @property
    def text(self) -> NDArray[np.int32]:
        return self._read[0]

    @property
    def starts(self) -> NDArray[np.int64]:
        return self._read[1]

    @property
    def lexicon(self) -> _Lexicon:
        return self._read[2]

    @cached_property
    def _read(self) -> tuple[NDArray[np.int32], NDArray[np.int64], _Lexicon]:
        lexicon = _Lexicon(self._known)
        reading = read(self._papers, lexicon.__getitem__, 1.0)
        lexicon.clear()  # only the words count from here on, not how they were written
        heard = reading.ids != STOP
        ids, segment, paper = reading.ids[heard], reading.segment[heard], reading.paper[heard]
        ends = np.flatnonzero(np.diff(segment)) + 1
        text = np.insert(ids, ends, _END)
        owner = np.insert(paper, ends, paper[ends])
        return text, np.searchsorted(owner, np.arange(len(self._papers))), lexicon


@dataclass(frozen=True, slots=True, eq=False)
class Ready:
    """Papers as vectors ``X`` (n × size) of ``edition``, which has a column for every name in them.

    ``narrow`` is the same without empty columns, in double precision. ``words`` are what the papers say,
    ``likeness`` tells which of them say the same, ``dates`` are their announcement days in order.
    """

    papers: Sequence[Paper]
    edition: Edition
    X: Matrix
    narrow: Narrow
    words: Words
    likeness: Likeness
    dates: tuple[date, ...]

    @classmethod
    def of(cls, fitted: Edition, papers: Sequence[Paper]) -> Ready:
        """Read the papers: some seconds for ten thousand."""
        edition = fitted.extended(papers)
        X = edition.transform(papers)
        dates = sorted({p.announced for p in papers if p.announced})
        likeness = Likeness(papers, X[:, edition.text_columns])
        words = Words(papers, fitted.fitting.words)
        return cls(papers, edition, X, Narrow.of(X).in_double(), words, likeness, tuple(dates))

    def to(self, interests: Sequence[Interests]) -> View:
        """The papers with a column for every term and name that these interests state.

        Only papers that hold a term without a column yet are read again.
        """
        wide = self.edition.extended((), interests)
        if wide is self.edition:
            return View(self, wide, self.X, None)
        size = self.edition.size
        X = _widened(self.X, wide.size)
        new = [feature for feature in wide.extension[len(self.edition.extension) :] if feature.kind == "term"]
        holders = sorted({row for feature in new for row in self._holders(feature)})
        if not holders:
            return View(self, wide, X, None)
        found = sparse.coo_matrix(wide.transform([self.papers[row] for row in holders]))
        added = found.col >= size
        rows = np.array(holders)[found.row[added]]
        places = (rows, found.col[added])
        more = sparse.csr_matrix((found.data[added], places), shape=X.shape, dtype=np.float32)
        return View(self, wide, X, more)

    def _holders(self, feature: Feature) -> NDArray[np.int64]:
        """The rows of the papers that hold a term of one or two words."""
        words = self.words
        numbers = [words.lexicon.id_of(word) for word in feature.name.split()]
        if not numbers or None in numbers:
            return np.empty(0, np.int64)
        hit = words.text == numbers[0]
        for at, number in enumerate(numbers[1:], start=1):
            hit[:-at] &= words.text[at:] == number
            hit[-at:] = False
        return np.unique(np.searchsorted(words.starts, np.flatnonzero(hit), side="right") - 1)


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """The papers of ``ready`` on ``edition``, an extension that some interests need.

    ``more`` holds the values of the columns that were added (n × size, None where all are zero), ``X`` those
    of the others.
    """

    ready: Ready
    edition: Edition
    X: Matrix
    more: Matrix | None

    def scores(self, weights: Weights) -> NDArray[np.float64]:
        """The score of each paper; the weights must be on ``edition``."""
        if not self.X.shape[0]:
            return np.empty(0)
        found = self.ready.narrow.scores(weights)
        if self.more is not None:
            found = found + Narrow.of(self.more).scores(weights)
        return np.asarray(found.max(axis=1))

    def row(self, at: int) -> Matrix:
        """The vector of one paper (1 × size)."""
        whole = self.X[at]
        return whole if self.more is None else sparse.csr_matrix(whole + self.more[at])


def _widened(X: Matrix, size: int) -> Matrix:
    """The same rows with empty columns behind them; the values are shared, not copied."""
    return sparse.csr_matrix((X.data, X.indices, X.indptr), shape=(X.shape[0], size), copy=False)
