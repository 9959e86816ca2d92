"""arXiv's metadata snapshot, line by line."""

from __future__ import annotations

import io
import json
import tracemalloc
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from jobs.sources import snapshot
from jobs.sources.parsed import SourceError

DATA = (Path(__file__).parent / "data" / "feeds" / "snapshot.jsonl").read_bytes()


def record(**changes: object) -> bytes:
    return json.dumps(json.loads(DATA.split(b"\n")[0]) | changes).encode()


def test_a_line_becomes_a_paper() -> None:
    assert snapshot.recognises(DATA)
    paper, withdrawn = snapshot.parse(DATA).papers
    assert (paper.id, paper.version) == ("arxiv:2606.00101", 2)
    assert (paper.title, paper.abstract) == (
        "When n<m: queues that never drain",
        "We show that a queue never drains.",
    )
    assert paper.authors == ("André Léon", "J. L. Smith Jr.")
    assert (paper.categories, paper.doi) == (("cs.DC", "math.PR"), "10.1000/queue.7")
    # Submitted a second after Friday's deadline.
    assert paper.announced == date(2026, 6, 9)
    assert (withdrawn.id, withdrawn.withdrawn) == ("arxiv:hep-th/9901001", True)


def test_plain_records_with_lists_are_read_as_well() -> None:
    line = (
        b'{"id":"2606.00101","title":"T","abstract":"A.","authors":["Ada Byron"],'
        b'"categories":["cs.DC"],"date":"2026-06-05"}'
    )
    assert snapshot.recognises(line)
    (paper,) = snapshot.parse(line).papers
    assert (paper.authors, paper.categories, paper.announced) == (
        ("Ada Byron",),
        ("cs.DC",),
        date(2026, 6, 5),
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"authors_parsed": None},
        {"authors_parsed": [["only"]]},
        {"authors_parsed": [[1, 2, 3]]},
        {"authors_parsed": [None]},
        {"authors_parsed": {"a": 1}},
    ],
)
def test_authors_that_are_not_split_come_from_the_string(changes: dict[str, object]) -> None:
    assert snapshot.parse(record(**changes)).papers[0].authors == ("André León", "J. L. Smith")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"{", "no JSON"),
        (b"[1]", "not an object"),
        (b"\xff\xfe", "not UTF-8"),
        (b"{}", "no id in it"),
        (record(title=""), "arxiv:2606.00101 has no title"),
        (record(id="nonsense"), "is no arXiv id"),
        (record(id=5), "no id in it"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_bad_lines_are_rejected_with_number_and_reason_and_good_ones_kept(line: bytes, why: str) -> None:
    parsed = snapshot.parse(b"\n".join([record(), b"", line, record(id="2606.00102")]))
    assert [paper.id for paper in parsed.papers] == ["arxiv:2606.00101", "arxiv:2606.00102"]
    assert parsed.rejected[0].where == "line 3"
    assert why in parsed.rejected[0].why


@pytest.mark.parametrize(
    "changes",
    [
        {"versions": None},
        {"versions": [3]},
        {"versions": [{}]},
        {"versions": [{"version": "v" + "9" * 50, "created": "Fri, 31 Dec 9999 23:59:59 GMT"}]},
        {"versions": [{"version": "v1", "created": "0000"}]},
        {"doi": 5, "comments": ["x"], "journal-ref": {}, "abstract": None, "categories": 7},
    ],
)
def test_odd_values_cost_their_field_only(changes: dict[str, object]) -> None:
    paper = snapshot.parse(record(**changes)).papers[0]
    assert paper.title == "When n<m: queues that never drain"
    assert paper.announced is None or paper.announced.year == 2026


def test_nothing_readable_is_an_error_and_nothing_at_all_is_a_note() -> None:
    with pytest.raises(SourceError, match="line 1: no JSON"):
        snapshot.parse(b"{\n{\n")
    assert snapshot.parse(b"\n\n").note == "no lines in it"


def test_a_stream_is_read_in_pieces_with_the_files_line_numbers() -> None:
    lines = [record(id=f"2606.{n:05d}") for n in range(1, 8)]
    lines[5] = b"{"
    pieces = list(snapshot.stream(io.BytesIO(b"\n".join(lines)), lines=3))
    assert [len(piece.papers) for piece in pieces] == [3, 2, 1]
    assert pieces[1].rejected[0].where == "line 6"


class _Endless(io.RawIOBase):
    """A file of one good line and one that never seems to end."""

    def __init__(self, size: int) -> None:
        self.head = record() + b"\n"
        self.left = size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if self.head:
            piece, self.head = self.head[: len(buffer)], self.head[len(buffer) :]
        else:
            piece = b"x" * min(len(buffer), self.left)
            self.left -= len(piece)
        buffer[: len(piece)] = piece
        return len(piece)


def test_a_line_of_a_gigabyte_is_passed_over_in_little_memory() -> None:
    tracemalloc.start()
    pieces = list(snapshot.stream(io.BufferedReader(_Endless(1_000_000_000), 1 << 20)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(pieces[0].papers) == 1
    assert (pieces[0].rejected[0].where, len(pieces[0].rejected)) == ("line 2", 1)
    assert "longer than" in pieces[0].rejected[0].why
    assert peak < 40 * 1024 * 1024


def test_memory_does_not_grow_with_the_stream() -> None:
    def lines() -> Iterator[bytes]:
        for number in range(1, 6_001):
            yield record(id=f"2606.{number:05d}") + b"\n"

    class Lines(io.BytesIO):
        source = lines()

        def readline(self, _size: int | None = -1) -> bytes:
            return next(self.source, b"")

    tracemalloc.start()
    total = sum(len(piece.papers) for piece in snapshot.stream(Lines(), lines=500))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total == 6_000
    assert peak < 6 * 1024 * 1024
