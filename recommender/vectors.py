"""Papers as sparse vectors: one edition of vocabulary and document frequencies."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from functools import cache, cached_property
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recommender import frequency_file, names, shipped, text
from recommender.counting import count
from recommender.features import Feature, named_features, stated_features
from recommender.frequencies import STOP, UNKNOWN, Frequencies, Reading, pair_keys, read, split_keys
from recommender.interest import Interests
from recommender.paper import Paper
from recommender.shapes import shaped

TITLE_WEIGHT = 3.0
"""One word of the title counts like three of the abstract."""
SHIPPED_WORTH = 20_000
"""As many papers the shipped frequencies stand for when local ones are added: with some hundred papers the
shipped ones decide, with a hundred thousand the local ones."""

Matrix = sparse.csr_matrix[np.float32]


class _WordIds(dict[str, int]):
    """Word ids by written form, filled as forms are met, emptied when there are too many."""

    _LIMIT = 1 << 20

    def __init__(self, words: dict[str, int]) -> None:
        super().__init__()
        self.words = words

    def __missing__(self, form: str) -> int:
        word = text.normal(form)
        number = self.words.get(word, UNKNOWN) if word else STOP
        if len(self) > self._LIMIT:
            self.clear()
        self[form] = number
        return number


class Edition:
    """Vocabulary and document frequencies of one fitting; weights belong to one edition.

    Columns are the words, the pairs of neighbouring words and the categories of the fitting, then an open
    end that `extended` appends: the people, institutions, tags and rare terms of one batch of papers. The
    columns before the open end never move, so weights are good on every extension of their edition (see
    `Weights.on`), and ``name`` is the same for all of them.
    """

    def __init__(self, frequencies: Frequencies, extension: tuple[Feature, ...] = ()) -> None:
        self.frequencies = frequencies
        self.extension = extension
        self._pairs_start = len(frequencies.words)
        self._categories_start = self._pairs_start + len(frequencies.pairs)
        self.base_size = self._categories_start + len(frequencies.categories)
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
        pair_floor: int = 3,
        shapes: bool = True,
    ) -> Edition:
        """Count ``papers`` and blend the counts with those of ``base`` (default: the shipped ones).

        Words and pairs that fewer papers than the floors hold are left out, unless ``base`` has them or they
        are in ``extra_terms``, which are terms as people type them. Without ``shapes`` counting takes a third
        less time and new pairs are shown with a space between.
        """
        base = base or cls.shipped()
        local = count(papers, shapes=shapes).kept(word_floor, pair_floor)
        worth = min(1.0, SHIPPED_WORTH / max(base.frequencies.documents, 1.0))
        blended = base.frequencies.blended(local, worth)
        return cls(blended.with_terms(t for term in extra_terms for t in text.terms(term)))

    def extended(self, papers: Iterable[Paper] = (), interests: Iterable[Interests] = ()) -> Edition:
        """This edition with columns for every name in ``papers`` and every term and name in ``interests``.

        Followed people, institutions and tags count only where they have a column, so a batch is vectorised
        by ``edition.extended(papers).transform(papers)``.
        """
        wanted = {f for paper in papers for f in named_features(paper)}
        wanted.update(f for interest in interests for f in stated_features(interest))
        new = sorted(f for f in wanted if self.column(f) is None)
        return Edition(self.frequencies, self.extension + tuple(new)) if new else self

    def save(self, file: BinaryIO) -> None:
        """Write the edition, without its open end, as npz; nothing in it is pickled."""
        frequency_file.save(self.frequencies, file)

    @classmethod
    def load(cls, file: BinaryIO) -> Edition:
        """Read what `save` wrote. Raises ValueError where the file is no edition."""
        return cls(frequency_file.load(file)[0])

    @cached_property
    def name(self) -> str:
        """A short hash of vocabulary and counts, the same for every extension of one fitting."""
        held = self.frequencies
        digest = hashlib.sha256("\n".join(held.words).encode())
        for array in (held.word_counts, held.pairs, held.pair_counts):
            digest.update(np.ascontiguousarray(array).tobytes())
        digest.update(repr((held.documents, sorted(held.categories.items()))).encode())
        return digest.hexdigest()[:12]

    @property
    def size(self) -> int:
        """How many columns there are, the open end included."""
        return self.base_size + len(self.extension)

    @property
    def text_columns(self) -> slice:
        """The columns of words and pairs of the fitting, whose values are l2-normalised in each row."""
        return slice(0, self._categories_start)

    @cached_property
    def counts(self) -> NDArray[np.float64]:
        """Of `documents` papers, how many hold each column; names of the open end count as in one paper."""
        held = self.frequencies
        open_end = [(held.unseen[" " in f.name] if f.kind == "term" else 1.0) for f in self.extension]
        return np.concatenate(
            [held.word_counts, held.pair_counts, list(held.categories.values()), open_end]
        ).astype(np.float64)

    @property
    def documents(self) -> float:
        """How many papers the counts stand for; a fraction after blending."""
        return self.frequencies.documents

    @cached_property
    def idf(self) -> NDArray[np.float32]:
        """ln((documents + 1) / (papers holding it + ½)) of each column."""
        return np.log((self.documents + 1) / (self.counts + 0.5)).clip(min=1e-6).astype(np.float32)

    def shares(self, columns: NDArray[np.integer]) -> NDArray[np.float64]:
        """The share of papers that hold each of ``columns``, a column beyond the last being a rare term."""
        inside = columns < self.size
        counts = np.full(len(columns), self.frequencies.unseen[1])
        counts[inside] = self.counts[columns[inside]]
        return (counts + 0.5) / (self.documents + 1)

    # -- columns -------------------------------------------------------------------------------------------

    def index(self, kind: str, name: str) -> int | None:
        """The column of a feature, its name as a person would type it; None where there is none."""
        return self.column(Feature.of(kind, name))

    def column(self, feature: Feature) -> int | None:
        """The column of a feature whose name is in its normal form."""
        at = self._open_columns.get(feature)
        if at is not None:
            return at
        if feature.kind == "category":
            return self._category_columns.get(feature.name)
        if feature.kind != "term":
            return None
        first, _, second = feature.name.partition(" ")
        a = self._words.get(first)
        if a is None or not second:
            return a
        b = self._words.get(second)
        if b is None or a >= self._pairs_start or b >= self._pairs_start:
            return None
        key = (a << 24) | b
        pairs = self.frequencies.pairs
        place = int(np.searchsorted(pairs, key))
        return self._pairs_start + place if place < len(pairs) and pairs[place] == key else None

    def columns_of(self, feature: Feature) -> list[int]:
        """Every column that a weight on ``feature`` goes to: a person may be J. and John Smith."""
        if feature.kind != "author":
            at = self.column(feature)
            return [] if at is None else [at]
        namesakes = self._people.get(names.group(feature.name), ())
        return [at for name, at in namesakes if names.same_author(name, feature.name)]

    @cached_property
    def _people(self) -> dict[tuple[str, str], list[tuple[str, int]]]:
        """The people of the open end by surname and first initial."""
        found: dict[tuple[str, str], list[tuple[str, int]]] = {}
        for feature, column in self._open_columns.items():
            if feature.kind == "author":
                found.setdefault(names.group(feature.name), []).append((feature.name, column))
        return found

    def feature(self, index: int) -> Feature:
        """What a column stands for. Raises IndexError beyond the last."""
        held = self.frequencies
        if not 0 <= index < self.size:
            raise IndexError(f"column {index} of an edition with {self.size}")
        if index < self._pairs_start:
            return Feature("term", held.words[index])
        if index < self._categories_start:
            a, b = self._pair(index)
            return Feature("term", f"{held.words[a]} {held.words[b]}")
        if index < self.base_size:
            return Feature("category", self._category_names[index - self._categories_start])
        return self.extension[index - self.base_size]

    def written(self, index: int) -> str:
        """How a person writes what a column stands for: ``KV cache`` for the term ``kv cache``."""
        held = self.frequencies
        if index < self._pairs_start:
            return held.written[index]
        if index < self._categories_start:
            a, b = self._pair(index)
            shape = int(held.shapes[index - self._pairs_start])
            return shaped(
                (held.plurals if shape & 2 else held.written)[a],
                (held.plurals if shape & 1 else held.written)[b],
                shape >> 2,
            )
        return self.feature(index).name

    def _pair(self, index: int) -> tuple[int, int]:
        at = index - self._pairs_start
        first, second = split_keys(self.frequencies.pairs[at : at + 1])
        return int(first[0]), int(second[0])

    @cached_property
    def _category_names(self) -> tuple[str, ...]:
        return tuple(self.frequencies.categories)

    @cached_property
    def _category_columns(self) -> dict[str, int]:
        return {name: self._categories_start + at for at, name in enumerate(self._category_names)}

    @cached_property
    def _open_columns(self) -> dict[Feature, int]:
        return {feature: self.base_size + at for at, feature in enumerate(self.extension)}

    @cached_property
    def _words(self) -> dict[str, int]:
        """Word ids by normal form; the words of the open end come after those of the fitting."""
        return {word: at for at, word in enumerate((*self.frequencies.words, *self._new_words))}

    @cached_property
    def _word_ids(self) -> _WordIds:
        return _WordIds(self._words)

    # -- papers to rows --------------------------------------------------------------------------------------

    def transform(self, papers: Sequence[Paper]) -> Matrix:
        """The papers as rows of an n × size matrix of float32.

        Words and pairs hold (1 + ln tf) · √idf, a title's words counting `TITLE_WEIGHT` times, the row being
        divided by the l2 norm over `text_columns`; categories and the names of the open end hold 1.
        """
        reading = read(papers, self._word_ids.__getitem__, TITLE_WEIGHT)
        rows, columns, counts = self._occurrences(reading)
        tf = sparse.csr_matrix((counts, (rows, columns)), shape=(len(papers), self.size), dtype=np.float32)
        tf.sum_duplicates()
        tf.data = (1 + np.log(tf.data)) * np.sqrt(self.idf)[tf.indices]
        owner = np.repeat(np.arange(len(papers)), np.diff(tf.indptr))
        # The open end does not take part, so that a row's values are the same in every extension.
        inside = np.where(tf.indices < self._categories_start, tf.data, 0.0)
        norms = np.sqrt(np.bincount(owner, inside**2, minlength=len(papers)))
        norms[norms == 0] = 1.0
        tf.data = (tf.data / norms[owner]).astype(np.float32)
        named = self._names(papers)
        return sparse.csr_matrix(tf + named) if named.nnz else tf

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
        columns = np.full(len(keys), -1, np.int64)
        open_keys, open_columns = self._open_pairs
        for known, offset in ((self.frequencies.pairs, self._pairs_start), (open_keys, None)):
            if not len(known):
                continue
            place = np.minimum(np.searchsorted(known, keys), len(known) - 1)
            hit = known[place] == keys
            columns[hit] = place[hit] + offset if offset is not None else open_columns[place[hit]]
        return columns

    @cached_property
    def _open_pairs(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The pairs of the open end: sorted keys and their columns."""
        held = sorted(
            ((self._words[a] << 24) | self._words[b], column)
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
        return np.concatenate([np.arange(self._pairs_start), np.array(new, np.int64)])

    @cached_property
    def _light(self) -> NDArray[np.bool_]:
        """Which word ids count only beside another word; the last entries serve STOP and UNKNOWN."""
        light = [text.light(word) for word in self._words]
        return np.array([*light, False, False], bool)

    def _names(self, papers: Sequence[Paper]) -> Matrix:
        """The columns of categories, people, institutions and tags, each 1 where the paper has it."""
        rows: list[int] = []
        columns: list[int] = []
        for row, paper in enumerate(papers):
            for at in {self.column(feature) for feature in self._known_names(paper)}:
                if at is not None:
                    rows.append(row)
                    columns.append(at)
        ones = np.ones(len(rows), np.float32)
        return sparse.csr_matrix((ones, (rows, columns)), shape=(len(papers), self.size))

    def _known_names(self, paper: Paper) -> Iterator[Feature]:
        if self.extension:
            yield from named_features(paper)
        else:
            yield from (Feature("category", category) for category in paper.categories)


@cache
def _shipped() -> Edition:
    return Edition(shipped.frequencies())
