"""``paperwatch run``: web and scheduler, and a small process that watches over the two."""

from __future__ import annotations

import multiprocessing
import time

import typer

from app import logs
from app.commands import children
from app.failures import explained
from app.settings import Settings, load

# What a run is at when it is to stop is finished; a long step goes on at the next start.
_STOP_SECONDS = 60


def run_all(*, samples: bool) -> int:
    """Web and scheduler, each a process of its own; where one ends the other is ended too. Exit status."""
    settings = load()
    logs.configure(settings.log_level)
    if samples:
        # In a process that ends with it: it loads database and ranking, and this one stays up for months.
        loading = multiprocessing.get_context("spawn").Process(target=_load_samples)
        loading.start()
        loading.join()
        if loading.exitcode:
            return 1
    stop = children.Stop()
    begun = {name: children.begin(name) for name in ("web", "schedule")}
    typer.echo(_welcome(settings, samples))
    while not stop.asked and all(child.poll() is None for child in begun.values()):
        time.sleep(0.2)
    ended = next((name for name, child in begun.items() if child.poll() is not None), "")
    for name in children.end(begun, _STOP_SECONDS):
        typer.echo(f"paperwatch: {name} was ended in the middle; the next start goes on there", err=True)
    if ended and not stop.asked:
        typer.echo(f"paperwatch: {ended} ended with status {begun[ended].returncode}; see above", err=True)
        return 1
    return 0


def _load_samples() -> None:
    from app import build, demo

    with explained():
        settings = load()
        logs.configure(settings.log_level)
        service = build.service(settings)
        demo.load(service, build.now(), build.run_id())
        service.database.dispose()


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
