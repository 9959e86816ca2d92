"""Keys to the API, made for readers by themselves or by the operator."""

from __future__ import annotations

import secrets
from datetime import datetime

from db import key_store
from db.key_store import ApiKey
from jobs.service import Service
from profiles.request import RequestError

_MOST = 20
_LONGEST = 120


def make(service: Service, subscriber_id: int, name: str, now: datetime) -> tuple[str, ApiKey]:
    """A new key of this subscriber, and what is kept of it. The key itself is kept nowhere: show it at once.

    Raises `RequestError` for a name that is none, or where there are many keys already.
    """
    name = " ".join(name.split())
    if not name or len(name) > _LONGEST:
        raise RequestError(
            "name", f"Say what the key is for, in at most {_LONGEST} characters, such as “my notes”."
        )
    key = f"pw_{secrets.token_urlsafe(32)}"
    with service.database.writing() as session:
        if len(key_store.keys_of(session, subscriber_id)) >= _MOST:
            raise RequestError("name", f"There are {_MOST} keys already; revoke one first.")
        return key, key_store.add(session, subscriber_id, name, key, now)
