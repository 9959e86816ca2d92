"""Papers and readers made up from the shipped vocabulary: as many as wanted, the same ones every time."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np

from recommender import shipped
from recommender.paper import Paper

_TOPICS = 60
_TOPIC_WORDS = 80


def papers(number: int, *, first: int = 0, day: date = date(2025, 10, 28), seed: int = 1) -> list[Paper]:
    """Papers with real words in about their real frequencies, each on one of 60 topics."""
    chance = np.random.default_rng([seed, first])
    held = shipped.frequencies()
    share = held.word_counts / held.word_counts.sum()
    words = np.array(held.words)
    themes = np.random.default_rng(seed)
    own = [themes.choice(len(words), _TOPIC_WORDS, p=share, replace=False) for _ in range(_TOPICS)]
    found = []
    for at in range(first, first + number):
        topic = own[int(chance.integers(_TOPICS))]
        common = chance.choice(len(words), 90, p=share)
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
