"""Papers of the latest weeks that say what a given one says."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
from scipy import sparse

from db import paper_store, search_store, trend_store
from db.records import Stored
from db.search_store import Span
from jobs import learning
from jobs.service import Service
from recommender.narrow import Narrow
from recommender.query import Part, Query, indexed

WEEKS = 6
# The search brings these candidates by the paper's strongest words; the vectors decide among them.
# Ten words and 30 candidates find 92 % of what 24 and 600 do, at 0.6 ms a candidate; 8 and 60 found 87 %.
_WORDS = 10
_CANDIDATES = 30
# Two papers on one narrow subject have a cosine of about 0.2; those that share a field only, under 0.1.
_LEAST = 0.12


def similar(service: Service, given: Stored, *, at_most: int) -> list[Stored]:
    """The papers nearest to one by the cosine of their words, nearest first, of the latest `WEEKS` weeks on
    hand; fewer, or none, where little is near."""
    with service.database.reading() as session:
        edition = learning.edition(service, session)
        last = trend_store.last_day(session)
        own = edition.transform([given.paper])[:, edition.text_columns]
        strongest = own.indices[np.argsort(-own.data, kind="stable")[:_WORDS]].tolist()
        parts = [Part(tuple(words)) for c in strongest if (words := indexed(edition.written(c)).split())]
        if last is None or not parts:
            return []
        span = Span(first=last - timedelta(weeks=WEEKS))
        asked = Query(tuple(parts), any_part=True)
        hits = search_store.ranked(session, asked, span, at_most=_CANDIDATES).hits
        papers = paper_store.by_numbers(session, [hit.paper_id for hit in hits])
    others = [s for s in papers.values() if s.number != given.number and not s.paper.withdrawn]
    if not others:
        return []
    X = edition.transform([s.paper for s in others])[:, edition.text_columns]
    both = Narrow.of(sparse.csr_matrix(sparse.vstack([own, X]))).X
    near = (both[1:] @ both[0].T).toarray().ravel()
    order = np.argsort(-near, kind="stable")[:at_most].tolist()
    return [others[at] for at in order if near[at] >= _LEAST]
