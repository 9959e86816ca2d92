"""Rendered feeds in memory, the least used ones dropped."""

from __future__ import annotations

import gzip
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Generic, TypeVar

from db.feed_store import Mark
from jobs.feeds import Asked

# Packed, a feed of 50 papers has 20 to 35 kB: some 500 feeds. The process is to stay under 120 MB in all.
_MOST_PACKED = 14 * 1024 * 1024
_MOST_PLAIN = 4 * 1024 * 1024
_MOST_STAMPS = 4_000
Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Stamp:
    """Which state of a feed there is now, told without rendering it.

    ``mark`` is what the database says of it, ``modified`` its date in whole seconds, aware; ``headers`` are
    those of an answer without a body.
    """

    mark: Mark
    tag: bytes
    modified: datetime
    headers: Headers

    def is_known(self, tags: bytes, since: bytes, now: datetime) -> bool:
        """Whether a reader with these If-None-Match and If-Modified-Since has this already: by tag, or by
        date where it sends no tag (RFC 9110, section 13.2.2).

        A date that is yet to come is no date of ours: by it a reader would learn of nothing until then.
        """
        if tags:
            named = self.tag.removeprefix(b"W/")
            return tags.strip() == b"*" or any(
                tag.strip().removeprefix(b"W/") == named for tag in tags.split(b",")
            )
        if not since:
            return False
        try:
            moment = parsedate_to_datetime(since.decode("latin-1"))
        except (ValueError, OverflowError):
            return False
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return self.modified <= moment <= max(now, self.modified)


@dataclass(frozen=True, slots=True)
class Held:
    """A feed as it is sent: compressed, with the headers of both kinds of answer."""

    stamp: Stamp
    packed: bytes
    packed_headers: Headers
    headers: Headers


_K = TypeVar("_K", bound=Hashable)
_V = TypeVar("_V")


class Pile(Generic[_K, _V]):
    """What was used last, up to so much in all; ``size`` says how much one thing is."""

    def __init__(self, most: int, size: Callable[[_V], int]) -> None:
        self._most, self._size = most, size
        self._held: OrderedDict[_K, _V] = OrderedDict()
        self._all = 0
        self._lock = threading.Lock()

    def get(self, key: _K) -> _V | None:
        """What is kept under this key."""
        with self._lock:
            found = self._held.get(key)
            if found is not None:
                self._held.move_to_end(key)
            return found

    def put(self, key: _K, value: _V) -> None:
        """Keep it in place of what stood there; what was used least goes where there is too much, but never
        the last."""
        with self._lock:
            old = self._held.pop(key, None)
            self._all += self._size(value) - (self._size(old) if old is not None else 0)
            self._held[key] = value
            while self._all > self._most and len(self._held) > 1:
                _, dropped = self._held.popitem(last=False)
                self._all -= self._size(dropped)


class Shelf:
    """The feeds that were asked for last: all of them packed, those few plain that somebody reads plain."""

    def __init__(self, most_packed: int = _MOST_PACKED, most_plain: int = _MOST_PLAIN) -> None:
        self.stamps: Pile[Asked, Stamp] = Pile(_MOST_STAMPS, lambda _: 1)
        self._packed: Pile[Asked, Held] = Pile(most_packed, lambda held: len(held.packed))
        self._plain: Pile[bytes, bytes] = Pile(most_plain, len)

    def get(self, asked: Asked, stamp: Stamp) -> Held | None:
        """The feed in this state, if it is here."""
        held = self._packed.get(asked)
        return held if held is not None and held.stamp.tag == stamp.tag else None

    def last(self, asked: Asked) -> Held | None:
        """The feed as it was rendered last, in whatever state."""
        return self._packed.get(asked)

    def put(self, asked: Asked, held: Held) -> None:
        """Keep a feed in place of what stood there."""
        self._packed.put(asked, held)

    def plain(self, held: Held) -> bytes:
        """The feed's bytes uncompressed."""
        found = self._plain.get(held.stamp.tag)
        if found is None:
            found = gzip.decompress(held.packed)
            self._plain.put(held.stamp.tag, found)
        return found
