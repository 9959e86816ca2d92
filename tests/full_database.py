"""A database with rows in every table, made up from the tables themselves, so that a new column is in it."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Date,
    DateTime,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    insert,
    select,
)
from sqlalchemy.orm import Session

from db.columns import Moment
from db.tables import Base

ROWS = 3
FIRST_ITEMS = {
    "chosen": [[2, 0.5, "strong", [3, 1], None], [1, 0.25, "weak", [], 0.125]],
    "near": [[3, 0.125, "near", [], None]],
    "scores": [0.5, 0.25, 0.125],
}
"""A match as the first schema kept it."""


def fill(session: Session, tables: MetaData = Base.metadata) -> None:
    """Put three rows into every table: one with all values, one with NULL wherever it may be, one odd."""
    for table in tables.sorted_tables:
        for number in range(1, ROWS + 1):
            row = {c.name: _value(table, c, number) for c in table.columns if c.computed is None}
            # An absent value is NULL; None for a JSON column would be a JSON null.
            session.execute(insert(table).values({k: v for k, v in row.items() if v is not None}))


def everything(session: Session, tables: MetaData = Base.metadata) -> dict[str, list[dict[str, Any]]]:
    """All rows of all tables in the order of their keys, with what SQL itself says about NULLs."""
    found = {}
    for table in tables.sorted_tables:
        nulls = [c.is_(None).label(f"{c.name} is null") for c in table.columns if isinstance(c.type, JSON)]
        query = select(table, *nulls).order_by(*table.primary_key.columns)
        found[table.name] = [dict(row) for row in session.execute(query).mappings()]
    return found


def _value(table: Table, column: Column[Any], number: int) -> Any:
    if column.nullable and number == 2 and column.name != "batch_id":
        return None
    if column.foreign_keys or column.name == "id":
        return number
    if (table.name, column.name) == ("match", "items"):
        return FIRST_ITEMS
    moment = datetime.fromisoformat("2025-11-02T23:59:59.999999+14:00") + timedelta(days=number)
    made: list[tuple[Any, Any]] = [
        (JSON, {"n": [number, 0.1 + 0.2, None, "Łukasz “ψ”\u2028\U0001d54f", {}], "": "\\u0000'\""}),
        ((Moment, DateTime), moment),
        (Date, date(2025, 1, number)),
        (Boolean, number != 1),
        (Integer, number * 7),
        (LargeBinary, bytes(range(256)) * number),
    ]
    for kinds, value in made:
        if isinstance(column.type, kinds):
            return value
    word = f"{table.name[:4]}{number} ünï 'quoted' \\ 𝕏"
    return word[: getattr(column.type, "length", None) or 200]
