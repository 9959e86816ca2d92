"""Engines and sessions for SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Connection, CursorResult, Engine, Executable, create_engine, event, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import DeclarativeBase, Session

__all__ = ["Database", "Session", "address_fault", "insert_or", "rows_changed"]

_WRITE = "paperwatch_write"


class Database:
    """One database and its two kinds of session: ``reading()`` and ``writing()``.

    A writing session takes SQLite's write lock when it begins (BEGIN IMMEDIATE), since a deferred
    transaction that reads first and writes later fails with "database is locked" under other writers.
    """

    def __init__(self, url: str, *, echo: bool = False) -> None:
        parsed = make_url(url)
        self.url = url
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        if self.is_sqlite and parsed.database and parsed.database != ":memory:":
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        self.engine = create_engine(url, echo=echo, pool_pre_ping=not self.is_sqlite)
        if self.is_sqlite:
            _prepare_sqlite(self.engine)
        else:
            _prepare_postgresql(self.engine)
        self._writer = self.engine.execution_options(**{_WRITE: True})

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session for looking; whatever it changed is rolled back."""
        with Session(self.engine) as session:
            try:
                yield session
            finally:
                session.rollback()

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A session whose work is committed at the end, or rolled back if an exception passes."""
        with Session(self._writer, expire_on_commit=False) as session, session.begin():
            yield session

    @property
    def address(self) -> str:
        """The database's address as its own driver takes it, without SQLAlchemy's part."""
        plain = make_url(self.url).set(drivername="postgresql")
        return plain.render_as_string(hide_password=False)

    def dispose(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def address_fault(url: str) -> str:
    """What is wrong with a database's address, in words; empty for a good one."""
    try:
        name = make_url(url).drivername
    except ArgumentError:
        return f"{url!r} is no database address: it looks like sqlite:///PATH or postgresql+psycopg://…"
    if name not in {"sqlite", "postgresql+psycopg"}:
        return (
            f"{name!r} is no database that Paperwatch runs on: use sqlite:///PATH or postgresql+psycopg://…"
        )
    return ""


def _prepare_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # SQLAlchemy's BEGIN below is the only one
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=30000", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        write = connection.get_execution_options().get(_WRITE)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def _prepare_postgresql(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def _on_connect(connection: Any, _record: object) -> None:
        # A process that is frozen in the middle of a transaction holds its rows; after a quarter of an hour
        # the server ends it, and others go on. No step of ours thinks so long between two statements.
        connection.execute("SET idle_in_transaction_session_timeout = '15min'")
        connection.commit()


def insert_or(session: Session, table: type[DeclarativeBase]) -> sqlite.Insert:
    """An INSERT that takes ON CONFLICT on this session's database.

    Both dialects have the same methods for it, but share no base class; SQLite's stands for both.
    """
    if session.get_bind().dialect.name == "postgresql":
        return cast(sqlite.Insert, postgresql.insert(table))
    return sqlite.insert(table)


def rows_changed(session: Session, statement: Executable) -> int:
    """Execute an UPDATE or DELETE; how many rows it changed."""
    return cast("CursorResult[Any]", session.execute(statement)).rowcount
