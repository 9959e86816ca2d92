"""Milliseconds a page takes in the server, beside a bare Starlette route with the same bytes.

``python -m benchmarks.pages --papers 20000 --subscribers 1000`` prints one JSON object a page. The database
is SQLite on disk; both applications are called through ASGI here, so no network is in the figures.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import resource
import statistics
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message

from app.settings import Settings
from app.web.server import create_app
from benchmarks import synthetic
from db import migrate, paper_store, source_store
from db.session import Database
from jobs import indexing, match, reading, subscribe, trends
from jobs.alerts.links import Links
from jobs.alerts.mail import Sender
from jobs.alerts.outbox_folder import OutboxFolder
from jobs.service import Service
from profiles.profile import Profile
from profiles.request import request
from recommender import labels

_BASE = "http://127.0.0.1:8000"
_NOW = datetime(2025, 11, 20, 12, tzinfo=UTC)
_A_WEEK = 3_000  # new papers of a busy week


def measure(papers: int, subscribers: int, rounds: int) -> Iterator[dict[str, object]]:
    """The medians of alternating rounds, page by page, as the contract's JSON objects have them."""
    with tempfile.TemporaryDirectory() as folder:
        service = _service(Path(folder))
        profile = _fill(service, papers, subscribers)
        app = create_app(service, Settings(data=Path(folder), base_url=_BASE), lambda: _NOW)
        for name, path in _pages(service, profile).items():
            body = asyncio.run(_ask(app, path, 1))[0]
            ours, bare = [], []
            for _ in range(3):
                bare += asyncio.run(_ask(_bare(body), path, rounds))[1]
                ours += asyncio.run(_ask(app, path, rounds))[1]
            value, reference = statistics.median(ours), statistics.median(bare)
            yield {
                "name": f"page {name}",
                "params": {"papers": papers, "subscribers": subscribers, "bytes": len(body)},
                "value": round(value, 2),
                "unit": "ms",
                "reference": round(reference, 3),
                "reference_what": "a bare Starlette route with the same bytes",
                "ratio": round(value / reference, 1),
                "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
            }
        service.database.dispose()


def _pages(service: Service, profile: Profile) -> dict[str, str]:
    paper = reading.latest(service, profile, _NOW, 1)[0].item.paper
    links = service.links
    own = {
        "mine": links.preferences(profile.subscriber_id, _NOW),
        "paper": links.paper(paper.id),
        "feed": links.feed(profile.feed_token),
    }
    local = {name: url.removeprefix(_BASE) for name, url in own.items()}
    words = paper.title.split()
    reading_pages = {
        "papers": "/papers",
        "search": f"/papers?q={quote(' '.join(words[:2]))}",
        "search for common words": f"/papers?q={quote(words[0])}+{quote(words[-1])}",
        "category": f"/papers/category/{paper.categories[0]}",
        "author": f"/papers/author/{labels.slug('author', paper.authors[0])}",
        "day": f"/papers/day/{paper.announced}",
        "trends": "/trends",
    }
    return {"home": "/", "preview": f"/?statement={quote('KV cache decoding')}", **local, **reading_pages}


def _service(folder: Path) -> Service:
    database = Database(f"sqlite:///{folder / 'paperwatch.db'}")
    migrate.upgrade(database)
    sender = Sender("Paperwatch", "digest@papers.example.org")
    return Service(database, Links(_BASE, "a secret of the benchmark"), sender, lambda: OutboxFolder(folder))


def _fill(service: Service, papers: int, subscribers: int) -> Profile:
    """A last week of news, an archive, and subscribers with a profile each; the last one is matched."""
    with service.database.writing() as session:
        source = source_store.add(
            session, name="synthetic", kind="file", location="synthetic", every_minutes=0, now=_NOW
        )
        for first in range(0, papers, _A_WEEK):
            day = _NOW.date() - timedelta(days=first * 7 // _A_WEEK)
            week = synthetic.papers(min(_A_WEEK, papers - first), first=first, day=day)
            paper_store.merge(session, week, source.id, _NOW, archive=first > 0)
    while indexing.index(service, _NOW):
        pass
    trends.make(service, _NOW)
    chance = random.Random(2025)
    words = [word for paper in week for word in paper.title.split()]
    for number in range(subscribers - 1):
        statement = " ".join(chance.choices(words, k=6))
        wanted = request(email=f"reader{number}@example.org", statement=statement)
        subscribe.create(service, wanted, _NOW, confirmed="by the benchmark")
    match.gather(service, _NOW, [])
    wanted = request(email="ada@example.org", statement=" ".join(words[:8]), per_day=10)
    return subscribe.create(service, wanted, _NOW, confirmed="by the benchmark")


def _bare(body: bytes) -> Starlette:
    async def answer(_: Request) -> Response:
        return Response(body, media_type="text/html")

    return Starlette(routes=[Route("/{path:path}", answer)])


async def _ask(app: ASGIApp, address: str, times: int) -> tuple[bytes, list[float]]:
    """The body of the answer, and the milliseconds of each asking."""
    url = urlsplit(address)
    scope: dict[str, Any] = {
        "type": "http", "method": "GET", "path": url.path, "raw_path": url.path.encode(), "root_path": "",
        "query_string": url.query.encode(), "headers": [(b"host", b"127.0.0.1:8000")], "scheme": "http",
        "server": ("127.0.0.1", 8000), "client": ("127.0.0.1", 1), "http_version": "1.1",
        "asgi": {"version": "3.0"},
    }  # fmt: skip
    taken: list[float] = []
    body = b""
    for _ in range(times):
        answer: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Message, answer: list[Message] = answer) -> None:
            answer.append(message)

        start = time.perf_counter()
        await app(dict(scope), receive, send)
        taken.append(1_000 * (time.perf_counter() - start))
        assert answer[0]["status"] == 200, f"{address}: {answer[0]['status']}"
        body = b"".join(message.get("body", b"") for message in answer[1:])
    return body, taken


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--papers", type=int, default=20_000)
    parser.add_argument("--subscribers", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=20)
    chosen = parser.parse_args()
    for line in measure(chosen.papers, chosen.subscribers, chosen.rounds):
        print(json.dumps(line))
