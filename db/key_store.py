"""Subscribers' keys to the API: only a SHA-256 of each is kept."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from db import subscriber_store
from db.session import rows_changed
from db.tables import ApiKeyRow
from profiles.profile import Subscriber

# When a key was last used is told to the hour: a write for each request would be most of its work.
_COARSE = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as its owner sees it afterwards; what it was is known to nobody else."""

    id: int
    subscriber_id: int
    name: str
    made_at: datetime
    used_at: datetime | None


def add(session: Session, subscriber_id: int, name: str, key: str, now: datetime) -> ApiKey:
    """Keep a new key, which must be random: a word that could be guessed would be known by its hash."""
    row = ApiKeyRow(
        subscriber_id=subscriber_id, name=name, mark=_mark(key), made_at=now, used_at=None, revoked_at=None
    )
    session.add(row)
    session.flush()
    return _key(row)


def owner(session: Session, key: str) -> tuple[ApiKey, Subscriber] | None:
    """Whose key this is; None for one that is unknown or was revoked."""
    query = select(ApiKeyRow).where(ApiKeyRow.mark == _mark(key), ApiKeyRow.revoked_at.is_(None))
    row = session.scalars(query).first()
    person = subscriber_store.subscriber(session, row.subscriber_id) if row else None
    return (_key(row), person) if row and person else None


def needs_mark(key: ApiKey, now: datetime) -> bool:
    """Whether its last use is so long ago that `used` should be called."""
    return key.used_at is None or now - key.used_at >= _COARSE


def used(session: Session, number: int, now: datetime) -> None:
    """Note that a key was used."""
    session.execute(update(ApiKeyRow).where(ApiKeyRow.id == number).values(used_at=now))


def keys_of(session: Session, subscriber_id: int) -> Sequence[ApiKey]:
    """A subscriber's keys that hold, oldest first."""
    mine = ApiKeyRow.subscriber_id == subscriber_id, ApiKeyRow.revoked_at.is_(None)
    return [_key(row) for row in session.scalars(select(ApiKeyRow).where(*mine).order_by(ApiKeyRow.id))]


def revoke(session: Session, subscriber_id: int, number: int, now: datetime) -> bool:
    """End a key of this subscriber; false where there is none that holds."""
    mine = ApiKeyRow.id == number, ApiKeyRow.subscriber_id == subscriber_id, ApiKeyRow.revoked_at.is_(None)
    return rows_changed(session, update(ApiKeyRow).where(*mine).values(revoked_at=now)) == 1


def _mark(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()


def _key(row: ApiKeyRow) -> ApiKey:
    return ApiKey(row.id, row.subscriber_id, row.name, row.made_at, row.used_at)
