"""Which papers profiles are matched against: a batch's news, or the latest days on hand."""

from __future__ import annotations

from db import alert_store, paper_store
from db.session import Session
from jobs import learning
from jobs.news import News
from jobs.service import Service
from recommender.paper import Paper
from recommender.ready import Ready

# A batch may span a week (a weekly digest) or years (an archive given by hand): only its latest days count.
DAYS = 7
# A new profile's scores are measured against so many of the latest papers, until it has scores of its own; a
# batch of so many is enough by itself.
_REFERENCE = 1_000


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
