"""``paperwatch doctor``."""

from __future__ import annotations

import ipaddress
import json
from dataclasses import asdict
from urllib.parse import urlsplit

import typer

from app import build
from app.settings import Settings, load
from db import alert_store, migrate, source_store
from db.session import Database
from jobs import diagnosis
from jobs.diagnosis import Finding


def doctor(*, as_json: bool) -> int:
    """Print what is wrong and what to do about it; 1 if there is anything, else 0."""
    settings = load()
    found = _of_settings(settings) + _of_database(settings)
    if as_json:
        report = {"ok": not found, "findings": [asdict(each) for each in found]}
        typer.echo(json.dumps(report, ensure_ascii=False, indent=2))
    else:
        for each in found:
            typer.echo(f"{each.what}: {each.why}\n  to do: {each.to_do}")
        if not found:
            typer.echo("all is well")
    return int(bool(found))


def _of_database(settings: Settings) -> list[Finding]:
    """What the database says. It is looked at as it is: a doctor migrates nothing."""
    database = Database(settings.database)
    revision, newest = migrate.current(database), migrate.newest()
    if revision is None:
        return [Finding("database", "it is empty", "start `paperwatch run`, or add a source")]
    if revision != newest:
        why = f"its schema is at revision {revision}, this version wants {newest}"
        return [
            Finding(
                "database", why, "back it up, then start this version; a newer schema wants a newer version"
            )
        ]
    now = build.now()
    with database.reading() as session:
        found = diagnosis.of_sources(
            source_store.watched(session), source_store.latest_receipts(session), now
        )
        mails = alert_store.outbox(session)
        found += diagnosis.of_outbox(alert_store.outbox_states(session), mails, now)
        asks_arxiv = any(source.kind == "arxiv" for source in source_store.watched(session))
    if asks_arxiv and not settings.contact:
        why = "servers that are asked for feeds cannot write to you before they block you"
        found.append(Finding("PAPERWATCH_CONTACT", why, "set it to your mail address"))
    return found


def _of_settings(settings: Settings) -> list[Finding]:
    """Settings that are right each by itself and do not work together."""
    found = []
    outside = not _is_loopback(settings.host)
    if outside and _is_loopback(urlsplit(settings.base_url).hostname or ""):
        why = f"links in mail and feeds lead to {settings.base_url}, where no reader gets"
        found.append(Finding("PAPERWATCH_BASE_URL", why, "set it to the address that readers use"))
    if settings.smtp_host and settings.mail_from.rstrip(">").endswith("@localhost"):
        why = f"mail goes out from {settings.mail_from}, which no mail server accepts"
        found.append(Finding("PAPERWATCH_MAIL_FROM", why, "set it to an address of your own domain"))
    if settings.smtp_host and settings.base_url.startswith("http://"):
        why = "one-click unsubscribing needs https (RFC 8058), and large mail services demand it"
        found.append(Finding("PAPERWATCH_BASE_URL", why, "serve it by https and say so here"))
    if settings.dkim_domain and not _stands_for(settings.dkim_domain, settings.mail_from):
        why = f"signatures of {settings.dkim_domain} say nothing about mail from {settings.mail_from} (DMARC)"
        found.append(Finding("PAPERWATCH_DKIM_DOMAIN", why, "unset it, or set it to the domain of mail_from"))
    if settings.smtp_host and settings.smtp_password and settings.smtp_tls == "none":
        why = "the relay's password travels in clear text"
        found.append(Finding("PAPERWATCH_SMTP_TLS", why, "set it to starttls or tls"))
    return found + [
        Finding("PAPERWATCH_WATCH", f"{folder} is no folder", "create it, or correct the setting")
        for folder in settings.watched
        if not folder.is_dir()
    ]


def _stands_for(domain: str, mail_from: str) -> bool:
    """Whether the domain is the one of the From address, or above it (RFC 7489, section 3.1.1)."""
    host = mail_from.rstrip("> ").rpartition("@")[2].lower()
    return f".{host}".endswith(f".{domain.lower()}")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
