"""Profiles matched a second, the whole way: read from the database, scored, selected, matches written.

``python -m benchmarks.match --profiles 10000 --papers 1500`` prints one JSON object. The reference is the
bare product of the same matrices, `linear_kernel` by 1,000 profiles, and `argpartition` for the top 20.

A thousand models are really learned, from ten liked papers each, uncut; with more profiles they repeat
(``distinct_models``). Each profile has a row of its own to read, and nothing is kept from one to the next but
what is known of names, so a repeated model takes the time of a new one. A million profiles take 10 GB of
disk.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.metrics.pairwise import linear_kernel
from sqlalchemy import insert

from benchmarks import synthetic
from db import match_store, migrate, paper_store, source_store, subscriber_store
from db.match_rows import BEST, SHARD
from db.records import Scores
from db.session import Database
from db.tables import BatchRow, ModelRow, ProfileRow, SubscriberRow
from jobs import learning, match
from jobs.alerts.links import Links
from jobs.alerts.mail import Sender
from jobs.alerts.outbox_folder import OutboxFolder
from jobs.match_processes import available_cpus
from jobs.service import Service
from profiles.delivery import DeliveryPlan
from recommender import shipped
from recommender.interest import Interests, Judged
from recommender.ranking import DEFAULT, RANKERS, Weights
from recommender.vectors import Edition

_NOW = datetime(2025, 10, 28, 12, tzinfo=UTC)
# Learning is measured apart; so many models are learned, each from 10 papers drawn from a pool of liked ones,
# and shared out in turn. Nothing that is measured knows a blob again, so each takes as long as a new one.
_DISTINCT = 1_000
_POOL = 3_000
_BLOCK = 10_000
_CHUNK = 1_000
_TOP = 20
# Every so manyth reader mutes two terms and a category.
_MUTING = 10


def measure(profiles: int, papers: int, *, days: int = 20, processes: int = 0) -> dict[str, object]:
    """Both rates, on a database on disk, as the contract's JSON object has them.

    The readers have been readers for so many ``days``, each with a batch of the same size, from which the
    dial learned. ``processes`` are as in the settings: 0 for one a core. ``cpu_ratio`` is the reference's
    processor time beside that of all processes together, which other programmes on the machine and the number
    of processes change less than ``ratio``.
    """
    with tempfile.TemporaryDirectory() as folder:
        made = service(Path(folder))
        made.match_processes = processes
        models = _fill(made, profiles, papers, days)
        before, spent = _peak(), _processor_time()
        start = time.perf_counter()
        done = match.match_pending(made, _NOW)
        value = done.profiles / (time.perf_counter() - start)
        cpu = 1e6 * (_processor_time() - spent) / done.profiles
        peak = _peak()
        reference, bare_cpu = _reference(made, models, profiles)
        made.database.dispose()
    return {
        "name": "match",
        "params": {
            "profiles": profiles,
            "papers": papers,
            "distinct_models": len(models),
            "days": days,
            "processes": processes or available_cpus(),
        },
        "value": round(value, 1),
        "unit": "profiles/s",
        "reference": round(reference, 1),
        "reference_what": "linear_kernel and argpartition on the same matrices, in memory, one process",
        "ratio": round(value / reference, 3),
        "peak_mb": round(max(before, peak), 1),
        "cpu_us_a_profile": round(cpu, 1),
        "reference_cpu_us": round(bare_cpu, 1),
        "cpu_ratio": round(bare_cpu / cpu, 3),
        "load": round(os.getloadavg()[0], 1),
        "chosen": done.chosen,
    }


def _processor_time() -> float:
    """Seconds of processor time that this process and those of its children that ended have had."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def _peak() -> float:
    """The most memory that this process held so far, and that its biggest child did for each of them."""
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return (own + 2 * child) / 1024


def service(folder: Path) -> Service:
    """A service on a database on disk in this folder."""
    database = Database(f"sqlite:///{folder / 'paperwatch.db'}")
    migrate.upgrade(database)
    outbox = OutboxFolder(folder / "outbox")
    links = Links("http://127.0.0.1:8000", "a secret of the benchmark")
    return Service(database, links, Sender("Paperwatch", "p@example.org"), lambda: outbox)


def _fill(service: Service, profiles: int, papers: int, days: int) -> list[Weights]:
    """A batch of papers that waits, and confirmed readers with models and scores that are up to date."""
    with service.database.reading() as session:
        edition = learning.edition(service, session)
    models = _learned(edition, min(_DISTINCT, profiles))
    with service.database.writing() as session:
        source = source_store.add(session, name="b", kind="file", location="b", every_minutes=0, now=None)
        paper_store.merge(session, synthetic.papers(papers), source.id, _NOW)
    for begin in range(1, profiles + 1, _BLOCK):
        # A transaction each: one for a million readers would double 6 GB on disk.
        with service.database.writing() as session:
            for table, rows in readers(range(begin, min(begin + _BLOCK, profiles + 1)), models, edition.name):
                session.execute(insert(table), rows)
    _remember(service, models, profiles, papers, days)
    match.gather(service, _NOW + timedelta(seconds=1), [])
    return models


