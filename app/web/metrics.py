"""/metrics for Prometheus: how everything stands, from the database, and what this process answered."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

from fastapi import APIRouter, Request
from fastapi.responses import Response
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    exposition,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.version import VERSION
from app.web.context import AWeb, NoPageError
from app.web.keeper import admit
from db.queue_store import Queue
from db.session import Database
from jobs import days, overview
from jobs.overview import Standing

router = APIRouter(include_in_schema=False)

_KEPT_SECONDS = 10.0
# Sources have a label each; an installation with more has the others in one.
_SHOWN_SOURCES = 50
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
_STATES = ("queued", "sending", "sent", "failed", "suppressed", "cancelled", "empty")
_PEOPLE = ("unconfirmed", "confirmed", "unsubscribed", "suppressed")


class Metrics(Collector):
    """What one web process tells: its own counters, and the state of the whole service, which is the same
    from every process and is asked of the database once in some seconds."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock
        self._lock = threading.Lock()
        self._taken: tuple[float, Standing] | None = None
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "paperwatch_http_requests", "Requests answered by this process", ["route", "method", "status"],
            registry=self._registry,
        )  # fmt: skip
        self.seconds = Histogram(
            "paperwatch_http_request_seconds", "Seconds until the last byte of an answer", ["route"],
            registry=self._registry, buckets=_SECONDS,
        )  # fmt: skip
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        self._registry.register(self)

    def text(self) -> bytes:
        """All of it in Prometheus's text format."""
        return exposition.generate_latest(self._registry)

    def describe(self) -> list[GaugeMetricFamily]:
        """Nothing before it is collected, so that no database is asked when the process starts."""
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The state of the service."""
        stands = self._standing()
        yield _one("info", "Version of this process", 1, {"version": VERSION})
        yield from _sources(stands)
        yield from _mail(stands)
        yield from _work(stands)
        yield _one("papers", "Papers ever stored", stands.papers)
        yield _one("profiles", "Interest profiles", stands.profiles)
        people = {name: stands.subscribers.get(name, 0) for name in _PEOPLE}
        yield _by("subscribers", "Subscribers by state", "state", people)

    def _standing(self) -> Standing:
        with self._lock:
            now = time.monotonic()
            if self._taken is None or now - self._taken[0] > _KEPT_SECONDS:
                self._taken = (now, overview.standing(self._database, self._clock()))
            return self._taken[1]


def _sources(stands: Standing) -> Iterator[GaugeMetricFamily]:
    watched = [source for source in stands.sources if source.kind != "file"]
    names = overview.names(watched[:_SHOWN_SOURCES])
    others = {source.id for source in watched[_SHOWN_SOURCES:]}
    papers: dict[tuple[str, str], int] = {}
    checks: dict[tuple[str, str], int] = {}
    for each in stands.checks:
        name = names.get(each.source_id, "others" if each.source_id in others else "by hand")
        checks[name, each.outcome] = checks.get((name, each.outcome), 0) + each.checks
        for kind in ("new", "updated", "merged", "rejected"):
            papers[name, kind] = papers.get((name, kind), 0) + getattr(each, kind)
    yield _pairs("papers_last_day", "Papers of the last 24 hours", ("source", "outcome"), papers)
    yield _pairs("checks_last_day", "Checks of the last 24 hours", ("source", "outcome"), checks)
    good = GaugeMetricFamily(
        "paperwatch_source_last_success_seconds", "Seconds since the last good check", labels=["source"]
    )
    failing = GaugeMetricFamily(
        "paperwatch_source_failures", "Checks that failed in a row", labels=["source"]
    )
    for source in watched[:_SHOWN_SOURCES]:
        if source.paused:
            continue
        failing.add_metric([names[source.id]], source.failures)
        if source.last_success_at:
            good.add_metric([names[source.id]], (stands.at - source.last_success_at).total_seconds())
    yield good
    yield failing


def _mail(stands: Standing) -> Iterator[GaugeMetricFamily]:
    states = {state: stands.outbox.get(state, 0) for state in _STATES}
    yield _by("digests", "Mails in the outbox by state", "state", states)
    queue = states["queued"] + states["sending"]
    yield _one("queue_depth", "Mails that wait or are being sent", queue)
    yield _by("mails_sent_last_day", "Mails sent in the last 24 hours", "kind", stands.sent)
    yield _by("bounces", "Delivery reports that came back", "kind", stands.bounces)
    yield _one("mail_paused", "1 while mail is paused after faults", int(stands.relay.holds(stands.at)))
    yield _one("relay_faults", "Faults of the relay in a row", stands.relay.faults)
    waits = GaugeMetricFamily(
        "paperwatch_delivery_seconds",
        "From announcement to mail, over the last 24 hours",
        labels=["quantile"],
    )
    for share in (0.5, 0.95) if stands.waits else ():
        waits.add_metric([str(share)], days.quantile(stands.waits, share).total_seconds())
    yield waits


def _work(stands: Standing) -> Iterator[GaugeMetricFamily]:
    ages = {kind: (stands.at - at).total_seconds() if at else 0.0 for kind, at in stands.oldest.items()}
    yield _by("oldest_due_seconds", "For how long the oldest due work waits", "work", ages)
    waiting = [batch for batch in stands.batches if batch.matched_at is None]
    yield _one("batches_waiting", "Batches that not every profile was matched against", len(waiting))
    matched = [batch for batch in stands.batches if batch.matched_at is not None]
    if matched and (last := matched[-1]).matched_at:
        seconds = (last.matched_at - last.made_at).total_seconds()
        yield _one("last_batch_match_seconds", "From making the last batch to all its matches", seconds)
        yield _one("last_batch_papers", "Papers of the last batch", last.papers)
        yield _one(
            "last_batch_age_seconds", "Since the last batch", (stands.at - last.made_at).total_seconds()
        )
    yield from _queue(stands)
    if stands.post is not None:
        alive = int(stands.post.until >= stands.at)
        yield _one("scheduler_alive", "1 while a scheduler gives signs of life", alive)


def _queue(stands: Standing) -> Iterator[GaugeMetricFamily]:
    """The workers and their jobs; on SQLite there are none, and the alerts that ask for them stay silent."""
    queue = stands.queue or Queue(0, 0, 0, 0)
    yield _one("workers", "Workers that give signs of life", queue.workers)
    jobs = {"waiting": queue.waiting, "running": queue.running - queue.stalled, "stalled": queue.stalled}
    yield _by("jobs", "Jobs of the workers; stalled ones were left by workers that died", "state", jobs)
    age = (stands.at - queue.oldest).total_seconds() if queue.oldest else 0.0
    yield _one("oldest_job_seconds", "For how long the oldest job of the workers is there", max(0.0, age))


def _one(name: str, what: str, value: float, labels: dict[str, str] | None = None) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"paperwatch_{name}", what, labels=list(labels or {}))
    family.add_metric(list((labels or {}).values()), value)
    return family


def _by(name: str, what: str, label: str, values: Mapping[str, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"paperwatch_{name}", what, labels=[label])
    for kind, value in values.items():
        family.add_metric([kind], value)
    return family


def _pairs(
    name: str, what: str, labels: tuple[str, str], values: dict[tuple[str, str], int]
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"paperwatch_{name}", what, labels=labels)
    for pair, value in sorted(values.items()):
        family.add_metric(pair, value)
    return family


class Counted:
    """ASGI middleware around everything: counts requests by the template of their route, which has no token
    in it and of which there are as many as the program has."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics, feeds: str) -> None:
        self.app = app
        self.metrics = metrics
        self.feeds = feeds
        # Looking up both by their labels each time takes a tenth of what a feed takes.
        self._counters: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status = 500
        seen: dict[str, str] = {}
        scope["paperwatch.seen"] = seen
        began = time.perf_counter()

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, noted)
        finally:
            path: str = scope["path"]
            route = "/feeds/{token}" if path.startswith(self.feeds) else seen.get("route", "other")
            method = scope["method"] if scope["method"] in _METHODS else "other"
            key = route, method, status
            counters = self._counters.get(key)
            if counters is None:
                counters = self.metrics.requests.labels(*key), self.metrics.seconds.labels(route)
                self._counters[key] = counters
            counters[0].inc()
            counters[1].observe(time.perf_counter() - began)


class Routed:
    """ASGI middleware next to the routes: tells `Counted` which one answered."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            await self.app(scope, receive, send)
        finally:
            route = getattr(scope.get("route", None), "path", "")
            if route and "paperwatch.seen" in scope:
                scope["paperwatch.seen"]["route"] = route


@router.get("/metrics")
def metrics(request: Request, web: AWeb) -> Response:
    """All figures; open or with the operator's key, as the settings say."""
    if web.settings.metrics_are == "off":
        raise NoPageError("There is no such page here.")
    if web.settings.metrics_are == "key":
        admit(request)
    told: Metrics = request.app.state.metrics
    return Response(told.text(), media_type=exposition.CONTENT_TYPE_LATEST)
