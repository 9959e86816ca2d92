"""Feed responses a second over HTTP, beside a bare route that answers the same bytes.

``python -m benchmarks.feed --seconds 5`` prints one JSON object. Both are served by one uvicorn worker in a
process of its own on 127.0.0.1 and asked over 32 kept connections, in turns: as often as they can, then half
as often, alone and beside a process that matches batch after batch. An answer's time counts from when it
should have been asked for, so who falls behind is seen.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import random
import statistics
import tempfile
import time
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnContext
from pathlib import Path

_NOW = datetime(2025, 10, 28, 12, tzinfo=UTC)
_CONNECTIONS = 32
_ROUNDS = 3
_ITEMS = 50


def _prepare(pipe: Connection, folder: str) -> None:
    """Make the database: 400 papers, and a profile with 50 of them; tell where its feed is."""
    from benchmarks import synthetic
    from benchmarks.match import service
    from db import paper_store, source_store
    from jobs import match, subscribe
    from profiles.request import request

    made = service(Path(folder))
    with made.database.writing() as session:
        source = source_store.add(session, name="b", kind="file", location="b", every_minutes=0, now=None)
        paper_store.merge(session, synthetic.papers(400), source.id, _NOW)
    match.gather(made, _NOW, [])
    likes = [p.id for p in synthetic.papers(10)]
    profile = subscribe.create(made, request(likes=likes, per_day=_ITEMS, name="bench"), _NOW)
    pipe.send(f"/feeds/{profile.feed_token}.rss")


def _serve(pipe: Connection, folder: str) -> None:
    """Serve the feeds as the web process does, and their bytes bare, until the process is ended."""
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route
    from starlette.types import Receive, Scope, Send

    from app import build
    from app.settings import Settings
    from app.web.server import create_app

    settings = Settings(data=Path(folder))
    app = create_app(build.service(settings), settings, lambda: _NOW)
    held: dict[str, bytes] = {}
    unchanged = {
        "etag": 'W/"0123456789abcdef01234567"', "last-modified": "Tue, 28 Oct 2025 12:00:00 GMT",
        "cache-control": "private, no-cache", "vary": "accept-encoding",
    }  # fmt: skip

    given = asyncio.Event()

    async def bare(_request: Request) -> Response:
        await given.wait()
        return Response(held["bytes"], media_type="application/rss+xml")

    async def bare_304(_request: Request) -> Response:
        return Response(status_code=304, headers=unchanged)

    plain = Starlette(routes=[Route("/bare", bare), Route("/bare-304", bare_304)])

    async def both(scope: Scope, receive: Receive, send: Send) -> None:
        await (plain if scope["path"].startswith("/bare") else app)(scope, receive, send)

    # It listens as `paperwatch web` does. A socket made by `socket.create_server` names no protocol, so
    # asyncio leaves Nagle's algorithm on for its connections, and every answer of two parts may wait 40 ms
    # for the reader's delayed acknowledgement of the first.
    config = uvicorn.Config(
        both, host="127.0.0.1", port=0, log_level="error", access_log=False, lifespan="off", ws="none"
    )

    async def main() -> None:
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        pipe.send(server.servers[0].sockets[0].getsockname()[1])
        held["bytes"] = await asyncio.get_running_loop().run_in_executor(None, pipe.recv)
        given.set()
        await serving

    asyncio.run(main())


class _Answers(asyncio.Protocol):
    """Takes answers whole, one at a time, as fast as they come: a reader with a limited buffer would stop the
    server in the middle of a feed."""

    def __init__(self) -> None:
        self._begun = b""
        self._missing = 0
        self._whole: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    async def ask(self, request: bytes) -> None:
        """Ask, and wait for the whole answer."""
        self._whole = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        await self._whole

    def data_received(self, data: bytes) -> None:
        if self._missing:
            self._missing -= len(data)
        else:
            self._begun += data
            head, end, body = self._begun.partition(b"\r\n\r\n")
            if not end:
                return
            _, _, length = head.lower().partition(b"content-length: ")
            self._missing = int(length.split(b"\r\n")[0] or 0) - len(body)
            self._begun = b""
        if not self._missing and self._whole is not None:
            self._whole.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._whole is not None and not self._whole.done():
            self._whole.set_exception(exc or ConnectionError("the server closed the connection"))


async def _ask(port: int, request: bytes, until: float, every: float = 0.0) -> list[float]:
    """How long each whole answer took on one kept connection until then, in ms; with ``every`` one is asked
    for each so many seconds, and the time counts from when it should have been asked for."""
    transport, answers = await asyncio.get_running_loop().create_connection(_Answers, "127.0.0.1", port)
    took = []
    due = time.perf_counter() + random.random() * every
    while due < until:
        if every:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
        await answers.ask(request)
        took.append(1000 * (time.perf_counter() - due))
        due = due + every if every else time.perf_counter()
    transport.close()
    return took


async def _load(port: int, path: str, seconds: float, headers: str = "", rate: float = 0.0) -> list[float]:
    """How long each answer took, over 32 connections, as many as there could be or ``rate`` a second."""
    until = time.perf_counter() + seconds
    every = _CONNECTIONS / rate if rate else 0.0
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{headers}\r\n".encode()
    asked = (_ask(port, request, until, every) for _ in range(_CONNECTIONS))
    return [ms for one in await asyncio.gather(*asked) for ms in one]


def _rate(port: int, path: str, seconds: float, headers: str = "") -> float:
    return len(asyncio.run(_load(port, path, seconds, headers))) / seconds


async def _fetch(port: int, path: str) -> tuple[bytes, str]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode())
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    lines = [line.partition(": ") for line in head.decode("latin-1").split("\r\n")]
    return body, next(value for name, _, value in lines if name.lower() == "etag")


def _match_beside(folder: str, ready: Connection) -> None:
    """Match batch after batch against some profiles in the same database, until ended; tells of each."""
    from app.commands.running import make_way
    from benchmarks import synthetic
    from benchmarks.match import service
    from db import paper_store, source_store
    from jobs import match, subscribe
    from profiles.request import request

    make_way()  # as the scheduler's process does
    made = service(Path(folder))
    with made.database.writing() as session:
        source = source_store.add(session, name="m", kind="file", location="m", every_minutes=0, now=None)
    for n in range(20):
        wanted = request(likes=[p.id for p in synthetic.papers(400)[n : n + 5]], name=f"beside {n}")
        subscribe.create(made, wanted, _NOW)
    papers = synthetic.papers(40_000)
    for start in range(400, len(papers), 300):
        with made.database.writing() as session:
            paper_store.merge(session, papers[start : start + 300], source.id, _NOW)
        match.gather(made, _NOW, [])
        match.match_pending(made, _NOW)
        ready.send("matched a batch")


def measure(seconds: float) -> dict[str, object]:
    """Both rates, medians of alternating rounds, as the contract's JSON object has them."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    with tempfile.TemporaryDirectory() as folder:
        preparing = context.Process(target=_prepare, args=(theirs, folder), daemon=True)
        preparing.start()
        path = ours.recv()
        preparing.join()
        # It starts a process of its own that renders, hence it is no daemon.
        server = context.Process(target=_serve, args=(theirs, folder))
        server.start()
        try:
            port = ours.recv()
            body, tag = asyncio.run(_fetch(port, path))
            ours.send(body)
            each = max(0.5, seconds / (4 * _ROUNDS))
            known = f"If-None-Match: {tag}\r\n"
            rates: dict[str, list[float]] = {"bare": [], "feed": [], "bare 304": [], "feed 304": []}
            for _ in range(_ROUNDS):
                rates["bare"].append(_rate(port, "/bare", each))
                rates["feed"].append(_rate(port, path, each))
                rates["bare 304"].append(_rate(port, "/bare-304", each))
                rates["feed 304"].append(_rate(port, path, each, known))
            found = {name: statistics.median(values) for name, values in rates.items()}
            half = _at_half_load(context, folder, port, path, found["feed"] / 2, max(2.0, seconds / 2))
            peak = _peak_mb(server.pid or 0)
        finally:
            server.terminate()
            server.join(10)
    return {
        "name": "feed",
        "params": {"seconds": seconds, "connections": _CONNECTIONS, "bytes": len(body),
                   "not_modified_per_second": round(found["feed 304"], 1),
                   "not_modified_ratio": round(found["feed 304"] / found["bare 304"], 3),
                   "load_average": round(os.getloadavg()[0], 1), **half},
        "value": round(found["feed"], 1),
        "unit": "responses/s",
        "reference": round(found["bare"], 1),
        "reference_what": "a bare Starlette app that answers the same bytes, under the same server and load",
        "ratio": round(found["feed"] / found["bare"], 3),
        "peak_mb": peak,
    }  # fmt: skip


