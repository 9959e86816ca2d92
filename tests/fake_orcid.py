"""An ORCID of our own on loopback, which answers as its public API does, or as a test wants."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from jobs.service import OrcidApi
from jobs.sources.fetch import Fetcher, Limits

CARBERRY = "0000-0002-1825-0097"
"""The iD of ORCID's own made-up researcher."""
QUICK = Limits(
    connect_seconds=2, read_seconds=10, total_seconds=10, body_bytes=16 * 1024 * 1024, redirects=0, attempts=1
)


@dataclass
class FakeOrcid:
    """``groups`` are the works of `CARBERRY`; ``body`` and ``status`` stand for them; ``hold`` is called
    before an answer. ``asked`` are the paths and Accept headers that came."""

    groups: list[dict[str, Any]] = field(default_factory=list)
    status: int = 200
    body: bytes = b""
    hold: Callable[[], object] = lambda: None
    asked: list[tuple[str, str]] = field(default_factory=list)

    def answer(self, path: str) -> tuple[int, bytes]:
        """Status and body of one request."""
        if path != f"/v3.0/{CARBERRY}/works":
            return 404, b'{"response-code": 404, "error-code": 9016}'
        stamp = {"value": 1700000000000}
        whole = {"last-modified-date": stamp, "group": self.groups, "path": f"/{CARBERRY}/works"}
        return self.status, self.body or json.dumps(whole).encode()

    @contextlib.contextmanager
    def serving(self, limits: Limits = QUICK) -> Iterator[OrcidApi]:
        """Answer on loopback; where it is asked, by a fetcher with these limits."""
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                fake.asked.append((self.path, self.headers["Accept"]))
                fake.hold()
                status, body = fake.answer(self.path)
                with contextlib.suppress(OSError):  # who asked may have gone
                    self.send_response(status)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                self.close_connection = True

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        fetcher = Fetcher("Paperwatch tests", lambda: datetime.now(UTC), allow_private=True)
        try:
            address = f"http://127.0.0.1:{server.server_address[1]}/v3.0"
            yield OrcidApi(address, replace(fetcher, accept="application/json", limits=limits))
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


def work(title: str | None, *ids: tuple[str, str], year: str = "", relation: str = "self") -> dict[str, Any]:
    """A group of one work as ORCID writes it, with these (type, value) ids."""
    held = [
        {
            "external-id-type": kind,
            "external-id-value": value,
            "external-id-normalized": {"value": value.lower(), "transient": True},
            "external-id-normalized-error": None,
            "external-id-url": None,
            "external-id-relationship": relation,
        }
        for kind, value in ids
    ]
    summary = {
        "put-code": 1,
        "title": {"title": {"value": title}, "subtitle": None, "translated-title": None} if title else None,
        "external-ids": {"external-id": held},
        "type": "journal-article",
        "publication-date": {"year": {"value": year}, "month": None, "day": None} if year else None,
        "visibility": "public",
    }
    return {
        "last-modified-date": {"value": 1700000000000},
        "external-ids": {"external-id": held},
        "work-summary": [summary],
    }
