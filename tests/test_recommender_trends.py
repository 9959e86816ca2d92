"""What rises, and what only seems to."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from recommender import trends
from recommender.trends import Rise


def test_the_surest_rise_comes_first_and_chance_is_left_out() -> None:
    counts = [
        ("doubled", 200, 300), ("the same", 100, 300), ("by chance", 8, 15), ("fell", 20, 300),
        ("new", 40, 0), ("rare", 4, 0),
    ]  # fmt: skip
    found = trends.rising(counts, 5_000, 15_000, at_least=5, at_most=10)
    assert [rise.name for rise in found] == ["new", "doubled"]
    assert 1.8 < found[1].ratio < 2.1  # 4 % against 2 %, drawn a little towards each other
    assert 20 < found[0].ratio < 100  # new, and still a number


def test_a_topic_gathers_in_few_fields_and_a_turn_of_phrase_does_not() -> None:
    everywhere = {f"field {n}": 100 for n in range(20)}
    assert trends.gathered({"field 3": 30, "field 4": 6}, everywhere) > 8
    assert 0.5 < trends.gathered({f"field {n}": 2 for n in range(20)}, everywhere) < 1.1
    assert trends.gathered({"field 1": 2}, everywhere) < trends.GATHERED, "two papers prove nothing"
    assert trends.gathered({}, everywhere) == 1.0
    assert trends.gathered({"": 3}, {}) == 1.0


def test_more_papers_in_all_make_nothing_rise() -> None:
    assert trends.rising([("steady", 400, 100)], 8_000, 2_000, at_least=5, at_most=9) == []


@given(
    st.lists(st.tuples(st.integers(0, 900), st.integers(0, 900)), max_size=8),
    st.integers(900, 4_000), st.integers(900, 4_000),
)  # fmt: skip
def test_every_rise_is_one(counts: list[tuple[int, int]], latest: int, earlier: int) -> None:
    named = [(str(n), lately, before) for n, (lately, before) in enumerate(counts)]
    for rise in trends.rising(named, latest, earlier, at_least=1, at_most=9):
        assert rise.lately / latest > rise.before / earlier
        assert rise.ratio > 1 and rise.z >= trends.SURE


def test_terms_that_share_a_word_are_shown_once() -> None:
    def rises(*names: str) -> list[Rise]:
        return [Rise(name, 9, 1, 2.0, 5.0) for name in names]

    phrases = trends.apart(rises("agent memory", "memory graph", "world models"), 5)
    assert [rise.name for rise in phrases] == ["agent memory", "world models"]
    alone = trends.apart(rises("memory", "Agents", "robot", "model", "gravel"), 2, phrases)
    assert [rise.name for rise in alone] == ["robot", "gravel"]
