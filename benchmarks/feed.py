"""Feed responses a second over HTTP, beside a bare route that answers the same bytes.

``python -m benchmarks.feed --seconds 5`` prints one JSON object. Both are served by one uvicorn worker in a
process of its own on 127.0.0.1 and asked over 32 kept connections, in turns.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import random
import socket
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

    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(both, log_level="error", access_log=False, lifespan="off", ws="none")
        pipe.send(listening.getsockname()[1])

        async def main() -> None:
            serving = asyncio.create_task(uvicorn.Server(config).serve(sockets=[listening]))
            held["bytes"] = await asyncio.get_running_loop().run_in_executor(None, pipe.recv)
            given.set()
            await serving

        asyncio.run(main())


async def _ask(port: int, path: str, until: float, headers: str = "", every: float = 0.0) -> list[float]:
    """How long each whole answer took on one kept connection until then, in ms; with ``every`` one is asked
    for each so many seconds, and the time counts from when it should have been asked for."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    asked = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{headers}\r\n".encode()
    took = []
    due = time.perf_counter() + random.random() * every
    while due < until:
        if every:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
        writer.write(asked)
        head = await reader.readuntil(b"\r\n\r\n")
        lower = head.lower()
        if b"content-length: " in lower:
            await reader.readexactly(int(lower.split(b"content-length: ")[1].split(b"\r\n")[0]))
        took.append(1000 * (time.perf_counter() - due))
        due = due + every if every else time.perf_counter()
    writer.close()
    return took


async def _load(port: int, path: str, seconds: float, headers: str = "", rate: float = 0.0) -> list[float]:
    """How long each answer took, over 32 connections, as many as there could be or ``rate`` a second."""
    until = time.perf_counter() + seconds
    every = _CONNECTIONS / rate if rate else 0.0
    asked = (_ask(port, path, until, headers, every) for _ in range(_CONNECTIONS))
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
    """Match batch after batch against some profiles in the same database, until ended."""
    import os

    from benchmarks import synthetic
    from benchmarks.match import service
    from db import paper_store, source_store
    from jobs import match, subscribe
    from profiles.request import request

    os.nice(10)  # as a job beside the web should run
    made = service(Path(folder))
    with made.database.writing() as session:
        source = source_store.add(session, name="m", kind="file", location="m", every_minutes=0, now=None)
    for n in range(20):
        wanted = request(likes=[p.id for p in synthetic.papers(400)[n : n + 5]], name=f"beside {n}")
        subscribe.create(made, wanted, _NOW)
    papers = synthetic.papers(40_000)
    ready.send("matching")
    for start in range(400, len(papers), 300):
        with made.database.writing() as session:
            paper_store.merge(session, papers[start : start + 300], source.id, _NOW)
        match.gather(made, _NOW, [])
        match.match_pending(made, _NOW)


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
            p99, bare_p99 = _p99_beside_a_match(
                context, folder, port, path, found["feed"] / 2, max(2.0, seconds / 2)
            )
            peak = _peak_mb(server.pid or 0)
        finally:
            server.terminate()
            server.join(10)
    return {
        "name": "feed",
        "params": {"seconds": seconds, "connections": _CONNECTIONS, "bytes": len(body),
                   "not_modified_per_second": round(found["feed 304"], 1),
                   "not_modified_ratio": round(found["feed 304"] / found["bare 304"], 3),
                   "p99_ms_at_half_load_beside_a_match": round(p99, 1),
                   "p99_ms_of_the_bare_route": round(bare_p99, 1)},
        "value": round(found["feed"], 1),
        "unit": "responses/s",
        "reference": round(found["bare"], 1),
        "reference_what": "a bare Starlette app that answers the same bytes, under the same server and load",
        "ratio": round(found["feed"] / found["bare"], 3),
        "peak_mb": peak,
    }  # fmt: skip


def _p99_beside_a_match(
    context: SpawnContext, folder: str, port: int, path: str, rate: float, seconds: float
) -> tuple[float, float]:
    """How long 99 of 100 answers take at most, in ms, at that rate while papers are matched beside it: feeds,
    and the bare route in turns with them."""
    ready, theirs = context.Pipe()
    matching = context.Process(target=_match_beside, args=(folder, theirs), daemon=True)
    matching.start()
    ready.recv()
    took: dict[str, list[float]] = {"/bare": [], path: []}
    for asked in (*took, *took):
        took[asked] += asyncio.run(_load(port, asked, seconds / 4, rate=rate))
    assert matching.is_alive(), "the match job ended before the measurement"
    matching.terminate()
    matching.join(10)
    bare, feed = (statistics.quantiles(one, n=100)[-1] for one in took.values())
    return feed, bare


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
