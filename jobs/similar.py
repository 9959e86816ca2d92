"""Papers of the latest weeks that say what a given one says."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import timedelta

import numpy as np
from scipy import sparse

from db import paper_store, search_store, trend_store
from db.records import Stored
from db.search_store import Hit, Span
from jobs import learning
from jobs.service import Service
from recommender.narrow import Narrow
from recommender.query import Part, indexed

WEEKS = 6
# The search brings these candidates by the paper's strongest words; the vectors decide among them.
# Ten words and 30 candidates find 92 % of what 24 and 600 do, at 0.6 ms a candidate; 8 and 60 found 87 %.
_WORDS = 10
_CANDIDATES = 30
# Of a word that more papers hold the newest are enough: it says little of any.
_HOLDERS = 500
# Two papers on one narrow subject have a cosine of about 0.2; those that share a field only, under 0.1.
_LEAST = 0.12


def similar(service: Service, given: Stored, *, at_most: int) -> list[Stored]:
    """The papers nearest to one by the cosine of their words, nearest first, of the latest `WEEKS` weeks on
    hand; fewer, or none, where little is near."""
    with service.database.reading() as session:
        edition = learning.edition(service, session)
        last = trend_store.last_day(session)
        own = edition.transform([given.paper])[:, edition.text_columns]
        order = np.argsort(-own.data, kind="stable")[:_WORDS]
        said = [tuple(indexed(edition.written(column)).split()) for column in own.indices[order].tolist()]
        worth = {
            words: float(value) ** 2 for words, value in zip(said, own.data[order], strict=True) if words
        }
        if last is None or not worth:
            return []
        span = Span(first=last - timedelta(weeks=WEEKS))
        held = search_store.holders(session, [Part(words) for words in worth], span, at_most=_HOLDERS)
        papers = paper_store.by_numbers(session, _candidates(held, worth.values(), given.number))
    others = [s for s in papers.values() if not s.paper.withdrawn]
    if not others:
        return []
    X = edition.transform([s.paper for s in others])[:, edition.text_columns]
    both = Narrow.of(sparse.csr_matrix(sparse.vstack([own, X]))).X
    near = (both[1:] @ both[0].T).toarray().ravel()
    order = np.argsort(-near, kind="stable")[:at_most].tolist()
    return [others[at] for at in order if near[at] >= _LEAST]


def _candidates(held: Sequence[Sequence[Hit]], worth: Iterable[float], given: int) -> list[int]:
    """The row numbers of the papers that hold the words worth most together, the newer first among equals."""
    total: defaultdict[Hit, float] = defaultdict(float)
    for hits, value in zip(held, worth, strict=True):
        for hit in hits:
            total[hit] += value
    order = sorted(total, key=lambda hit: (-total[hit], -hit.number))
    return [hit.paper_id for hit in order if hit.paper_id != given][:_CANDIDATES]
