"""Team-draft interleaving: fair, complete, and credited to the ranker that picked."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from recommender.interleave import Credit, Drafted, credited, sign_test, team_draft

RANKINGS = st.lists(st.sampled_from("abcdefgh"), unique=True)


def chance(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@given(first=RANKINGS, second=RANKINGS, limit=st.integers(0, 10), seed=st.integers(0, 99))
def test_every_place_is_the_best_that_its_ranker_had_left(
    first: list[str], second: list[str], limit: int, seed: int
) -> None:
    drafted = team_draft(first, second, limit, chance(seed))
    papers = [place.paper for place in drafted]
    assert len(set(papers)) == len(papers) == min(limit, len({*first, *second}))
    for at, place in enumerate(drafted):
        own = first if place.team == "first" else second
        assert place.paper == next(p for p in own if p not in papers[:at])


@given(first=RANKINGS, second=RANKINGS, seed=st.integers(0, 99))
def test_no_ranker_gets_two_places_more_while_both_have_papers(
    first: list[str], second: list[str], seed: int
) -> None:
    drafted = team_draft(first, second, 10, chance(seed))
    for at in range(len(drafted) + 1):
        shown = {place.paper for place in drafted[:at]}
        if not (set(first) <= shown or set(second) <= shown):
            teams = [place.team for place in drafted[:at]]
            assert abs(teams.count("first") - teams.count("second")) <= 1


def test_the_coin_decides_who_goes_first_half_the_time() -> None:
    starts = [team_draft("ab", "cd", 1, chance(seed))[0].team for seed in range(2_000)]
    assert 900 < starts.count("first") < 1_100


def test_equal_rankings_give_that_ranking_and_no_winner_in_the_long_run() -> None:
    lists = [team_draft("abcd", "abcd", 4, chance(seed)) for seed in range(2_000)]
    assert all([place.paper for place in drafted] == list("abcd") for drafted in lists)
    won = [credited(drafted, {"a"}).winner for drafted in lists]
    assert sign_test(won.count("first"), won.count("second")) > 0.01


def test_the_same_seed_gives_the_same_list() -> None:
    assert team_draft("abc", "bcd", 4, chance(5)) == team_draft("abc", "bcd", 4, chance(5))


def test_likes_are_credited_to_the_ranker_that_picked() -> None:
    drafted = [Drafted("a", "first"), Drafted("b", "second"), Drafted("c", "second")]
    assert credited(drafted, {"b", "c", "x"}) == Credit(0, 2)
    assert credited(drafted, {"b", "c"}).winner == "second"
    assert credited(drafted, {"a", "b"}).winner is None


@pytest.mark.parametrize(("wins", "losses"), [(0, 0), (5, 5), (9, 1), (1, 9), (40, 20)])
def test_the_sign_test_agrees_with_scipy(wins: int, losses: int) -> None:
    expected = stats.binomtest(wins, wins + losses).pvalue if wins + losses else 1.0
    assert sign_test(wins, losses) == pytest.approx(expected)
