"""How fast papers come in: a snapshot, the same again, and a page of OAI-PMH, beside raw SQLite.

usage: python -m benchmarks.ingest [--records 300000] [--folder DIR]

Each line printed is one JSON object; value and reference were measured in the same run, the database being on
disk. The reference is the raw ``executemany`` of the same rows into the same tables with the same indexes.
Records are made from the papers in ../shared/data/papers where these are, else from made-up words.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import lzma
import multiprocessing
import pickle
import random
import resource
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from datetime import UTC, date, datetime
from itertools import count, islice
from pathlib import Path
from typing import Any

from db import migrate, paper_store, source_store
from db.paper_rows import written
from db.session import Database
from jobs import files
from jobs.sources import oai_pmh, snapshot
from recommender.merging import title_key

PAPERS = Path(__file__).parent.parent.parent / "shared" / "data" / "papers"
NOW = datetime(2026, 6, 1, tzinfo=UTC)
BLOCK = 5_000
_PAGE = 1_000


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    arguments.add_argument("--records", type=int, default=300_000)
    arguments.add_argument("--folder", type=Path, default=None, help="where the databases are written")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="ingest-", dir=given.folder) as folder:
        for figure in figures(given.records, Path(folder)):
            print(json.dumps(figure), flush=True)


def measure(records: int) -> dict[str, Any]:
    """Papers a second from a snapshot into SQLite, the whole way, beside raw SQLite."""
    with tempfile.TemporaryDirectory(prefix="ingest-") as folder:
        return next(figures(records, Path(folder)))


def figures(records: int, folder: Path) -> Iterator[dict[str, Any]]:
    """The figures, one after the other: snapshot, where its time goes, the same again, OAI-PMH.

    ``cpu_seconds`` is the processor time of what was measured, which other work on the machine does not
    lengthen much.
    """
    file, pages = folder / "arxiv-metadata.jsonl", folder / "pages"
    # In a process of its own, so that the texts that records are made of count for nobody's memory.
    making = multiprocessing.get_context("spawn").Process(target=_make, args=(file, records, pages))
    making.start()
    making.join()
    assert making.exitcode == 0, "the records could not be made"
    first, new, cpu, peak, parser_peak = _alone(folder, file)
    assert new == records, f"{new} of {records} are new"
    raw, raw_cpu = _raw(folder, records)
    params: dict[str, float] = {
        "records": records, "cpu_seconds": cpu, "reference_cpu_seconds": raw_cpu,
        "peak_mb_of_the_parser": parser_peak,
    }  # fmt: skip
    what = "executemany of the same rows into the same tables, papers/s"
    yield _figure("ingest", params, first, "papers/s", raw, what, peak)
    yield _spent(file, min(records, 50_000), cpu / records, raw_cpu / records)
    again, new, cpu, peak, _ = _alone(folder, file)
    assert new == 0
    params = {"records": records, "cpu_seconds": cpu}
    yield _figure("ingest again", params, again, "papers/s", first, "the first time", peak)
    yield _oai(folder, sorted(pages.iterdir()))


def _make(file: Path, records: int, pages: Path) -> None:
    """Write a snapshot of so many records, and ten pages of OAI-PMH of a thousand each."""
    with file.open("w", encoding="utf-8") as out:
        for record in islice(snapshot_records(), records):
            out.write(json.dumps(record) + "\n")
    made = snapshot_records()
    pages.mkdir()
    for number in range(10):
        (pages / f"{number}.xml").write_bytes(_oai_page(list(islice(made, _PAGE))))


def snapshot_records() -> Iterator[dict[str, Any]]:
    """Records as in arXiv's metadata snapshot, each with an id and a title of its own, without end."""
    texts = _texts()
    for number in count():
        title, abstract, authors, categories = texts[number % len(texts)]
        month, place = divmod(number, 90_000)
        called = title if number < len(texts) else f"{title}, part {number // len(texts) + 1}"
        yield {
            "id": f"{7 + month // 12 % 90:02d}{1 + month % 12:02d}.{place:05d}", "submitter": authors[0],
            "authors": ", ".join(authors), "title": called, "comments": "12 pages", "journal-ref": None,
            "doi": None, "report-no": None, "categories": " ".join(categories),
            "license": "http://arxiv.org/licenses/nonexclusive-distrib/1.0/", "abstract": f"  {abstract}\n",
            "versions": [
                {"version": "v1", "created": f"Mon, {1 + number % 28} Apr 2024 {number % 24}:18:42 GMT"}
            ],
            "update_date": "2024-05-01",
            "authors_parsed": [[name.split()[-1], " ".join(name.split()[:-1]), ""] for name in authors],
        }  # fmt: skip


