"""Every setting, read once from the environment into one frozen object that fails loudly."""

from __future__ import annotations

import ipaddress
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from db.session import address_fault

PREFIX = "PAPERWATCH_"


class SettingsError(Exception):
    """A setting that cannot be used; the message names it and says what it should be."""


class Settings(BaseSettings):
    """What an operator can set, each as ``PAPERWATCH_NAME``, secrets also as ``PAPERWATCH_NAME_FILE``."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", env_ignore_empty=True)

    data: Path = Field(Path("var"), description="The one folder that holds state")
    database_url: str = Field("", description="SQLite in the data folder, or postgresql+psycopg://…")
    host: str = Field("127.0.0.1", description="Address that the web process listens on")
    port: int = Field(8000, ge=1, le=65535, description="Port that the web process listens on")
    base_url: str = Field(
        "", validate_default=True, description="Where readers reach the service; unset: http://HOST:PORT"
    )
    secret: str = Field("", description="Signs links; made once and kept in the data folder if unset")
    watch: str = Field("", description="Folders whose digests are ingested, separated by ':'")
    watch_minutes: int = Field(1, ge=0, description="Minutes between looks at watched folders; 0: every tick")
    contact: str = Field("", description="Your address, told to the servers that are asked for feeds")
    allow_private_addresses: bool = Field(False, description="Whether feeds may be on private addresses")
    tick_seconds: int = Field(60, ge=1, le=3600, description="How often the scheduler looks for due work")
    mail_from: str = Field("Paperwatch <paperwatch@localhost>", description="From line of every mail")
    unsubscribe_to: str = Field("", description="Mailbox for List-Unsubscribe by mail; mail_from's if unset")
    smtp_host: str = Field("", description="Mail relay; unset: mail goes to the local outbox")
    smtp_port: int = Field(587, ge=1, le=65535, description="Port of the relay")
    smtp_tls: Literal["starttls", "tls", "none"] = Field("starttls", description="starttls, tls or none")
    smtp_user: str = Field("", description="Login at the relay, if it wants one")
    smtp_password: str = Field("", description="Password at the relay")
    smtp_connections: int = Field(4, ge=1, le=64, description="Connections kept to the relay")
    smtp_handovers: int = Field(
        0, ge=0, le=64,
        description="Mails that may await the relay's last answer at once, which a crash may repeat; "
        "0: one for every four connections",
    )  # fmt: skip
    smtp_per_second: float = Field(0, ge=0, description="Most mails a second, 0 for no limit")
    smtp_per_domain_per_second: float = Field(
        0, ge=0, description="Most mails a second to one domain, such as gmail.com; 0 for no limit"
    )
    smtp_timeout: float = Field(60, gt=0, le=600, description="Seconds that the relay may take for an answer")
    smtp_ca_file: str = Field("", description="PEM file of further authorities that the relay's TLS may have")
    match_processes: int = Field(
        0, ge=0, le=256, description="Processes that match many profiles at once; 0: one for each processor"
    )
    dkim_key: str = Field("", description="RSA private key in PEM that signs every mail (DKIM)")
    dkim_selector: str = Field("", description="Name of that key in the DNS: SELECTOR._domainkey.DOMAIN")
    dkim_domain: str = Field("", description="Domain that signs; the one of mail_from if unset")
    bounces: Path | None = Field(None, description="Maildir or folder of .eml files where bounces arrive")
    bounce_key: str = Field(
        "", description="Lets who has it POST delivery reports to /bounces; unset: nobody"
    )
    show_outbox: bool | None = Field(None, description="Show /outbox; unset: only on a loopback address")
    operator_key: str = Field(
        "", description="Opens /operator and /metrics; made once and kept in the data folder if unset"
    )
    metrics: Literal["", "open", "key", "off"] = Field(
        "", description="Who may read /metrics: open, key or off; unset: open at home, else with the key"
    )
    api_per_minute: int = Field(120, ge=0, description="Most API requests a minute with one key; 0: no limit")
    mail_requests_per_hour: int = Field(
        30, ge=0, description="Most mails an hour that one address may ask for in forms; 0: no limit"
    )
    previews_per_minute: int = Field(
        120, ge=0, description="Most previews a minute for one address; 0: no limit"
    )
    trusted_proxies: str = Field(
        "127.0.0.1", description="Proxies that are believed who asks (X-Forwarded-For), separated by ','"
    )
    orcid: str = Field(
        "https://pub.orcid.org/v3.0",
        description="Where ORCID's public API is asked for a reader's works when they give an iD; off: never",
    )
    keep_days: int = Field(366, ge=35, description="Days that matches and sent digests are kept")
    keep_log_days: int = Field(30, ge=2, description="Days that receipts of checks and runs are kept")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="How much is logged")

    @field_validator("base_url")
    @classmethod
    def _is_http(cls, value: str, others: ValidationInfo) -> str:
        if not value:
            host = others.data.get("host", "127.0.0.1")
            # What listens everywhere is reached here by the loopback address.
            host = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "::1": "[::1]"}.get(host, host)  # noqa: S104
            return f"http://{host}:{others.data.get('port', 8000)}"
        if not value.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        return value.rstrip("/")

    @field_validator("database_url")
    @classmethod
    def _is_known(cls, value: str) -> str:
        if value and address_fault(value):
            raise ValueError("must be sqlite:///PATH or postgresql+psycopg://USER:PASSWORD@HOST/NAME")
        return value

    @field_validator("bounce_key", "operator_key")
    @classmethod
    def _is_long(cls, value: str) -> str:
        if value and len(value) < 16:
            raise ValueError("must have at least 16 characters, or anybody could guess it")
        return value

    @field_validator("orcid")
    @classmethod
    def _is_address(cls, value: str) -> str:
        if value == "off":
            return value
        if not value.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://, or be off")
        return value.rstrip("/")

    @property
    def at_home(self) -> bool:
        """Whether only this machine reaches the service: neither it nor a proxy in front serves others."""
        return is_loopback(self.host) and is_loopback(urlsplit(self.base_url).hostname or "")

    @property
    def metrics_are(self) -> Literal["open", "key", "off"]:
        """Who may read /metrics."""
        return self.metrics or ("open" if self.at_home else "key")

    @property
    def database(self) -> str:
        """The database's URL, the default spelled out."""
        return self.database_url or f"sqlite:///{self.data.absolute() / 'paperwatch.db'}"

    @property
    def outbox_folder(self) -> Path:
        """Where mail goes without a relay."""
        return self.data / "outbox"

    @property
    def watched(self) -> list[Path]:
        """The folders to watch."""
        return [Path(part) for part in self.watch.split(os.pathsep) if part.strip()]

    @property
    def outbox_is_shown(self) -> bool:
        """Whether the browser may show the local outbox, which holds other people's private links."""
        local = self.host in {"127.0.0.1", "::1", "localhost"}
        return not self.smtp_host and (local if self.show_outbox is None else self.show_outbox)


