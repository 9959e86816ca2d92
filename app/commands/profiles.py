"""``paperwatch profile …``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.commands import keys

if TYPE_CHECKING:
    from db.session import Session
    from profiles.profile import Profile

app = typer.Typer(
    help="Interest profiles: create, show, list, delete, export, import, key.", no_args_is_help=True
)
app.add_typer(keys.app, name="key")

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Name = Annotated[str, typer.Argument(metavar="PROFILE", help="Number, name, or address/name.")]


@app.command()
def create(
    email: Annotated[str, typer.Option(help="Where the digests go; leave out for feed only.")] = "",
    name: Annotated[str, typer.Option(help="What the profile is called.")] = "My papers",
    statement: Annotated[str, typer.Option(help="What you work on, in a sentence.")] = "",
    term: Annotated[list[str], typer.Option(help="A term; 'TERM=2' weighs more, 'TERM=-1' less.")] = [],  # noqa: B006
    author: Annotated[list[str], typer.Option(help="An author to follow.")] = [],  # noqa: B006
    category: Annotated[list[str], typer.Option(help="A category, such as cs.DC.")] = [],  # noqa: B006
    like: Annotated[list[str], typer.Option(help="A paper you like: arXiv id, link or DOI.")] = [],  # noqa: B006
    mute: Annotated[
        list[str], typer.Option(help="Never show: a term, 'author:NAME' or 'category:CODE'.")
    ] = [],  # noqa: B006
    per_day: Annotated[int, typer.Option(min=1, max=100, help="About so many papers a day.")] = 5,
    every: Annotated[str, typer.Option(help="announced, daily, weekly or feed.")] = "daily",
    hour: Annotated[int, typer.Option(min=0, max=23, help="Hour of the day for the mail.")] = 7,
    zone: Annotated[str, typer.Option(help="Time zone, such as Europe/Zurich.")] = "UTC",
    explore: Annotated[
        bool, typer.Option(help="Let the last of three or more papers be one from just outside the range.")
    ] = True,
    json: Json = False,
) -> None:
    """Create a profile. The operator vouches for the address: it needs no confirmation."""
    from app import build
    from app.failures import CommandError
    from jobs import subscribe
    from profiles.request import RequestError, request

    service = build.service()
    try:
        wanted = request(
            email=email, name=name, statement=statement, terms=term, authors=author, categories=category,
            likes=like, mutes=mute, per_day=per_day, every=every, hour=hour, zone=zone,
            explore=explore,
        )  # fmt: skip
        profile = subscribe.create(service, wanted, build.now(), confirmed="by the operator")
    except RequestError as exc:
        raise CommandError(str(exc), status=2) from exc
    with service.database.reading() as session:
        _print(session, profile, service.links.feed(profile.feed_token), json)


@app.command()
def show(profile: Name, json: Json = False) -> None:
    """Show one profile."""
    from app import build
    from db import subscriber_store

    service = build.service()
    with service.database.reading() as session:
        found = subscriber_store.profile_named(session, profile)
        _print(session, found, service.links.feed(found.feed_token), json)


@app.command("list")
def list_(json: Json = False) -> None:
    """List all profiles."""
    import json as encoder

    from app import build
    from db import subscriber_store

    service = build.service()
    with service.database.reading() as session:
        objects = [
            as_object(session, p, service.links.feed(p.feed_token))
            for p in subscriber_store.profiles(session)
        ]
    if json:
        typer.echo(encoder.dumps(objects, ensure_ascii=False, indent=2))
        return
    for o in objects:
        typer.echo(f"{o['id']:>4}  {o['name']}  {o['email'] or 'feed only'}  ({o['state']})")
    if not objects:
        typer.echo("no profiles yet; subscribe in the browser, or with `paperwatch profile create`")


@app.command()
def delete(profile: Name) -> None:
    """Delete a profile with all that was learned for it."""
    from app import build
    from db import subscriber_store

    service = build.service()
    with service.database.writing() as session:
        found = subscriber_store.profile_named(session, profile)
        subscriber_store.delete_profile(session, found.id)
    typer.echo(f"deleted {found.name!r} ({found.id})")


@app.command("export")
def export_(
    profile: Name,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="The file to write; left out: standard output.")
    ] = None,
    learned: Annotated[int, typer.Option(min=0, help="So many of the strongest learned terms.")] = 40,
) -> None:
    """Write a profile as a text file that a person can read, edit and import again."""
    from app.commands import porting

    porting.write(profile, output, learned)


@app.command("import")
def import_(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE", help="What export wrote, or BibTeX, RIS, CSL-JSON, Zotero RDF; - is stdin."
        ),
    ],
    email: Annotated[str, typer.Option(help="Where the digests go; leave out for feed only.")] = "",
    profile: Annotated[str, typer.Option(help="Change this profile instead of making a new one.")] = "",
) -> None:
    """Read a profile from a text file or a reference library. The operator vouches for the address."""
    from app.commands import porting

    found = porting.read(file, email, profile)
    typer.echo(f"imported {found.name!r} as profile {found.id}")


def as_object(session: Session, profile: Profile, feed: str) -> dict[str, Any]:
    """A profile for machines."""
    from dataclasses import asdict

    from db import subscriber_store
    from profiles.feedback import current

    person = subscriber_store.subscriber(session, profile.subscriber_id)
    opinions = current(subscriber_store.feedback(session, [profile.id]).get(profile.id, []))
    interests = asdict(profile.interests)
    until = profile.delivery.paused_until
    return {
        "id": profile.id, "name": profile.name, "email": person.email if person else "",
        "state": person.state if person else "", **interests, "per_day": profile.per_day,
        "delivery": asdict(profile.delivery) | {"paused_until": until.isoformat() if until else None},
        "feedback": {key: event.opinion for key, event in sorted(opinions.items())}, "feed": feed,
    }  # fmt: skip


def _print(session: Session, profile: Profile, feed: str, as_json: bool) -> None:
    import json as encoder

    found = as_object(session, profile, feed)
    if as_json:
        typer.echo(encoder.dumps(found, ensure_ascii=False, indent=2))
        return
    typer.echo(f"{found['name']} (profile {found['id']}), {found['email'] or 'feed only'}, {found['state']}")
    for label in ("statement", "terms", "authors", "categories", "seeds", "mutes", "feedback"):
        value = found[label]
        if label == "terms":
            value = ", ".join(f"{t} ({w:+g})" if w != 1 else t for t, w in value)
        elif label == "mutes":
            value = ", ".join(word for words in value.values() for word in words)
        elif not isinstance(value, str):
            value = (
                ", ".join(f"{k}: {v}" for k, v in value.items())
                if isinstance(value, dict)
                else ", ".join(value)
            )
        if value:
            typer.echo(f"  {label}: {value}")
    surprises = "" if profile.delivery.explore else ", nothing from outside its range"
    typer.echo(f"  about {found['per_day']} a day, {found['delivery']['frequency']}{surprises}")
    typer.echo(f"  feed: {feed}")
