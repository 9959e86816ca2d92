"""All rows of one database into another of either kind: for a move to PostgreSQL, for backup and restore."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    Connection,
    ForeignKey,
    LargeBinary,
    MetaData,
    Table,
    Text,
    cast,
    delete,
    func,
    select,
    text,
    type_coerce,
)
from sqlalchemy.orm import Session
from sqlalchemy.types import UserDefinedType

from db import index_store, migrate, search_store
from db.bulk import insert_rows
from db.session import Database
from db.tables import Base, SpentRow

Told = Callable[[str, int], None]
# Rows that are held in memory at a time; fewer of tables with large values.
_BLOCK, _LARGE_BLOCK = 2_000, 50


class CopyError(Exception):
    """Rows that cannot be copied; the message says why and what to do."""


class NotEmptyError(CopyError):
    """A target that has rows already."""


def nothing_told(_table: str, _rows: int) -> None:
    """For copies that nobody watches."""


def copy(
    source: Database, target: Database, *, replace: bool = False, told: Told = nothing_told
) -> dict[str, int]:
    """Copy every row of every table, keys included, in one transaction; how many there are of each table.

    Both must be at the newest revision. The source may be at work meanwhile: what is copied is one moment of
    it. With ``replace`` what the target holds is deleted first; without, a target that holds anything is
    refused. What the search made of the papers is not copied: the target makes its own, in its own way.
    Raises `CopyError`.
    """  # fmt: skip
    for database, what in ((source, "the source"), (target, "the target")):
        if (at := migrate.current(database)) != migrate.newest():
            raise CopyError(
                f"{what} is at revision {at}, this version wants {migrate.newest()}: "
                "run `paperwatch db upgrade` on it first"
            )
    done = {}
    with _one_moment(source) as old, target.writing() as session:
        if replace:
            for table in reversed(Base.metadata.sorted_tables):
                session.execute(delete(table))
            search_store.empty(session)
        elif filled := next((name for name, rows in _counted(session).items() if rows), ""):
            raise NotEmptyError(
                f"the target is not empty: its table {filled} has rows; choose an empty database"
            )
        for table in Base.metadata.sorted_tables:
            done[table.name] = _copy_table(table, old, session, told)
        index_store.forget_all(session)
        if not target.is_sqlite:
            _count_on(session)
            # Until PostgreSQL has counted them itself it takes the tables for empty, and plans for that.
            session.execute(text("ANALYZE"))
        if (found := _counted(session)) != done:
            raise CopyError(f"the target holds {found} rows, the source {done}; nothing was kept")
    return done


def counts(database: Database) -> dict[str, int]:
    """How many rows each table has."""
    with database.reading() as session:
        return _counted(session)


def _counted(session: Session) -> dict[str, int]:
    tables = Base.metadata.sorted_tables
    return {t.name: session.execute(select(func.count()).select_from(t)).scalar_one() for t in tables}


@contextmanager
def _one_moment(database: Database) -> Iterator[Connection]:
    """A connection that sees one moment of the database, however long it reads."""
    engine = database.engine
    if not database.is_sqlite:
        engine = engine.execution_options(isolation_level="REPEATABLE READ")
    with engine.connect() as connection:
        yield connection
        connection.rollback()


def _copy_table(table: Table, old: Connection, session: Session, told: Told) -> int:
    plain = _as_text()[table.name]
    large = any(isinstance(column.type, LargeBinary) for column in table.columns)
    query = select(*_raw(table, old.dialect.name)).order_by(*table.primary_key.columns)
    block = _LARGE_BLOCK if large else _BLOCK
    rows = old.execute(query, execution_options={"yield_per": block}).mappings()
    done = 0
    for found in rows.partitions(block):
        insert_rows(session, plain, [dict(row) for row in found])
        done += len(found)
        told(table.name, done)
    return done


def _raw(table: Table, dialect: str) -> list[Any]:
    """The table's columns, JSON as the text that it is stored as."""
    return [
        (cast(c, Text) if dialect == "postgresql" else type_coerce(c, Text)).label(c.name)
        if isinstance(c.type, JSON)
        else c
        for c in _stored(table)
    ]


def _stored(table: Table) -> list[Column[Any]]:
    """The columns that hold what was put into them; the others are computed by each database itself."""
    return [c for c in table.columns if c.computed is None]


class _JsonText(UserDefinedType[str]):
    """JSON that is written as the text that it was read as.

    Made into objects and back it would cost most of the time of a copy, and NULL would come out as a JSON
    null, which the partial indexes and `IS NULL` tell apart.
    """

    cache_ok = True
    render_bind_cast = True

    def get_col_spec(self, **_: Any) -> str:
        """The type's name in SQL."""
        return "JSON"


@cache
def _as_text() -> dict[str, Table]:
    """The same tables with `_JsonText` for JSON."""
    beside = MetaData()
    return {
        table.name: Table(
            table.name,
            beside,
            *(Column(c.name, _JsonText() if isinstance(c.type, JSON) else c.type) for c in _stored(table)),
        )
        for table in Base.metadata.sorted_tables
    }


def _count_on(session: Session) -> None:
    """Let PostgreSQL's sequences go on after the highest key, deleted ones included: none comes twice."""
    for table in Base.metadata.sorted_tables:
        key = [c for c in table.primary_key.columns if not _is_reference(c)]
        if len(table.primary_key.columns) != 1 or not key:
            continue
        quoted = f'"{table.name}"'
        sequence = session.scalar(select(func.pg_get_serial_sequence(quoted, key[0].name)))
        if sequence:
            held = session.scalar(select(func.max(key[0]))) or 0
            spent = session.scalar(select(SpentRow.highest).where(SpentRow.name == table.name)) or 0
            highest = max(held, spent)
            session.execute(select(func.setval(sequence, max(1, highest), highest > 0)))


def _is_reference(column: Column[Any]) -> bool:
    references: set[ForeignKey] = column.foreign_keys
    return bool(references)
