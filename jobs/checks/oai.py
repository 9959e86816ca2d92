"""An OAI-PMH archive: what changed since the last harvest."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from db import source_store
from db.records import Receipt, Source
from jobs import rhythm
from jobs.checks.checked import Checked
from jobs.checks.pages import resumed
from jobs.service import Service
from jobs.sources import oai_pmh
from jobs.sources.parsed import SourceError
from jobs.storing import store_news

# Of one check, so that other sources have their turn; the rest follows with the next run.
_MOST_PAGES = 2_000


def check(service: Service, source: Source, now: datetime) -> Checked:
    """Harvest from where the last harvest began, page by page; each page is stored before the next is asked.

    A harvest that is interrupted, or has more than `_MOST_PAGES`, goes on with its resumption token; if the
    archive does not know that any more, from its first day again. Raises `FetchError` and `SourceError`.
    """
    cursor: dict[str, Any] = dict(source.cursor)
    since = cursor.get("from") or (now - timedelta(days=1 + cursor.get("days", 0))).date().isoformat()
    receipt = Receipt(source.id, now, source.location)
    token, began = cursor.get("token", ""), cursor.get("began", "")
    for _ in range(_MOST_PAGES):
        address = resumed(source.location, token) if token else first_address(source.location, since)
        fetched = service.fetcher.get(address)
        try:
            parsed = oai_pmh.parse(fetched.body)
        except SourceError:
            with service.database.writing() as session:
                source_store.remember(session, source, {**cursor, "from": since, "token": "", "began": ""})
            raise
        receipt = store_news(service.database, source, parsed, receipt, now)
        began = began or parsed.cursor[:10]
        token = parsed.next_page
        if not token:
            break
        with service.database.writing() as session:
            source_store.remember(session, source, {"from": since, "token": token, "began": began})
    if token:
        # The first day stays: it is where the harvest begins anew if the token is refused.
        said = replace(receipt, note=f"{_MOST_PAGES:,} pages read; the rest follows with the next run")
        cursor = {"from": since, "token": token, "began": began}
        return Checked((said,), cursor, batch=receipt.batch, next_check_at=now)
    next_at = rhythm.next_interval(now, timedelta(minutes=source.every_minutes), service.jitter())
    cursor = {"from": began if _is_day(began) else since, "token": "", "began": ""}
    return Checked((receipt,), cursor, batch=receipt.batch, next_check_at=next_at)


def first_address(location: str, since: str) -> str:
    """The address of a harvest's first page: all that changed from this day on."""
    parts = urlsplit(location)
    given = {"verb": "ListRecords", "metadataPrefix": "oai_dc"} | dict(parse_qsl(parts.query))
    given.pop("resumptionToken", None)
    return urlunsplit(parts._replace(query=urlencode(given | {"from": since})))


def _is_day(text: str) -> bool:
    try:
        return bool(date.fromisoformat(text))
    except ValueError:
        return False
