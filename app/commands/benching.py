"""``paperwatch bench …``: figures beside references, measured in the same run (in a checkout)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from types import ModuleType

app = typer.Typer(help="Measure this machine, each figure beside a reference.", no_args_is_help=True)

Count = Annotated[int, typer.Option(min=1)]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")]


@app.command()
def match(profiles: Count = 10_000, papers: Count = 1_500, json: Json = False) -> None:
    """Profiles matched a second against a batch of papers, the whole way."""
    _print(_module("match").measure(profiles, papers), json)


@app.command()
def ingest(records: Count = 20_000, json: Json = False) -> None:
    """Papers ingested a second from a snapshot into SQLite."""
    _print(_module("ingest").measure(records), json)


@app.command()
def learn(likes: Count = 50, json: Json = False) -> None:
    """Milliseconds to learn a reader's weights anew."""
    _print(_module("learn").measure(likes), json)


@app.command()
def mail(
    digests: Count = 2_000,
    connections: Count = 4,
    json: Json = False,
    outbox: Annotated[
        bool, typer.Option("--outbox", help="The whole way out: database, reasons and records too.")
    ] = False,
) -> None:
    """Personalised digests a second through SMTP: rendered and sent, or the whole way out of the outbox."""
    _print(_module("outbox" if outbox else "mail").measure(digests, connections), json)


@app.command()
def feed(seconds: float = 9.0, json: Json = False) -> None:
    """Feed responses a second over HTTP."""
    _print(_module("feed").measure(seconds), json)


def _module(name: str) -> ModuleType:
    from importlib import import_module

    from app.failures import CommandError

    try:
        return import_module(f"benchmarks.{name}")
    except ModuleNotFoundError as exc:
        if exc.name is None or not exc.name.startswith("benchmarks"):
            raise
        raise CommandError("the benchmarks are in the checkout only; run this from a clone") from exc


def _print(found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(found))
        return
    params = ", ".join(f"{value} {name}" for name, value in found["params"].items())
    typer.echo(f"{found['name']} ({params}): {found['value']:,} {found['unit']}")
    typer.echo(f"  beside {found['reference']:,}: {found['reference_what']}")
    typer.echo(f"  ratio {found['ratio']}, at most {found['peak_mb']:,} MB")
