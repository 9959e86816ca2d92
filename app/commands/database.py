"""``paperwatch db upgrade | check | copy``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Look after the database.", no_args_is_help=True)


@app.command()
def upgrade() -> None:
    """Bring the database's schema up to date; every other command does it too when it starts."""
    from app.settings import load
    from db import migrate
    from db.session import Database

    database = Database(load().database)
    before = migrate.current(database)
    migrate.upgrade(database)
    after = migrate.current(database)
    typer.echo(
        f"the schema is at revision {after}" + ("" if before == after else f", before: {before or 'none'}")
    )


@app.command()
def check() -> None:
    """Tell whether the database is whole and up to date; status 1 if it is not. Nothing is changed."""
    from app.settings import load
    from db import migrate
    from db.session import Database

    faults = migrate.faults(Database(load().database))
    for fault in faults:
        typer.echo(fault)
    if faults:
        raise typer.Exit(1)
    typer.echo("the database is whole and up to date")


@app.command()
def copy(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE_URL", help="sqlite:///… or postgresql+psycopg://…")
    ],
    target: Annotated[str, typer.Argument(metavar="TARGET_URL", help="An empty database of either kind.")],
) -> None:
    """Copy all rows of a database into an empty one, such as an embedded SQLite into PostgreSQL."""
    from app.failures import CommandError
    from db import copying, migrate
    from db.session import Database, address_fault

    for url in (source, target):
        if fault := address_fault(url):
            raise CommandError(fault, status=2)
    _must_exist(source)
    old, new = Database(source), Database(target)
    migrate.upgrade(new)
    done = copying.copy(
        old, new, told=lambda table, rows: typer.echo(f"\r{table}: {rows}", nl=False, err=True)
    )
    typer.echo("", err=True)
    for table, rows in done.items():
        typer.echo(f"{table}: {rows}")
    typer.echo(
        f"{sum(done.values())} rows copied; the secret that signs links is in the data folder, not in here"
    )


def _must_exist(url: str) -> None:
    """A misspelt path must not become an empty database that is copied with success."""
    from app.failures import CommandError

    path = url.removeprefix("sqlite:///")
    if path != url and not Path(path).is_file():
        raise CommandError(f"{path}: there is no such file", status=2)