def _at_half_load(
    context: SpawnContext, folder: str, port: int, path: str, rate: float, seconds: float
) -> dict[str, object]:
    """How long 99 of 100 answers take at most, in ms, at that rate, half of what was reached before: of feeds
    and of the bare route in turns, first alone, then while papers are matched beside them."""
    alone = _p99(port, path, seconds / 2, rate)
    ready, theirs = context.Pipe()
    matching = context.Process(target=_match_beside, args=(folder, theirs), daemon=True)
    matching.start()
    ready.recv()
    began, batches = time.perf_counter(), 0
    beside = _p99(port, path, seconds, rate)
    took = time.perf_counter() - began
    while ready.poll():
        batches += bool(ready.recv())
    assert matching.is_alive(), "the match job ended before the measurement"
    matching.terminate()
    matching.join(10)
    return {
        "half_load_per_second": round(rate), "half_load_is_of": "the median of the feed's highest rates",
        "p99_ms_at_half_load_beside_a_match": round(beside[path], 1),
        "p99_ms_of_the_bare_route": round(beside["/bare"], 1),
        "p99_ms_at_half_load_alone": round(alone[path], 1),
        "p99_ms_of_the_bare_route_alone": round(alone["/bare"], 1),
        "matched_beside_seconds": round(took, 1), "matched_beside_batches": batches,
    }  # fmt: skip


def _p99(port: int, path: str, seconds: float, rate: float) -> dict[str, float]:
    took: dict[str, list[float]] = {"/bare": [], path: []}
    for asked in (*took, *took):
        took[asked] += asyncio.run(_load(port, asked, seconds / 4, rate=rate))
    return {asked: statistics.quantiles(one, n=100)[-1] for asked, one in took.items()}


def _peak_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return 0.0
    lines = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
    return round(int(lines["VmHWM"].split()[0]) / 1024, 1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=9.0)
    print(json.dumps(measure(parser.parse_args().seconds)))
