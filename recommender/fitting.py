"""The fitted columns of an edition: words, pairs of words, categories, institutions and tags."""

from __future__ import annotations

import hashlib
from functools import cached_property
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from recommender import text
from recommender.features import Feature
from recommender.frequencies import STOP, UNKNOWN, WORD_BITS, Frequencies, pair_key
from recommender.paper import Paper
from recommender.shapes import shaped

_PROSE_REPEATS = 0.75


class WordIds(dict[str, int]):
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


class Fitting:
    """Frequencies as columns, and what is derived from them once for all extensions of an edition."""

    def __init__(self, frequencies: Frequencies) -> None:
        self.frequencies = frequencies
        self.pairs_start = len(frequencies.words)
        self.names_start = self.pairs_start + len(frequencies.pairs)
        self.size = self.names_start + len(frequencies.names)
        self.lock = Lock()  # of the memory: web pages are made in several threads

    @cached_property
    def name(self) -> str:
        """A short hash of vocabulary and counts."""
        held = self.frequencies
        digest = hashlib.sha256("\n".join(held.words).encode())
        for array in (held.word_counts, held.pairs, held.pair_counts):
            digest.update(np.ascontiguousarray(array).tobytes())
        digest.update(repr((held.documents, sorted(held.names.items()), held.naming)).encode())
        return digest.hexdigest()[:12]

    @cached_property
    def shares(self) -> NDArray[np.float64]:
        """The share of papers that hold each column, (count + ½) / (papers + 1).

        For names the papers are those that name any of the kind.
        """
        held = self.frequencies
        names = [(n + 0.5) / (held.naming[feature.kind] + 1) for feature, n in held.names.items()]
        counts = np.concatenate([held.word_counts, held.pair_counts])
        return np.concatenate([(counts + 0.5) / (held.documents + 1), names]).clip(max=1 - 1e-6)

    @cached_property
    def root_idf(self) -> NDArray[np.float32]:
        """The root of −ln of each column's share of papers."""
        return np.sqrt(-np.log(self.shares)).astype(np.float32)

    @cached_property
    def repeats(self) -> float:
        """The power of (1 + ln tf) in a paper's vector: less than one where pairs of words count too.

        In bags of words only repeats tell what a paper is about: nDCG@10 of 1,953 libraries falls by 0.007
        with a power of ½. In prose title and pairs tell it as well: that of 485 authors rises by 0.003 with ¾
        and by 0.005 with ½.
        """
        return _PROSE_REPEATS if len(self.frequencies.pairs) else 1.0

    def rare_share(self, *, pair: bool) -> float:
        """The share of papers to assume for a word or a pair that has no column."""
        return (self.frequencies.unseen[pair] + 0.5) / (self.frequencies.documents + 1)

    @cached_property
    def memory(self) -> dict[Paper, tuple[NDArray[np.int32], NDArray[np.float32]]]:
        """The fitted columns and values of papers that were judged (`Edition.remembered`)."""
        return {}

    @cached_property
    def words(self) -> dict[str, int]:
        """Word ids by normal form."""
        return {word: at for at, word in enumerate(self.frequencies.words)}

    @cached_property
    def word_ids(self) -> WordIds:
        """Word ids by written form."""
        return WordIds(self.words)

    @cached_property
    def light(self) -> NDArray[np.bool_]:
        """Which words count only beside another."""
        return np.array([text.light(word) for word in self.frequencies.words], bool)

    @cached_property
    def name_columns(self) -> dict[Feature, int]:
        """The columns of categories, institutions and tags."""
        return {feature: self.names_start + at for at, feature in enumerate(self.frequencies.names)}

    def column(self, feature: Feature) -> int | None:
        """The column of a feature, None where it has none here."""
        if feature.kind != "term":
            return self.name_columns.get(feature)
        first, _, second = feature.name.partition(" ")
        a, b = self.words.get(first), self.words.get(second)
        if a is None or not second:
            return a
        if b is None:
            return None
        key, pairs = pair_key(a, b), self.frequencies.pairs
        place = int(np.searchsorted(pairs, key))
        return self.pairs_start + place if place < len(pairs) and pairs[place] == key else None

    def feature(self, column: int) -> Feature:
        """What a column stands for."""
        held = self.frequencies
        if column < self.pairs_start:
            return Feature("term", held.words[column])
        if column < self.names_start:
            a, b = self._pair(column)
            return Feature("term", f"{held.words[a]} {held.words[b]}")
        return self._names[column - self.names_start]

    def written(self, column: int) -> str:
        """How a person writes what a column stands for: ``KV cache`` for the term ``kv cache``."""
        held = self.frequencies
        if column < self.pairs_start:
            return held.written[column]
        if column >= self.names_start:
            return self.feature(column).name
        a, b = self._pair(column)
        shape = int(held.shapes[column - self.pairs_start])
        first = (held.plurals if shape & 2 else held.written)[a]
        second = (held.plurals if shape & 1 else held.written)[b]
        return shaped(first, second, shape >> 2)

    def parts(self, column: int) -> tuple[int, int] | None:
        """The columns of the two words of a pair; None for a column that stands for something else."""
        return self._pair(column) if self.pairs_start <= column < self.names_start else None

    def _pair(self, column: int) -> tuple[int, int]:
        # One pair at a time, ten times as fast as through arrays: an explanation asks for hundreds.
        return divmod(int(self.frequencies.pairs[column - self.pairs_start]), 1 << WORD_BITS)

    @cached_property
    def _names(self) -> tuple[Feature, ...]:
        return tuple(self.frequencies.names)
