"""Once a night, days that are over are counted, and what grows by day and is no longer needed is deleted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, time, timedelta

from db import queue_store, thin_store, turn_store
from db.session import Session
from jobs import days
from jobs.service import Service

_AT = time(3)  # o'clock, UTC
_TOGETHER = 5_000  # rows of one transaction
_SCORES = timedelta(days=35)  # the dial learns from the last 30


def thin(service: Service, now: datetime, run: str) -> dict[str, int] | None:
    """Count the days that are over and delete what is older than it is kept, if that was not done since three
    o'clock; how many rows of each table are gone, or None if it was."""
    slot = now.replace(hour=_AT.hour, minute=0, second=0, microsecond=0)
    slot = slot if slot <= now else slot - timedelta(days=1)
    with service.database.reading() as session:
        if turn_store.finished(session, ["thin"], slot):
            return None
    with service.database.writing() as session:
        number = turn_store.claim(session, "thin", slot, run, run, now)
    if number is None:
        return None
    days.keep(service.database, now)
    old, told = now - service.keep.readers, now - service.keep.log
    gone = {
        "match": _until_done(service, lambda s: thin_store.matches(s, old, at_most=_TOGETHER)),
        "scores": _until_done(service, lambda s: thin_store.scores(s, now - _SCORES, at_most=_TOGETHER)),
        "shadow": _until_done(service, lambda s: thin_store.shadows(s, old, at_most=_TOGETHER)),
        "digest": _digests(service, old),
        "receipt": _until_done(service, lambda s: thin_store.receipts(s, told, at_most=_TOGETHER)),
        "turn": _until_done(service, lambda s: thin_store.turns(s, told, at_most=_TOGETHER)),
    }
    with service.database.writing() as session:
        if not service.database.is_sqlite:
            queue_store.drop_old(session)
        turn_store.finish(session, number, run, now, dict(gone))
    return gone


def _until_done(service: Service, delete: Callable[[Session], int]) -> int:
    total = 0
    while True:
        with service.database.writing() as session:
            gone = delete(session)
        total += gone
        if gone < _TOGETHER:
            return total


def _digests(service: Service, old: datetime) -> int:
    total = after = 0
    while True:
        with service.database.writing() as session:
            gone, after = thin_store.digests(session, old, after=after, at_most=_TOGETHER)
        total += gone
        if not after:
            return total
