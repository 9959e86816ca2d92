"""Whether a step that needs the ranking has anything to do: asked of the database alone.

What is answered here may be too much, never too little: the step itself looks again.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from db import (
    alert_store,
    index_store,
    model_store,
    paper_store,
    relay_store,
    search_store,
    shadow_store,
    subscriber_store,
    topic_store,
    trend_store,
)
from db.session import Session
from jobs.journal import left_behind
from jobs.service import Service

# Document frequencies change slowly: a new edition once a night, and sooner only while the corpus is young.
_REFIT_AFTER = timedelta(hours=20)
_YOUNG = 2.0
_PATIENCE = timedelta(hours=1)
TRENDS_AFTER = timedelta(hours=20)


def edition(session: Session, now: datetime) -> bool:
    """Whether the edition in force is a night old, or the corpus has doubled since."""
    papers = paper_store.last_number(session)
    latest = model_store.latest_edition(session)
    if not papers or latest is None:
        return bool(papers)
    _, made_at, fitted_on = latest
    return (now - made_at >= _REFIT_AFTER and papers != fitted_on) or papers >= _YOUNG * fitted_on


def matching(session: Session) -> bool:
    """Whether a batch waits to be matched."""
    return bool(alert_store.unmatched_batches(session))


def match_first(session: Session, now: datetime) -> bool:
    """Whether digests wait for papers that are being matched, which are to be in them; for an hour, since a
    match that fails each time must not end all mail."""
    return any(now - batch.made_at < _PATIENCE for batch in alert_store.unmatched_batches(session))


def shadow(session: Session) -> bool:
    """Whether a ranker on trial has not looked at a batch."""
    return bool(shadow_store.waiting(session))


def delivery(service: Service, session: Session, now: datetime) -> bool:
    """Whether a digest is to be written, a mail to be sent, or what a killed sender noted to be recorded."""
    if subscriber_store.due_number(session, now, at_most=1) and not match_first(session, now):
        return True
    if alert_store.due_mails(session, now, at_most=1) and not relay_store.relay(session).holds(now):
        return True
    return bool(service.journal and left_behind(service.journal))


def library(session: Session, now: datetime) -> bool:
    """Whether a paper waits to be indexed or looked at again, or the report on trends is a night old."""
    if index_store.waits(session) or (search_store.is_empty(session) and index_store.any_indexed(session)):
        return True
    kept = topic_store.latest(session)
    if kept is not None and kept.guessed_down_to:
        return True
    made = trend_store.latest(session)
    if made is not None and now - made[0] < TRENDS_AFTER:
        return False
    return trend_store.last_day(session, now.date() + timedelta(days=1)) is not None
