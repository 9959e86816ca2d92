"""What a person means who adds a source: its kind, name and location from a few words (pure)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from jobs.checks import arxiv

_CATEGORY = re.compile(r"[a-z]+(-[a-z]+)*(\.[A-Za-z]{2}|\.[a-z]+(-[a-z]+)*)?")
# A feed is worth asking once an hour, an archive once a day, a folder of our own every minute.
_MINUTES = {"feed": 60, "oai": 24 * 60, "folder": 1, "arxiv": 60}


class UnclearSourceError(ValueError):
    """Words that name no source; the message says what would."""


@dataclass(frozen=True, slots=True)
class NewSource:
    """A source to be added."""

    name: str
    kind: str
    location: str
    every_minutes: int
    cursor: dict[str, Any] = field(default_factory=dict)


def described(
    words: Sequence[str], now: datetime, *, feeds: str, name: str = "", backfill: int = 0, every: int = 0
) -> NewSource:
    """The source that these words describe: ``arxiv cs.DC cs.LG``, an address, or a folder.

    ``feeds`` is the address of arXiv's feeds, ``backfill`` the days of an archive to fetch from before now,
    ``every`` the minutes between checks. Raises `UnclearSourceError`.
    """
    first = words[0].strip() if words else ""
    if first == "arxiv":
        return _arxiv(words[1:], feeds, name, backfill, now)
    if len(words) != 1:
        raise UnclearSourceError("one address or folder at a time, or: arxiv CATEGORY…")
    if first.startswith(("http://", "https://")):
        return _address(first, feeds, name, backfill, every, now)
    path = Path(first)
    if not first or not path.is_dir():
        raise UnclearSourceError(
            f"{first!r} is no folder, no http address and not `arxiv CATEGORY…`; "
            "a single file is read with `paperwatch ingest`"
        )
    return NewSource(name or path.name, "folder", str(path.absolute()), every or _MINUTES["folder"])


def _arxiv(names: Sequence[str], feeds: str, name: str, backfill: int, now: datetime) -> NewSource:
    wanted = list(dict.fromkeys(part for each in names for part in re.split(r"[+,]", each) if part))
    if not wanted:
        raise UnclearSourceError("which categories? Such as: arxiv cs.DC cs.LG")
    if wrong := [each for each in wanted if not _CATEGORY.fullmatch(each)]:
        raise UnclearSourceError(f"{wrong[0]!r} is no category of arXiv, such as cs.DC, math.PR or quant-ph")
    cursor = arxiv.first_memory(backfill, now).as_cursor()
    location = arxiv.feed_address(feeds, wanted)
    return NewSource(name or f"arXiv {' '.join(wanted)}", "arxiv", location, _MINUTES["arxiv"], cursor)


def _address(url: str, feeds: str, name: str, backfill: int, every: int, now: datetime) -> NewSource:
    parts = urlsplit(url)
    if not parts.hostname:
        raise UnclearSourceError(f"{url!r} has no host name")
    if parts.hostname in ("rss.arxiv.org", "export.arxiv.org") and parts.path.startswith(("/rss/", "/atom/")):
        return _arxiv([parts.path.rpartition("/")[2]], feeds, name, backfill, now)
    query = parse_qs(parts.query)
    if "metadataPrefix" in query or "ListRecords" in query.get("verb", ()):
        called = name or f"{parts.hostname} {' '.join(query.get('set', ()))}".strip()
        return NewSource(called, "oai", url, every or _MINUTES["oai"], {"days": backfill})
    shown = f"{parts.hostname}{parts.path}".rstrip("/")
    return NewSource(name or shown, "feed", url, every or _MINUTES["feed"])
