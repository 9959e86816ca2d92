"""``paperwatch profile key …``: keys to the API for the reader of a profile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from jobs.service import Service
    from profiles.profile import Profile

app = typer.Typer(help="Keys to the API, for the reader of a profile.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="PROFILE", help="Number, name, or address/name.")]


@app.command()
def make(profile: Name, name: Annotated[str, typer.Option(help="What the key is for.")] = "a script") -> None:
    """Make a key and print it; it is shown this once."""
    from app import build
    from app.failures import CommandError
    from jobs import keys
    from profiles.request import RequestError

    service, found = _found(profile)
    try:
        key, _ = keys.make(service, found.subscriber_id, name, build.now())
    except RequestError as exc:
        raise CommandError(str(exc), status=2) from exc
    typer.echo(key)


@app.command("list")
def list_(profile: Name) -> None:
    """List the keys that hold."""
    from db import key_store

    service, found = _found(profile)
    with service.database.reading() as session:
        held = key_store.keys_of(session, found.subscriber_id)
    for key in held:
        used = f"last used {key.used_at:%Y-%m-%d}" if key.used_at else "never used"
        typer.echo(f"{key.id:>4}  {key.name}  (made {key.made_at:%Y-%m-%d}, {used})")
    if not held:
        typer.echo("no keys; `paperwatch profile key make` makes one")


@app.command()
def revoke(profile: Name, number: Annotated[int, typer.Argument(help="As list shows it.")]) -> None:
    """End a key."""
    from app import build
    from app.failures import CommandError
    from db import key_store

    service, found = _found(profile)
    with service.database.writing() as session:
        if not key_store.revoke(session, found.subscriber_id, number, build.now()):
            raise CommandError(f"the reader of {found.name!r} has no key {number} that holds")
    typer.echo(f"revoked key {number}")


def _found(profile: str) -> tuple[Service, Profile]:
    from app import build
    from db import subscriber_store

    service = build.service()
    with service.database.reading() as session:
        return service, subscriber_store.profile_named(session, profile)
