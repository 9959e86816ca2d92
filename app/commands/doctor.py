"""``paperwatch doctor``."""

from __future__ import annotations

import json
from dataclasses import asdict

import typer

from app import build, checkup
from app.settings import Settings, SettingsError, load
from db import migrate, stats_store
from db.session import Database
from jobs import overview
from jobs.diagnosis import Finding


def doctor(*, as_json: bool, quick: bool) -> int:
    """Print what is wrong and what to do about it; 1 if there is anything, else 0."""
    settings = load()
    found = [*checkup.of_settings(settings), *_of_signing(settings), *checkup.of_folder(settings)]
    found += [*checkup.of_relay(settings), *_of_database(settings, quick)]
    if as_json:
        report = {"ok": not found, "findings": [asdict(each) for each in found]}
        typer.echo(json.dumps(report, ensure_ascii=False, indent=2))
    else:
        for each in found:
            typer.echo(f"{each.what}: {each.why}\n  to do: {each.to_do}")
        if not found:
            typer.echo("all is well")
    return int(bool(found))


def _of_signing(settings: Settings) -> list[Finding]:
    try:
        build.signer(settings)
    except SettingsError as exc:
        return [Finding("DKIM", str(exc), "correct the setting; `paperwatch outbox dkim` shows the record")]
    return []


def _of_database(settings: Settings, quick: bool) -> list[Finding]:
    """What the database says. It is looked at as it is: a doctor migrates nothing."""
    database = Database(settings.database)
    try:
        revision, newest = migrate.current(database), migrate.newest()
    except Exception as exc:  # whatever the driver raises: the cure is the same
        why = f"it does not answer: {str(exc).splitlines()[0]}"
        return [Finding("database", why, "start it, or correct PAPERWATCH_DATABASE_URL")]
    if revision is None:
        return [Finding("database", "it is empty", "start `paperwatch run`, or add a source")]
    if revision != newest:
        why = f"its schema is at revision {revision}, this version wants {newest}"
        return [
            Finding(
                "database", why, "back it up, then start this version; a newer schema wants a newer version"
            )
        ]
    broken = [] if quick else migrate.faults(database)
    cure = "restore a backup: `paperwatch restore`"
    found = [Finding("database", each, cure) for each in broken]
    now = build.now()
    with database.reading() as session:
        found += checkup.of_clock(now, stats_store.ahead(session, now), stats_store.server_clock(session))
    stands = overview.standing(database, now)
    found += overview.trouble(database, stands).findings
    if any(source.kind == "arxiv" for source in stands.sources) and not settings.contact:
        why = "servers that are asked for feeds cannot write to you before they block you"
        found.append(Finding("PAPERWATCH_CONTACT", why, "set it to your mail address"))
    return found
