"""In how many papers each term occurs, and how each term is written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from recommender import text
from recommender.features import Feature
from recommender.paper import Paper

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
WORD_BITS = 24
STOP, UNKNOWN = -1, -2
K = TypeVar("K", Feature, str)


@dataclass(frozen=True, slots=True)
class Reading:
    """The words of some papers in a row: ids by some lexicon, the paper and the segment each stands in.

    A pair of neighbours never reaches over a segment's end. ``weight`` is how much one occurrence counts.
    """

    ids: NDArray[np.int32]
    paper: NDArray[np.int32]
    segment: NDArray[np.int32]
    weight: NDArray[np.float32]


def segments(paper: Paper) -> Iterator[tuple[str, bool]]:
    """The pieces of a paper's text, and whether each is the title."""
    yield paper.title, True
    yield paper.text, False
    for keyword in paper.keywords:
        yield keyword, False
    for topic in paper.topics:
        yield topic, False


def read(papers: Sequence[Paper], id_of: Callable[[str], int], title_weight: float) -> Reading:
    """Read the papers' segments word by word, each word's id being ``id_of(word)``."""
    parts: list[NDArray[np.int32]] = []
    lengths: list[int] = []
    owners: list[int] = []
    weights: list[float] = []
    for row, paper in enumerate(papers):
        for piece, is_title in segments(paper):
            if not piece:
                continue
            found = text.words(piece)
            parts.append(np.fromiter(map(id_of, found), np.int32, len(found)))
            lengths.append(len(found))
            owners.append(row)
            weights.append(title_weight if is_title else 1.0)
    ids = np.concatenate(parts) if parts else np.empty(0, np.int32)
    return Reading(
        ids,
        np.repeat(np.array(owners, np.int32), lengths),
        np.repeat(np.arange(len(lengths), dtype=np.int32), lengths),
        np.repeat(np.array(weights, np.float32), lengths),
    )


def pair_keys(first: NDArray[np.int32], second: NDArray[np.int32]) -> Ints:
    """One sortable number for each pair of word ids."""
    return (first.astype(np.int64) << WORD_BITS) | second.astype(np.int64)


def pair_key(first: int, second: int) -> int:
    """The same number for one pair."""
    return (first << WORD_BITS) | second


