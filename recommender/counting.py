"""Counting a corpus: which papers hold which words and pairs, and how they are written there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from recommender import text
from recommender.features import Feature, named_features
from recommender.frequencies import STOP, Floats, Frequencies, Ints, Reading, pair_keys, read
from recommender.paper import Paper
from recommender.shapes import JOINTS

_CHUNK_BITS = 13  # papers are counted 8,192 at a time: a paper's place takes these bits of a sort key
_SHAPE_BITS = 8


class Lexicon(dict[str, int]):
    """Every written form met, numbered as met, with the word that it is a form of."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[str] = []
        self.word_of: list[int] = []  # by written form: word id, or STOP
        self.plural: list[bool] = []
        self.hyphen: list[bool] = []
        self.small: list[str] = []  # the stop word itself, lower-cased; empty for others
        self.words: dict[str, int] = {}

    def __missing__(self, form: str) -> int:
        bare = form.lstrip("-")
        word = text.normal(form)
        self.written.append(bare)
        self.word_of.append(self.words.setdefault(word, len(self.words)) if word else STOP)
        self.plural.append(word != bare.lower())
        self.hyphen.append(form.startswith("-"))
        self.small.append("" if word else form.lower())
        number = self[form] = len(self)
        return number


def count(papers: Iterable[Paper], *, shapes: bool = True) -> Frequencies:
    """Count words, pairs and names other than people; without ``shapes`` pairs are shown with a space."""
    lexicon = Lexicon()
    documents = 0
    names: Counter[Feature] = Counter()
    naming: Counter[str] = Counter()
    words, pairs, shaped = _Sums(), _Sums(), _Sums()
    forms = np.zeros(0, np.int64)
    remaining = iter(papers)
    while chunk := list(islice(remaining, 1 << _CHUNK_BITS)):
        documents += len(chunk)
        for paper in chunk:
            named = {f for f in named_features(paper) if f.kind != "author"}
            names.update(named)
            naming.update({f.kind for f in named})
        reading = read(chunk, lexicon.__getitem__, 1.0)
        seen = np.bincount(reading.ids, minlength=len(lexicon))
        seen[: len(forms)] += forms
        forms = seen
        words_in, pairs_in, shapes_in = _count_chunk(reading, lexicon, shapes)
        words.add(*words_in)
        pairs.add(*pairs_in)
        shaped.add(*shapes_in)
    keys, key_counts = pairs.whole()
    ids, counts = words.whole()
    word_counts = np.zeros(len(lexicon.words))
    word_counts[ids] = counts
    written, plurals = _written_forms(lexicon, forms)
    return Frequencies(
        documents=documents,
        words=tuple(lexicon.words),
        word_counts=word_counts,
        written=written,
        plurals=plurals,
        pairs=keys,
        pair_counts=key_counts.astype(np.float64),
        shapes=_usual_shapes(keys, *shaped.whole()) if shapes else np.zeros(len(keys), np.uint8),
        names={feature: float(n) for feature, n in sorted(names.items())},
        naming={kind: float(n) for kind, n in sorted(naming.items())},
    )


def _count_chunk(
    reading: Reading, lexicon: Lexicon, shapes: bool
) -> tuple[tuple[Ints, Ints], tuple[Ints, Ints], tuple[Ints, Ints]]:
    """(word, papers), (pair, papers) and (pair with shape, occurrences) of one chunk, each sorted."""
    word_of = np.array(lexicon.word_of, np.int32) if lexicon.word_of else np.empty(0, np.int32)
    all_words = word_of[reading.ids]
    place = np.flatnonzero(all_words >= 0)
    ids, paper, segment = all_words[place], reading.paper[place], reading.segment[place]
    words = _papers_of(ids.astype(np.int64), paper)
    light = np.fromiter(map(text.light, lexicon.words), bool, len(lexicon.words))
    near = (segment[:-1] == segment[1:]) & ~(light[ids[:-1]] & light[ids[1:]])
    keys = pair_keys(ids[:-1][near], ids[1:][near])
    pairs = _papers_of(keys, paper[:-1][near])
    empty = np.empty(0, np.int64)
    if not shapes:
        return words, pairs, (empty, empty)
    shape = _shapes(reading, lexicon, place)[near]
    return words, pairs, _runs(np.sort((keys << _SHAPE_BITS) | shape))


def _papers_of(keys: Ints, paper: NDArray[np.int32]) -> tuple[Ints, Ints]:
    """The distinct keys, sorted, and in how many papers each is."""
    # Sorting is four times as fast here as numpy.unique, which hashes since 2.3.
    both, _ = _runs(np.sort((keys << _CHUNK_BITS) | paper))
    return _runs(both >> _CHUNK_BITS)


