"""Feed responses a second over HTTP, beside a bare route that answers the same bytes.

``python -m benchmarks.feed --seconds 5`` prints one JSON object. Both are served by one uvicorn worker in a
process of its own on 127.0.0.1 and asked over 32 kept connections, in turns.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import socket
import statistics
import tempfile
import time
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path

_NOW = datetime(2025, 10, 28, 12, tzinfo=UTC)
_CONNECTIONS = 32
_ROUNDS = 3
_ITEMS = 50


def _serve(pipe: Connection, folder: str) -> None:
    """Serve a feed of 50 items at its own address and its bytes at /bare, until the process is ended."""
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route
    from starlette.types import Receive, Scope, Send

    from app.settings import Settings
    from app.web.server import create_app
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
    likes = [f"{p.id}" for p in synthetic.papers(10)]
    wanted = request(likes=likes, per_day=_ITEMS, name="bench")
    profile = subscribe.create(made, wanted, _NOW)
    app = create_app(made, Settings(data=Path(folder)), lambda: _NOW)
    held: dict[str, bytes] = {}

    async def bare(_request: Request) -> Response:
        return Response(held["bytes"], media_type="application/rss+xml")

    async def bare_304(_request: Request) -> Response:
        return Response(status_code=304, headers={"etag": '"a-tag"'})

    plain = Starlette(routes=[Route("/bare", bare), Route("/bare-304", bare_304)])

    async def both(scope: Scope, receive: Receive, send: Send) -> None:
        await (plain if scope["path"].startswith("/bare") else app)(scope, receive, send)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(both, log_level="error", access_log=False, lifespan="off", ws="none")
        pipe.send((listening.getsockname()[1], f"/feeds/{profile.feed_token}.rss"))
        held["bytes"] = b""

        async def main() -> None:
            serving = asyncio.create_task(uvicorn.Server(config).serve(sockets=[listening]))
            held["bytes"] = await asyncio.get_running_loop().run_in_executor(None, pipe.recv)
            await serving

        asyncio.run(main())


async def _ask(port: int, path: str, until: float, headers: str = "") -> int:
    """How many whole answers one kept connection gives until then."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    asked = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{headers}\r\n".encode()
    answers = 0
    while time.perf_counter() < until:
        writer.write(asked)
        head = await reader.readuntil(b"\r\n\r\n")
        lower = head.lower()
        if b"content-length: " in lower:
            await reader.readexactly(int(lower.split(b"content-length: ")[1].split(b"\r\n")[0]))
        answers += 1
    writer.close()
    return answers


async def _rate(port: int, path: str, seconds: float, headers: str = "") -> float:
    until = time.perf_counter() + seconds
    counts = await asyncio.gather(*(_ask(port, path, until, headers) for _ in range(_CONNECTIONS)))
    return sum(counts) / seconds


async def _fetch(port: int, path: str) -> tuple[bytes, str]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode())
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    lines = [line.partition(": ") for line in head.decode("latin-1").split("\r\n")]
    return body, next(value for name, _, value in lines if name.lower() == "etag")


def measure(seconds: float) -> dict[str, object]:
    """Both rates, medians of alternating rounds, as the contract's JSON object has them."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    with tempfile.TemporaryDirectory() as folder:
        server = context.Process(target=_serve, args=(theirs, folder), daemon=True)
        server.start()
        port, path = ours.recv()
        body, tag = asyncio.run(_fetch(port, path))
        ours.send(body)
        each = max(0.5, seconds / (3 * _ROUNDS))
        feed, bare, unchanged = [], [], []
        for _ in range(_ROUNDS):
            bare.append(asyncio.run(_rate(port, "/bare", each)))
            feed.append(asyncio.run(_rate(port, path, each)))
            unchanged.append(asyncio.run(_rate(port, path, each, f"If-None-Match: {tag}\r\n")))
        peak = _peak_mb(server.pid or 0)
        server.terminate()
        server.join(10)
    value, reference = statistics.median(feed), statistics.median(bare)
    return {
        "name": "feed",
        "params": {"seconds": seconds, "connections": _CONNECTIONS, "bytes": len(body),
                   "not_modified_per_second": round(statistics.median(unchanged), 1)},
        "value": round(value, 1),
        "unit": "responses/s",
        "reference": round(reference, 1),
        "reference_what": "a bare route with the same bytes under the same server and load",
        "ratio": round(value / reference, 3),
        "peak_mb": peak,
    }  # fmt: skip


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
