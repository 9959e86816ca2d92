"""Bringing a database's schema up to date, and checking that it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from db import queue_store
from db.session import Database
from db.tables import Base


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def upgrade(database: Database, to: str = "head") -> None:
    """Run every migration that this database lacks, or those up to a revision, in one transaction, by one
    process at a time."""
    with database.writing() as session:
        connection = session.connection()
        if not database.is_sqlite:
            # Two replicas that start together must not both migrate.
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7202611)")
        command.upgrade(_config(connection), to)
        if not database.is_sqlite:
            queue_store.prepare(session)


def current(database: Database) -> str | None:
    """The revision that the database is at; None for an empty one."""
    with database.reading() as session:
        return MigrationContext.configure(session.connection()).get_current_revision()


def newest() -> str | None:
    """The revision that this version of Paperwatch wants."""
    return ScriptDirectory.from_config(_config()).get_current_head()


def known() -> set[str]:
    """Every revision that this version can go forward from."""
    return {each.revision for each in ScriptDirectory.from_config(_config()).walk_revisions()}


def faults(database: Database) -> list[str]:
    """What is wrong with the database itself, in words; it is looked at and not changed."""
    revision = current(database)
    if revision != newest():
        return [f"the schema is at revision {revision or 'none'}, this version wants {newest()}"]
    found = [f"the schema differs from the tables: {each}" for each in differences(database)]
    if database.is_sqlite:
        with database.reading() as session:
            connection = session.connection()
            told = [row[0] for row in connection.exec_driver_sql("PRAGMA integrity_check")]
            found += [f"SQLite says: {line}" for line in told if line != "ok"]
            dangling = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
            found += [f"row {row[1]} of {row[0]} refers to a {row[2]} that is not there" for row in dangling]
    return found


def differences(database: Database) -> list[Any]:
    """How the migrated schema differs from the tables; empty if it does not."""
    with database.reading() as session:
        context = MigrationContext.configure(
            session.connection(), opts={"compare_type": True, "include_name": compared}
        )
        return list(compare_metadata(context, Base.metadata))


def compared(name: str | None, kind: str, _parents: object) -> bool:
    """Whether something of the database is compared with the tables; the full text has none of ours, and
    SQLite keeps it in tables of its own making."""
    return kind != "table" or not (name or "").startswith("paper_search")


def draft(database: Database, message: str) -> None:
    """Write a new revision from what the tables have and the database lacks (for developers)."""
    versions = Path(__file__).with_name("migrations") / "versions"
    number = f"{1 + len(list(versions.glob('r[0-9]*.py'))):04d}"
    with database.writing() as session:
        config = _config(session.connection())
        config.set_main_option("file_template", "r%%(rev)s_%%(slug)s")
        command.revision(config, message=message, autogenerate=True, rev_id=number)
