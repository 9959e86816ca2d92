"""Who may see the operator's page: whoever has the operator's key."""

from __future__ import annotations

import base64
import binascii
import hmac

from fastapi import HTTPException, Request
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from app.web.limits import visitor

# A key of ours cannot be guessed; one that a person made up may.
_TRIES = RateLimitItemPerMinute(10)


class Keeper:
    """Tells the operator by the key: the password of HTTP Basic under any name, or a bearer token."""

    def __init__(self, key: str) -> None:
        self._key = key.encode()
        self._tries = MovingWindowRateLimiter(MemoryStorage())

    def holds(self, shown: bytes, visitor: str) -> bool:
        """Whether this is the key. Raises a 429 after many wrong ones of a visitor, who then waits with the
        right one too."""
        if not shown:
            return False
        if not self._tries.test(_TRIES, visitor):
            raise HTTPException(429, headers={"retry-after": "60"})
        if hmac.compare_digest(shown, self._key):
            return True
        self._tries.hit(_TRIES, visitor)
        return False


def admit(request: Request) -> None:
    """The dependency of every page that is the operator's. Raises a 401 that asks for the key."""
    keeper: Keeper = request.app.state.keeper
    if not keeper.holds(_shown(request.headers.get("authorization", "")), visitor(request.scope)):
        raise HTTPException(401, headers={"www-authenticate": 'Basic realm="Paperwatch", charset="UTF-8"'})


def _shown(header: str) -> bytes:
    kind, _, rest = header.partition(" ")
    if kind.lower() == "bearer":
        return rest.strip().encode()
    if kind.lower() != "basic":
        return b""
    try:
        return base64.b64decode(rest, validate=True).partition(b":")[2]
    except binascii.Error:
        return b""
