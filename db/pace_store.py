"""Turns at asking a group of hosts, kept in one row so that all processes and replicas share them."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from db.session import insert_or, rows_changed
from db.tables import PaceRow


def take(
    session: Session, group: str, holder: str, now: datetime, *, between: timedelta, at_most: timedelta
) -> timedelta:
    """Take the turn of this group for ``holder``; zero if it was taken, else how long to wait before asking
    again.

    A turn begins ``between`` after the last one began, and not before that one was given back; a holder that
    died loses it after ``at_most``.
    """
    row = session.execute(
        select(PaceRow.next_at, PaceRow.holder, PaceRow.held_until).where(PaceRow.group == group)
    ).first()
    if row is None:
        fresh = {"group": group, "next_at": now, "holder": "", "held_until": now}
        session.execute(insert_or(session, PaceRow).values(fresh).on_conflict_do_nothing())
    elif row.next_at > now or (row.holder and row.held_until > now):
        # A holder may be done any moment; a clock that was set back must not be waited for.
        wait: timedelta = max(row.next_at - now, timedelta(milliseconds=50))
        return min(wait, between)
    free = (PaceRow.group == group) & (PaceRow.next_at <= now)
    free &= (PaceRow.holder == "") | (PaceRow.held_until <= now)
    mine = {"holder": holder, "next_at": now + between, "held_until": now + at_most}
    taken = rows_changed(session, update(PaceRow).where(free).values(mine)) == 1
    return timedelta(0) if taken else timedelta(milliseconds=50)


def give_back(session: Session, group: str, holder: str) -> None:
    """End the turn, if it is still this holder's."""
    mine = (PaceRow.group == group) & (PaceRow.holder == holder)
    session.execute(update(PaceRow).where(mine).values(holder=""))
