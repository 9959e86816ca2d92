"""Counting a corpus gives what plain counting gives, however many pieces it comes in."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from recommender import counting
from recommender.frequencies import split_keys
from recommender.paper import Paper


@pytest.mark.parametrize("bits", [2, 5, 13])
def test_each_word_and_pair_is_counted_once_a_paper(monkeypatch: pytest.MonkeyPatch, bits: int) -> None:
    monkeypatch.setattr(counting, "_CHUNK_BITS", bits)
    chance = np.random.default_rng(bits)
    words = [f"{one}{two}x" for one in "bdfgk" for two in "aeiou"]
    titles = [chance.choice(words, 6).tolist() for _ in range(300)]
    found = counting.count(Paper(f"arxiv:{n}", " ".join(title)) for n, title in enumerate(titles))

    assert dict(zip(found.words, found.word_counts, strict=True)) == Counter(
        word for title in titles for word in set(title)
    )
    first, second = (np.array(found.words)[ids].tolist() for ids in split_keys(found.pairs))
    assert dict(zip(zip(first, second, strict=True), found.pair_counts, strict=True)) == Counter(
        pair for title in titles for pair in set(pairwise(title))
    )


def test_no_papers_count_nothing() -> None:
    found = counting.count([])
    assert (found.documents, len(found.words), len(found.pairs)) == (0, 0, 0)
