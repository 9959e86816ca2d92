"""Files, folders and streams given by hand or found in a watched folder."""

from __future__ import annotations

import glob
import io
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, cast

from db.records import Receipt, Source
from db.session import Database
from jobs import snapshots
from jobs.progress import Progress, no_progress
from jobs.sources import formats, snapshot
from jobs.sources.parsed import SourceError
from jobs.storing import store

# A digest of a year has a few MB; what is larger is no digest. Snapshots are streamed instead.
MAX_BYTES = 256 * 1024 * 1024
_HEAD = 65_536


def ingest(
    database: Database, source: Source, path: Path, now: datetime, *, archive: bool = False,
    progress: Progress = no_progress,
) -> Receipt:  # fmt: skip
    """Read, recognise, parse and merge one file; what fails is in the receipt."""
    start = Receipt(source.id, now, str(path))
    try:
        with ExitStack() as opened:
            try:
                file = opened.enter_context(path.open("rb"))
                return ingest_stream(database, source, file, start, now, archive=archive, progress=progress)
            except OSError as exc:
                raise SourceError(f"{path} could not be read: {exc.strerror or exc}") from exc
    except SourceError as exc:
        return replace(start, error=str(exc), outcome="error")


def ingest_stream(
    database: Database, source: Source, file: BinaryIO, start: Receipt, now: datetime, *,
    archive: bool = False, progress: Progress = no_progress,
) -> Receipt:  # fmt: skip
    """The same for what is open already. A snapshot of arXiv is read in blocks; its papers are no news.

    Raises `SourceError` for what no format reads.
    """
    head = _first(file, _HEAD)
    format = formats.recognise(head)
    whole = cast(BinaryIO, io.BufferedReader(_Rejoined(head, file), 1 << 20))
    if format.NAME == snapshot.NAME:
        return snapshots.ingest(database, source, whole, start, now, progress)
    data = whole.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise SourceError(f"{start.location} has more than {MAX_BYTES:,} bytes: split it")
    receipt = store(database, source, format.parse(data), start, now, archive=archive)
    progress(start.location, receipt.received)
    return receipt


def named(location: str) -> Iterator[Path]:
    """The files that a location means; the path itself where it is missing, so that the error names it."""
    path = Path(location)
    if path.is_dir():
        yield from inside(path)
    elif path.exists() or not glob.has_magic(location):
        yield path
    else:
        found = [Path(name) for name in sorted(glob.glob(location, recursive=True))]  # noqa: PTH207  # absolute globs
        yield from [inner for p in found for inner in (inside(p) if p.is_dir() else [p])] or [path]


def inside(folder: Path) -> list[Path]:
    """Every file below a folder, by name; hidden ones, editors' and half-written ones are left out."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and path.suffix not in {".part", ".tmp", ".swp"}
        and not path.name.endswith("~")
    )


def _first(file: BinaryIO, size: int) -> bytes:
    """The beginning of a stream; a pipe may hand it out in pieces."""
    head = b""
    while len(head) < size and (piece := file.read(size - len(head))):
        head += piece
    return head


class _Rejoined(io.RawIOBase):
    """A stream whose beginning was read already, from its beginning."""

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        self._head = head
        self._rest = rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # what BufferedReader hands over
        piece = self._head or self._rest.read(len(buffer))
        part, self._head = piece[: len(buffer)], piece[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)
