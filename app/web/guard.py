"""What every request passes before any page sees it: a size cap, a check for foreign forms, safe headers."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY = 64 * 1024
# A reference library of two megabytes, and what a form has beside it.
MAX_UPLOAD = 2 * 1024 * 1024 + MAX_BODY
_UPLOADS = ("/read", "/read/library")
# All that the schema of the API allows in a profile, in the longest words, is 0.7 MB.
MAX_JSON = 1024 * 1024
_API = "/api/"
# A delivery report returns our own mail, which may have 100 kB.
MAX_REPORT = 1024 * 1024
_REPORTS = "/bounces"
_SAFE = {"GET", "HEAD", "OPTIONS"}
# The one-click unsubscribe of RFC 8058 is posted by mail services, from wherever they are.
_OPEN_TO_ALL = "/unsubscribe/"

HEADERS = {
    "content-security-policy": (
        "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    # Addresses hold private tokens, so no other site is told them. "no-referrer" would go further, but it
    # makes browsers send "Origin: null" with our own forms.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cache-control": "no-store",
}


class TooLargeError(Exception):
    """The body of a request is larger than any form of ours."""


class Guard:
    """ASGI middleware around the pages. ``refusal`` is an app that answers what is refused: it finds
    ``paperwatch.refused`` in the scope, an HTTP status."""

    def __init__(self, app: ASGIApp, *, own_host: str, refusal: ASGIApp) -> None:
        self.app = app
        self.own_host = own_host
        self.refusal = refusal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False
        bodiless = scope["method"] == "HEAD"

        async def guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            elif bodiless and message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        if bodiless:
            # Mail scanners and feed readers ask for the head of any page; every GET has one.
            scope = {**scope, "method": "GET"}
        headers = Headers(scope=scope)
        most = _most(scope["path"])
        if scope["method"] not in _SAFE:
            if is_foreign(headers, self.own_host) and not scope["path"].startswith(_OPEN_TO_ALL):
                await self._refuse(403, scope, receive, guarded)
                return
            length = headers.get("content-length", "0")
            if not length.isdecimal() or int(length) > most:
                await self._refuse(413, scope, receive, guarded)
                return
        try:
            await self.app(scope, _capped(receive, most), guarded)
        except TooLargeError:
            if started:
                raise
            await self._refuse(413, scope, receive, guarded)

    async def _refuse(self, status: int, scope: Scope, receive: Receive, send: Send) -> None:
        await self.refusal({**scope, "paperwatch.refused": status}, receive, send)


def _most(path: str) -> int:
    """How large a body this address takes, in bytes."""
    if path.endswith(_UPLOADS):
        return MAX_UPLOAD
    if path.startswith(_API):
        return MAX_JSON
    return MAX_REPORT if path == _REPORTS or path.startswith(f"{_REPORTS}/") else MAX_BODY


def is_foreign(headers: Headers, own_host: str) -> bool:
    """Whether a browser says that another site's page sends this form; programs say nothing and may."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in {"same-origin", "none"}
    origin = headers.get("origin")
    if origin is None:
        return False
    return urlsplit(origin).netloc not in {own_host, headers.get("host", "")} or origin == "null"


def _capped(receive: Receive, most: int) -> Receive:
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > most:
            raise TooLargeError
        return message

    return counted
