"""``paperwatch once | schedule | web``."""

from __future__ import annotations

import json
import os
import signal
import socket
from contextlib import suppress
from types import FrameType
from typing import TYPE_CHECKING, Any

import structlog
import typer

from app import build, logs
from app.commands import children
from app.commands.ingesting import as_report
from app.failures import CommandError
from app.settings import load

if TYPE_CHECKING:
    from jobs.pipeline import Run

log = structlog.get_logger()

_NICENESS = 10
_BACKLOG = 2048  # connections that wait to be taken, as uvicorn has it


def once(*, as_json: bool) -> None:
    """One run by hand, with its receipts."""
    from jobs import receipts
    from jobs.pipeline import run_once

    settings = load()
    # The receipts say what a run did; the stages are for those who ask for more.
    logs.configure("debug" if settings.log_level == "debug" else "warning")
    service = build.service(settings)
    name = build.run_id()
    with structlog.contextvars.bound_contextvars(run=name):
        run = run_once(service, build.now(), name)
    if as_json:
        typer.echo(json.dumps(_as_object(run), ensure_ascii=False, indent=2))
        return
    for receipt in run.receipts:
        typer.echo(f"{receipt.location}: {receipts.result(receipt)}")
    if not run.receipts:
        typer.echo("no source was due")
    m, q, s = run.matched, run.queued, run.sent
    typer.echo(f"matched {m.papers} papers against {m.profiles} profiles: {m.chosen} chosen")
    typer.echo(f"queued {q.queued} digests ({q.empty} empty ones not sent)")
    if s.paused_until:
        typer.echo(f"mail is paused until {s.paused_until:%Y-%m-%d %H:%M} UTC: see `paperwatch outbox list`")
    typer.echo(f"sent {s.sent}, to be tried again {s.retried}, failed {s.failed}, withheld {s.suppressed}")


def _as_object(run: Run) -> dict[str, Any]:
    m, q, s = run.matched, run.queued, run.sent
    return {
        "run": run.id, "at": run.at.isoformat(), **as_report(run.receipts),
        "matched": {"batches": m.batches, "papers": m.papers, "profiles": m.profiles, "chosen": m.chosen},
        "queued": {"digests": q.queued, "empty": q.empty},
        "delivered": {"sent": s.sent, "retried": s.retried, "failed": s.failed, "suppressed": s.suppressed},
    }  # fmt: skip


def schedule(*, child: bool) -> None:
    """Tick until SIGTERM or SIGINT; a run that has begun is finished first."""
    from jobs.apart import Apart
    from jobs.schedule import Clock, scheduler

    settings = load()
    logs.configure(settings.log_level)
    make_way()
    service = build.service(settings)
    clock = Clock(settings.tick_seconds, build.now, build.run_id, build.process_name())
    alone = Apart(build.helper)
    if service.database.is_sqlite:
        ticking, post = scheduler(service, clock, alone)
    else:
        from jobs.workers import Workers

        ticking, post = scheduler(service, clock, Workers(clock.holder, alone))

    def stop(_signal: int, _frame: FrameType | None) -> None:
        # Ctrl-C comes from the terminal, and again from the command that watches over this one.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    if child:
        children.end_with_parent()
    try:
        ticking.start()
    except KeyboardInterrupt:
        if ticking.running:
            ticking.shutdown(wait=True)
    post.resign()


def make_way() -> None:
    """Let the web process of this machine go first: a match may wait a moment, a reader should not."""
    os.nice(_NICENESS)


def web(*, child: bool) -> None:
    """Serve pages and feeds until stopped."""
    import uvicorn

    from app.web.server import create_app

    settings = load()
    logs.configure(settings.log_level)
    if child:
        children.end_with_parent()
    app = create_app(build.service(settings), settings, build.now)
    # One worker, whatever WEB_CONCURRENCY says: more are further processes of `paperwatch web`.
    config = uvicorn.Config(
        app, workers=1, log_level="warning", access_log=False, server_header=False, proxy_headers=True,
        forwarded_allow_ips=settings.trusted_proxies,
    )  # fmt: skip
    listening = _listening(settings.host, settings.port)
    log.info("pages and feeds are served", host=settings.host, port=settings.port, readers=settings.base_url)
    with suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listening])


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as exc:
        raise CommandError(
            f"nothing can be served at {host}, port {port}: {os.strerror(exc.errno) if exc.errno else exc}; "
            "is Paperwatch running already? PAPERWATCH_HOST and PAPERWATCH_PORT choose another place"
        ) from exc
