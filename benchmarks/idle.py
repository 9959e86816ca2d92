"""Processor time of a scheduler's tick at which nothing is due, with papers on hand, beside one with none.

``python -m benchmarks.idle --papers 200000`` prints one JSON object. The database is SQLite on disk. Ticks of
both take turns; none may ask for a process that ranks, or the benchmark fails. ``statements`` counts what a
tick asks of the database.
"""

from __future__ import annotations

import argparse
import json
import logging
import resource
import statistics
import tempfile
import time
from datetime import timedelta
from pathlib import Path

import structlog
from sqlalchemy import event

from benchmarks import match as matching
from benchmarks import synthetic
from benchmarks.installation import NOW
from db import paper_store, source_store
from db.bulk import make_room
from db.session import Database
from jobs import due
from jobs.apart import Apart
from jobs.queue import HERE, Hands
from jobs.schedule import Clock, Post, tick
from jobs.service import Service

_TICKS = 40
_BLOCK = 20_000


def measure(papers: int) -> dict[str, object]:
    """The medians of both, as the contract's JSON object has them."""
    # Lines of the log would stand among the figures.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with tempfile.TemporaryDirectory() as folder:
        many, none = (_Idle(Path(folder) / str(number), number) for number in (papers, 0))
        statements = _count(many.service.database)
        many.tick()
        asked = statements[0]
        ours, bare = [], []
        for _ in range(_TICKS):
            bare.append(none.tick())
            ours.append(many.tick())
        for each in (many, none):
            each.service.database.dispose()
    value, reference = statistics.median(ours), statistics.median(bare)
    return {
        "name": "idle tick",
        "params": {"papers": papers},
        "value": round(value, 2),
        "unit": "ms",
        "statements": asked,
        "reference": round(reference, 2),
        "reference_what": "the same tick without a paper on hand",
        "ratio": round(value / reference, 2),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    }


class _Idle:
    """A scheduler with so many papers on hand and nothing left to do."""

    def __init__(self, folder: Path, papers: int) -> None:
        self.service = matching.service(folder)
        self._now = NOW
        self._post = Post(self.service, "benchmark")
        self._clock = Clock(60, lambda: self._now, lambda: f"{self._now:%d%H%M}", "benchmark")
        for first in range(0, papers, _BLOCK):
            with self.service.database.writing() as session:
                make_room(session)
                source = source_store.add(
                    session, name="made up", kind="file", location="", every_minutes=0, now=None
                )
                some = synthetic.papers(min(_BLOCK, papers - first), first=first, day=NOW.date())
                paper_store.merge(session, some, source.id, NOW, archive=True)
        self._post.renew(NOW)
        self.tick(HERE)
        while self._is_busy():
            self.tick(HERE)

    def tick(self, hands: Hands | None = None) -> float:
        """One tick, a minute after the last one; its processor time in milliseconds."""
        self._now += timedelta(minutes=1)
        self._post.renew(self._now)
        began = time.process_time()
        done = tick(self.service, self._post, self._clock, hands or Apart(_none))
        took = 1_000 * (time.process_time() - began)
        assert done is not None, "the tick failed: its log says why"
        return took

    def _is_busy(self) -> bool:
        with self.service.database.reading() as session:
            return due.library(session, self._now) or due.edition(session, self._now)


def _none() -> Service:
    raise RuntimeError("an idle tick needs no process")


def _count(database: Database) -> list[int]:
    """A counter of the statements that this database is asked, as a list of one number."""
    counted = [0]

    @event.listens_for(database.engine, "before_cursor_execute")
    def _one_more(*_: object) -> None:
        counted[0] += 1

    return counted


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--papers", type=int, default=10_000)
    print(json.dumps(measure(parser.parse_args().papers)))
