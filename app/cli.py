"""``paperwatch …``: one function per command, heavy imports inside the functions for a quick --help."""

from __future__ import annotations

from typing import Annotated

import typer

from app.commands import profiles

app = typer.Typer(
    name="paperwatch",
    help="Reads new scientific papers for you, and tells you which few matter and why.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(profiles.app, name="profile")

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object for machines.")]


def main() -> None:
    """Run the command; errors that a person can mend end as one line and status 1."""
    from app.failures import explained

    with explained():
        app()


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"paperwatch {version('paperwatch')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command()
def ingest(
    locations: Annotated[list[str], typer.Argument(metavar="PATH…", help="Files, folders or globs.")],
    json: Json = False,
    archive: Annotated[bool, typer.Option(help="Keep the papers, but tell no reader of them.")] = False,
) -> None:
    """Read paper digests and feeds into the database."""
    from app.commands.ingesting import ingest as run

    raise typer.Exit(run(locations, as_json=json, archive=archive))


@app.command()
def papers(
    format: Annotated[str, typer.Option(help="table, jsonl, bibtex or ris.")] = "table",
    newest: Annotated[int | None, typer.Option(min=1, help="Only the newest so many.")] = None,
) -> None:
    """List the papers on hand, newest first."""
    from app.commands.papers import papers as run

    run(format, newest)


@app.command()
def once(json: Json = False) -> None:
    """Check what is due, match, deliver what is due, and print the receipts."""
    from app.commands.running import once as run

    run(as_json=json)


@app.command()
def schedule() -> None:
    """Do what is due, again and again, until stopped."""
    from app.commands.running import schedule as run

    run()


@app.command()
def web() -> None:
    """Serve pages and feeds."""
    from app.commands.running import web as run

    run()


@app.command()
def run(
    samples: Annotated[bool, typer.Option(help="Begin with the sample digests and a demo profile.")] = False,
) -> None:
    """Run the whole service: web and scheduler, each in a process of its own."""
    from app.commands.running import run_all

    raise typer.Exit(run_all(samples=samples))


if __name__ == "__main__":
    main()