def _learned(edition: Edition, number: int) -> list[Weights]:
    """So many readers' weights, from ten liked papers each."""
    pool = synthetic.papers(min(_POOL, 10 * number), first=100_000)
    chance = np.random.default_rng(4)
    drawn = (chance.choice(len(pool), 10, replace=False).tolist() for _ in range(number))
    return [
        RANKERS[DEFAULT].learn(edition, Interests(), [Judged(pool[at], "like") for at in places])
        for places in drawn
    ]


def readers(
    numbers: range, models: list[Weights], edition: str
) -> Iterator[tuple[type[SubscriberRow | ProfileRow | ModelRow], list[dict[str, Any]]]]:
    """The rows of confirmed readers with a profile each, by table; ``models`` are shared out in turn."""
    plan: dict[str, Any] = subscriber_store.delivery_out(DeliveryPlan(frequency="feed"))
    people = {"state": "confirmed", "state_at": _NOW, "state_note": "", "created_at": _NOW}
    silent = {"terms": [], "authors": [], "categories": []}
    words = shipped.frequencies().words

    def mutes(number: int) -> dict[str, list[str]]:
        if number % _MUTING:
            return silent
        # Each another word, so that what was looked up for one reader does not help the next.
        term = words[7_919 * number % len(words)]
        return {"terms": ["reinforcement learning", term], "authors": [], "categories": ["math.AG"]}

    yield SubscriberRow, [{"id": n, "email": f"r{n}@example.org", **people} for n in numbers]
    yield ProfileRow, [
        {
            "id": n, "subscriber_id": n, "name": "p", "per_day": 5, "delivery": plan, "feed_token": f"t{n}",
            "interests": {
                "statement": "", "terms": [], "authors": [], "categories": [], "seeds": [],
                "mutes": mutes(n),
            },
            "created_at": _NOW, "next_digest_at": None, "revision": 1, "changed_at": None,
        }
        for n in numbers
    ]  # fmt: skip
    blobs = [m.to_bytes() for m in models]
    yield ModelRow, [
        {
            "profile_id": n, "edition": edition, "ranker": DEFAULT, "revision": 1,
            "weights": blobs[n % len(blobs)], "made_at": _NOW,
        }
        for n in numbers
    ]  # fmt: skip


def _remember(service: Service, models: list[Weights], profiles: int, papers: int, days: int) -> None:
    """What the readers' papers scored on earlier days, each with a batch of its own."""
    with service.database.reading() as session:
        edition = learning.edition(service, session)
    found = synthetic.papers(papers, first=50_000)
    wide = edition.extended(found)
    scores = np.asarray(
        linear_kernel(
            sparse.vstack([m.on(wide).rows for m in models], format="csr"), wide.transform(found),
            dense_output=True,
        )
    )  # fmt: skip
    best = np.zeros((len(models), BEST), np.float16)
    kept = np.sort(scores, axis=1)[:, ::-1][:, :BEST]
    best[:, : kept.shape[1]] = np.maximum(kept, 0)
    for day in range(1, days + 1):
        at = _NOW - timedelta(days=day)
        with service.database.writing() as session:
            batch = BatchRow(made_at=at, papers=papers, receipt="", matched_at=at)
            session.add(batch)
            session.flush()
            for begin in range(0, profiles + 1, SHARD):
                numbers = np.arange(max(1, begin), min(begin + SHARD, profiles + 1))
                held = Scores(
                    batch.id, at, papers, numbers, np.full(len(numbers), 5, np.uint16),
                    np.float16(1 + 0.01 * day) * best[numbers % len(models)],
                )  # fmt: skip
                match_store.keep_scores(session, held)


def _reference(service: Service, models: list[Weights], profiles: int) -> tuple[float, float]:
    """Profiles a second of the bare product with its top 20, the weights being in one matrix already; and
    microseconds of processor time a profile."""
    with service.database.reading() as session:
        edition = learning.edition(service, session)
        found = [s.paper for s in paper_store.all_papers(session)]
    wide = edition.extended(found)
    X = wide.transform(found)
    rows = [m.on(wide).rows for m in models]
    W = sparse.vstack([rows[n % len(rows)] for n in range(_CHUNK)], format="csr")
    rounds = max(5, min(profiles // _CHUNK, 100))
    spent, start = time.process_time(), time.perf_counter()
    for _ in range(rounds):
        scores = linear_kernel(W, X, dense_output=True)
        np.argpartition(scores, -min(_TOP, scores.shape[1]), axis=1)
    seconds, cpu = time.perf_counter() - start, time.process_time() - spent
    return rounds * _CHUNK / seconds, 1e6 * cpu / (rounds * _CHUNK)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profiles", type=int, default=10_000)
    parser.add_argument("--papers", type=int, default=1_500)
    parser.add_argument("--days", type=int, default=20, help="since when the readers have had papers")
    parser.add_argument("--processes", type=int, default=0, help="0 for one a core")
    chosen = parser.parse_args()
    found = measure(chosen.profiles, chosen.papers, days=chosen.days, processes=chosen.processes)
    print(json.dumps(found))
