"""The feeds: answered from memory, after one narrow look at the database whether they still hold.

This is an ASGI app of its own that stands before all others. What FastAPI, the guard and the compression of
pages take for a request is several times what a feed takes.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import re
from datetime import datetime, timedelta
from email.utils import format_datetime

from anyio import CapacityLimiter, to_thread
from starlette.types import ASGIApp, Receive, Scope, Send

from app.version import VERSION
from app.web.context import Web
from app.web.feed_maker import FeedMaker
from app.web.feed_marks import Marks
from app.web.feed_shelf import Headers, Held, Shelf, Stamp
from app.web.guard import HEADERS
from db import feed_store
from db.feed_store import Mark
from jobs.alerts.feed import CONTENT_TYPES
from jobs.feeds import Asked
from recommender import labels

_PREFIX = "/feeds/"
_FORMS = "|".join(CONTENT_TYPES)
_PATH = re.compile(
    rf"/feeds/(?P<token>[\w-]{{8,64}})(?:/(?:(?P<saved>saved)|(?P<first>\d{{1,9}})-(?P<last>\d{{1,9}})))?"
    rf"\.(?P<form>{_FORMS})",
    re.ASCII,
)
_TOPIC = re.compile(rf"/feeds/topics/(?P<slug>[^/]{{1,200}})\.(?P<form>{_FORMS})")
_NO_GZIP = re.compile(rb"gzip\s*;\s*q=0(?:\.0*)?\s*(?:,|$)")
_SAFE = [(name.encode(), value.encode()) for name, value in HEADERS.items() if name != "cache-control"]
# A feed is its reader's own, and a revoked address must stop at once: keep it, but ask each time.
_PRIVATE = (b"cache-control", b"private, no-cache")
_PUBLIC = (b"cache-control", b"public, max-age=300")
_VARY = (b"vary", b"accept-encoding")
_UNKNOWN = (
    b"There is no feed at this address. It may have been renewed or deleted; "
    b"your own page shows the addresses of your feeds.\n"
)
# More feeds at once would only slow each other down.
_RENDERED_AT_ONCE = 2
# Rendering takes some 50 ms, and 2 to 3 s where its process has to start first. A reader that asks once an
# hour would rather wait for that than have yesterday's papers, but not until its own patience ends.
_PATIENCE_SECONDS = 5.0


class Feeds:
    """ASGI middleware that answers what is under /feeds/ and hands on the rest."""

    def __init__(self, app: ASGIApp, *, web: Web, maker: FeedMaker) -> None:
        self.app = app
        self._web = web
        self._maker = maker
        self._marks = Marks(web.service.database)
        self._shelf = Shelf()
        self._being_made: dict[tuple[Asked, Mark], asyncio.Task[Held | None]] = {}
        self._limiter = CapacityLimiter(_RENDERED_AT_ONCE)
        # Feeds from another place or by another release are others, whatever the database says.
        self._origin = f"{VERSION}\n{web.service.links.base_url}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            self._maker.close()
        elif scope["type"] != "http" or not scope["path"].startswith(_PREFIX):
            await self.app(scope, receive, send)
        elif scope["method"] not in {"GET", "HEAD"}:
            await _plain(send, 405, b"Feeds are read, with GET or HEAD.\n", (b"allow", b"GET, HEAD"))
        else:
            await self._answer(scope, send)

    async def _answer(self, scope: Scope, send: Send) -> None:
        asked = _asked(scope["path"])
        mark = await self._mark(asked) if asked else None
        if asked is None or mark is None:
            await _plain(send, 404, _UNKNOWN)
            return
        stamp = self._stamp(asked, mark)
        accepted = tags = since = b""
        for name, value in scope["headers"]:
            if name == b"accept-encoding":
                accepted = value
            elif name == b"if-none-match":
                tags = tags + b"," + value if tags else value
            elif name == b"if-modified-since":
                since = value
        now = self._web.clock()
        if stamp.is_known(tags, since, now):
            await _send(send, 304, stamp.headers, b"")
            return
        held = self._shelf.get(asked, stamp) or await self._made(asked, stamp)
        if held is None:
            await _plain(send, 404, _UNKNOWN)
        elif held.stamp is not stamp and held.stamp.is_known(tags, since, now):
            await _send(send, 304, held.stamp.headers, b"")
        elif b"gzip" in accepted and not _NO_GZIP.search(accepted):
            await _send(send, 200, held.packed_headers, held.packed if scope["method"] == "GET" else b"")
        else:
            body = self._shelf.plain(held) if scope["method"] == "GET" else b""
            await _send(send, 200, held.headers, body)

    async def _mark(self, asked: Asked) -> Mark | None:
        return await (self._marks.of_topic if asked.what == "topic" else self._marks.of)(asked.token)

    def _stamp(self, asked: Asked, mark: Mark) -> Stamp:
        before = self._shelf.stamps.get(asked)
        if before is not None and before.mark == mark:
            return before
        modified = _changed(asked, mark).replace(microsecond=0)
        if before is not None and modified <= before.modified:
            # Two changes within a second must not have the same date: the second one would go unnoticed by
            # readers who ask by date.
            modified = before.modified + timedelta(seconds=1)
        named = hashlib.sha256(f"{self._origin}\n{asked}\n{mark}".encode()).hexdigest()[:24]
        # Weak, since it names what a feed is made of and not its bytes: so it is the same for each encoding,
        # in every process, and after a restart (RFC 9110, section 8.8.1).
        tag = f'W/"{named}"'.encode()
        date = (b"last-modified", format_datetime(modified, usegmt=True).encode())
        cached = _PUBLIC if asked.what == "topic" else _PRIVATE
        stamp = Stamp(mark, tag, modified, [(b"etag", tag), date, cached, _VARY])
        self._shelf.stamps.put(asked, stamp)
        return stamp

    async def _made(self, asked: Asked, stamp: Stamp) -> Held | None:
        """The feed, rendered now; or where only papers came since it was last rendered, the feed as it was,
        for those who come meanwhile, and for the first one after some seconds. After an edit or a rating
        everybody waits for the same rendering: its reader wants to see it."""
        key = asked, stamp.mark
        task, old = self._being_made.get(key), self._shelf.last(asked)
        if old is not None and not feed_store.same_but_newer(old.stamp.mark, stamp.mark):
            old = None
        if task is not None:
            return old or await asyncio.shield(task)
        task = self._being_made[key] = asyncio.ensure_future(self._make(asked, stamp))
        task.add_done_callback(lambda _: self._being_made.pop(key, None))
        done, _ = await asyncio.wait({task}, timeout=_PATIENCE_SECONDS if old else None)
        return task.result() if done else old

    async def _make(self, asked: Asked, stamp: Stamp) -> Held | None:
        now = self._web.clock()
        held = await to_thread.run_sync(self._render, asked, stamp, now, limiter=self._limiter)
        if held is not None:
            self._shelf.put(asked, held)
        return held

    def _render(self, asked: Asked, stamp: Stamp, now: datetime) -> Held | None:
        plain = self._maker(asked, stamp.modified, now)
        if plain is None:
            return None
        packed = gzip.compress(plain, 6, mtime=0)
        full = [(b"content-type", CONTENT_TYPES[asked.form].encode()), *stamp.headers, *_SAFE]
        lengths = [(b"content-length", str(len(body)).encode()) for body in (packed, plain)]
        return Held(stamp, packed, [*full, (b"content-encoding", b"gzip"), lengths[0]], [*full, lengths[1]])


def _changed(asked: Asked, mark: Mark) -> datetime:
    if asked.what == "topic":
        return feed_store.topic_changed(mark)
    state = feed_store.state(mark)
    return state.changed if asked.what == "saved" else max(state.changed, state.matched)


def _asked(path: str) -> Asked | None:
    if topic := _TOPIC.fullmatch(path):
        return Asked(labels.read_slug("topic", topic["slug"]), topic["form"], "topic")
    match = _PATH.fullmatch(path)
    if match is None:
        return None
    token, form = match["token"], match["form"]
    if match["saved"]:
        return Asked(token, form, "saved")
    if match["first"]:
        return Asked(token, form, "archive", int(match["first"]), int(match["last"]))
    return Asked(token, form)


async def _plain(send: Send, status: int, words: bytes, *more: tuple[bytes, bytes]) -> None:
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(words)).encode()),
        (b"cache-control", b"no-store"), *_SAFE, *more,
    ]  # fmt: skip
    await _send(send, status, headers, words)


async def _send(send: Send, status: int, headers: Headers, body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
