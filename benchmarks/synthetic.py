"""Papers and readers made up from the shipped vocabulary: as many as wanted, the same ones every time."""

from __future__ import annotations

from datetime import date, timedelta
from functools import cache

import numpy as np
from numpy.typing import NDArray

from recommender import shipped
from recommender.paper import Paper

_TOPICS = 60
_TOPIC_WORDS = 80


def papers(number: int, *, first: int = 0, day: date = date(2025, 10, 28), seed: int = 1) -> list[Paper]:
    """Papers with real words in about their real frequencies, each on one of 60 topics."""
    chance = np.random.default_rng([seed, first])
    words, upto = _vocabulary()
    own = _topics(seed)
    found = []
    for at in range(first, first + number):
        topic = own[int(chance.integers(_TOPICS))]
        common = np.searchsorted(upto, chance.random(90), side="right")
        theme = chance.choice(topic, 40)
        mixed = chance.permutation(np.concatenate([common, theme]))
        found.append(
            Paper(
                id=f"arxiv:{2510 + at // 90_000}.{at % 90_000:05d}",
                title=" ".join(words[chance.choice(topic, 8)]),
                abstract=" ".join(words[mixed]),
                authors=(f"Author {at % 5000}", f"Writer {at % 7001}"),
                categories=("cs.DC", "cs.LG")[: 1 + at % 2],
                announced=day - timedelta(days=at % 5),
                announce_type="new",
            )
        )
    return found


@cache
def _vocabulary() -> tuple[NDArray[np.str_], NDArray[np.float64]]:
    """The shipped words, and which share of all text they are up to each one."""
    held = shipped.frequencies()
    upto = np.cumsum(held.word_counts / held.word_counts.sum())
    return np.array(held.words), upto / upto[-1]


@cache
def _topics(seed: int) -> list[NDArray[np.int64]]:
    """The words of each topic, as places in the vocabulary."""
    themes = np.random.default_rng(seed)
    words, upto = _vocabulary()
    share = np.diff(upto, prepend=0.0)
    return [themes.choice(len(words), _TOPIC_WORDS, p=share, replace=False) for _ in range(_TOPICS)]
