"""Profiles matched a second, the whole way: read from the database, scored, selected, matches written.

``python -m benchmarks.match --profiles 10000 --papers 1500`` prints one JSON object. The reference is the
bare product of the same matrices, `linear_kernel` by 1,000 profiles, and `argpartition` for the top 20.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.metrics.pairwise import linear_kernel
from sqlalchemy import insert

from benchmarks import synthetic
from db import migrate, model_store, paper_store, source_store, subscriber_store
from db.model_store import Model
from db.session import Database
from db.tables import ProfileRow, SubscriberRow
from jobs import learning, match
from jobs.alerts.links import Links
from jobs.alerts.mail import Sender
from jobs.alerts.outbox_folder import OutboxFolder
from jobs.service import Service
from profiles.delivery import DeliveryPlan
from recommender.interest import Interests, Judged
from recommender.ranking import DEFAULT, RANKERS, Weights

_NOW = datetime(2025, 10, 28, 12, tzinfo=UTC)
# Learning is measured apart; so many models are learned, from 10 liked papers each, and shared out in turn.
_DISTINCT = 300
_CHUNK = 1_000
_TOP = 20


def measure(profiles: int, papers: int) -> dict[str, object]:
    """Both rates, on a database on disk, as the contract's JSON object has them."""
    with tempfile.TemporaryDirectory() as folder:
        made = service(Path(folder))
        models = _fill(made, profiles, papers)
        start = time.perf_counter()
        done = match.match_pending(made, _NOW)
        value = done.profiles / (time.perf_counter() - start)
        reference = _reference(made, models, profiles)
        made.database.dispose()
    return {
        "name": "match",
        "params": {"profiles": profiles, "papers": papers, "distinct_models": len(models)},
        "value": round(value, 1),
        "unit": "profiles/s",
        "reference": round(reference, 1),
        "reference_what": "linear_kernel and argpartition on the same matrices, in memory",
        "ratio": round(value / reference, 3),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    }


def service(folder: Path) -> Service:
    """A service on a database on disk in this folder."""
    database = Database(f"sqlite:///{folder / 'paperwatch.db'}")
    migrate.upgrade(database)
    outbox = OutboxFolder(folder / "outbox")
    links = Links("http://127.0.0.1:8000", "a secret of the benchmark")
    return Service(database, links, Sender("Paperwatch", "p@example.org"), lambda: outbox)


def _fill(service: Service, profiles: int, papers: int) -> list[Weights]:
    """A batch of papers that waits, and confirmed readers with models that are up to date."""
    with service.database.reading() as session:
        edition = learning.edition(service, session)
    liked = synthetic.papers(10 * _DISTINCT, first=100_000)
    models = [
        RANKERS[DEFAULT].learn(edition, Interests(), [Judged(p, "like") for p in liked[10 * n : 10 * n + 10]])
        for n in range(min(_DISTINCT, profiles))
    ]
    blobs = [m.to_bytes() for m in models]
    with service.database.writing() as session:
        source = source_store.add(session, name="b", kind="file", location="b", every_minutes=0, now=None)
        paper_store.merge(session, synthetic.papers(papers), source.id, _NOW)
        plan: dict[str, Any] = subscriber_store.delivery_out(DeliveryPlan(frequency="feed"))
        people = {"state": "confirmed", "state_at": _NOW, "state_note": "", "created_at": _NOW}
        session.execute(
            insert(SubscriberRow),
            [{"id": n, "email": f"r{n}@example.org", **people} for n in range(1, profiles + 1)],
        )
        rows = [
            {
                "id": n, "subscriber_id": n, "name": "p", "interests": {"statement": ""}, "per_day": 5,
                "delivery": plan, "feed_token": f"t{n}", "created_at": _NOW, "next_digest_at": None,
                "revision": 1,
            }
            for n in range(1, profiles + 1)
        ]  # fmt: skip
        session.execute(insert(ProfileRow), rows)
        kept = {n: Model(edition.name, DEFAULT, 1, blobs[n % len(blobs)]) for n in range(1, profiles + 1)}
        model_store.keep_models(session, kept, _NOW)
    match.gather(service, _NOW + timedelta(seconds=1), [])
    return models


def _reference(service: Service, models: list[Weights], profiles: int) -> float:
    """Profiles a second of the bare product with its top 20."""
    with service.database.reading() as session:
        edition = learning.edition(service, session)
        found = [s.paper for s in paper_store.all_papers(session)]
    wide = edition.extended(found)
    X = wide.transform(found)
    rows = [m.on(wide).rows for m in models]
    start = time.perf_counter()
    for at in range(0, profiles, _CHUNK):
        W = sparse.vstack([rows[n % len(rows)] for n in range(at, min(at + _CHUNK, profiles))], format="csr")
        scores = linear_kernel(W, X, dense_output=True)
        np.argpartition(scores, -min(_TOP, scores.shape[1]), axis=1)
    return profiles / (time.perf_counter() - start)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profiles", type=int, default=10_000)
    parser.add_argument("--papers", type=int, default=1_500)
    chosen = parser.parse_args()
    print(json.dumps(measure(chosen.profiles, chosen.papers)))
