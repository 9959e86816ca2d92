"""What each page, and what the API does as pages do, costs the server: milliseconds, bytes and queries.

Each is measured beside a bare route with the same bytes.

``python -m benchmarks.pages --papers 200000 --subscribers 10000`` prints one JSON object a page. The
database is SQLite on disk; both applications are called through ASGI here, so no network is in the figures.
``cpu_ms`` is the processor time of this process, which other work on the machine lengthens less than the
wall time, ``value``.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from sqlalchemy import event
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message

from app.settings import Settings
from app.web.server import create_app
from benchmarks.installation import NOW, installed
from db import key_store
from jobs import reading
from jobs.service import Service
from profiles.profile import Profile
from recommender import labels, shipped

_BASE = "http://127.0.0.1:8000"
_READERS = "a reader's key for measuring"
_KEY = "an operator's key for measuring"


@dataclass(frozen=True, slots=True)
class Page:
    """An address, the form or body that is sent there and the key that opens it, if there are such."""

    path: str
    form: dict[str, str] | None = None
    key: str = ""
    body: object = None

    @property
    def sent(self) -> bytes:
        """What is sent."""
        if self.form:
            return urlencode(self.form).encode()
        return b"" if self.body is None else json.dumps(self.body).encode()


@dataclass(frozen=True, slots=True)
class Asked:
    """The body of the answers, and the wall and processor milliseconds of each asking."""

    body: bytes
    wall: list[float]
    cpu: list[float]


def measure(papers: int, subscribers: int, rounds: int, only: str = "") -> Iterator[dict[str, object]]:
    """The medians of alternating rounds, page by page, as the contract's JSON objects have them; of all
    pages, or of those with ``only`` in their names."""
    with tempfile.TemporaryDirectory() as folder:
        service, profile = installed(Path(folder), papers, subscribers)
        settings = Settings(
            data=Path(folder), base_url=_BASE, previews_per_minute=0, api_per_minute=0, operator_key=_KEY
        )
        app = create_app(service, settings, lambda: NOW)
        asked = _count_queries(service)
        pages = _pages(service, profile) | _operations(service, profile)
        for name, page in pages.items():
            if only not in name:
                continue
            first = asyncio.run(_ask(app, page, 1))  # what is loaded once is not measured
            before = asked[0]
            asyncio.run(_ask(app, page, 1))
            queries = asked[0] - before
            ours, bare = [], []
            for _ in range(3):
                bare.append(asyncio.run(_ask(_bare(first.body), page, rounds)))
                ours.append(asyncio.run(_ask(app, page, rounds)))
            value = statistics.median(ms for one in ours for ms in one.wall)
            reference = statistics.median(ms for one in bare for ms in one.wall)
            yield {
                "name": f"page {name}",
                "params": {"papers": papers, "subscribers": subscribers},
                "value": round(value, 2),
                "unit": "ms",
                "cpu_ms": round(statistics.median(ms for one in ours for ms in one.cpu), 2),
                "bytes": len(first.body),
                "queries": queries,
                "reference": round(reference, 3),
                "reference_what": "a bare Starlette route with the same bytes",
                "ratio": round(value / reference, 1),
                "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
            }
        service.database.dispose()


def _pages(service: Service, profile: Profile) -> dict[str, Page]:
    """Every kind of page that readers open, by a name for it."""
    paper = reading.latest(service, profile, NOW, 1)[0].item.paper
    mine = service.links.preferences(profile.subscriber_id, NOW).removeprefix(_BASE)
    mine_of = f"{mine}/profiles/{profile.id}"
    words = paper.title.split()
    statement = {"statement": "KV cache decoding for large language models", "per_day": "5"}
    term = {"term0": words[0], "weight0": "2"}
    local = {
        "mine": mine, "mine, page 2": f"{mine}?page=2", "saved": f"{mine}/saved",
        "history": f"{mine}/history", "profiles": f"{mine}/profiles",
        "delivery": f"{mine}/delivery", "keys": f"{mine}/keys",
        "weights": f"{mine_of}/weights", "edit, with its preview": mine_of, "new profile": f"{mine}/new",
        "pick ten": f"{mine}/pick", "paper": service.links.paper(paper.id).removeprefix(_BASE),
        "paper, why for me": f"{mine}/papers/{paper.id}", "papers": "/papers",
        "search": _search(words[:2]), "search for common words": _search(_common_words()),
        "search within a category": _search(words[:2]) + f"&category={paper.categories[0]}",
        "search for an author": f"/papers?author={quote(paper.authors[0])}",
        "category": f"/papers/category/{paper.categories[0]}",
        "author": f"/papers/author/{labels.slug('author', paper.authors[0])}",
        "day": f"/papers/day/{paper.announced}", "trends": "/trends",
        "feed": service.links.feed(profile.feed_token).removeprefix(_BASE),
    }  # fmt: skip
    return {
        "home": Page("/"),
        "home with a preview": Page(f"/?statement={quote(statement['statement'])}"),
        "live preview": Page("/preview", statement | {"fragment": "1"}),
        "what weights would change": Page(f"{mine_of}/weights", term | {"fragment": "1"}),
        **{name: Page(path) for name, path in local.items()},
        "operator": Page("/operator", key=_KEY),
        "operator, by the API": Page("/api/v1/operator", key=_KEY),
        "the operator's month, by the API": Page("/api/v1/operator/month", key=_KEY),
    }


def _operations(service: Service, profile: Profile) -> dict[str, Page]:
    """What the API does that these pages do, each by the name of its page."""
    with service.database.writing() as session:
        key_store.add(session, profile.subscriber_id, "measuring", _READERS, NOW)
    paper = reading.latest(service, profile, NOW, 1)[0].item.paper
    words = paper.title.split()
    statement = {"statement": "KV cache decoding for large language models", "per_day": 5}
    entries = [{"title": f"Title {n}", "DOI": f"10.1000/{n}"} for n in range(1_000)]
    found = {
        "live preview": Page("/preview", body=statement), "pick ten": Page("/picks", body={}),
        "a library of a thousand": Page("/read/library", body=entries),
        "an author's papers": Page("/read/author", body={"name": paper.authors[0]}),
        "papers": Page("/labels/category"), "days": Page("/days"), "trends": Page("/trends"),
        "paper": Page(f"/papers/{paper.id}"), "similar papers": Page(f"/similar/{paper.id}"),
        "search": Page(f"/search?q={quote(' '.join(words[:2]))}"),
        "search for common words": Page(f"/search?q={quote(' '.join(_common_words()))}"),
        "search for an author": Page(f"/search?author={quote(paper.authors[0])}"),
        "category": Page(f"/search?category={paper.categories[0]}"),
    }  # fmt: skip
    return {
        f"api: {name}": replace(page, path=f"/api/v1{page.path}", key=_READERS)
        for name, page in found.items()
    }


def _search(words: list[str]) -> str:
    return f"/papers?q={quote(' '.join(words))}"


def _common_words() -> list[str]:
    """The four commonest words of papers; a word stands for nothing else here."""
    held = shipped.frequencies()
    return [held.words[at] for at in held.word_counts.argsort()[-4:][::-1]]


def _count_queries(service: Service) -> list[int]:
    """A counter of statements sent to the database, as a list of one number."""
    counted = [0]

    @event.listens_for(service.database.engine, "before_cursor_execute")
    def _count(*_: object) -> None:
        counted[0] += 1

    return counted


def _bare(body: bytes) -> Starlette:
    async def answer(_: Request) -> Response:
        return Response(body, media_type="text/html")

    return Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "POST"])])


async def _ask(app: ASGIApp, page: Page, times: int) -> Asked:
    url = urlsplit(page.path)
    sent = page.sent
    headers = [(b"host", b"127.0.0.1:8000"), (b"content-length", str(len(sent)).encode())]
    headers += [(b"content-type", b"application/x-www-form-urlencoded")] if page.form else []
    headers += [(b"content-type", b"application/json")] if page.body is not None else []
    headers += [(b"authorization", f"Bearer {page.key}".encode())] if page.key else []
    scope: dict[str, Any] = {
        "type": "http", "method": "POST" if sent else "GET", "path": url.path,
        "raw_path": url.path.encode(), "root_path": "", "query_string": url.query.encode(),
        "headers": headers, "scheme": "http", "server": ("127.0.0.1", 8000), "client": ("127.0.0.1", 1),
        "http_version": "1.1", "asgi": {"version": "3.0"},
    }  # fmt: skip
    found = Asked(b"", [], [])
    for _ in range(times):
        answer: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": sent, "more_body": False}

        async def send(message: Message, answer: list[Message] = answer) -> None:
            answer.append(message)

        wall, cpu = time.perf_counter(), time.process_time()
        await app(dict(scope), receive, send)
        found.wall.append(1_000 * (time.perf_counter() - wall))
        found.cpu.append(1_000 * (time.process_time() - cpu))
        assert answer[0]["status"] == 200, f"{page.path}: {answer[0]['status']}"
        body = b"".join(message.get("body", b"") for message in answer[1:])
        found = Asked(body, found.wall, found.cpu)
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--papers", type=int, default=20_000)
    parser.add_argument("--subscribers", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--only", default="", help="pages with this in their names")
    chosen = parser.parse_args()
    for line in measure(chosen.papers, chosen.subscribers, chosen.rounds, chosen.only):
        print(json.dumps(line), flush=True)
