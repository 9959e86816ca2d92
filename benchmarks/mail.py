"""Personalised digests a second through real SMTP, beside the same sender with ready-made bytes.

``python -m benchmarks.mail --digests 2000 --connections 4`` prints one JSON object. The sink takes mail in a
process of its own on 127.0.0.1, replies after ``--delay`` seconds, and ends with the benchmark.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import random
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from multiprocessing.connection import Connection
from pathlib import Path

from benchmarks import match, synthetic
from db import alert_store, model_store, paper_store, source_store, subscriber_store
from db.model_store import Model
from jobs import learning, sending
from jobs.alerts import mail
from jobs.alerts.digest import Contribution, Digest, Item, Receipt, Section, Strength
from jobs.alerts.links import Links
from jobs.alerts.smtp import Pool, SmtpSettings
from jobs.service import Service
from profiles.delivery import DeliveryPlan
from recommender.interest import Interests
from recommender.paper import Paper
from recommender.ranking import DEFAULT, RANKERS

_VOCABULARY = (
    "cache attention tensor pipeline scheduler kernel memory latency throughput batch prefill decoding "
    "expert routing shard checkpoint gradient quantised sparse graph stream replica quorum tail budget "
    "token window compiler operator fusion allocator offload bandwidth topology collective failure placement"
)
_WORDS = _VOCABULARY.split()
_STRENGTHS: tuple[Strength, ...] = ("strong", "good", "near", "weak")
_AT = datetime(2025, 10, 28, 7, tzinfo=UTC)
_SINK_SECONDS = 600.0


class _Sink(asyncio.Protocol):
    """Takes mail as fast as it comes and keeps nothing but a count."""

    delay = 0.0
    taken = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.tail = b""
        self.in_data = False
        self._reply(b"220 sink\r\n")

    def data_received(self, data: bytes) -> None:
        if self.in_data:
            # The end of the data may be cut across two reads, so the last bytes of the one before count too.
            end = self.tail[-4:] + data[-5:] if len(data) < 5 else data[-5:]
            self.tail = (self.tail + data)[-5:]
            if end.endswith(b"\r\n.\r\n"):
                self.in_data = False
                type(self).taken += 1
                self._reply(b"250 taken\r\n")
            return
        verb = data[:4].upper()
        if verb == b"DATA":
            self.in_data, self.tail = True, b""
            self._reply(b"354 go on\r\n")
        elif verb == b"QUIT":
            self.transport.write(b"221 bye\r\n")
            self.transport.close()
        else:
            self._reply(b"250 ok\r\n")

    def _reply(self, line: bytes) -> None:
        if self.delay:
            asyncio.get_running_loop().call_later(self.delay, self.transport.write, line)
        else:
            self.transport.write(line)


def _run_sink(pipe: Connection, delay: float) -> None:
    """Serve until the pipe's other end closes, ten minutes at the most."""

    async def serve() -> None:
        _Sink.delay = delay
        loop = asyncio.get_running_loop()
        server = await loop.create_server(_Sink, "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        await loop.run_in_executor(None, pipe.poll, _SINK_SECONDS)
        pipe.send(_Sink.taken)
        server.close()

    asyncio.run(serve())


def _papers(number: int, chance: random.Random) -> list[Paper]:
    def words(count: int) -> str:
        return " ".join(chance.choice(_WORDS) for _ in range(count))

    return [
        Paper(
            id=f"arxiv:2510.{place:05}",
            title=f"{words(1).title()}{place}: {words(9).capitalize()} for {words(2)}",
            version=1,
            abstract=" ".join(f"{words(18).capitalize()}, by {place + n}.{n}×." for n in range(7)),
            authors=tuple(f"{words(1).title()} {words(1).title()}" for _ in range(chance.randint(1, 12))),
            institutions=(f"University of {words(1).title()}",),
            categories=("cs.DC", "cs.LG"),
            topics=(words(2),),
            announced=date(2025, 10, 28),
            sources=("arXiv", "weekly digest"),
        )
        for place in range(number)
    ]


def _digests(number: int, papers: list[Paper], chance: random.Random) -> Iterator[Digest]:
    """One digest of ten papers a subscriber, each with reasons, scores and links of its own."""
    for reader in range(number):
        items = []
        for paper in chance.sample(papers, 10):
            parts = tuple(Contribution("term", chance.choice(_WORDS), chance.random()) for _ in range(6))
            items.append(
                Item(
                    paper=paper,
                    score=sum(part.value for part in parts),
                    strength=chance.choice(_STRENGTHS),
                    reason=f"{parts[0].name}, {parts[1].name} · follows {paper.authors[0]}",
                    contributions=parts,
                )
            )
        near = tuple(Item(paper, 0.1, "near", "") for paper in chance.sample(papers, 5))
        yield Digest(
            subscriber_id=reader,
            to=f"reader{reader}@example.org",
            message_id=f"<digest-{reader}@papers.example.org>",
            at=_AT,
            sections=(Section(reader, "LLM inference", tuple(items), near),),
            receipt=Receipt("Checked arXiv cs.DC cs.LG (Tue batch, 312 new) and 1 digest; 10 of 312 sent."),
            zone="Europe/Berlin",
        )


async def _send_all(
    settings: SmtpSettings, digests: Iterator[Digest], render: Callable[[Digest], bytes]
) -> float:
    """Mails a second: as many tasks as connections, each renders and sends the next one."""
    sent = 0

    async def work(pool: Pool) -> None:
        nonlocal sent
        for digest in digests:
            outcome = await pool.send("digest@papers.example.org", digest.to, render(digest))
            assert outcome.state == "sent", outcome
            sent += 1

    async with Pool(settings) as pool:
        start = time.perf_counter()
        await asyncio.gather(*(work(pool) for _ in range(settings.connections)))
        return sent / (time.perf_counter() - start)


def measure(
    digests: int, connections: int, delay: float = 0.0, rounds: int = 3, handovers: int = 0
) -> dict[str, object]:
    """Both rates, medians of alternating rounds, as the contract's JSON object has them."""
    chance = random.Random(2025)
    papers = _papers(300, chance)
    links = Links("https://papers.example.org", "a secret of the benchmark")
    sender = mail.Sender("Paperwatch", "digest@papers.example.org")
    ready = [mail.render(digest, links, sender) for digest in _digests(100, papers, chance)]
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    sink = context.Process(target=_run_sink, args=(theirs, delay), daemon=True)
    sink.start()
    settings = SmtpSettings(
        "127.0.0.1", ours.recv(), connections=connections, helo="bench.example.org", timeout=30,
        handovers=handovers,
    )  # fmt: skip

    def rate(render: Callable[[Digest], bytes]) -> float:
        return asyncio.run(_send_all(settings, _digests(digests, papers, chance), render))

    rendered, ready_made = [], []
    for _ in range(rounds):
        ready_made.append(rate(lambda digest: ready[digest.subscriber_id % len(ready)]))
        rendered.append(rate(lambda digest: mail.render(digest, links, sender)))
    ours.send("stop")
    assert ours.recv() == 2 * rounds * digests
    sink.join(10)
    value, reference = statistics.median(rendered), statistics.median(ready_made)
    size = statistics.mean(map(len, ready))
    what = "the same sender with ready-made bytes"
    if delay:
        # Four replies a mail (MAIL, RCPT, DATA, the message): no connection can be faster than that.
        reference, what = (
            connections / (4 * delay),
            f"{connections} connections, 4 replies of {delay} s a mail",
        )
    return {
        "name": "mail",
        "params": {"digests": digests, "connections": connections, "delay": delay, "bytes": round(size)},
        "value": round(value, 1),
        "unit": "digests/s",
        "reference": round(reference, 1),
        "reference_what": what,
        "ratio": round(value / reference, 3),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    }


def measure_outbox(digests: int, connections: int) -> dict[str, object]:
    """The rate of the whole way out of the outbox: leased, composed with reasons, sent, and recorded, with
    the database on disk. The reference is the same sender with ready-made bytes, as in `measure`."""
    with tempfile.TemporaryDirectory() as folder, _sink(0.0) as port:
        made = match.service(Path(folder))
        _queue(made, digests)
        settings = SmtpSettings(
            "127.0.0.1", port, connections=connections, helo="bench.example.org", timeout=30
        )
        made.mailer = lambda: Pool(settings)
        before = _resident()
        start = time.perf_counter()
        done = sending.send_due(made, _AT)
        value = digests / (time.perf_counter() - start)
        assert done.sent == digests, done
        after = _resident()
        made.database.dispose()
        chance = random.Random(2025)
        papers = _papers(300, chance)
        ready = mail.render(next(_digests(1, papers, chance)), made.links, made.sender)
        reference = asyncio.run(_send_all(settings, _digests(digests, papers, chance), lambda _: ready))
    return {
        "name": "mail outbox",
        "params": {"digests": digests, "connections": connections, "bytes": len(ready)},
        "value": round(value, 1),
        "unit": "digests/s",
        "reference": round(reference, 1),
        "reference_what": "the same sender with ready-made bytes",
        "ratio": round(value / reference, 3),
        "grown_mb": round(after - before, 1),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    }


def _queue(service: Service, digests: int) -> None:
    """A queued digest of ten papers for each of so many readers, their models up to date."""
    chance = random.Random(2025)
    interests = Interests(statement="tensor cache scheduling for batched decoding")
    plan = DeliveryPlan(frequency="announced")
    with service.database.writing() as session:
        source = source_store.add(
            session, name="bench", kind="file", location="bench", every_minutes=0, now=_AT
        )
        paper_store.merge(session, synthetic.papers(300), source.id, _AT)
        numbers = [s.number for s in paper_store.recent(session, days=7, at_most=300)]
        edition = learning.edition(service, session)
        weights = RANKERS[DEFAULT].learn(edition, interests, []).to_bytes()
        for reader in range(digests):
            person = subscriber_store.add_subscriber(session, f"r{reader}@example.org", "confirmed", _AT, "")
            profile = subscriber_store.add_profile(
                session, person.id, "LLM inference", interests, per_day=10, delivery=plan,
                feed_token=f"t{reader}", now=_AT,
            )  # fmt: skip
            model_store.keep_models(session, {profile.id: Model(edition.name, DEFAULT, 1, weights)}, _AT)
            chosen = [[number, 1.0, "good", [], None] for number in chance.sample(numbers, 10)]
            content = {
                "sections": [{"profile": profile.id, "items": chosen, "near": []}], "why_empty": "",
                "receipt": "Checked arXiv cs.DC cs.LG; 10 of 300 papers sent.",
            }  # fmt: skip
            alert_store.queue(
                session, subscriber_id=person.id, kind="digest", period=f"bench/{reader}",
                message_id=f"<digest-{reader}@bench.example.org>", content=content, now=_AT,
            )  # fmt: skip


def _resident() -> float:
    """Resident memory of this process in MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


@contextmanager
def _sink(delay: float) -> Iterator[int]:
    """The port of a sink in a process of its own."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_run_sink, args=(theirs, delay), daemon=True)
    process.start()
    try:
        yield ours.recv()
    finally:
        ours.send("stop")
        process.join(10)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--digests", type=int, default=2000)
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before each reply of the sink")
    parser.add_argument("--handovers", type=int, default=0, help="mails at once that await the last answer")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--outbox", action="store_true", help="the whole way out of the outbox")
    chosen = parser.parse_args()
    if chosen.outbox:
        print(json.dumps(measure_outbox(chosen.digests, chosen.connections)))
        sys.exit()
    found = measure(chosen.digests, chosen.connections, chosen.delay, chosen.rounds, chosen.handovers)
    print(json.dumps(found))
