"""The rankers: from what a reader wants to weights. A new one is one class and one line in `RANKERS`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from recommender.blend import Blend
from recommender.interest import Examples, Interests
from recommender.logodds import LogOdds
from recommender.vectors import Edition, Matrix
from recommender.weights import Weights, score_all

__all__ = ["DEFAULT", "RANKERS", "Ranker", "Weights", "score_all"]


class Ranker(Protocol):
    """Learns a reader's weights."""

    @property
    def name(self) -> str:
        """What the ranker is called in settings, weights and reports."""

    def learn(
        self, edition: Edition, interests: Interests, examples: Examples = (), X: Matrix | None = None
    ) -> Weights:
        """Weights on ``edition`` for what the reader states and judged.

        ``X`` holds the vectors of the examples' papers, in their order, where the caller has them at hand.
        """

    def learn_all(
        self, edition: Edition, readers: Sequence[tuple[Interests, Examples]], X: Matrix | None = None
    ) -> list[Weights]:
        """The weights of many readers, each as `learn` finds them.

        ``X`` holds the vectors of all examples' papers, reader by reader, where the caller has them at hand.
        """


RANKERS: dict[str, Ranker] = {
    ranker.name: ranker
    for ranker in (Blend(), LogOdds())
}  # fmt: skip
DEFAULT = "blend"
"""Log-odds, a whitened mean and, with many likes, a logistic fit, on one scale."""
