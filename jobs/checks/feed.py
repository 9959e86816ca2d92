"""A feed of any kind at an address: RSS, Atom, RDF, JSON, or an API's pages."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime, timedelta

from db.records import Receipt, Source
from jobs import rhythm
from jobs.checks.checked import Checked
from jobs.checks.pages import next_address
from jobs.service import Service
from jobs.sources import formats
from jobs.sources.fetch import Fetched, Validators
from jobs.sources.parsed import Parsed
from jobs.storing import store_news

# A feed that shows this many pages of nothing but new papers has its whole archive online.
_MOST_PAGES = 20


def check(service: Service, source: Source, now: datetime) -> Checked:
    """Ask for the feed, unless it is what it was; of one with pages, as many as bring something new.

    Raises `FetchError` and `SourceError`.
    """
    next_at = rhythm.next_interval(now, timedelta(minutes=source.every_minutes), service.jitter())
    fetched = service.fetcher.get(source.location, Validators(source.etag, source.last_modified))
    said = fetched.validators
    mark = hashlib.sha256(fetched.body).hexdigest()[:32]
    if fetched.not_modified or mark == source.cursor.get("mark"):
        quiet = Receipt(source.id, now, source.location, note="nothing new in the feed", outcome="unchanged")
        return Checked(
            (quiet,), source.cursor, validators=(said.etag, said.last_modified), next_check_at=next_at
        )
    receipt = Receipt(source.id, now, source.location)
    for parsed in _pages(service, source, fetched):
        before = receipt
        receipt = store_news(service.database, source, parsed, receipt, now)
        if receipt.new == before.new:
            break
    # A feed with damage in it is read again next time, even if the server calls it unchanged.
    whole = not receipt.rejected
    return Checked(
        (receipt,), {"mark": mark} if whole else {}, batch=receipt.batch,
        validators=(said.etag, said.last_modified) if whole else ("", ""), next_check_at=next_at,
    )  # fmt: skip


def _pages(service: Service, source: Source, first: Fetched) -> Iterator[Parsed]:
    fetched = first
    for _ in range(_MOST_PAGES):
        parsed = formats.parse(fetched.body)
        yield parsed
        address = next_address(source.location, parsed)
        if not address:
            return
        fetched = service.fetcher.get(address)
