"""What may be wrong with the machine and the settings, each finding with its cure; nothing is changed."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from app.settings import Settings, is_loopback
from jobs.diagnosis import Finding

# Enough for a month of papers, and for SQLite to write its journal.
_LEAST_FREE = 1_000_000_000
_CONNECT_SECONDS = 5.0
# An address book and a year of digests were written before this; a clock that says so lost its battery.
_BEGINNING = 2025
_APART = timedelta(seconds=5)


def of_settings(settings: Settings) -> Iterator[Finding]:
    """Settings that are right each by itself and do not work together."""
    yield from _of_address(settings)
    yield from _of_mail(settings)
    if settings.secret and (len(settings.secret) < 32 or len(set(settings.secret)) < 10):
        why = "it can be guessed, and with it every private link"
        yield Finding("PAPERWATCH_SECRET", why, "set 32 random characters, or unset it and one is made")
    if settings.metrics == "open" and not settings.at_home:
        why = "/metrics is open to everybody who reaches the service"
        yield Finding("PAPERWATCH_METRICS", why, "set it to key, and give Prometheus the operator's key")
    for folder in settings.watched:
        if not folder.is_dir():
            yield Finding("PAPERWATCH_WATCH", f"{folder} is no folder", "create it, or correct the setting")
    if settings.bounces is not None and not settings.bounces.is_dir():
        why = f"{settings.bounces} is no folder, so bounces are not read"
        yield Finding("PAPERWATCH_BOUNCES", why, "create it, or correct the setting")


def _of_address(settings: Settings) -> Iterator[Finding]:
    base = urlsplit(settings.base_url)
    at_home = is_loopback(base.hostname or "")
    if not is_loopback(settings.host) and at_home:
        why = f"links in mail and feeds lead to {settings.base_url}, where no reader gets"
        yield Finding("PAPERWATCH_BASE_URL", why, "set it to the address that readers use")
    elif at_home and (base.port or {"http": 80, "https": 443}[base.scheme]) != settings.port:
        why = f"links lead to {settings.base_url}, but the service listens on port {settings.port}"
        yield Finding("PAPERWATCH_BASE_URL", why, "unset it, and it follows PAPERWATCH_PORT")


def _of_mail(settings: Settings) -> Iterator[Finding]:
    if settings.smtp_host and settings.mail_from.rstrip(">").endswith("@localhost"):
        why = f"mail goes out from {settings.mail_from}, which no mail server accepts"
        yield Finding("PAPERWATCH_MAIL_FROM", why, "set it to an address of your own domain")
    if settings.smtp_host and settings.base_url.startswith("http://"):
        why = "one-click unsubscribing needs https (RFC 8058), and large mail services demand it"
        yield Finding("PAPERWATCH_BASE_URL", why, "serve it by https and say so here")
    if settings.dkim_domain and not _stands_for(settings.dkim_domain, settings.mail_from):
        why = f"signatures of {settings.dkim_domain} say nothing about mail from {settings.mail_from} (DMARC)"
        yield Finding("PAPERWATCH_DKIM_DOMAIN", why, "unset it, or set it to the domain of mail_from")
    if settings.smtp_host and settings.smtp_password and settings.smtp_tls == "none":
        why = "the relay's password travels in clear text"
        yield Finding("PAPERWATCH_SMTP_TLS", why, "set it to starttls or tls")


def _stands_for(domain: str, mail_from: str) -> bool:
    """Whether the domain is the one of the From address, or above it (RFC 7489, section 3.1.1)."""
    host = mail_from.rstrip("> ").rpartition("@")[2].lower()
    return f".{host}".endswith(f".{domain.lower()}")


def of_folder(settings: Settings) -> Iterator[Finding]:
    """The folder that holds state: there, writable, private where it must be, with room to grow."""
    folder = settings.data
    if not folder.is_dir():
        return
    if not os.access(folder, os.W_OK | os.X_OK):
        why = f"{folder} cannot be written to by user {os.getuid()}"
        yield Finding("PAPERWATCH_DATA", why, f"give it to this user: `chown -R {os.getuid()} {folder}`")
    for name in ("secret", "operator-key"):
        path = folder / name
        if path.exists() and path.stat().st_mode & 0o077:
            why = f"{path} can be read by other users of this machine"
            yield Finding("PAPERWATCH_DATA", why, f"`chmod 600 {path}`")
    free = shutil.disk_usage(folder).free
    wanted = max(_LEAST_FREE, sum(path.stat().st_size for path in folder.glob("paperwatch.db*")) // 4)
    if free < wanted:
        why = f"{free / 1e9:.1f} GB are left for {folder}, where {wanted / 1e9:.1f} GB should be"
        yield Finding("disk", why, "make room, or move the folder to a larger disk")


def of_relay(settings: Settings) -> Iterator[Finding]:
    """Whether the mail relay takes a connection; nothing is sent."""
    if not settings.smtp_host:
        return
    try:
        socket.create_connection((settings.smtp_host, settings.smtp_port), _CONNECT_SECONDS).close()
    except OSError as exc:
        where = f"{settings.smtp_host}:{settings.smtp_port}"
        cure = "correct PAPERWATCH_SMTP_HOST and _PORT, or let the firewall pass it"
        yield Finding("mail relay", f"{where} takes no connection: {exc.strerror or exc}", cure)


def of_clock(now: datetime, ahead: datetime | None, server: datetime | None) -> Iterator[Finding]:
    """A clock that is wrong: before its time, behind its own records, or apart from the database's."""
    cure = "set it, and keep it by NTP"
    if now.year < _BEGINNING:
        yield Finding("clock", f"it says {now:%Y-%m-%d}", cure)
    elif ahead is not None and ahead - now > timedelta(minutes=5):
        why = f"it says {now:%Y-%m-%d %H:%M} UTC, but something was recorded at {ahead:%Y-%m-%d %H:%M} UTC"
        yield Finding("clock", why, cure)
    if server is not None and abs(server - now) > _APART:
        why = f"it is {abs(server - now).total_seconds():.0f} seconds apart from the database server's"
        yield Finding("clock", why, "keep both by NTP: replicas go by a common time")
