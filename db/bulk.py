"""Many rows at once: stored by the driver's own executemany, found by one parameter."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import lru_cache
from json.encoder import encode_basestring_ascii as _quoted
from typing import Any

from sqlalchemy import JSON, ColumnElement, Dialect, Table, Text, any_, func, literal, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import InstrumentedAttribute, Session

Convert = Callable[[Any], Any]
_STORING = 7202613  # the number of the lock; db.turn_store and db.migrate have the ones before


def insert_rows(session: Session, table: Table, rows: Iterable[Mapping[str, Any]]) -> None:
    """Insert rows that all have a value for every column of the table but its own row number.

    SQLAlchemy's executemany builds a dictionary of parameters for each row, which for millions of papers
    takes longer than SQLite takes to store them; here only the values that need it are converted.
    """
    given = list(rows)
    if given:
        insert_columns(session, table, {name: [row[name] for row in given] for name in given[0]})


def insert_columns(session: Session, table: Table, columns: Mapping[str, list[Any]]) -> None:
    """The same, column by column; a column of JSON may come as the text that it is stored as."""
    dialect = session.get_bind().dialect
    statement, converts = _prepared(table, tuple(columns), dialect)
    values: list[Any] = list(
        zip(*[_converted(columns[name], convert) for name, convert in converts], strict=True)
    )
    if not dialect.positional:
        names = [name for name, _ in converts]
        values = [dict(zip(names, row, strict=True)) for row in values]
    if values:
        session.connection().exec_driver_sql(statement, values)


def among(
    session: Session, column: InstrumentedAttribute[Any], values: Collection[str]
) -> ColumnElement[bool]:
    """Whether a column of words holds one of these.

    An ordinary IN has a parameter for each, and SQLAlchemy takes longer to write a thousand of them down than
    the database takes to look them up.
    """
    if session.get_bind().dialect.name == "postgresql":
        return column == any_(literal(list(values), ARRAY(Text)))
    each = func.json_each(json.dumps(list(values))).table_valued("value")
    return column.in_(select(each.c.value))


def _converted(values: list[Any], convert: Convert | None) -> list[Any]:
    """One column's values as the driver takes them; days and moments repeat, and are converted once."""
    if convert is None or not values or (convert is as_json and isinstance(values[0], str)):
        return values
    if isinstance(values[0], list | dict):
        return [convert(value) for value in values]
    done = {value: convert(value) for value in set(values)}
    return [done[value] for value in values]


def one_at_a_time(session: Session) -> None:
    """Wait until nobody else stores papers, and keep others waiting until the session ends: two who met the
    same new ones would both insert them. SQLite has one writer anyway."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock(_STORING)))


def make_room(session: Session) -> None:
    """Let SQLite keep more pages in memory and check-point less often, for the load of a large archive.

    Keys of titles are spread over their whole index: with SQLite's usual 2 MB of cache and a check-point
    every 4 MB, each block of papers would write most pages of a large index again. 48 MB hold what one block
    of 5,000 papers changes; more was not faster (32, 48 and 128 MB tried).
    """
    if session.get_bind().dialect.name == "sqlite":
        connection = session.connection()
        connection.exec_driver_sql("PRAGMA cache_size=-49152")
        connection.exec_driver_sql("PRAGMA wal_autocheckpoint=16384")


def as_json(value: Any) -> str:
    """What `json.dumps` makes of it; five times as fast for the lists of words that most columns hold, since
    `dumps` builds an encoder anew for each of millions of values."""
    try:
        if isinstance(value, list):
            return f"[{', '.join(map(_quoted, value))}]"
        if isinstance(value, dict):
            return f"{{{', '.join([f'{_quoted(name)}: {_quoted(each)}' for name, each in value.items()])}}}"
    except TypeError:
        pass  # not all of it is words
    return json.dumps(value)


@lru_cache(maxsize=16)
def _prepared(
    table: Table, names: tuple[str, ...], dialect: Dialect
) -> tuple[str, tuple[tuple[str, Convert | None], ...]]:
    """The INSERT of these columns as the driver wants it, and what each column's values go through."""
    compiled = table.insert().compile(dialect=dialect, column_keys=list(names))
    order = getattr(compiled, "positiontup", None) or names
    return str(compiled), tuple((name, _conversion(table, name, dialect)) for name in order)


def _conversion(table: Table, name: str, dialect: Dialect) -> Convert | None:
    column = table.c[name]
    if isinstance(column.type, JSON) and not column.nullable:
        return as_json
    return column.type.dialect_impl(dialect).bind_processor(dialect)
