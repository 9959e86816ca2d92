"""Every format that Paperwatch reads; which one a payload is of, its content says, never its name."""

from __future__ import annotations

from typing import Final

from jobs.sources import (
    arxiv_api,
    arxiv_mail,
    arxiv_rss,
    biorxiv,
    blank,
    daily,
    decode,
    feed,
    json_feed,
    oai_pmh,
    snapshot,
    weekly,
)
from jobs.sources.parsed import Format, Parsed, SourceError

# One line a format. The first that recognises a payload reads it, so the more exact test stands first;
# feeds are told by their XML root, digests by their headings, and no payload has both.
FORMATS: Final[tuple[Format, ...]] = (
    blank,
    weekly,
    daily,
    arxiv_rss,
    arxiv_api,
    oai_pmh,
    arxiv_mail,
    biorxiv,
    json_feed,
    snapshot,
    feed,
)

_HEAD = 65_536


def recognise(data: bytes) -> Format:
    """The format of a payload, from its first 64 KiB; raises `SourceError` if it is of none."""
    head = data[:_HEAD]
    for known in FORMATS:
        if known.recognises(head):
            return known
    begins = next((line.strip() for line in decode.text(head).split("\n") if line.strip()), "")
    raise SourceError(
        f"no digest or feed that Paperwatch knows: it begins {begins[:60]!r}; "
        f"known are {', '.join(known.NAME for known in FORMATS if known.NAME != blank.NAME)}"
    )


def parse(data: bytes) -> Parsed:
    """Read a payload of any known format; raises `SourceError` if it is of none or cannot be read at all."""
    return recognise(data).parse(data)
