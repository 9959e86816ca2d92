"""Digests a second the whole way out: leased, composed with reasons, rendered, sent and recorded.

``python -m benchmarks.outbox --digests 5000 --connections 4`` prints one JSON object. The database is on
disk, the sender a process of its own, and the reference the same sender with ready-made bytes. Readers have
ten papers that they like, which their reasons name. ``cpu_ms`` is the sender's processor time a mail, which
other work on the machine does not lengthen much; ``grown_mb`` is how much the sender grew after its first
tenth.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import random
import resource
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import islice
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from db import paper_store, source_store
from db.session import Database
from db.subscriber_store import delivery_out
from db.tables import DigestRow, ModelRow, ProfileRow, SubscriberRow
from jobs import learning, sending
from jobs.alerts.links import Links
from jobs.alerts.mail import Sender, render
from jobs.alerts.smtp import Pool, SmtpSettings
from jobs.service import Service
from profiles.delivery import DeliveryPlan
from recommender.interest import Interests, Judged
from recommender.ranking import DEFAULT, RANKERS

AT = datetime(2025, 10, 28, 7, tzinfo=UTC)
_CHUNK = 1_000
_STATED = "tensor cache scheduling for batched decoding"
_LIKED = 10
_LINKS = Links("https://papers.example.org", "a secret of the benchmark")
_SENDER = Sender("Paperwatch", "digest@papers.example.org")


def measure(digests: int, connections: int, delay: float = 0.0, at_most: int = 0) -> dict[str, object]:
    """The rate, as the contract's JSON object has it; of so many that are due, ``at_most`` are sent."""
    # Here, so that the sender, which loads this module, has no more in its memory than the service's own.
    from benchmarks import mail, match

    with tempfile.TemporaryDirectory() as folder, mail.sink(delay) as port:
        made = match.service(Path(folder))
        size = _fill(made, digests)
        url = made.database.url
        made.database.dispose()
        settings = _settings(port, connections)
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        sender = context.Process(target=_send, args=(theirs, url, settings, Path(folder) / "taken", at_most))
        sender.start()
        seconds, cpu, sent, sizes = ours.recv()
        sender.join(10)
        assert sent == (at_most or digests), (sent, digests)
        chance = random.Random(2025)
        papers = mail.papers_of(300, chance)
        ready = render(next(mail.digests_of(1, papers, chance)), _LINKS, _SENDER)
        some = mail.digests_of(min(digests, 3_000), papers, chance)
        reference = asyncio.run(mail.send_all(settings, some, lambda _: ready))
    what = "the same sender with ready-made bytes"
    if delay:
        reference = connections / (4 * delay)
        what = f"{connections} connections, 4 replies of {delay} s a mail"
    value = sent / seconds
    return {
        "name": "outbox",
        "params": {
            "digests": digests, "sent": sent, "cpu_ms": round(cpu / sent * 1e3, 2),
            "connections": connections, "delay": delay, "content": size,
        },
        "value": round(value, 1),
        "unit": "digests/s",
        "reference": round(reference, 1),
        "reference_what": what,
        "ratio": round(value / reference, 3),
        "grown_mb": round(sizes[-1] - sizes[1 + len(sizes) // 10], 1),
        "peak_mb": round(max(sizes), 1),
    }  # fmt: skip


def _settings(port: int, connections: int) -> SmtpSettings:
    return SmtpSettings("127.0.0.1", port, connections=connections, helo="bench.example.org", timeout=30)


def _send(pipe: Connection, url: str, settings: SmtpSettings, journal: Path, at_most: int) -> None:
    """Send all that is due, as the scheduler does; seconds, mails, and resident memory on the way in MB."""
    service = Service(Database(url), _LINKS, _SENDER, lambda: Pool(settings), journal=journal)
    sizes = [_resident()]
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.5):
            sizes.append(_resident())

    watcher = threading.Thread(target=watch)
    watcher.start()
    start, began = time.perf_counter(), time.process_time()
    sent = sending.send_due(service, AT, at_most=at_most).sent
    seconds, cpu = time.perf_counter() - start, time.process_time() - began
    done.set()
    watcher.join()
    pipe.send((seconds, cpu, sent, [*sizes, _resident()]))
    service.database.dispose()


def _fill(service: Service, digests: int) -> int:
    """A queued digest of ten papers and five near misses for each of so many readers, their models up to
    date; the bytes of one as it is stored."""
    from benchmarks import synthetic

    chance = random.Random(2025)
    with service.database.writing() as session:
        source = source_store.add(
            session, name="bench", kind="file", location="bench", every_minutes=0, now=AT
        )
        paper_store.merge(session, synthetic.papers(300), source.id, AT)
        numbers = [s.number for s in paper_store.recent(session, days=7, at_most=300)]
        papers = paper_store.by_numbers(session, numbers)
        edition = learning.edition(service, session)
        liked = [Judged(papers[number].paper, "seed") for number in numbers[:_LIKED]]
        weights = RANKERS[DEFAULT].learn(edition, Interests(_STATED), liked).to_bytes()
        keys = [papers[number].paper.id for number in numbers]
        rows = _rows(digests, numbers, keys, edition.name, weights, chance)
        size = 0
        while chunk := list(islice(rows, _CHUNK)):
            size = size or len(json.dumps(chunk[0][3]["content"]))
            for table, at in ((SubscriberRow, 0), (ProfileRow, 1), (ModelRow, 2), (DigestRow, 3)):
                session.execute(insert(table), [row[at] for row in chunk])
    return size


def _rows(
    digests: int, papers: list[int], keys: list[str], edition: str, weights: bytes, chance: random.Random
) -> Iterator[tuple[dict[str, Any], ...]]:
    plan = delivery_out(DeliveryPlan(frequency="announced"))
    for n in range(1, digests + 1):
        said = asdict(Interests(_STATED, seeds=tuple(chance.sample(keys, _LIKED))))
        picks = [[number, 1.0, "good", [], None] for number in chance.sample(papers, 15)]
        content = {
            "sections": [{"profile": n, "items": picks[:10], "near": picks[10:]}], "why_empty": "",
            "receipt": "Checked arXiv cs.DC cs.LG; 10 of 300 papers sent.",
        }  # fmt: skip
        yield (
            {"id": n, "email": f"r{n}@example.org", "state": "confirmed", "state_at": AT, "state_note": "",
             "created_at": AT},
            {"id": n, "subscriber_id": n, "name": "LLM inference", "interests": said, "per_day": 10,
             "delivery": plan, "feed_token": f"t{n}", "created_at": AT, "next_digest_at": None,
             "revision": 1},
            {"profile_id": n, "edition": edition, "ranker": DEFAULT, "revision": 1, "weights": weights,
             "made_at": AT},
            {"subscriber_id": n, "kind": "digest", "period": f"bench/{n}", "state": "queued", "attempts": 0,
             "message_id": f"<digest-{n}@bench.example.org>", "content": content, "next_attempt_at": AT,
             "queued_at": AT, "last_error": ""},
        )  # fmt: skip


def _resident() -> float:
    """Resident memory of this process in MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--digests", type=int, default=5_000)
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before each reply of the sink")
    parser.add_argument("--at-most", type=int, default=0, help="send only so many of them")
    chosen = parser.parse_args()
    print(json.dumps(measure(chosen.digests, chosen.connections, chosen.delay, chosen.at_most)))
