"""The latest report on what rises, and what it is made from."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from db.tables import PaperRow, TrendReportRow


def latest(session: Session) -> tuple[datetime, dict[str, Any]] | None:
    """When the report was made, and the report; None before the first one."""
    row = session.execute(select(TrendReportRow.made_at, TrendReportRow.report)).first()
    return (row.made_at, row.report) if row else None


def keep(session: Session, day: date, report: dict[str, Any], now: datetime) -> None:
    """Store a report in place of the one before."""
    session.execute(delete(TrendReportRow))
    session.add(TrendReportRow(day=day, made_at=now, report=report))


def last_day(session: Session, today: date | None = None) -> date | None:
    """The latest announcement day on hand, no later than ``today`` if that is given."""
    query = select(func.max(PaperRow.announced))
    return session.scalar(query if today is None else query.where(PaperRow.announced <= today))


def titles(session: Session, first: date, last: date, *, at_most: int) -> list[tuple[date, str, str]]:
    """Day, title and first category (empty for none) of the papers announced in these days (both included),
    the latest ones."""
    query = (
        select(PaperRow.announced, PaperRow.title, PaperRow.categories)
        .where(PaperRow.announced.between(first, last))
        .order_by(PaperRow.announced.desc(), PaperRow.id.desc())
        .limit(at_most)
    )
    return [(day, title, next(iter(held), "")) for day, title, held in session.execute(query)]


def counts(session: Session, first: date, last: date) -> dict[date, int]:
    """How many papers were announced on each of these days."""
    query = select(PaperRow.announced, func.count()).where(PaperRow.announced.between(first, last))
    return {day: n for day, n in session.execute(query.group_by(PaperRow.announced)) if day is not None}
