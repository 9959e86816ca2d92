"""Archives of metadata: read in blocks, gone on with where they stopped, read again cheaply."""

from __future__ import annotations

import io
import json
import multiprocessing
import sys
from pathlib import Path
from typing import Any

import pytest

from db import mark_store, paper_store, source_store
from jobs import ingest, snapshots
from jobs.service import Service
from tests.conftest import NOW
from tests.readers import news

TODAY = NOW.date()


def snapshot_line(number: int, **more: Any) -> str:
    record = {
        "id": f"2510.{number:05d}", "title": f"A snapshot of paper number {number} and its long title",
        "abstract": f"Abstract {number}.", "authors": ["Ada Example"], "categories": ["cs.DC"],
        "date": "2025-10-28",
    }  # fmt: skip
    return json.dumps(record | more) + "\n"


def test_a_snapshot_is_an_archive_read_in_blocks(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "_BLOCK", 10)
    file = tmp_path / "snapshot.jsonl"
    file.write_text("".join(snapshot_line(n) for n in range(1, 36)) + "no json\n\n")
    seen: list[int] = []
    (receipt,) = ingest.ingest_locations(
        service, [str(file)], NOW, "one", progress=lambda _where, received: seen.append(received)
    )
    assert (receipt.received, receipt.new) == (35, 35)
    assert [where for where, _ in receipt.rejected] == ["line 36"]
    assert seen == [10, 20, 30, 35]
    assert news(service) == 0


def test_a_snapshot_read_again_parses_only_what_changed(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "snapshot.jsonl"
    lines = [snapshot_line(n) for n in range(1, 21)]
    file.write_text("".join(lines))
    list(ingest.ingest_locations(service, [str(file)], NOW, "one"))
    versions = [{"version": "v2", "created": "Mon, 27 Oct 2025 09:00:00 GMT"}]
    lines[4] = snapshot_line(5, abstract="Other words.", versions=versions)
    file.write_text("".join([*lines, snapshot_line(21)]))
    parsed: list[int] = []
    parse = snapshots.snapshot.parse_lines
    monkeypatch.setattr(
        snapshots.snapshot, "parse_lines",
        lambda given, first: parsed.append(sum(map(bool, given))) or parse(given, first),
    )  # fmt: skip
    (again,) = ingest.ingest_locations(service, [str(file)], NOW, "two")
    assert parsed == [2]
    assert (again.received, again.new, again.updated) == (21, 1, 1)


def test_a_snapshot_cut_short_goes_on_where_it_stopped(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "_BLOCK", 5)
    file = tmp_path / "snapshot.jsonl"
    file.write_text("".join(snapshot_line(n) for n in range(1, 13)))
    merge = paper_store.merge
    calls: list[int] = []

    def dies(*given: Any, **more: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return merge(*given, **more)

    monkeypatch.setattr(paper_store, "merge", dies)
    with pytest.raises(KeyboardInterrupt):
        list(ingest.ingest_locations(service, [str(file)], NOW, "one"))
    with service.database.reading() as session:
        source = next(s for s in source_store.every(session))
        assert len(b"".join(mark_store.marks(session, source.id))) == 5 * 8
    (receipt,) = ingest.ingest_locations(service, [str(file)], NOW, "two")
    assert (receipt.received, receipt.new) == (12, 7)


def test_a_snapshot_whose_parsing_process_is_killed_keeps_what_it_merged_and_goes_on(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "_BLOCK", 5)
    file = tmp_path / "snapshot.jsonl"
    file.write_text("".join(snapshot_line(n) for n in range(1, 101)))

    def kill(_location: str, received: int) -> None:
        if received == 10:
            for child in multiprocessing.active_children():
                child.kill()

    (receipt,) = ingest.ingest_locations(service, [str(file)], NOW, "one", progress=kill)
    assert receipt.outcome == "error"
    assert "it goes on where it stopped" in receipt.error
    with service.database.reading() as session:
        kept = paper_store.last_number(session)
    (receipt,) = ingest.ingest_locations(service, [str(file)], NOW, "two")
    assert 10 <= kept < 100
    assert (receipt.received, receipt.new) == (100, 100 - kept)


def test_standard_input_is_read_in_whatever_pieces_it_comes(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Dripping(io.RawIOBase):
        data = "".join(snapshot_line(n) for n in range(1, 4)).encode()

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            piece, self.data = self.data[:7], self.data[7:]
            buffer[: len(piece)] = piece
            return len(piece)

    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(Dripping()))  # type: ignore[arg-type]
    (receipt,) = ingest.ingest_locations(service, ["-"], NOW, "one")
    assert (receipt.location, receipt.new) == ("-", 3)
