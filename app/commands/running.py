"""``paperwatch once | schedule | web | run``."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from types import FrameType
from typing import TYPE_CHECKING, Any

import structlog
import typer

from app import build, logs
from app.commands.ingesting import as_report
from app.settings import Settings, load

if TYPE_CHECKING:
    from jobs.pipeline import Run


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


def schedule() -> None:
    """Tick until SIGTERM or SIGINT; a run that has begun is finished first."""
    from jobs.queue import HERE
    from jobs.schedule import Clock, scheduler

    settings = load()
    logs.configure(settings.log_level)
    service = build.service(settings)
    clock = Clock(settings.tick_seconds, build.now, build.run_id, build.process_name())
    if service.database.is_sqlite:
        ticking, post = scheduler(service, clock, HERE)
    else:
        from jobs.workers import Workers

        ticking, post = scheduler(service, clock, Workers(clock.holder))

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    try:
        ticking.start()
    except KeyboardInterrupt:
        if ticking.running:
            ticking.shutdown(wait=True)
    post.resign()


def web() -> None:
    """Serve pages and feeds until stopped."""
    import uvicorn

    from app.web.server import create_app

    settings = load()
    logs.configure(settings.log_level)
    app = create_app(build.service(settings), settings, build.now)
    uvicorn.run(
        app, host=settings.host, port=settings.port, log_level="warning", access_log=False,
        server_header=False, proxy_headers=True, forwarded_allow_ips=settings.trusted_proxies,
    )  # fmt: skip


def run_all(*, samples: bool) -> int:
    """Web and scheduler, each a process of its own; where one ends the other is ended too. Exit status."""
    settings = load()
    logs.configure(settings.log_level)
    service = build.service(settings)
    if samples:
        from app import demo

        demo.load(service, build.now(), build.run_id())
    service.database.dispose()
    command = [sys.executable, "-m", "app.cli"]
    children = {name: subprocess.Popen([*command, name]) for name in ("web", "schedule")}
    stopping = False

    def stop(_signal: int, _frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    typer.echo(_welcome(settings, samples))
    while not stopping and all(child.poll() is None for child in children.values()):
        time.sleep(0.2)
    ended = next((name for name, child in children.items() if child.poll() is not None), "")
    for child in children.values():
        if child.poll() is None:
            child.terminate()
    for child in children.values():
        child.wait(timeout=60)
    if ended and not stopping:
        typer.echo(f"paperwatch: {ended} ended with status {children[ended].returncode}; see above", err=True)
        return 1
    return 0


def _welcome(settings: Settings, samples: bool) -> str:
    lines = [f"Paperwatch is at {settings.base_url}"]
    if settings.outbox_is_shown:
        lines.append(f"  mail goes to a local outbox: {settings.base_url}/outbox")
    if samples:
        lines.append(
            "  the samples are loaded, with a demo profile: its page, feed and mail are linked from there"
        )
    lines.append(f"  the operator's page: {settings.base_url}/operator (key: `paperwatch operator`)")
    return "\n".join([*lines, "  stop it with Ctrl-C"])
