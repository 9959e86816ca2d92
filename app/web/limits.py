"""How often one visitor may ask: for mails, for previews, and with a key to the API.

Counted over a moving window, in this process: with several web processes behind one address each counts for
itself.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

from limits import RateLimitItem, RateLimitItemPerHour, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.types import ASGIApp, Receive, Scope, Send

from app.settings import Settings

# What a form asks for costs a mail to somebody, or a ranking of the week. Reading a library or asking ORCID
# costs more than a preview, and seldom comes twice: a sixth as often is allowed.
_MAILS = ("/subscribe", "/preferences")
_PREVIEWS = ("/preview", "/draft", "/pick", "/weights")
_READS = "/read"
# Takes seconds, one after the other, while each one that waits holds a thread.
_BACKTEST = "/backtest"
# Who guesses at keys gets far fewer tries than who has one.
_WRONG_KEYS_PER_MINUTE = 20


class Limits:
    """Counts what each visitor does; 0 in a setting is no limit."""

    def __init__(self, settings: Settings) -> None:
        self._window = MovingWindowRateLimiter(MemoryStorage())
        self._allowed: dict[str, RateLimitItem] = {}
        if settings.mail_requests_per_hour:
            self._allowed["mail"] = RateLimitItemPerHour(settings.mail_requests_per_hour)
        if settings.previews_per_minute:
            self._allowed["preview"] = RateLimitItemPerMinute(settings.previews_per_minute)
            self._allowed["read"] = RateLimitItemPerMinute(math.ceil(settings.previews_per_minute / 6))
        if settings.api_per_minute:
            self._allowed["key"] = RateLimitItemPerMinute(settings.api_per_minute)
            self._allowed["wrong key"] = RateLimitItemPerMinute(_WRONG_KEYS_PER_MINUTE)

    def hit(self, what: str, who: str) -> int:
        """Count one; 0 where it is allowed, else in how many seconds the next one will be."""
        item = self._allowed.get(what)
        if item is None or self._window.hit(item, what, who):
            return 0
        reset, _ = self._window.get_window_stats(item, what, who)
        return max(1, math.ceil(reset - time.time()))


class Limited:
    """ASGI middleware that refuses what one address asks for too often. ``refusal`` is an app that answers
    it: it finds ``paperwatch.refused`` and ``paperwatch.retry_after`` (seconds) in the scope."""

    def __init__(self, app: ASGIApp, *, limits: Limits, refusal: ASGIApp) -> None:
        self.app = app
        self.limits = limits
        self.refusal = refusal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http":
            kind = _kind(scope["method"], scope["path"])
            wait = self.limits.hit(kind, visitor(scope)) if kind else 0
            if wait:
                refused = {"paperwatch.refused": 429, "paperwatch.retry_after": wait}
                await self.refusal({**scope, **refused}, receive, send)
                return
        await self.app(scope, receive, send)


def visitor(scope: Scope) -> str:
    """The address that asks; behind a trusted proxy uvicorn has put the one there that the proxy names."""
    client: Sequence[str] | None = scope.get("client")
    return client[0] if client else "unknown"


def _kind(method: str, path: str) -> str:
    """What a request counts as, if it is one of those counted. The API counts for itself, by key."""
    path = path.rstrip("/")
    if path.startswith("/api/"):
        return ""
    if method != "POST":
        return "read" if path.endswith(_BACKTEST) else ""
    if path in _MAILS:
        return "mail"
    if path.endswith(_READS):
        return "read"
    return "preview" if path.endswith(_PREVIEWS) else ""
