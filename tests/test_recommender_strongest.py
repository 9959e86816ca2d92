"""The strongest terms of a reader."""

from __future__ import annotations

import numpy as np
import pytest

from recommender.interest import Interests, Judged
from recommender.paper import Paper
from recommender.ranking import DEFAULT, RANKERS
from recommender.strongest import strongest_terms
from recommender.vectors import Edition
from recommender.weights import Weights

LIKED = Paper(
    id="x:1", title="Speculative decoding of language models",
    abstract="A small draft model proposes tokens and the large one verifies them in a single pass.",
)  # fmt: skip


def learned() -> tuple[Edition, Weights]:
    """A reader who likes one paper and names a term that no paper holds."""
    edition = Edition.shipped()
    said = Interests(terms=(("zorblification", 2.0), ("kv cache", 1.0)))
    return edition, RANKERS[DEFAULT].learn(edition, said, [Judged(LIKED, "like")])


@pytest.mark.parametrize("at_most", [1, 5, 17])
def test_the_first_few_are_the_first_of_all(at_most: int) -> None:
    edition, weights = learned()
    whole = strongest_terms(edition, weights, 10_000)
    assert len(whole) > 17
    assert [abs(w) for _, w in whole] == sorted((abs(w) for _, w in whole), reverse=True)
    assert strongest_terms(edition, weights, at_most) == whole[:at_most]


def test_every_weight_on_a_word_is_there_once() -> None:
    edition, weights = learned()
    row = weights.rows[0]
    words = {
        edition.written(int(c)): float(v)
        for c, v in zip(row.indices, row.data, strict=True)
        if c < edition.text_columns.stop and v
    }
    found = dict(strongest_terms(edition, weights, 10_000))
    assert found.pop("zorblification") > 0
    assert found == pytest.approx(words)
    assert np.count_nonzero(row.data) >= len(words) > 10


def test_what_is_left_out_makes_room_for_the_next() -> None:
    edition, weights = learned()
    whole = strongest_terms(edition, weights, 10_000)
    without = {"kv cache", "speculative decoding"}
    kept = strongest_terms(edition, weights, 3, without)
    assert kept == [(t, w) for t, w in whole if t.casefold() not in without][:3]
