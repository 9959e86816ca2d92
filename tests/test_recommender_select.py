"""Selection: what may be shown, how many, how varied, and one paper to explore with."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.interest import Mutes
from recommender.mutes import Filter
from recommender.paper import Paper
from recommender.select import choose, cut_for, share_out, strength
from recommender.vectors import Edition

PAPER = Paper(
    id="arxiv:2510.00001",
    title="Mixture-of-Experts on blockchains",
    abstract="We serve experts. LLMs vote on chains of blocks.",
    authors=("John A. Smith", "Ada Lovelace"),
    categories=("cs.DC", "hep-th"),
    keywords=("federated voting",),
)


def papers(count: int) -> list[Paper]:
    return [Paper(id=f"p{n:03}", title=f"Title {n}") for n in range(count)]


@pytest.mark.parametrize(
    ("mutes", "why"),
    [
        (Mutes(terms=("blockchain",)), 'muted term "blockchain"'),
        (Mutes(terms=("mixture of experts",)), 'muted term "mixture of experts"'),
        (Mutes(terms=("LLM",)), 'muted term "LLM"'),
        (Mutes(terms=("Federated Voting",)), 'muted term "Federated Voting"'),
        (Mutes(authors=("J. Smith",)), 'muted author "J. Smith"'),
        (Mutes(authors=("Smith, John",)), 'muted author "Smith, John"'),
        (Mutes(authors=("ada lovelace",)), 'muted author "ada lovelace"'),
        (Mutes(categories=("cs.DC",)), 'muted category "cs.DC"'),
        (Mutes(categories=("cs.*",)), 'muted category "cs.*"'),
        (Mutes(categories=("cs",)), 'muted category "cs"'),
        (Mutes(categories=("hep-th",)), 'muted category "hep-th"'),
    ],
)
def test_a_mute_says_why(mutes: Mutes, why: str) -> None:
    assert Filter.of(mutes).reason(PAPER) == why


@pytest.mark.parametrize(
    "mutes",
    [
        Mutes(),
        Mutes(terms=("lock", "vot"), categories=("cs.D", "hep", "c")),  # parts of a word or name
        Mutes(terms=("experts mixture", "blockchain experts")),  # across words that do not follow each other
        Mutes(terms=("blockchains serve",)),  # across title and abstract
        Mutes(terms=("the", "of the", "")),
        Mutes(authors=("Jane Smith", "John B. Smith", "Smith", "")),
    ],
)
def test_what_only_resembles_a_mute_is_shown(mutes: Mutes) -> None:
    assert Filter.of(mutes).reason(PAPER) == ""


def test_a_mute_always_wins() -> None:
    chosen = choose([PAPER, *papers(3)], [9.0, 1, 1, 1], limit=4, mutes=Mutes(terms=("blockchain",)))

    assert [c.paper for c in (*chosen.chosen, *chosen.near)] == [1, 2, 3]
    assert chosen.dropped == {"muted": 1}


def test_the_best_come_first_and_ties_break_by_id() -> None:
    shuffled = [papers(4)[n] for n in (3, 1, 2, 0)]

    chosen = choose(shuffled, [0.5, 0.9, 0.5, 0.5], limit=4)
    assert [shuffled[c.paper].id for c in chosen.chosen] == ["p001", "p000", "p002", "p003"]
    assert [c.score for c in chosen.chosen] == [0.9, 0.5, 0.5, 0.5]


def test_what_was_seen_is_never_chosen_again() -> None:
    chosen = choose(papers(3), [3.0, 2.0, 1.0], limit=3, seen={"p000"})

    assert [c.paper for c in chosen.chosen] == [1, 2]
    assert chosen.dropped == {"seen": 1}
    assert chosen.near == ()


def test_what_matches_nothing_is_not_chosen_however_much_room_there_is() -> None:
    chosen = choose(papers(3), [0.0, -1.0, 0.1], limit=3)

    assert [c.paper for c in chosen.chosen] == [2]
    assert chosen.near == ()


def test_papers_under_the_cut_are_near_misses() -> None:
    scores = np.linspace(1.0, 0.1, 10)
    chosen = choose(papers(10), scores, limit=8, cut=0.75)

    assert [c.paper for c in chosen.chosen] == [0, 1, 2]
    assert [c.paper for c in chosen.near] == [3, 4, 5, 6, 7]
    assert chosen.dropped == {}


def test_papers_over_the_limit_are_near_misses_too() -> None:
    chosen = choose(papers(10), np.linspace(1.0, 0.1, 10), limit=2)

    assert [c.paper for c in chosen.near] == [2, 3, 4, 5, 6]
    assert chosen.dropped == {"over the limit": 8}


def test_papers_of_the_same_title_are_folded_under_the_best() -> None:
    same = [replace(paper, title="The same") for paper in papers(3)]
    chosen = choose([*same, Paper(id="q", title="Another")], [0.5, 0.9, 0.4, 0.3], limit=5)

    assert [(c.paper, c.similar) for c in chosen.chosen] == [(1, (0, 2)), (3, ())]
    assert chosen.dropped == {"similar": 2}


def test_papers_that_say_the_same_in_other_titles_are_folded() -> None:
    text = (
        "Draft tokens are verified in parallel so that decoding a language model takes fewer steps on a GPU."
    )
    twins = [
        Paper(id="a", title="Faster decoding by drafting", abstract=text),
        Paper(id="b", title="Faster decoding with drafts", abstract=text),
        Paper(id="c", title="Decoding protein spectra", abstract="Mass spectra of proteins are decoded."),
    ]
    edition = Edition.shipped()
    X = edition.transform(twins)[:, edition.text_columns]

    chosen = choose(twins, [0.9, 0.8, 0.7], limit=5, X=X)
    assert [(c.paper, c.similar) for c in chosen.chosen] == [(0, (1,)), (2, ())]


def test_a_varied_choice_prefers_an_unlike_paper_among_equals() -> None:
    from scipy import sparse

    X = sparse.csr_matrix(np.array([[1, 0], [0.7, 0.714], [0, 1]], np.float32))

    chosen = choose(papers(3), [1.0, 0.9, 0.9], limit=2, X=X)
    assert [c.paper for c in chosen.chosen] == [0, 2]
    assert [c.paper for c in choose(papers(3), [1.0, 0.9, 0.9], limit=2, X=X, diversity=0).chosen] == [0, 1]


def test_the_best_paper_is_always_chosen() -> None:
    chance = np.random.default_rng(1)
    from scipy import sparse

    X = sparse.csr_matrix(chance.random((50, 8)).astype(np.float32))
    X = sparse.csr_matrix(X.multiply(1 / np.sqrt(X.multiply(X).sum(axis=1))))
    scores = chance.random(50)

    assert choose(papers(50), scores, limit=5, X=X).chosen[0].paper == scores.argmax()


def test_one_paper_is_explored_and_its_propensity_logged() -> None:
    scores = np.linspace(1.0, 0.1, 40)
    chosen = choose(papers(40), scores, limit=5, cut=0.5, explore=0.3)

    explored = [c for c in chosen.chosen if c.explore is not None]
    assert len(chosen.chosen) == 5
    assert [c.paper for c in chosen.chosen[:4]] == [0, 1, 2, 3]
    assert explored == [chosen.chosen[4]]
    assert explored[0].paper not in {c.paper for c in chosen.near}
    assert 0 < (explored[0].explore or 0) < 0.2


def test_exploring_draws_as_often_as_the_propensity_says() -> None:
    scores = np.array([1.0, 0.6, 0.3, 0.1])
    drawn = [
        choose(papers(4), scores, limit=2, explore=draw).chosen[1]
        for draw in np.random.default_rng(3).random(2_000).tolist()
    ]

    assert {c.paper for c in drawn} == {2, 3}
    for paper in (2, 3):
        times = sum(c.paper == paper for c in drawn)
        propensity = next(c.explore for c in drawn if c.paper == paper)
        assert times / 2_000 == pytest.approx(propensity, abs=0.04)


def test_nothing_is_explored_that_is_muted_or_seen() -> None:
    chosen = choose(
        [PAPER, *papers(3)], [0.5, 0.9, 0.4, 0.3], limit=3, cut=0.8, seen={"p001", "p002"},
        mutes=Mutes(terms=("blockchain",)), explore=0.0,
    )  # fmt: skip

    assert [c.paper for c in chosen.chosen] == [1]


def test_no_papers_give_an_empty_selection() -> None:
    chosen = choose([], [], limit=5, explore=0.0)

    assert (chosen.chosen, chosen.near, dict(chosen.dropped)) == ((), (), {})


@given(
    st.lists(st.floats(-1, 1, allow_nan=False), max_size=40),
    st.integers(1, 10),
    st.none() | st.floats(-1, 1),
    st.floats(0, 1, exclude_max=True),
)
def test_a_selection_keeps_its_promises(
    scores: list[float], limit: int, cut: float | None, draw: float
) -> None:
    held = [Paper(id=f"p{n:03}", title=f"Title {n % 7}") for n in range(len(scores))]
    chosen = choose(held, scores, limit=limit, cut=cut, seen={"p003"}, explore=draw)

    shown = [c.paper for c in chosen.chosen]
    folded = [at for c in chosen.chosen for at in c.similar]
    everything = [*shown, *folded, *(c.paper for c in chosen.near)]
    assert len(shown) <= limit
    assert len(everything) == len(set(everything))
    assert 3 not in everything
    assert all(scores[at] > 0 for at in everything)
    kept = [c for c in chosen.chosen if c.explore is None]
    assert all(c.score >= (cut if cut is not None else -1) for c in kept)
    assert [c.score for c in kept] == sorted((c.score for c in kept), reverse=True)
    assert len(chosen.near) <= 5


def test_strength_is_the_place_among_recent_scores() -> None:
    history = np.arange(1, 101) / 100

    assert [strength(s, history) for s in (1.0, 0.95, 0.85, 0.5, 0.0)] == [
        "strong", "good", "near", "weak", "weak",
    ]  # fmt: skip
    assert strength(2.0, history) == "strong"
    assert strength(-0.1, [-1.0]) == "weak"
    assert strength(0.1, []) == "good"


def test_the_dial_lets_about_as_many_through_as_it_says() -> None:
    chance = np.random.default_rng(7)
    history = chance.gamma(1.0, 0.1, 30 * 300)
    cut = cut_for(5, history, 30)

    tomorrow = chance.gamma(1.0, 0.1, 30 * 300)
    assert (tomorrow >= cut).sum() / 30 == pytest.approx(5, abs=1.5)


def test_the_dial_lets_all_through_when_there_is_less_than_asked_for() -> None:
    assert cut_for(5, [0.1, 0.2], 3) == 0
    assert cut_for(5, [], 0.5) == 0
    assert cut_for(0, [0.1], 1) == float("inf")


def test_places_of_a_mail_are_shared_so_that_no_profile_starves() -> None:
    busy, quiet = [f"b{n}" for n in range(20)], ["q0", "q1"]

    assert share_out([busy, quiet], 6) == [[0, 1, 2, 3], [0, 1]]
    assert share_out([quiet, busy], 3) == [[0, 1], [0]]
    assert share_out([[], busy], 2) == [[], [0, 1]]


def test_a_paper_of_two_profiles_takes_one_place() -> None:
    assert share_out([["a", "b", "c"], ["a", "d"]], 4) == [[0, 1, 2], [1]]
