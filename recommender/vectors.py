"""Papers as sparse vectors: one edition of vocabulary and document frequencies."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import cache, cached_property
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recommender import frequency_file, names, shipped, text
from recommender.counting import count
from recommender.features import Feature, named_features, stated_features
from recommender.fitting import Fitting, WordIds
from recommender.frequencies import STOP, Reading, pair_key, pair_keys, read
from recommender.interest import Interests
from recommender.paper import Paper

TITLE_WEIGHT = 2.0
"""One word of the title counts like two of the abstract. On a third of the dev readers nDCG@10 is then 0.263;
with 1 it is 0.262, with 3 0.260, with 5 0.255."""
SHIPPED_WORTH = 20_000
"""As many papers the shipped frequencies stand for when local ones are added: with some hundred papers the
shipped ones decide, with a hundred thousand the local ones."""

REMEMBERED = 8_192
"""So many judged papers are kept as rows, some 1.5 kB each."""

Matrix = sparse.csr_matrix[np.float32]
People = dict[tuple[str, str], tuple[tuple[str, int], ...]]


class Edition:
    """Vocabulary and document frequencies of one fitting; weights belong to one edition.

    Columns are the words, the pairs of neighbouring words, the categories, institutions and tags of the
    fitting, then an open end that `extended` appends: the people, the new names and the rare terms of one
    batch of papers. The columns before the open end never move, so weights are good on every extension of
    their edition (see `Weights.on`), and ``name`` is the same for all of them.
    """

    def __init__(self, fitting: Fitting, extension: tuple[Feature, ...] = ()) -> None:
        self.fitting = fitting
        self.extension = extension
        self._new_words = tuple(f.name for f in extension if f.kind == "term" and " " not in f.name)

    @classmethod
    def shipped(cls) -> Edition:
        """The edition of the document frequencies that come with the package, loaded once."""
        return _shipped()

    @classmethod
    def fit(
        cls,
        papers: Iterable[Paper],
        base: Edition | None = None,
        extra_terms: Iterable[str] = (),
        *,
        word_floor: int = 2,
        pair_floor: int = 2,
        shapes: bool = True,
    ) -> Edition:
        """Count ``papers`` and blend the counts with those of ``base`` (default: the shipped ones).

        Words and pairs that fewer papers than the floors hold are left out, unless ``base`` has them or they
        are in ``extra_terms``, which are terms as people type them. Without ``shapes`` counting takes a third
        less time and new pairs are shown with a space between.
        """
        known = (base or cls.shipped()).fitting.frequencies
        local = count(papers, shapes=shapes).kept(word_floor, pair_floor)
        worth = min(1.0, SHIPPED_WORTH / max(known.documents, 1.0))
        terms = (t for term in extra_terms for t in text.terms(term))
        return cls(Fitting(known.blended(local, worth).with_terms(terms).ordered()))

    def extended(self, papers: Iterable[Paper] = (), interests: Iterable[Interests] = ()) -> Edition:
        """This edition with columns for every name in ``papers`` and every term and name in ``interests``.

        Followed people, institutions and tags count only where they have a column, so a batch is vectorised
        by ``edition.extended(papers).transform(papers)``.
        """
        wanted = {f for paper in papers for f in named_features(paper)}
        wanted.update(f for interest in interests for f in stated_features(interest))
        return self.including(wanted)

    def including(self, wanted: Iterable[Feature]) -> Edition:
        """This edition with a column for each of these features, whose names are in their normal form."""
        new = sorted(f for f in set(wanted) if self.column(f) is None)
        return self._with(tuple(new)) if new else self

    def _with(self, new: tuple[Feature, ...]) -> Edition:
        """The edition with these columns at its end; what is known of the others is not worked out again,
        which with the people of ten thousand papers would take 0.2 s a reader."""
        wide = Edition(self.fitting, self.extension + new)
        wide._open_columns = self._open_columns | {f: self.size + at for at, f in enumerate(new)}
        if self.extension:
            wide._open_shares = np.concatenate([self._open_shares, self._shares_of(new)])
            people = {f: self.size + at for at, f in enumerate(new) if f.kind == "author"}
            wide._people = _grown(self._people, people)
        return wide

    def save(self, file: BinaryIO) -> None:
        """Write the edition, without its open end, as npz; nothing in it is pickled."""
        frequency_file.save(self.fitting.frequencies, file)

    @classmethod
    def load(cls, file: BinaryIO) -> Edition:
        """Read what `save` wrote. Raises ValueError where the file is no edition."""
        return cls(Fitting(frequency_file.load(file)[0]))

    @property
    def name(self) -> str:
        """A short hash of vocabulary and counts, the same for every extension of one fitting."""
        return self.fitting.name

    @property
    def size(self) -> int:
        """How many columns there are, the open end included."""
        return self.fitting.size + len(self.extension)

    @property
    def base_size(self) -> int:
        """How many columns the fitting has: where the open end begins."""
        return self.fitting.size

    @property
    def text_columns(self) -> slice:
        """The columns of words and pairs of the fitting, whose values are l2-normalised in each row."""
        return slice(0, self.fitting.names_start)

    @property
    def documents(self) -> float:
        """How many papers the frequencies stand for; a fraction after blending."""
        return self.fitting.frequencies.documents

    @cached_property
    def shares(self) -> NDArray[np.float64]:
        """The share of papers that hold each column; a name of the open end counts as in one paper."""
        if not self.extension:
            return self.fitting.shares
        return np.concatenate([self.fitting.shares, self._open_shares])

    def shares_at(self, columns: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
        """`shares` of some columns: all of them in one array take milliseconds for each extension."""
        found: NDArray[np.float64] = self.fitting.shares.take(columns, mode="clip")
        if len(beyond := np.flatnonzero(columns >= self.base_size)):
            found[beyond] = self._open_shares[columns[beyond] - self.base_size]
        return found

    @cached_property
    def _open_shares(self) -> NDArray[np.float64]:
        """The shares of the open end, of which there are some thousands, the fitted ones being a million."""
        return np.array(self._shares_of(self.extension), np.float64)

    def _shares_of(self, features: Iterable[Feature]) -> list[float]:
        return [self.fitting.rare_share(pair=" " in f.name) if f.kind == "term" else 1e-5 for f in features]

    @cached_property
    def idf(self) -> NDArray[np.float32]:
        """−ln of each column's share of papers."""
        return -np.log(self.shares).astype(np.float32)

    def _root_idf_at(self, columns: NDArray[np.integer[Any]]) -> NDArray[np.float32]:
        found: NDArray[np.float32] = self.fitting.root_idf.take(columns, mode="clip")
        if len(beyond := np.flatnonzero(columns >= self.base_size)):
            shares = self._open_shares[columns[beyond] - self.base_size]
            found[beyond] = np.sqrt(-np.log(shares)).astype(np.float32)
        return found

    # -- columns -------------------------------------------------------------------------------------------

    def index(self, kind: str, name: str) -> int | None:
        """The column of a feature, its name as a person would type it; None where there is none."""
        return self.column(Feature.of(kind, name))

    def column(self, feature: Feature) -> int | None:
        """The column of a feature whose name is in its normal form."""
        at = self._open_columns.get(feature)
        return self.fitting.column(feature) if at is None else at

    def columns_of(self, feature: Feature) -> list[int]:
        """Every column that a weight on ``feature`` goes to: a person may be J. and John Smith."""
        if feature.kind != "author":
            at = self.column(feature)
            return [] if at is None else [at]
        return [
            at
            for group in names.namesake_groups(feature.name)
            for name, at in self._people.get(group, ())
            if names.same_author(name, feature.name)
        ]

    def feature(self, index: int) -> Feature:
        """What a column stands for. Raises IndexError beyond the last."""
        if not 0 <= index < self.size:
            raise IndexError(f"column {index} of an edition with {self.size}")
        open_at = index - self.base_size
        return self.extension[open_at] if open_at >= 0 else self.fitting.feature(index)

    def written(self, index: int) -> str:
        """How a person writes what a column stands for: ``KV cache`` for the term ``kv cache``."""
        open_at = index - self.base_size
        return self.extension[open_at].name if open_at >= 0 else self.fitting.written(index)

    def togetherness(self, index: int) -> float:
        """How firmly the pair of words of a column belongs together: pointwise mutual information, in nats.

        It is the log of how many times more papers hold the pair than if words stood in random order, an
        abstract having some 100 that count. Infinite for a column that is no pair of fitted words.
        """
        parts = self.fitting.parts(index) if index < self.base_size else self._open_parts(index)
        if parts is None:
            return math.inf
        shares = self.fitting.shares  # the two words are fitted ones
        open_at = index - self.base_size
        share = self._open_shares[open_at] if open_at >= 0 else shares[index]
        return math.log(100 * float(share) / (float(shares[parts[0]]) * float(shares[parts[1]])))

    def _open_parts(self, index: int) -> tuple[int, int] | None:
        feature = self.feature(index)
        first, _, second = feature.name.partition(" ")
        a, b = self.fitting.words.get(first), self.fitting.words.get(second)
        return (a, b) if feature.kind == "term" and a is not None and b is not None else None

    @cached_property
    def _people(self) -> People:
        """The people of the open end by surname and first name or initial."""
        return _grown({}, {f: at for f, at in self._open_columns.items() if f.kind == "author"})

    @cached_property
    def _open_columns(self) -> dict[Feature, int]:
        return {feature: self.base_size + at for at, feature in enumerate(self.extension)}

    @cached_property
    def _words(self) -> dict[str, int]:
        """Word ids by normal form; the words of the open end come after those of the fitting."""
        if not self._new_words:
            return self.fitting.words
        start = len(self.fitting.words)
        return self.fitting.words | {word: start + at for at, word in enumerate(self._new_words)}

    @cached_property
    def _word_ids(self) -> WordIds:
        return WordIds(self._words) if self._new_words else self.fitting.word_ids

    # -- papers to rows --------------------------------------------------------------------------------------

    def transform(self, papers: Sequence[Paper]) -> Matrix:
        """The papers as rows of an n × size matrix of float32.

        Words and pairs hold (1 + ln tf)^q · √idf, where q is `Fitting.repeats`, a title's words counting
        `TITLE_WEIGHT` times, the row being divided by the l2 norm over `text_columns`; categories and the
        names of the open end hold 1.
        """
        reading = read(papers, self._word_ids.__getitem__, TITLE_WEIGHT)
        rows, columns, counts = self._occurrences(reading)
        tf = sparse.csr_matrix((counts, (rows, columns)), shape=(len(papers), self.size), dtype=np.float32)
        tf.sum_duplicates()
        tf.data = (1 + np.log(tf.data)) ** np.float32(self.fitting.repeats) * self._root_idf_at(tf.indices)
        owner = np.repeat(np.arange(len(papers)), np.diff(tf.indptr))
        # The open end does not take part, so that a row's values are the same in every extension.
        inside = np.where(tf.indices < self.text_columns.stop, tf.data, 0.0)
        norms = np.sqrt(np.bincount(owner, inside**2, minlength=len(papers)))
        norms[norms == 0] = 1.0
        tf.data = (tf.data / norms[owner]).astype(np.float32)
        named = self._names(papers)
        return sparse.csr_matrix(tf + named) if named.nnz else tf

    def remembered(self, papers: Sequence[Paper]) -> Matrix:
        """The fitted columns (n × base_size) of papers that a reader judged.

        They are the same each time the reader's weights are learned, so the latest few thousand are kept:
        learning anew after one more click reads one paper instead of all.
        """
        memory = self.fitting.memory
        with self.fitting.lock:
            new = list(dict.fromkeys(paper for paper in papers if paper not in memory))
            if new:
                found = Edition(self.fitting).transform(new)
                for paper, start, end in zip(new, found.indptr[:-1], found.indptr[1:], strict=True):
                    memory[paper] = (found.indices[start:end].copy(), found.data[start:end].copy())
            held = [memory[paper] for paper in papers]
            for paper in list(memory)[: max(0, len(memory) - REMEMBERED)]:
                del memory[paper]
        indptr = np.cumsum([0, *(len(columns) for columns, _ in held)])
        columns = np.concatenate([columns for columns, _ in held]) if held else np.empty(0, np.int32)
        values = np.concatenate([values for _, values in held]) if held else np.empty(0, np.float32)
        return sparse.csr_matrix((values, columns, indptr), shape=(len(papers), self.base_size))

    def _occurrences(
        self, reading: Reading
    ) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.float32]]:
        """(row, column, weight) of each word and pair that has a column."""
        heard = reading.ids != STOP
        ids, paper, segment = reading.ids[heard], reading.paper[heard], reading.segment[heard]
        weight = reading.weight[heard]
        light = self._light[ids]
        alone = (ids >= 0) & ~light
        a, b = ids[:-1], ids[1:]
        near = (segment[:-1] == segment[1:]) & (a >= 0) & (b >= 0) & ~(light[:-1] & light[1:])
        keys = pair_keys(a[near], b[near])
        columns = self._pair_columns(keys)
        known = columns >= 0
        return (
            np.concatenate([paper[alone], paper[:-1][near][known]]),
            np.concatenate([self._word_columns[ids[alone]], columns[known]]),
            np.concatenate([weight[alone], weight[:-1][near][known]]),
        )

    def _pair_columns(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """The column of each pair, -1 for one without."""
        order = np.argsort(keys)
        keys = keys[order]  # looked up in their order, since at random each look-up waits for memory
        columns = np.full(len(keys), -1, np.int64)
        open_keys, open_columns = self._open_pairs
        fitted = self.fitting
        for known, offset in ((fitted.frequencies.pairs, fitted.pairs_start), (open_keys, None)):
            if not len(known):
                continue
            place = np.minimum(np.searchsorted(known, keys), len(known) - 1)
            hit = known[place] == keys
            columns[order[hit]] = place[hit] + offset if offset is not None else open_columns[place[hit]]
        return columns

    @cached_property
    def _open_pairs(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The pairs of the open end: sorted keys and their columns."""
        held = sorted(
            (pair_key(self._words[a], self._words[b]), column)
            for feature, column in self._open_columns.items()
            if feature.kind == "term" and " " in feature.name
            for a, b in [feature.name.split(" ", 1)]
            if a in self._words and b in self._words
        )
        keys = np.array([key for key, _ in held], np.int64)
        return keys, np.array([column for _, column in held], np.int64)

    @cached_property
    def _word_columns(self) -> NDArray[np.int64]:
        """The column of each word id."""
        new = [self._open_columns[Feature("term", word)] for word in self._new_words]
        return np.concatenate([np.arange(self.fitting.pairs_start), np.array(new, np.int64)])

    @cached_property
    def _light(self) -> NDArray[np.bool_]:
        """Which word ids count only beside another word; the last entries serve STOP and UNKNOWN."""
        new = [text.light(word) for word in self._new_words]
        return np.concatenate([self.fitting.light, np.array([*new, False, False], bool)])

    def _names(self, papers: Sequence[Paper]) -> Matrix:
        """The columns of categories, people, institutions and tags, each 1 where the paper has it."""
        rows: list[int] = []
        columns: list[int] = []
        has_people = any(f.kind == "author" for f in self.extension)
        known = (
            self.fitting.name_columns | self._open_columns if self.extension else self.fitting.name_columns
        )
        for row, paper in enumerate(papers):
            found = {known[f] for f in named_features(paper, people=has_people) if f in known}
            rows += [row] * len(found)
            columns += found
        ones = np.ones(len(rows), np.float32)
        return sparse.csr_matrix((ones, (rows, columns)), shape=(len(papers), self.size))


@cache
def _shipped() -> Edition:
    return Edition(Fitting(shipped.frequencies()))


def _grown(people: People, more: dict[Feature, int]) -> People:
    """``people`` with these authors and their columns, by surname and first name or initial."""
    found = dict(people) if more else people
    for feature, column in more.items():
        for group in names.groups(feature.name):
            found[group] = (*found.get(group, ()), (feature.name, column))
    return found
