"""arXiv's metadata snapshot: millions of lines, merged block by block in memory that does not grow.

A line that was merged before is told by its mark, a 64-bit hash, and is not even parsed: a snapshot that is
read again, or the next month's at the same place, costs what changed in it. Marks are committed with the
papers of their block, so that a read that was cut short goes on where it stopped. 3 million lines have
24 MB of marks, and a chance of about 2 in 10 million that any two of them share one.
"""

from __future__ import annotations

import gc
import hashlib
import os
import threading
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from multiprocessing import get_context, parent_process
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from db import archive_store, mark_store
from db.bulk import make_room
from db.paper_rows import WRITTEN, written
from db.paper_store import Merged
from db.records import Receipt, Source
from db.session import Database
from jobs.progress import Progress
from jobs.sources import snapshot
from jobs.sources.parsed import Rejection, SourceError
from jobs.storing import counted, outcome
from recommender.merging import title_key

_BLOCK = 5_000
_BLOCK_BYTES = 32 * 1024 * 1024
# Blocks that are parsed while one is stored.
_AHEAD = 2
# Counted up when the parser reads more out of a line than before, so that old marks are no longer met.
_PARSER = b"1"

Marks = NDArray[np.uint64]
Lines = tuple[int, Sequence[bytes]]  # with the number of the first one


@dataclass(frozen=True, slots=True)
class _Block:
    """Some lines, read: what is new in them as `written` rows, what was rejected, the marks of what is new,
    and how many lines were merged before."""

    rows: Sequence[tuple[Any, ...]]
    rejected: Sequence[Rejection]
    marks: bytes
    skipped: int


def ingest(
    database: Database, source: Source, file: BinaryIO, start: Receipt, now: datetime, progress: Progress
) -> Receipt:
    """Merge a snapshot as an archive: its papers are kept, and no reader is told of them.

    Raises `SourceError` if the process that parses ahead was killed; what was merged by then stays.
    """
    with database.reading() as session:
        known = np.sort(np.frombuffer(b"".join(mark_store.marks(session, source.id)), dtype=np.uint64))
    receipt = replace(start, format=snapshot.NAME)
    # What lives already is not looked through again and again for garbage: a tenth of the time.
    gc.freeze()
    try:
        with closing(_read(_blocks(file), known)) as blocks:
            for block in blocks:
                counts = _merge(database, source, block, now)
                latest = max((row[_ANNOUNCED] for row in block.rows if row[_ANNOUNCED]), default=None)
                received = len(block.rows) + block.skipped
                receipt = counted(receipt, received, latest, block.rejected, counts)
                progress(start.location, receipt.received)
    except BrokenProcessPool as exc:
        why = f"{start.location}: the process that reads it was ended from outside, maybe for want of memory"
        raise SourceError(f"{why}; give it again, and it goes on where it stopped") from exc
    finally:
        gc.unfreeze()
    note = "" if receipt.received or receipt.rejected else "no lines in it"
    return replace(receipt, note=note, outcome=outcome(receipt))


def _read(blocks: Iterator[Lines], known: Marks) -> Generator[_Block, None, None]:
    """Every block, parsed but for what was merged before.

    The first one is parsed here, so that a small file starts no process; the others by a second process,
    while this one stores. A thread would not do: it is Python that both need, one at a time.
    """
    for number, lines in blocks:
        marks, old, fresh = _sorted_out(lines, known)
        yield _block(number, fresh, marks, old, *_parse(fresh, number))
        break
    waiting: deque[tuple[int, Sequence[bytes], Marks, int, Future[_Plain]]] = deque()
    with ProcessPoolExecutor(1, get_context("spawn"), initializer=_end_with_parent) as pool:
        for number, lines in blocks:
            marks, old, fresh = _sorted_out(lines, known)
            if old == len(lines):
                yield _Block((), (), b"", old)
                continue
            waiting.append((number, fresh, marks, old, pool.submit(_parse, fresh, number)))
            if len(waiting) > _AHEAD:
                yield _taken(*waiting.popleft())
        while waiting:
            yield _taken(*waiting.popleft())


# What the second process hands over. It makes the rows too, being less busy than the one that stores.
_Plain = tuple[list[tuple[Any, ...]], list[Rejection]]
_ANNOUNCED = WRITTEN.index("announced")


def _parse(lines: Sequence[bytes], number: int) -> _Plain:
    """What the second process does."""
    parsed = snapshot.parse_lines(lines, number)
    return [written(paper, title_key(paper)) for paper in parsed.papers], list(parsed.rejected)


def _taken(number: int, lines: Sequence[bytes], marks: Marks, old: int, future: Future[_Plain]) -> _Block:
    return _block(number, lines, marks, old, *future.result())


def _end_with_parent() -> None:
    """Let the second process end when the first one is killed; it would wait for work for ever."""
    parent = parent_process()

    def wait() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def _merge(database: Database, source: Source, block: _Block, now: datetime) -> Merged:
    if not block.rows:
        return Merged()
    with database.writing() as session:
        make_room(session)
        counts = archive_store.add(session, block.rows, source.id, now)
        mark_store.add(session, source.id, block.marks)
    return counts


def _sorted_out(lines: Sequence[bytes], known: Marks) -> tuple[Marks, int, Sequence[bytes]]:
    """The marks of these lines, how many were merged before, and the lines with those taken out."""
    marks = _marks(lines)
    old = _among(marks, known)
    # An empty line is passed over by the parser, and the count of lines stays right.
    fresh = [b"" if is_old else line for line, is_old in zip(lines, old.tolist(), strict=True)]
    return marks, int(old.sum()), fresh


def _block(
    number: int, lines: Sequence[bytes], marks: Marks, old: int, rows: Sequence[tuple[Any, ...]],
    rejected: Sequence[Rejection],
) -> _Block:  # fmt: skip
    bad = {int(r.where.removeprefix("line ")) - number for r in rejected}
    good = [n for n, line in enumerate(lines) if line and not line.isspace() and n not in bad]
    return _Block(rows, rejected, marks[good].tobytes(), old)


def _blocks(file: BinaryIO) -> Iterator[Lines]:
    """Some lines at a time, bounded in number and size, with the number of the first one."""
    number = 1
    block: list[bytes] = []
    size = 0
    for line in _lines(file):
        block.append(line)
        size += len(line)
        if len(block) == _BLOCK or size > _BLOCK_BYTES:
            yield number, block
            number += len(block)
            block, size = [], 0
    if block:
        yield number, block


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines of a file; of one that is too long only so much that the parser sees it is."""
    while line := file.readline(snapshot.MAX_LINE + 1):
        yield line
        while len(line) > snapshot.MAX_LINE and not line.endswith(b"\n"):
            line = file.readline(snapshot.MAX_LINE + 1)


def _marks(lines: Sequence[bytes]) -> Marks:
    digests = [hashlib.blake2b(line, digest_size=8, person=_PARSER).digest() for line in lines]
    return np.frombuffer(b"".join(digests), dtype=np.uint64)


def _among(marks: Marks, known: Marks) -> NDArray[np.bool_]:
    if not len(known):
        return np.zeros(len(marks), dtype=np.bool_)
    at = np.minimum(np.searchsorted(known, marks), len(known) - 1)
    found: NDArray[np.bool_] = known[at] == marks
    return found
