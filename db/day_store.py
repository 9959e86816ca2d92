"""What days that are over came to, as it was counted once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from db.session import insert_or
from db.tables import DayRow


@dataclass(frozen=True, slots=True)
class Day:
    """How many digests were sent on a day (UTC) and how many papers liked or saved; the median and the 95th
    percentile of the whole seconds from announcement to mail, None where no mail was sent."""

    digests: int = 0
    likes: int = 0
    median_wait: int | None = None
    high_wait: int | None = None


def kept(session: Session, first: date, last: date) -> dict[date, Day]:
    """What is kept of the days from one to the other, both included."""
    query = select(DayRow).where(DayRow.day.between(first, last))
    return {r.day: Day(r.digests, r.likes, r.median_wait, r.high_wait) for r in session.scalars(query)}


def keep(session: Session, days: Mapping[date, Day], *, since: date) -> None:
    """Keep these days, unless something is kept of them already, and drop those before ``since``."""
    session.execute(delete(DayRow).where(DayRow.day < since))
    rows = [
        {
            "day": day, "digests": came.digests, "likes": came.likes, "median_wait": came.median_wait,
            "high_wait": came.high_wait,
        }
        for day, came in days.items()
    ]  # fmt: skip
    if rows:
        session.execute(insert_or(session, DayRow).on_conflict_do_nothing(), rows)
