"""From a location to stored papers: read, recognise, parse, merge, and a receipt for each."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from db import paper_store, source_store
from db.records import Receipt, Source
from db.session import Database
from jobs.service import Service
from jobs.sources import formats
from jobs.sources.parsed import Parsed, SourceError

# A digest of a year has a few MB; what is larger is no digest. Snapshots are streamed instead.
MAX_BYTES = 256 * 1024 * 1024


def ingest_locations(
    service: Service, locations: Sequence[str], now: datetime, run: str, *, archive: bool = False
) -> Iterator[Receipt]:
    """Ingest files, folders and globs given by hand; a receipt for each file, as soon as it is stored.

    Every file is a source of its own, so that a paper shown by two files is known to be in both.
    With ``archive`` the papers are kept, but no reader is told of them.
    """
    for location in locations:
        for path in _files(location):
            with service.database.writing() as session:
                source = source_store.add(
                    session,
                    name=path.name,
                    kind="file",
                    location=str(path.absolute()),
                    every_minutes=0,
                    now=None,
                )
            receipt = _ingest_file(service.database, source, path, now, archive=archive)
            yield _recorded(service.database, run, replace(receipt, location=str(path)))


def check_due(service: Service, now: datetime, run: str) -> list[Receipt]:
    """Check every source whose time has come. One that fails is tried again later and stops no other."""
    with service.database.reading() as session:
        due = source_store.due(session, now)
    receipts = []
    for source in due:
        with service.database.writing() as session:
            claimed = source_store.claim(session, source, now)
        if claimed:
            receipts += [
                _recorded(service.database, run, r) for r in _check_folder(service.database, source, now)
            ]
    return receipts


def _check_folder(database: Database, source: Source, now: datetime) -> list[Receipt]:
    """Ingest what is new or changed in a watched folder since the last check."""
    folder = Path(source.location)
    if not folder.is_dir():
        error = f"{folder} is not a folder that can be read"
        with database.writing() as session:
            again = source_store.failed(session, source, now, error)
        wait = f"{error}; next try {again:%Y-%m-%d %H:%M} UTC; create it, or remove the source"
        return [Receipt(source.id, now, source.location, error=wait)]
    states = {str(path.relative_to(folder)): _state(path) for path in _inside(folder)}
    changed = [name for name, state in states.items() if source.cursor.get(name) != state]
    receipts = [_ingest_file(database, source, folder / name, now) for name in changed]
    if not changed:
        receipts = [Receipt(source.id, now, source.location, note=f"nothing new in {len(states)} files")]
    days = [r.batch for r in receipts if r.batch]
    with database.writing() as session:
        source_store.succeeded(session, source, now, cursor=states, batch=max(days, default=None))
    return receipts


def _ingest_file(
    database: Database, source: Source, path: Path, now: datetime, *, archive: bool = False
) -> Receipt:
    start = Receipt(source.id, now, str(path))
    try:
        parsed = formats.parse(_read(path))
    except SourceError as exc:
        return replace(start, error=str(exc))
    return store(database, source, parsed, start, now, archive=archive)


def store(
    database: Database,
    source: Source,
    parsed: Parsed,
    start: Receipt,
    now: datetime,
    *,
    archive: bool = False,
) -> Receipt:
    """Merge what was parsed, in one transaction, and say what came of it."""
    with database.writing() as session:
        counts = paper_store.merge(
            session, parsed.papers, source.id, now, batch=parsed.batch, archive=archive
        )
    day = parsed.batch or max((p.announced for p in parsed.papers if p.announced), default=None)
    return replace(
        start, format=parsed.format, batch=day, received=len(parsed.papers), new=counts.new,
        updated=counts.updated, merged=counts.merged,
        rejected=tuple((r.where, r.why) for r in parsed.rejected), note=parsed.note,
    )  # fmt: skip


def _recorded(database: Database, run: str, receipt: Receipt) -> Receipt:
    if receipt.source_id:
        with database.writing() as session:
            source_store.record(session, run, [receipt])
    return receipt


def _read(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise SourceError(f"{path} has {size:,} bytes; at most {MAX_BYTES:,} are read: split it")
        return path.read_bytes()
    except OSError as exc:
        raise SourceError(f"{path} could not be read: {exc.strerror or exc}") from exc


def _files(location: str) -> Iterator[Path]:
    """The files that a location means; the path itself where it is missing, so that the error names it."""
    path = Path(location)
    if path.is_dir():
        yield from _inside(path)
    elif path.exists() or not glob.has_magic(location):
        yield path
    else:
        found = [Path(name) for name in sorted(glob.glob(location, recursive=True))]  # noqa: PTH207  # absolute globs
        yield from [inner for p in found for inner in (_inside(p) if p.is_dir() else [p])] or [path]


def _inside(folder: Path) -> list[Path]:
    """Every file below a folder, by name; hidden ones, editors' and half-written ones are left out."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.suffix not in {".part", ".tmp", ".swp"}
        and not path.name.endswith("~")
    )


def _state(path: Path) -> list[int]:
    status = path.stat()
    return [status.st_mtime_ns, status.st_size]
