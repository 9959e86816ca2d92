"""Delivery reports that came back, each counted once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.session import insert_or
from db.tables import BounceRow, SubscriberRow


@dataclass(frozen=True, slots=True)
class Bounce:
    """A delivery report about a subscriber: hard, soft or other. ``email`` is empty where it is about nobody
    known here."""

    at: datetime
    email: str
    kind: str
    status: str
    why: str


def add(
    session: Session, mark: str, subscriber_id: int | None, now: datetime, *, kind: str, status: str, why: str
) -> bool:
    """Keep a report under its mark; false if it was known already."""
    values = {
        "mark": mark, "subscriber_id": subscriber_id, "at": now, "kind": kind, "status": status, "why": why,
    }  # fmt: skip
    statement = insert_or(session, BounceRow).values(values).on_conflict_do_nothing(index_elements=["mark"])
    return session.execute(statement.returning(BounceRow.id)).scalar() is not None


def latest(session: Session, *, at_most: int = 20) -> list[Bounce]:
    """The latest reports about subscribers, newest first."""
    query = (
        select(BounceRow, SubscriberRow.email)
        .join(SubscriberRow, SubscriberRow.id == BounceRow.subscriber_id)
        .order_by(BounceRow.id.desc())
        .limit(at_most)
    )
    return [Bounce(row.at, address, row.kind, row.status, row.why) for row, address in session.execute(query)]
