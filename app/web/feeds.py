"""The private feeds, rendered once per change and answered from memory."""

from __future__ import annotations

import gzip
import hashlib
import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from app.web import errands
from app.web.context import Web
from db import alert_store, subscriber_store
from jobs.alerts.feed import CONTENT_TYPES, Channel, Entry, render
from profiles.profile import Profile

_MOST_BYTES = 64 * 1024 * 1024
_ENTRIES = 50
_UNKNOWN = (
    "There is no feed at this address. It may have been renewed or deleted; "
    "your own page shows the addresses of your feeds.\n"
)


@dataclass(frozen=True, slots=True)
class State:
    """What a feed's content depends on: the profile's edits and ratings, and its latest match."""

    profile: int
    revision: int
    batch: int


@dataclass(frozen=True, slots=True)
class Rendered:
    """A feed as bytes, plain and compressed. ``modified`` is when this content was first rendered here."""

    state: State
    plain: bytes
    packed: bytes
    tag: str
    modified: datetime


class Shelf:
    """Rendered feeds by profile and form, the least used ones dropped when there are too many bytes."""

    def __init__(self, most_bytes: int = _MOST_BYTES) -> None:
        self._most = most_bytes
        self._held: OrderedDict[tuple[int, str], Rendered] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, state: State, form: str) -> Rendered | None:
        """The feed in this form, if it is still of this state."""
        with self._lock:
            held = self._held.get((state.profile, form))
            if held is None or held.state != state:
                return None
            self._held.move_to_end((state.profile, form))
            return held

    def put(self, form: str, feed: Rendered) -> None:
        """Keep a feed in place of what stood there."""
        with self._lock:
            old = self._held.pop((feed.state.profile, form), None)
            self._bytes += _size(feed) - (_size(old) if old else 0)
            self._held[feed.state.profile, form] = feed
            while self._bytes > self._most and len(self._held) > 1:
                _, dropped = self._held.popitem(last=False)
                self._bytes -= _size(dropped)


def _size(feed: Rendered) -> int:
    return len(feed.plain) + len(feed.packed)


def route(web: Web) -> Route:
    """The route of all feeds: plain Starlette, since FastAPI's own work would be most of the time."""
    shelf = Shelf()

    async def feed(request: Request) -> Response:
        token, form = request.path_params["token"], request.path_params["form"]
        if form not in CONTENT_TYPES:
            return PlainTextResponse(_UNKNOWN, 404)
        found = await run_in_threadpool(_find, web, shelf, token, form)
        return _answer(found, form, request.headers) if found else PlainTextResponse(_UNKNOWN, 404)

    return Route("/feeds/{token}.{form}", feed, methods=["GET"], name="feed")


def _find(web: Web, shelf: Shelf, token: str, form: str) -> Rendered | None:
    with web.service.database.reading() as session:
        profile = subscriber_store.profile_by_token(session, token)
        if profile is None:
            return None
        latest = alert_store.matches_of(session, profile.id, at_most=1)
        state = State(
            profile.id, subscriber_store.revision(session, profile.id), latest[0].batch_id if latest else 0
        )
    found = shelf.get(state, form)
    if found is None:
        updated = latest[0].made_at if latest else profile.created_at
        found = _render(web, profile, state, form, updated)
        shelf.put(form, found)
    return found


def _render(web: Web, profile: Profile, state: State, form: str, updated: datetime) -> Rendered:
    links, now = web.service.links, web.clock()
    channel = Channel(
        title=profile.name, self_url=links.feed(profile.feed_token, form), home_url=links.home,
        # The profile's number would repeat between servers; its birth does not, and stays when it moves.
        feed_id=f"profile {profile.id} of {profile.created_at.isoformat()}", updated=updated,
        profile_id=profile.id, description=f"New papers for {profile.name}, ranked, each with the reason why",
    )  # fmt: skip
    entries = [Entry(e.item, e.at) for e in errands.latest(web.service, profile, now, at_most=_ENTRIES)]
    plain = render(form, channel, entries, links)
    tag = hashlib.sha256(plain).hexdigest()[:32]
    return Rendered(
        state, plain, gzip.compress(plain, 6, mtime=0), tag, now.astimezone(UTC).replace(microsecond=0)
    )


def _answer(feed: Rendered, form: str, asked: Headers) -> Response:
    packed = "gzip" in asked.get("accept-encoding", "")
    headers = {
        # Two encodings are two representations, so each has its tag (RFC 9110, section 8.8.3.3).
        "etag": f'"{feed.tag}-gzip"' if packed else f'"{feed.tag}"',
        "last-modified": format_datetime(feed.modified, usegmt=True),
        "cache-control": "private, max-age=300",
    }
    if is_current(feed, asked):
        return Response(status_code=304, headers=headers)
    if packed:
        # What is not packed passes the middleware, which says so itself.
        headers |= {"content-encoding": "gzip", "vary": "Accept-Encoding"}
    return Response(feed.packed if packed else feed.plain, headers=headers, media_type=CONTENT_TYPES[form])


def is_current(feed: Rendered, asked: Headers) -> bool:
    """Whether the reader has this already, by ETag, or by date where it sends no ETag (RFC 9110, 13.2.2)."""
    tags = asked.get("if-none-match")
    if tags is not None:
        known = {tag.strip().removeprefix("W/").strip('"').removesuffix("-gzip") for tag in tags.split(",")}
        return feed.tag in known or "*" in known
    since = asked.get("if-modified-since")
    if since is None:
        return False
    try:
        moment = parsedate_to_datetime(since)
    except ValueError:
        return False
    return feed.modified <= (moment if moment.tzinfo else moment.replace(tzinfo=UTC))
