"""``paperwatch profile export | import``."""

from __future__ import annotations

import sys
from pathlib import Path

import typer

from app import build
from app.failures import CommandError
from db import subscriber_store
from jobs import porting
from jobs.sources.parsed import SourceError
from profiles.portable import PortableError, export
from profiles.profile import Profile
from profiles.request import RequestError


def write(name: str, output: Path | None, learned: int) -> None:
    """Write a profile as a text file, to standard output unless a file is given."""
    service = build.service()
    with service.database.reading() as session:
        profile = subscriber_store.profile_named(session, name)
    content = export(porting.portable(service, profile, build.now(), learned=learned))
    if output is None:
        typer.echo(content, nl=False)
        return
    try:
        output.write_text(content, encoding="utf-8")
    except OSError as exc:
        raise CommandError(f"{output}: {exc.strerror}") from exc
    typer.echo(f"wrote {profile.name!r} to {output}", err=True)


def read(file: str, email: str, name: str) -> Profile:
    """Read a text file into a new profile, or into the one named. Each bad line is said on stderr."""
    service = build.service()
    where = "standard input" if file == "-" else file
    now = build.now()
    try:
        content = _content(file, where)
        if not name:
            return porting.create(service, content, where, email, now)
        if email:
            raise CommandError(
                "--email makes a new profile, --profile changes one; give one of the two", status=2
            )
        with service.database.reading() as session:
            profile = subscriber_store.profile_named(session, name)
        return porting.overwrite(service, content, where, profile, now)
    except SourceError as exc:
        raise CommandError(str(exc)) from exc
    except PortableError as exc:
        *first, last = exc.faults
        for fault in first:
            typer.echo(fault, err=True)
        raise CommandError(last) from exc
    except RequestError as exc:
        hint = " Or change it with --profile." if exc.field == "name" and not name else ""
        raise CommandError(f"{exc}{hint}") from exc


def _content(file: str, where: str) -> str:
    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        return data.decode("utf-8")
    except OSError as exc:
        raise CommandError(f"{where}: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        line = exc.object.count(b"\n", 0, exc.start) + 1
        raise CommandError(f"{where}:{line}: this is no UTF-8 text; save the file as UTF-8") from exc
