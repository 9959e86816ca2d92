"""A batch of news, read and made vectors once for all profiles that are matched against it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from db import alert_store, paper_store
from db.records import Stored
from db.session import Session
from jobs import learning
from jobs.service import Service
from recommender.batch import Batch
from recommender.mutes import Barring
from recommender.paper import Paper
from recommender.ready import Ready

# A batch may span a week (a weekly digest) or years (an archive given by hand): only its latest days count.
DAYS = 7
# A new profile's scores are measured against so many of the latest papers, until it has scores of its own; a
# batch of so many is enough by itself.
_REFERENCE = 1_000


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


def of_batch(service: Service, session: Session, batch_id: int) -> News:
    """The papers of a batch as vectors, made once in this process however many shards ask."""
    edition = learning.edition(service, session)
    held = service.news
    if held is not None and (held.batch_id, held.edition) == (batch_id, edition.name):
        return held
    stored = paper_store.by_numbers(session, alert_store.paper_numbers(session, batch_id))
    days = sorted({s.paper.announced for s in stored.values() if s.paper.announced}, reverse=True)[:DAYS]
    papers = [s for s in stored.values() if s.paper.announced is None or s.paper.announced in days]
    others: list[Paper] = []
    if len(papers) < _REFERENCE:
        inside = {s.number for s in papers}
        latest = paper_store.recent(session, days=DAYS, at_most=_REFERENCE)
        others = [s.paper for s in latest if s.number not in inside]
    made = News.of(batch_id, Ready.of(edition, [s.paper for s in papers]), papers, others)
    service.news = made
    return made


def of_latest_days(service: Service, session: Session, batch_id: int) -> News:
    """The latest days on hand as far as they were news up to this batch, from vectors that this process keeps
    and made again only with them."""
    ready = service.shelf.latest(session, learning.edition(service, session), DAYS)
    held = service.latest_news
    if held is not None and held.batch_id == batch_id and held.batch.ready is ready:
        return held
    stored = paper_store.by_keys(session, [paper.id for paper in ready.papers])
    news = [s for s in stored.values() if s.batch is not None and s.batch <= batch_id]
    made = News.of(batch_id, ready, news)
    service.latest_news = made
    return made
