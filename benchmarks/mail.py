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
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from multiprocessing.connection import Connection

from jobs.alerts import mail
from jobs.alerts.digest import Contribution, Digest, Item, Receipt, Section, Strength
from jobs.alerts.links import Links
from jobs.alerts.smtp import Pool, SmtpSettings
from recommender.paper import Paper

_VOCABULARY = (
    "cache attention tensor pipeline scheduler kernel memory latency throughput batch prefill decoding "
    "expert routing shard checkpoint gradient quantised sparse graph stream replica quorum tail budget "
    "token window compiler operator fusion allocator offload bandwidth topology collective failure placement"
)
_WORDS = _VOCABULARY.split()
_STRENGTHS: tuple[Strength, ...] = ("strong", "good", "near", "weak")
AT = datetime(2025, 10, 28, 7, tzinfo=UTC)
_SINK_SECONDS = 7200.0


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
    """Serve until the pipe's other end closes, two hours at the most."""

    async def serve() -> None:
        _Sink.delay = delay
        loop = asyncio.get_running_loop()
        server = await loop.create_server(_Sink, "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        await loop.run_in_executor(None, pipe.poll, _SINK_SECONDS)
        pipe.send(_Sink.taken)
        server.close()

    asyncio.run(serve())


def papers_of(number: int, chance: random.Random) -> list[Paper]:
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


def digests_of(number: int, papers: list[Paper], chance: random.Random) -> Iterator[Digest]:
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
            at=AT,
            sections=(Section(reader, "LLM inference", tuple(items), near),),
            receipt=Receipt("Checked arXiv cs.DC cs.LG (Tue batch, 312 new) and 1 digest; 10 of 312 sent."),
            zone="Europe/Berlin",
        )


async def send_all(
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
    papers = papers_of(300, chance)
    links = Links("https://papers.example.org", "a secret of the benchmark")
    sender = mail.Sender("Paperwatch", "digest@papers.example.org")
    ready = [mail.render(digest, links, sender) for digest in digests_of(100, papers, chance)]
    with sink(delay) as port:
        settings = SmtpSettings(
            "127.0.0.1", port, connections=connections, helo="bench.example.org", timeout=30,
            handovers=handovers,
        )  # fmt: skip

        def rate(render: Callable[[Digest], bytes]) -> float:
            return asyncio.run(send_all(settings, digests_of(digests, papers, chance), render))

        rendered, ready_made = [], []
        for _ in range(rounds):
            ready_made.append(rate(lambda digest: ready[digest.subscriber_id % len(ready)]))
            rendered.append(rate(lambda digest: mail.render(digest, links, sender)))
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


@contextmanager
def sink(delay: float) -> Iterator[int]:
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
    chosen = parser.parse_args()
    found = measure(chosen.digests, chosen.connections, chosen.delay, chosen.rounds, chosen.handovers)
    print(json.dumps(found))