def _runs(ordered: Ints) -> tuple[Ints, Ints]:
    """The distinct values of a sorted array and how often each stands there."""
    if not len(ordered):
        return ordered, ordered
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    return ordered[starts], np.diff(np.r_[starts, len(ordered)])


class _Sums:
    """Sums by key, of sorted (key, count) lists as they come.

    Lists are merged when they hold as much as what was merged before: every key is moved a few times at most,
    and no more than twice the distinct keys are held.
    """

    def __init__(self) -> None:
        self.parts: list[tuple[Ints, NDArray[np.int32]]] = []
        self.waiting = 0

    def add(self, keys: Ints, counts: Ints) -> None:
        self.parts.append((keys, counts.astype(np.int32)))
        self.waiting += len(keys) if len(self.parts) > 1 else 0
        if self.waiting > len(self.parts[0][0]):
            self.whole()

    def whole(self) -> tuple[Ints, NDArray[np.int32]]:
        """All so far: the distinct keys, sorted, and the sum of each."""
        if len(self.parts) > 1:
            keys, counts = (np.concatenate(part) for part in zip(*self.parts, strict=True))
            self.parts.clear()
            order = np.argsort(keys, kind="stable")
            keys = keys[order]
            starts = np.flatnonzero(np.diff(keys, prepend=-1))
            self.parts = [(keys[starts], np.add.reduceat(counts[order], starts, dtype=np.int32))]
            self.waiting = 0
        return self.parts[0] if self.parts else (np.empty(0, np.int64), np.empty(0, np.int32))


def _shapes(reading: Reading, lexicon: Lexicon, place: Ints) -> Ints:
    """The shape of each pair of neighbouring words, by their places in the reading."""
    joint_of = {joint: code for code, joint in enumerate(JOINTS)}
    plural = np.array(lexicon.plural, bool)
    hyphen = np.array(lexicon.hyphen, bool)
    single = np.zeros(len(lexicon), np.int64)  # joint of one small word between
    for code, small in enumerate(lexicon.small):
        joint = f"{small}-" if small.startswith("-") else f" {small} "
        single[code] = joint_of.get(joint, 0) if small else 0
    before = {word: np.zeros(len(lexicon), np.int64) for word in ("the", "a")}  # joint of two
    for code, small in enumerate(lexicon.small):
        for word, joints in before.items():
            joints[code] = joint_of.get(f" {small} {word} ", 0) if small else 0
    last = np.array([{"the": 1, "a": 2}.get(small, 0) for small in lexicon.small])
    ids = reading.ids
    here, there = place[:-1], place[1:]
    gap = there - here
    one, two = ids[here + 1], ids[np.minimum(here + 2, len(ids) - 1)]
    doubles = np.select([last[two] == 1, last[two] == 2], [before["the"][one], before["a"][one]], 0)
    joints = np.select(
        [gap == 1, gap == 2, gap == 3], [hyphen[ids[there]].astype(np.int64), single[one], doubles], 0
    )
    return np.asarray(joints * 4 + plural[ids[here]] * 2 + plural[ids[there]], np.int64)


def _usual_shapes(keys: Ints, shaped: Ints, counts: NDArray[np.int32]) -> NDArray[np.uint8]:
    """The most frequent shape of each of ``keys``."""
    owner = np.searchsorted(keys, shaped >> _SHAPE_BITS)
    order = np.lexsort((counts, owner))
    usual = np.zeros(len(keys), np.uint8)
    usual[owner[order]] = (shaped[order] & 0xFF).astype(
        np.uint8
    )  # the last written, the most frequent, stays
    return usual


def _written_forms(lexicon: Lexicon, seen: Floats | Ints) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """How each word is usually written, in its normal form and in its plural (empty where it has none)."""
    singular: list[Counter[str]] = [Counter() for _ in lexicon.words]
    plural: list[Counter[str]] = [Counter() for _ in lexicon.words]
    for form, word, is_plural, times in zip(
        lexicon.written, lexicon.word_of, lexicon.plural, seen.tolist(), strict=True
    ):
        if word != STOP:
            (plural if is_plural else singular)[word][form] += times
    forms = [(_usual(s or p), _usual(p)) for s, p in zip(singular, plural, strict=True)]
    return tuple(s for s, _ in forms), tuple(p for _, p in forms)


def _usual(forms: Counter[str]) -> str:
    """The most frequent form, the lower-case one being preferred: titles and sentence starts are capital."""
    if not forms:
        return ""
    total = forms.total()
    best = max(forms, key=lambda form: (forms[form], form))
    small = best.lower()
    return small if forms[small] >= 0.25 * total else best
