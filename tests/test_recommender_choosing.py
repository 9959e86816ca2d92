"""Choosing for many readers at once is choosing for each: held against the plain way."""

from __future__ import annotations

import tracemalloc
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from recommender import choosing
from recommender import likeness as likeness_of
from recommender.choosing import WORDS, Asked, Bars, Chosen, choose_many
from recommender.dial import Past
from recommender.interest import Mutes
from recommender.likeness import Likeness
from recommender.mutes import Barring, Filter
from recommender.ordering import best_first
from recommender.paper import Paper
from recommender.select import Choice, Selection, choose
from recommender.vectors import Matrix
from tests import plain_choice

TERMS = ("graph", "kernel", "protein", "quantum", "decoding")


def batch(chance: np.random.Generator, n: int) -> tuple[list[Paper], Matrix]:
    """Papers of random likeness, some twins by title and some by words; in the order of their ids."""
    papers = [
        Paper(
            id=f"p{at:04}",
            title=f"Title {int(chance.integers(n * 2)) if chance.random() < 0.3 else n * 3 + at}",
            abstract=str(chance.choice(TERMS)),
        )
        for at in range(n)
    ]
    X = chance.random((n, 12)) * (chance.random((n, 12)) < 0.35)
    for at in range(1, n):
        if chance.random() < 0.1:
            X[at] = X[int(chance.integers(at))] + 0.02 * chance.random(12)
    X /= np.maximum(np.sqrt((X**2).sum(axis=1, keepdims=True)), 1e-9)
    return papers, sparse.csr_matrix(X.astype(np.float32))


def picked(found: Chosen, row: int) -> Selection:
    """What one reader gets."""
    begin = int(found.counts[:row].sum())
    count, near = found.counts[row].tolist()

    def pick(at: int) -> Choice:
        similar = tuple(found.similar[found.similar_to == at].tolist())
        drawn = float(found.explore[at])
        return Choice(
            int(found.paper[at]), float(found.score[at]), WORDS[found.word[at]], similar,
            None if np.isnan(drawn) else drawn,
        )  # fmt: skip

    chosen = tuple(pick(at) for at in range(begin, begin + count))
    return Selection(chosen, tuple(pick(at) for at in range(begin + count, begin + count + near)))


@pytest.mark.parametrize("n", [1, 7, 40, 200, 700])
@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_many_readers_get_what_each_would_get_alone(
    n: int, whole: bool, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not whole:
        monkeypatch.setattr(likeness_of, "_WHOLE", 0)
    chance = np.random.default_rng([seed, n])
    papers, X = batch(chance, n)
    readers = 24
    scores = (chance.random((readers, n)) ** chance.integers(1, 9, (readers, 1))).astype(np.float32)
    scores[chance.random(scores.shape) < 0.2] = 0
    scores[::3] = np.round(scores[::3], 1)  # ties
    scores[5] = -1
    history = np.sort(chance.random((readers, 90)).astype(np.float16), axis=1)[:, ::-1]
    past = Past(history, np.full(readers, 90), np.full(readers, n + 90), np.full(readers, 30))
    limits = chance.integers(1, 30, readers)
    cuts = np.where(chance.random(readers) < 0.5, chance.random(readers), past.cuts(limits))
    draws = np.where(chance.random(readers) < 0.5, chance.random(readers), np.nan)
    mutes = {row: Mutes(terms=tuple(chance.choice(TERMS, row % 5))) for row in range(0, readers, 2)}

    barring = Barring(papers)
    barred: dict[int, Bars] = {row: partial(barring.bars, Filter.of(held)) for row, held in mutes.items()}

    found = choose_many(
        scores, Asked(limits, cuts, past.marks(), draws, barred),
        Likeness(papers, X), remembered=64,
    )  # fmt: skip

    for row in range(readers):
        draw = float(draws[row])
        alone = plain_choice.choose(
            papers, scores[row], limit=int(limits[row]), mutes=mutes.get(row), cut=float(cuts[row]), X=X,
            history=np.concatenate([history[row].astype(np.float64), np.zeros(n)]),
            explore=None if np.isnan(draw) else draw,
        )  # fmt: skip
        assert picked(found, row) == alone
        best = np.sort(scores[row][scores[row] > 0])[::-1][:64]
        assert found.best[row, : len(best)].tolist() == best.tolist()
        assert not found.best[row, len(best) : 64].any()


@settings(max_examples=200)
@given(
    st.lists(st.floats(-1, 1, allow_nan=False), max_size=30),
    st.integers(0, 8),
    st.none() | st.floats(-1, 1),
    st.none() | st.floats(0, 1, exclude_max=True),
    st.sets(st.integers(0, 30)),
    st.booleans(),
)
def test_one_reader_gets_what_the_plain_way_gives(
    scores: list[float], limit: int, cut: float | None, draw: float | None, seen: set[int], muted: bool
) -> None:
    papers = [
        Paper(id=f"p{n * 7 % 31:03}", title=f"Title {n % 9}", abstract="graph" if n % 4 else "kernel")
        for n in range(len(scores))
    ]
    mutes = Mutes(terms=("kernel",)) if muted else None
    known = {f"p{n:03}" for n in seen}

    found = choose(papers, scores, limit=limit, mutes=mutes, seen=known, cut=cut, explore=draw)
    plain = plain_choice.choose(papers, scores, limit=limit, mutes=mutes, seen=known, cut=cut, explore=draw)
    assert (found.chosen, found.near) == (plain.chosen, plain.near)


def test_many_readers_of_much_in_a_large_batch_take_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(likeness_of, "_WHOLE", 0)
    chance = np.random.default_rng(3)
    papers, X = batch(chance, 400)
    scores = chance.random((120, 400)).astype(np.float32)
    asked = Asked(
        np.full(120, 100), np.full(120, 0.1), np.tile([0.9, 0.8, 0.5], (120, 1)), np.full(120, np.nan)
    )

    def found(at_once: int) -> tuple[Chosen, int]:
        monkeypatch.setattr(choosing, "_ALIKE_AT_ONCE", at_once)
        tracemalloc.start()
        try:
            return choose_many(scores, asked, Likeness(papers, X)), tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    (together, much), (apart, little) = found(120 * 400**2), found(1)
    assert much > 3 * little
    for name in ("counts", "paper", "score", "similar", "similar_to"):
        np.testing.assert_array_equal(getattr(together, name), getattr(apart, name))


def test_the_best_come_first_in_either_precision_and_ties_in_order_of_place() -> None:
    chance = np.random.default_rng(5)
    scores = np.round(chance.random((20, 300)), 2).astype(np.float32) - np.float32(0.3)

    for width in (1, 64, 300):
        places, best = best_first(scores, width)
        double_places, double_best = best_first(scores.astype(np.float64), width)
        positive = best > 0
        assert (places == double_places)[positive].all()
        assert (best == double_best).all()
        assert best.dtype == np.float32
