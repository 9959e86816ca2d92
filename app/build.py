"""From settings to a running service: the one place where the parts are put together."""

from __future__ import annotations

import os
import random
import socket
import time
import uuid
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import parseaddr
from typing import TYPE_CHECKING

import stamina

from app import logs
from app.settings import Settings, SettingsError, load, secret
from app.version import VERSION
from db import migrate, source_store
from db.session import Database
from jobs.alerts.links import Links
from jobs.alerts.mail import Sender
from jobs.alerts.outbox_folder import OutboxFolder
from jobs.alerts.smtp import Pool, SmtpSettings
from jobs.pacing import SharedPace
from jobs.service import Keep, Mailer, OrcidApi, Service
from jobs.sources.fetch import Fetcher, Limits, user_agent

if TYPE_CHECKING:
    from jobs.alerts.signing import Signer

# A reader waits at their form meanwhile, so there is one try. A list of 4,000 works has about 10 MB.
_ORCID_LIMITS = Limits(
    connect_seconds=3, read_seconds=7, total_seconds=7, body_bytes=16 * 1024 * 1024, redirects=0, attempts=1
)


def service(settings: Settings | None = None) -> Service:
    """The service that these settings describe, its database migrated and its watched folders known."""
    settings = settings or load()
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    database = Database(settings.database)
    migrate.upgrade(database)
    with database.writing() as session:
        for folder in settings.watched:
            source_store.add(
                session, name=folder.name, kind="folder", location=str(folder.absolute()),
                every_minutes=settings.watch_minutes, now=now(),
            )  # fmt: skip
    return assembled(settings, database)


def helper() -> Service:
    """The service in a process that helps another one, which has migrated the database; logs as that does."""
    settings = load()
    logs.configure(settings.log_level)
    return assembled(settings, Database(settings.database))


def assembled(settings: Settings, database: Database) -> Service:
    """The parts that these settings describe, around a database that is up to date."""
    links = Links(settings.base_url, secret(settings))
    fetcher = _fetcher(settings, database)
    return Service(
        database, links, _sender(settings), _mailer(settings), fetcher=fetcher,
        orcid=_orcid(settings, fetcher),
        jitter=random.Random().random,  # noqa: S311  # spreads requests, guards nothing
        match_processes=settings.match_processes,
        bounces=settings.bounces, journal=settings.data / "taken", sign=_sign(settings),
        keep=Keep(timedelta(days=settings.keep_days), timedelta(days=settings.keep_log_days)),
    )  # fmt: skip


def _fetcher(settings: Settings, database: Database) -> Fetcher:
    # What failed is in the receipts; stamina would write every try of it to standard output.
    stamina.instrumentation.set_on_retry_hooks([])
    return Fetcher(
        agent=user_agent(settings.contact, VERSION), now=now, pace=SharedPace(database, now, time.sleep),
        allow_private=settings.allow_private_addresses,
    )  # fmt: skip


def _orcid(settings: Settings, fetcher: Fetcher) -> OrcidApi:
    if settings.orcid == "off":
        return OrcidApi()
    return OrcidApi(settings.orcid, replace(fetcher, accept="application/json", limits=_ORCID_LIMITS))


def _sender(settings: Settings) -> Sender:
    name, address = parseaddr(settings.mail_from)
    return Sender(name or "Paperwatch", address, settings.unsubscribe_to)


def _sign(settings: Settings) -> Callable[[bytes], bytes]:
    made = signer(settings)
    return made.sign if made else bytes


def signer(settings: Settings) -> Signer | None:
    """What signs mail (DKIM); None where no key is set. Raises `SettingsError` for one that cannot sign."""
    if not settings.dkim_key and not settings.dkim_selector:
        return None
    # Loading it takes a DNS library, which nothing else needs.
    from jobs.alerts.signing import Signer, SigningError  # noqa: PLC0415

    if not settings.dkim_selector:
        raise SettingsError(
            "PAPERWATCH_DKIM_SELECTOR is not set; PAPERWATCH_DKIM_KEY needs a name in the DNS"
        )
    domain = settings.dkim_domain or parseaddr(settings.mail_from)[1].rpartition("@")[2]
    try:
        return Signer(domain, settings.dkim_selector, settings.dkim_key)
    except SigningError as exc:
        raise SettingsError(f"PAPERWATCH_DKIM_KEY: {exc}") from exc


def _mailer(settings: Settings) -> Callable[[], AbstractAsyncContextManager[Mailer]]:
    if not settings.smtp_host:
        return lambda: OutboxFolder(settings.outbox_folder)
    relay = SmtpSettings(
        host=settings.smtp_host, port=settings.smtp_port, tls=settings.smtp_tls, user=settings.smtp_user,
        password=settings.smtp_password, connections=settings.smtp_connections,
        per_second=settings.smtp_per_second, per_domain_per_second=settings.smtp_per_domain_per_second,
        timeout=settings.smtp_timeout, ca_file=settings.smtp_ca_file,
        handovers=settings.smtp_handovers,
    )  # fmt: skip
    return lambda: Pool(relay)


def now() -> datetime:
    """The present moment; everything below `app` is handed it."""
    return datetime.now(UTC)


def run_id() -> str:
    """A name for one run, that receipts and log lines carry."""
    return uuid.uuid4().hex[:12]


def process_name() -> str:
    """A name for this process that no other one has, on any machine: host, number, and a random part."""
    return f"{socket.gethostname()[:100]}/{os.getpid()}/{uuid.uuid4().hex[:6]}"