@dataclass(frozen=True)
class Frequencies:
    """Of ``documents`` papers, how many hold each word, each pair of neighbours and each name.

    ``words`` are normal forms, a word's place being its id; ``pairs`` are sorted keys of two such ids
    (see `pair_keys`). Counts may be fractions after blending. ``unseen`` is what to assume for a word and for
    a pair that is not listed (half of the cut-off). ``written`` and ``plurals`` are how the words are
    usually written, ``shapes`` how the pairs are (see `shapes.JOINTS`). ``names`` are categories,
    institutions and tags; ``naming`` says how many papers name any of a kind, since many sources name none.
    """

    documents: float
    words: tuple[str, ...]
    word_counts: Floats
    written: tuple[str, ...]
    plurals: tuple[str, ...]
    pairs: Ints
    pair_counts: Floats
    shapes: NDArray[np.uint8]
    names: dict[Feature, float]
    naming: dict[str, float]
    unseen: tuple[float, float] = (0.5, 0.5)

    def kept(self, word_floor: float, pair_floor: float) -> Frequencies:
        """Only the words and pairs that at least so many papers hold; a word of a kept pair stays."""
        pairs = self.pair_counts >= pair_floor
        first, second = split_keys(self.pairs[pairs])
        wanted = self.word_counts >= word_floor
        wanted[first] = True
        wanted[second] = True
        ids = np.cumsum(wanted) - 1
        chosen = np.flatnonzero(wanted).tolist()
        return Frequencies(
            documents=self.documents,
            words=tuple(self.words[i] for i in chosen),
            word_counts=self.word_counts[wanted],
            written=tuple(self.written[i] for i in chosen),
            plurals=tuple(self.plurals[i] for i in chosen),
            pairs=pair_keys(ids[first].astype(np.int32), ids[second].astype(np.int32)),
            pair_counts=self.pair_counts[pairs],
            shapes=self.shapes[pairs],
            names={f: n for f, n in self.names.items() if n >= word_floor or f.kind == "category"},
            naming=self.naming,
            unseen=(word_floor / 2, pair_floor / 2),
        )

    def ordered(self) -> Frequencies:
        """The same with words, and with them pairs, in the order of letters: one order for one content."""
        order = sorted(range(len(self.words)), key=self.words.__getitem__)
        rank = np.empty(len(order), np.int32)
        rank[order] = np.arange(len(order), dtype=np.int32)
        first, second = split_keys(self.pairs)
        keys = pair_keys(rank[first], rank[second])
        by_key = np.argsort(keys)
        return replace(
            self,
            words=tuple(self.words[i] for i in order),
            word_counts=self.word_counts[order],
            written=tuple(self.written[i] for i in order),
            plurals=tuple(self.plurals[i] for i in order),
            pairs=keys[by_key],
            pair_counts=self.pair_counts[by_key],
            shapes=self.shapes[by_key],
            names=dict(sorted(self.names.items())),
        )

    def blended(self, local: Frequencies, worth: float) -> Frequencies:
        """These counts times ``worth`` plus the local ones; what one lacks counts as its ``unseen``."""
        known = {word: number for number, word in enumerate(self.words)}
        ids = np.array([known.setdefault(word, len(known)) for word in local.words], np.int64)
        added = len(known) - len(self.words)
        new = np.flatnonzero(ids >= len(self.words)).tolist()
        word_counts = np.r_[self.word_counts, np.full(added, self.unseen[0])] * worth
        of_local = np.full(len(word_counts), local.unseen[0])
        of_local[ids] = local.word_counts
        first, second = split_keys(local.pairs)
        keys = pair_keys(ids[first].astype(np.int32), ids[second].astype(np.int32))
        order = np.argsort(keys)
        new_pairs = _missing(self.pairs, keys[order])
        pairs = np.insert(self.pairs, np.searchsorted(self.pairs, new_pairs), new_pairs)
        at_home = np.searchsorted(pairs, self.pairs)
        at_local = np.searchsorted(pairs, keys[order])
        pair_counts = np.full(len(pairs), self.unseen[1] * worth)
        pair_counts[at_home] = self.pair_counts * worth
        pairs_local = np.full(len(pairs), local.unseen[1])
        pairs_local[at_local] = local.pair_counts[order]
        shapes = np.zeros(len(pairs), np.uint8)
        shapes[at_local] = local.shapes[order]
        shapes[at_home] = self.shapes  # the larger corpus knows better how a pair is written
        return Frequencies(
            documents=self.documents * worth + local.documents,
            words=tuple(known),
            word_counts=word_counts + of_local,
            written=self.written + tuple(local.written[i] for i in new),
            plurals=self.plurals + tuple(local.plurals[i] for i in new),
            pairs=pairs,
            pair_counts=pair_counts + pairs_local,
            shapes=shapes,
            names=_sums(self.names, local.names, worth),
            naming=_sums(self.naming, local.naming, worth),
            unseen=(
                self.unseen[0] * worth + local.unseen[0],
                self.unseen[1] * worth + local.unseen[1],
            ),
        )

    def with_terms(self, terms: Iterable[str]) -> Frequencies:
        """These frequencies with each of ``terms`` (normal forms of one or two words) listed."""
        known = set(self.words)
        wanted = list(dict.fromkeys(terms))
        words = [w for w in dict.fromkeys(w for term in wanted for w in term.split()) if w not in known]
        ids = {word: number for number, word in enumerate((*self.words, *words))}
        keys = {pair_key(ids[a], ids[b]) for a, b in (term.split() for term in wanted if " " in term)}
        new = _missing(self.pairs, np.array(sorted(keys), np.int64))
        at = np.searchsorted(self.pairs, new)
        return replace(
            self,
            words=self.words + tuple(words),
            word_counts=np.r_[self.word_counts, np.full(len(words), self.unseen[0])],
            written=self.written + tuple(words),
            plurals=self.plurals + tuple(f"{word}s" for word in words),
            pairs=np.insert(self.pairs, at, new),
            pair_counts=np.insert(self.pair_counts, at, self.unseen[1]),
            shapes=np.insert(self.shapes, at, 0),
        )


def _missing(known: Ints, keys: Ints) -> Ints:
    """Those of ``keys`` that are not in ``known``, both being sorted."""
    if not len(known):
        return keys
    place = np.minimum(np.searchsorted(known, keys), len(known) - 1)
    missing: Ints = keys[known[place] != keys]
    return missing


def _sums(here: Mapping[K, float], local: Mapping[K, float], worth: float) -> dict[K, float]:
    return {k: here.get(k, 0.0) * worth + local.get(k, 0.0) for k in sorted(here.keys() | local.keys())}


def split_keys(keys: Ints) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The two word ids of each key of `pair_keys`."""
    return (keys >> WORD_BITS).astype(np.int32), (keys & ((1 << WORD_BITS) - 1)).astype(np.int32)
