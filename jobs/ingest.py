"""What is given by hand, and what is due: each location becomes stored papers and a receipt."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

import structlog

from db import source_store
from db.records import Receipt, Source
from jobs import files, rhythm
from jobs.checks import arxiv, feed, folder, oai
from jobs.checks.checked import Checked
from jobs.checks.pages import next_address
from jobs.progress import Progress, no_progress
from jobs.service import Service
from jobs.sources import formats, snapshot
from jobs.sources.fetch import FetchError
from jobs.sources.parsed import SourceError
from jobs.storing import store

log = structlog.get_logger()

# One line a kind of source.
CHECKS: Final[dict[str, Callable[[Service, Source, datetime], Checked]]] = {
    "folder": folder.check,
    "feed": feed.check,
    "arxiv": arxiv.check,
    "oai": oai.check,
}
# A harvest given by hand; arXiv's whole archive has fewer pages.
_MOST_PAGES = 10_000


def ingest_locations(
    service: Service, locations: Sequence[str], now: datetime, run: str, *, archive: bool = False,
    progress: Progress = no_progress,
) -> Iterator[Receipt]:  # fmt: skip
    """Ingest files, folders, globs, addresses and ``-`` given by hand; a receipt for each, once it is stored.

    Every file is a source of its own, so that a paper shown by two files is known to be in both. With
    ``archive`` the papers are kept, but no reader is told of them; so are those of an arXiv snapshot.
    """
    for location in locations:
        if location == "-":
            yield _by_hand(service, "standard input", location, now, run, _read_stdin, archive, progress)
        elif location.startswith(("http://", "https://")):
            yield _by_hand(service, location, location, now, run, _read_address, archive, progress)
        else:
            for path in files.named(location):
                with service.database.writing() as session:
                    source = source_store.add(
                        session, name=path.name, kind="file", location=str(path.absolute()), every_minutes=0,
                        now=None,
                    )  # fmt: skip
                receipt = files.ingest(
                    service.database, source, path, now, archive=archive, progress=progress
                )
                yield _recorded(service, run, receipt)


Reader = Callable[[Service, Source, Receipt, datetime, bool, Progress], Receipt]


def _by_hand(
    service: Service, name: str, location: str, now: datetime, run: str, read: Reader, archive: bool,
    progress: Progress,
) -> Receipt:  # fmt: skip
    with service.database.writing() as session:
        source = source_store.add(
            session, name=name, kind="file", location=location, every_minutes=0, now=None
        )
    start = Receipt(source.id, now, location)
    try:
        receipt = read(service, source, start, now, archive, progress)
    except (SourceError, FetchError) as error:
        receipt = replace(start, error=str(error), outcome="error")
    return _recorded(service, run, receipt)


def _read_stdin(
    service: Service, source: Source, start: Receipt, now: datetime, archive: bool, progress: Progress
) -> Receipt:
    stream = sys.stdin.buffer
    return files.ingest_stream(
        service.database, source, stream, start, now, archive=archive, progress=progress
    )


def _read_address(
    service: Service, source: Source, start: Receipt, now: datetime, archive: bool, progress: Progress
) -> Receipt:
    """Every page of what is at an address."""
    receipt, address = start, start.location
    for _ in range(_MOST_PAGES):
        body = service.fetcher.get(address).body
        format = formats.recognise(body)
        kept = archive or format.NAME == snapshot.NAME
        parsed = format.parse(body)
        receipt = store(service.database, source, parsed, receipt, now, archive=kept)
        progress(start.location, receipt.received)
        address = next_address(start.location, parsed)
        if not address:
            break
    return receipt


def check_due(service: Service, now: datetime, run: str) -> list[Receipt]:
    """Check every source whose time has come. One that fails is tried again later and stops no other."""
    with service.database.reading() as session:
        due = source_store.due(session, now)
    receipts: list[Receipt] = []
    for source in due:
        with service.database.writing() as session:
            claimed = source_store.claim(session, source, now)
        if claimed:
            receipts += check_source(service, source, now, run)
    return receipts


def check_source(service: Service, source: Source, now: datetime, run: str) -> list[Receipt]:
    """Check one source now, due or not, and record what came of it and when it is asked next."""
    try:
        checked = CHECKS[source.kind](service, source, now)
    except (FetchError, SourceError) as error:
        return _failed(service, source, now, run, error)
    except Exception as error:
        # One source's surprise must not keep the others from being checked; it is logged in full.
        log.exception("a check failed in an unexpected way", source=source.name, run=run)
        return _failed(service, source, now, run, error)
    with service.database.writing() as session:
        source_store.settle(
            session, source, now, cursor=checked.cursor, batch=checked.batch, validators=checked.validators,
            next_check_at=checked.next_check_at, error=checked.error,
        )  # fmt: skip
        receipts = [_with_next_try(r, checked.next_check_at) for r in checked.receipts]
        source_store.record(session, run, receipts)
    return receipts


def _failed(service: Service, source: Source, now: datetime, run: str, error: Exception) -> list[Receipt]:
    not_before = error.retry_after if isinstance(error, FetchError) else None
    said = str(error) if isinstance(error, FetchError | SourceError) else f"{type(error).__name__}: {error}"
    at = rhythm.after_failure(source.failures, now, service.jitter(), not_before=not_before)
    receipt = Receipt(source.id, now, source.location, error=said, outcome="error")
    receipt = _with_next_try(receipt, at)
    with service.database.writing() as session:
        source_store.failed(session, source, said, at)
        source_store.record(session, run, [receipt])
    return [receipt]


def _with_next_try(receipt: Receipt, at: datetime | None) -> Receipt:
    """The receipt of what is still awaited, with when it is asked for again."""
    if at is None:
        return receipt
    again = f"; next try {at:%Y-%m-%d %H:%M} UTC"
    if receipt.error:
        return replace(receipt, error=receipt.error.rstrip(".") + again)
    if receipt.outcome in ("stale", "not yet", "holiday"):
        return replace(receipt, note=receipt.note + again)
    return receipt


def _recorded(service: Service, run: str, receipt: Receipt) -> Receipt:
    with service.database.writing() as session:
        source_store.record(session, run, [receipt])
    return receipt
