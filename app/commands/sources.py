"""``paperwatch sources …``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from db.records import Source
    from db.session import Session
    from jobs.adding import NewSource
    from jobs.service import Service

app = typer.Typer(help="Where papers come from: add, list, check, pause, remove.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Name = Annotated[str, typer.Argument(metavar="SOURCE", help="Number, name or address.")]


@app.command()
def add(
    words: Annotated[
        list[str],
        typer.Argument(metavar="WHAT…", help="arxiv CATEGORY…, the address of a feed, or a folder."),
    ],
    name: Annotated[str, typer.Option(help="What the source is called.")] = "",
    every: Annotated[int, typer.Option(min=0, help="Minutes between checks; arXiv has its own hours.")] = 0,
    backfill: Annotated[int, typer.Option(min=0, max=3650, help="Days to fetch from before now.")] = 0,
    json: Json = False,
) -> None:
    """Add a source: `add arxiv cs.DC cs.LG`, `add https://…`, `add FOLDER`. It is due at once."""
    from app import build
    from app.failures import CommandError
    from jobs.adding import UnclearSourceError, described

    service = build.service()
    try:
        new = described(
            words, build.now(), feeds=service.arxiv.feeds, name=name, backfill=backfill, every=every
        )
    except UnclearSourceError as exc:
        raise CommandError(str(exc), status=2) from exc
    _print([_added(service, new)], json)


@app.command("list")
def list_(json: Json = False) -> None:
    """List the sources, how each is doing and when it is asked next."""
    from app import build
    from db import source_store

    service = build.service()
    with service.database.reading() as session:
        _print(source_store.watched(session), json)


@app.command()
def check(source: Name, json: Json = False) -> None:
    """Ask a source now, due or not, and print the receipts."""
    import json as encoder

    from app import build
    from app.commands.ingesting import as_report
    from jobs import receipts
    from jobs.ingest import check_source

    service = build.service()
    found = _named(service, source)
    checked = check_source(service, found, build.now(), build.run_id())
    if json:
        typer.echo(encoder.dumps(as_report(checked), ensure_ascii=False, indent=2))
    else:
        for receipt in checked:
            typer.echo(f"{receipt.location}: {receipts.result(receipt)}", err=bool(receipt.error))
    raise typer.Exit(int(all(r.error for r in checked)))


@app.command()
def pause(source: Name) -> None:
    """Ask a source no more until it is resumed."""
    from db import source_store

    typer.echo(f"paused {_changed(source, source_store.pause)}")


@app.command()
def resume(source: Name) -> None:
    """Ask a paused source again, beginning now."""
    from db import source_store

    typer.echo(f"resumed {_changed(source, source_store.resume)}")


@app.command()
def remove(source: Name) -> None:
    """Remove a source; the papers that it showed stay."""
    from db import source_store

    typer.echo(f"removed {_changed(source, source_store.remove)}")


def _changed(source: str, change: Callable[[Session, Source, datetime], object]) -> str:
    """The name of the source that was changed so."""
    from app import build

    service = build.service()
    found = _named(service, source)
    with service.database.writing() as session:
        change(session, found, build.now())
    return found.name


@app.command("import")
def import_(
    file: Annotated[
        str, typer.Argument(metavar="OPML", help="A file as feed readers export it; - is stdin.")
    ],
    json: Json = False,
) -> None:
    """Add every feed of an OPML subscription list; those that are there already stay as they are."""
    from app import build
    from jobs.adding import described
    from jobs.sources import opml

    feeds = opml.feeds(_bytes(file))
    service = build.service()
    now = build.now()
    new = [described([url], now, feeds=service.arxiv.feeds, name=title) for title, url in feeds]
    _print([_added(service, each) for each in new], json)


def _bytes(file: str) -> bytes:
    import sys
    from pathlib import Path

    from app.failures import CommandError

    if file == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(file).read_bytes()
    except OSError as exc:
        raise CommandError(f"{file} could not be read: {exc.strerror or exc}") from exc


def _added(service: Service, new: NewSource) -> Source:
    from app import build
    from db import source_store

    with service.database.writing() as session:
        return source_store.add(
            session, name=new.name, kind=new.kind, location=new.location, every_minutes=new.every_minutes,
            now=build.now(), cursor=new.cursor,
        )  # fmt: skip


def _named(service: Service, text: str) -> Source:
    from app.failures import CommandError
    from db import source_store

    try:
        with service.database.reading() as session:
            return source_store.named(session, text)
    except source_store.UnknownSourceError as exc:
        raise CommandError(str(exc)) from exc


def as_object(source: Source) -> dict[str, Any]:
    """A source for machines."""
    times = ("next_check_at", "last_batch", "last_success_at", "paused_at")
    moments = {name: value.isoformat() if (value := getattr(source, name)) else None for name in times}
    return {
        "id": source.id, "name": source.name, "kind": source.kind, "location": source.location,
        "paused": source.paused, "failures": source.failures, "last_error": source.last_error, **moments,
    }  # fmt: skip


def _print(sources: list[Source], as_json: bool) -> None:
    import json as encoder

    from rich.table import Table

    from app.commands.console import plain

    if as_json:
        typer.echo(encoder.dumps([as_object(s) for s in sources], ensure_ascii=False, indent=2))
        return
    if not sources:
        typer.echo(
            "no sources yet; add one with `paperwatch sources add arxiv cs.DC`, an address or a folder"
        )
        return
    table = Table("", "source", "kind", "last batch", "next check (UTC)", "state", box=None, pad_edge=False)
    for s in sources:
        next_check = f"{s.next_check_at:%Y-%m-%d %H:%M}" if s.next_check_at and not s.paused else ""
        table.add_row(str(s.id), s.name, s.kind, str(s.last_batch or ""), next_check, _state(s))
    plain().print(table)


def _state(source: Source) -> str:
    if source.paused:
        return "paused"
    if source.failures:
        return f"failed {source.failures}×: {source.last_error}"
    return "well" if source.last_success_at else "not checked yet"
