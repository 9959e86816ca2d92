"""Many rows at once, by the driver's own executemany."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

from sqlalchemy import Dialect, Table
from sqlalchemy.orm import Session

Convert = Callable[[Any], Any]


def insert_rows(session: Session, table: Table, rows: Iterable[Mapping[str, Any]]) -> None:
    """Insert rows that all have a value for every column of the table but its own row number.

    SQLAlchemy's executemany builds a dictionary of parameters for each row, which for millions of papers
    takes longer than SQLite takes to store them; here only the values that need it are converted.
    """
    given = list(rows)
    if not given:
        return
    dialect = session.get_bind().dialect
    statement, converts = _prepared(table, tuple(given[0]), dialect)
    columns = [_converted([row[name] for row in given], convert) for name, convert in converts]
    values: list[Any] = list(zip(*columns, strict=True))
    if not dialect.positional:
        names = [name for name, _ in converts]
        values = [dict(zip(names, row, strict=True)) for row in values]
    session.connection().exec_driver_sql(statement, values)


def _converted(values: list[Any], convert: Convert | None) -> list[Any]:
    """One column's values as the driver takes them; days and moments repeat, and are converted once."""
    if convert is None:
        return values
    if isinstance(values[0], list | dict):
        return [convert(value) for value in values]
    done = {value: convert(value) for value in set(values)}
    return [done[value] for value in values]


def make_room(session: Session) -> None:
    """Let SQLite keep more pages in memory and check-point less often, for the load of a large archive.

    Keys of titles are spread over their whole index: with SQLite's usual 2 MB of cache and a check-point
    every 4 MB, each block of papers would write most pages of a large index again.
    """
    if session.get_bind().dialect.name == "sqlite":
        connection = session.connection()
        connection.exec_driver_sql("PRAGMA cache_size=-131072")
        connection.exec_driver_sql("PRAGMA wal_autocheckpoint=16384")


@lru_cache(maxsize=16)
def _prepared(
    table: Table, names: tuple[str, ...], dialect: Dialect
) -> tuple[str, tuple[tuple[str, Convert | None], ...]]:
    """The INSERT of these columns as the driver wants it, and what each column's values go through."""
    compiled = table.insert().compile(dialect=dialect, column_keys=list(names))
    order = getattr(compiled, "positiontup", None) or names
    converts = tuple(
        (name, table.c[name].type.dialect_impl(dialect).bind_processor(dialect)) for name in order
    )
    return str(compiled), converts
