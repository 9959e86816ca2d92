"""The papers that profiles are matched against, as vectors made once for all of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from db.records import Stored
from recommender.batch import Batch
from recommender.mutes import Barring
from recommender.paper import Paper
from recommender.ready import Ready


@dataclass(frozen=True, slots=True, eq=False)
class News:
    """The papers that profiles are matched against: the news of a batch and, for readers without scores of
    their own yet, others beside them.

    ``numbers`` (n) are the papers' row numbers in the order in which ``batch`` has them (that of
    ``batch.ready``), -1 for those that no profile may get. ``days`` are the announcement days of the others,
    ``ranked`` is how many they are. ``column_of`` are the papers' places in the order of scores, by key;
    ``barring`` tells which of them mutes bar.
    """

    batch_id: int
    edition: str
    batch: Batch
    numbers: NDArray[np.int64]
    days: int
    ranked: int
    column_of: dict[str, int]
    barring: Barring

    @classmethod
    def of(
        cls, batch_id: int, ready: Ready, stored: Collection[Stored], others: Sequence[Paper] = ()
    ) -> News:
        """The ``stored`` papers of the batch among those that are ``ready``."""
        number = {s.paper.id: s.number for s in stored}
        numbers = np.array([number.get(paper.id, -1) for paper in ready.papers], np.int64)
        days = {s.paper.announced for s in stored}
        batch = Batch(ready, others)
        column_of = {ready.papers[place].id: at for at, place in enumerate(batch.order.tolist())}
        return cls(
            batch_id, ready.edition.name, batch, numbers, len(days), len(number), column_of,
            Barring(ready.papers),
        )  # fmt: skip

    def columns(self, keys: Iterable[str]) -> list[int]:
        """Where papers with these keys stand in the order of scores."""
        return [self.column_of[key] for key in keys if key in self.column_of]