def _texts() -> list[tuple[str, str, list[str], list[str]]]:
    """Title, abstract, authors and categories of the papers beside the checkout, else made-up ones."""
    found = []
    for path in sorted(PAPERS.glob("*.jsonl.xz")):
        with lzma.open(path, "rt", encoding="utf-8") as lines:
            papers = (json.loads(line) for line in lines)
            found += [
                (p["title"], p["abstract"], p["authors"] or ["A Nonymous"], p["categories"]) for p in papers
            ]
    if found:
        return found
    rng = random.Random(1)
    words = ["".join(rng.choices("abcdefghiklmnoprstuw", k=rng.randint(3, 10))) for _ in range(20_000)]

    def text(number: int) -> str:
        return " ".join(rng.choices(words, k=number))

    return [
        (text(11), text(180), [text(2).title() for _ in range(5)], ["cs.LG", "stat.ML"])
        for _ in range(20_000)
    ]


Ingested = tuple[float, int, float, float, float]


def _alone(folder: Path, file: Path) -> Ingested:
    """Ingest in a process of its own, so that its memory is the service's and not the benchmark's."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(ingested, folder, file).result()


def ingested(folder: Path, file: Path) -> Ingested:
    """Papers a second, end to end, how many were new, the processor's seconds of the storing process, and the
    peaks of memory of that and of the parsing one."""
    database = Database(f"sqlite:///{folder / 'paperwatch.db'}")
    migrate.upgrade(database)
    with database.writing() as session:
        source = source_store.add(
            session, name=file.name, kind="file", location=str(file), every_minutes=0, now=None
        )
    start, cpu = time.perf_counter(), time.process_time()
    receipt = files.ingest(database, source, file, NOW)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    assert not receipt.error, receipt.error
    database.dispose()
    peaks = _peak_mb(), _peak_mb(resource.RUSAGE_CHILDREN)
    return receipt.received / seconds, receipt.new, round(cpu, 2), *peaks


def _raw(folder: Path, records: int) -> tuple[float, float]:
    """Papers a second and processor seconds of SQLite itself: same rows, tables, pragmas, transactions."""
    seconds = cpu = 0.0
    with (
        closing(sqlite3.connect(folder / "paperwatch.db")) as filled,
        closing(sqlite3.connect(folder / "raw.db", isolation_level=None)) as raw,
    ):
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "cache_size=-49152",
            "wal_autocheckpoint=16384",
        ):
            raw.execute(f"PRAGMA {pragma}")
        for (statement,) in filled.execute(
            "SELECT sql FROM sqlite_master WHERE tbl_name IN ('paper', 'sighting') "
            "AND type IN ('table', 'index') AND sql IS NOT NULL"
        ):
            raw.execute(statement)
        last = 0
        while rows := filled.execute(
            "SELECT * FROM paper WHERE id > ? ORDER BY id LIMIT ?", (last, BLOCK)
        ).fetchall():
            shown = filled.execute(
                "SELECT * FROM sighting WHERE paper_id > ? AND paper_id <= ?", (last, rows[-1][0])
            ).fetchall()
            last = rows[-1][0]
            start, began = time.perf_counter(), time.process_time()
            raw.execute("BEGIN IMMEDIATE")
            for table, values in (("paper", rows), ("sighting", shown)):
                places = ", ".join("?" * len(values[0]))
                raw.executemany(f"INSERT INTO {table} VALUES ({places})", values)  # noqa: S608
            raw.execute("COMMIT")
            seconds, cpu = seconds + time.perf_counter() - start, cpu + time.process_time() - began
    (folder / "raw.db").unlink()
    return records / seconds, round(cpu, 2)


def _spent(file: Path, records: int, whole: float, raw: float) -> dict[str, Any]:
    """Where the processor's time goes, in microseconds a paper, each step done alone; ``whole`` and ``raw``
    are the seconds a paper of the storing process and of SQLite itself."""
    with file.open("rb") as lines:
        some = list(islice(lines, records))
    steps: dict[str, float] = {}

    def timed(name: str, step: Callable[[], Any]) -> Any:
        began = time.process_time()
        done = step()
        steps[name] = (time.process_time() - began) / len(some) * 1e6
        return done

    papers = timed("parsing, in a second process", lambda: snapshot.parse_lines(some)).papers
    rows = timed(
        "rows, in the second process", lambda: [written(paper, title_key(paper)) for paper in papers]
    )
    elsewhere = sum(steps.values())
    steps["SQLite itself"] = raw * 1e6
    timed("marks of lines", lambda: [hashlib.blake2b(line, digest_size=8).digest() for line in some])
    sent = pickle.dumps(rows)
    timed("rows from the second process", lambda: pickle.loads(sent))  # noqa: S301
    steps["look-ups and the rest"] = whole * 1e6 - (sum(steps.values()) - elsewhere)
    params = {"records": records} | {name: round(each, 1) for name, each in steps.items()}
    return _figure(
        "ingest: the storing process", params, whole * 1e6, "µs of CPU a paper", raw * 1e6, "SQLite itself",
        _peak_mb(),
    )  # fmt: skip


def _oai(folder: Path, pages: Sequence[Path]) -> dict[str, Any]:
    """Records a second of parsing and merging pages of a thousand; the reference is parsing alone."""
    database = Database(f"sqlite:///{folder / 'oai.db'}")
    migrate.upgrade(database)
    with database.writing() as session:
        source = source_store.add(session, name="oai", kind="oai", location="oai", every_minutes=0, now=None)
    parsing = merging = cpu = 0.0
    for page in pages:
        data = page.read_bytes()
        start, began = time.perf_counter(), time.process_time()
        parsed = oai_pmh.parse(data)
        parsing += time.perf_counter() - start
        assert len(parsed.papers) == _PAGE
        with database.writing() as session:
            paper_store.merge(session, parsed.papers, source.id, NOW)
        merging, cpu = merging + time.perf_counter() - start, cpu + time.process_time() - began
    database.dispose()
    number = _PAGE * len(pages)
    params = {"records": number, "cpu_seconds": round(cpu, 2)}
    what = "parsing the same pages, records/s"
    return _figure("oai", params, number / merging, "records/s", number / parsing, what, _peak_mb())


def _oai_page(records: Sequence[dict[str, Any]]) -> bytes:
    from xml.sax.saxutils import escape

    def record(r: dict[str, Any]) -> str:
        authors = "".join(
            f"<author><keyname>{escape(last)}</keyname><forenames>{escape(first)}</forenames></author>"
            for last, first, _ in r["authors_parsed"]
        )
        return (
            f"<record><header><identifier>oai:arXiv.org:{r['id']}</identifier><datestamp>2024-05-01</datestamp>"
            f'</header><metadata><arXiv xmlns="http://arxiv.org/OAI/arXiv/"><id>{r["id"]}</id>'
            f"<created>2024-04-{1 + int(r['id'][-2:]) % 28:02d}</created><authors>{authors}</authors>"
            f"<title>{escape(r['title'])}</title><categories>{r['categories']}</categories>"
            f"<abstract>{escape(r['abstract'])}</abstract></arXiv></metadata></record>"
        )

    stamp = date(2024, 5, 2).isoformat()
    return (
        '<?xml version="1.0" encoding="UTF-8"?><OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/">'
        f"<responseDate>{stamp}T00:00:00Z</responseDate><ListRecords>{''.join(map(record, records))}"
        "</ListRecords></OAI-PMH>"
    ).encode()


def _figure(
    name: str, params: dict[str, float], value: float, unit: str, reference: float, what: str, peak: float
) -> dict[str, Any]:
    return {
        "name": name, "params": params, "value": round(value, 1), "unit": unit,
        "reference": round(reference, 1), "reference_what": what, "ratio": round(value / reference, 3),
        "peak_mb": peak,
    }  # fmt: skip


def _peak_mb(whose: int = resource.RUSAGE_SELF) -> float:
    """The most memory that this process had, or the largest of those that it started, in MB."""
    most = resource.getrusage(whose).ru_maxrss
    return round(most / (1024 if sys.platform != "darwin" else 1024 * 1024), 1)


if __name__ == "__main__":
    main()
