"""A SQLite file that holds all that the database knew at one moment, whatever kind of database it is."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from db import copying, migrate
from db.copying import Told, nothing_told
from db.session import Database


def to_file(database: Database, path: Path, told: Told = nothing_told) -> None:
    """Write the database into a new SQLite file; it may be at work meanwhile.

    SQLite copies its own pages: in one step, since a copy in several begins anew whenever another process
    writes, and a reader holds up nobody in WAL mode. PostgreSQL is copied row by row. Raises `CopyError`.
    """
    if database.is_sqlite:
        raw = database.engine.raw_connection()
        try:
            with closing(sqlite3.connect(path)) as copy:
                # sqlite3 wants its own connection, not SQLAlchemy's wrapper of it.
                raw.driver_connection.backup(copy, pages=-1)  # type: ignore[union-attr]
        finally:
            raw.close()
        return
    target = Database(f"sqlite:///{path}")
    try:
        migrate.upgrade(target)
        copying.copy(database, target, told=told)
    finally:
        target.dispose()


def from_file(path: Path, database: Database, *, replace: bool, told: Told = nothing_told) -> dict[str, int]:
    """Put what such a file holds into the database, which must be empty unless it is to be replaced; how many
    rows each table has then.

    The file may be of an older version: it is brought up to date first. One of a newer version is refused
    with `CopyError`.
    """
    held = Database(f"sqlite:///{path}")
    try:
        if (revision := migrate.current(held)) not in migrate.known():
            raise copying.CopyError(
                f"the backup is at revision {revision}, which this version does not know: "
                "install the version that made it, or a newer one"
            )
        migrate.upgrade(held)
        return copying.copy(held, database, replace=replace, told=told)
    finally:
        held.dispose()