def load(environ: dict[str, str] | None = None) -> Settings:
    """The settings of this process. Raises `SettingsError` for a value or a name that cannot be right."""
    found = dict(os.environ if environ is None else environ)
    given: dict[str, Any] = {}
    names = {f"{PREFIX}{name.upper()}": name for name in Settings.model_fields}
    for variable, value in found.items():
        if not variable.startswith(PREFIX) or not value:
            continue
        if variable in names:
            given[names[variable]] = value
        elif variable.endswith("_FILE") and variable[:-5] in names:
            given.setdefault(names[variable[:-5]], _read_secret(variable, value))
        else:
            raise SettingsError(f"{variable} is no setting of Paperwatch; the README lists them")
    try:
        return Settings.model_validate(given)
    except ValidationError as exc:
        first = exc.errors()[0]
        name = str(first["loc"][0])
        shown = "…" if name.endswith(("key", "secret", "password", "database_url")) else repr(given.get(name))
        why = first["msg"].removeprefix("Value error, ")
        raise SettingsError(f"{PREFIX}{name.upper()}={shown}: {why}") from exc


def is_loopback(host: str) -> bool:
    """Whether this host is the machine itself."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def secret(settings: Settings) -> str:
    """What signs links: the setting, else a random one that is made once and kept in the data folder."""
    return settings.secret or _kept(settings, "secret")


def operator_key(settings: Settings) -> str:
    """What opens the operator's page: the setting, else a random one that is kept like the secret."""
    return settings.operator_key or _kept(settings, "operator-key")


def _kept(settings: Settings, name: str) -> str:
    path = settings.data / name
    if not path.exists():
        _make(path)
    kept = path.read_text().strip()
    if not kept:
        raise SettingsError(f"{path} is empty; put the key back, or remove the file for a new one")
    return kept


def _make(path: Path) -> None:
    """Put a random key there, whole or not at all: of several processes that start at once the first one's
    counts, and the others read it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(32))
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(draft, path)  # unlike a renaming it replaces nothing
    except OSError:  # a file system without links
        if not path.exists():
            draft.rename(path)
    finally:
        draft.unlink(missing_ok=True)


def _read_secret(variable: str, path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError as exc:
        raise SettingsError(f"{variable}={path}: {exc.strerror}") from exc
