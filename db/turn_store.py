"""Whose turn it is: the lease of what only one process may do, and each job's claims on slots of time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, func, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from db.session import Database, insert_or
from db.tables import LeaseRow, TurnRow

# PostgreSQL's advisory locks are numbers, each database's its own.
_ACTIVE = 7202612


@dataclass(frozen=True, slots=True)
class Turn:
    """What one turn of a job did, or is doing; ``report`` and ``error`` are empty until it is finished."""

    id: int
    job: str
    slot: datetime
    run: str
    taker: str
    started_at: datetime
    finished_at: datetime | None
    report: dict[str, Any]
    error: str


# --- leases ----------------------------------------------------------------------------------------------


def take(
    session: Session, name: str, holder: str, now: datetime, lasts: timedelta, *, force: bool = False
) -> bool:
    """Take the lease, or keep it: whether it is ``holder``'s now, until ``lasts`` from now.

    Another's lease is taken once it ran out, or at once with ``force``. One that ends later than leases last
    was made before the clock was set back, and holds nobody off.
    """
    mine = {"holder": holder, "until": now + lasts}
    free = (LeaseRow.holder == holder) | (LeaseRow.until <= now) | (LeaseRow.until > now + 2 * lasts)
    statement = insert_or(session, LeaseRow).values(name=name, **mine)
    statement = statement.on_conflict_do_update(
        index_elements=["name"], set_=mine, where=None if force else free
    )
    return session.execute(statement.returning(LeaseRow.name)).scalar() is not None


def keep(session: Session, name: str, holder: str, now: datetime, lasts: timedelta) -> bool:
    """Keep a lease that is this holder's, whether it ran out or not; false if it is another's by now.

    Unlike `take` it goes by no time, since a process that was frozen wakes with a time that is long past.
    """
    mine = update(LeaseRow).where(LeaseRow.name == name, LeaseRow.holder == holder)
    found = session.execute(mine.values(until=now + lasts).returning(LeaseRow.name))
    return found.scalar() is not None


def give_back(session: Session, name: str, holder: str) -> None:
    """End the lease, if it is still this holder's."""
    session.execute(delete(LeaseRow).where(LeaseRow.name == name, LeaseRow.holder == holder))


def holder(session: Session, name: str) -> tuple[str, datetime] | None:
    """Who has the lease and until when, be it over or not; None if nobody ever had it."""
    row = session.get(LeaseRow, name)
    return (row.holder, row.until) if row else None


# --- turns -------------------------------------------------------------------------------------------------


def claim(
    session: Session, job: str, slot: datetime, run: str, taker: str, now: datetime,
    report: dict[str, Any] | None = None,
) -> int | None:  # fmt: skip
    """Claim the job's turn at this slot: its number, or None if somebody else had it.

    A turn that its taker never finished may be claimed again, by whoever is active after it.
    """
    fresh = {
        "job": job, "slot": slot, "run": run, "taker": taker, "started_at": now, "finished_at": None,
        "report": report or {}, "error": "",
    }  # fmt: skip
    again = {"run": run, "taker": taker, "started_at": now}
    left = TurnRow.finished_at.is_(None) & (TurnRow.taker != taker)
    statement = insert_or(session, TurnRow).values(fresh)
    statement = statement.on_conflict_do_update(index_elements=["job", "slot"], set_=again, where=left)
    number: int | None = session.execute(statement.returning(TurnRow.id)).scalar()
    return number


def finish(
    session: Session, number: int, taker: str, now: datetime, report: dict[str, Any], error: str = ""
) -> None:
    """Record what came of a turn, if it is still this taker's."""
    mine = TurnRow.id == number, TurnRow.taker == taker
    values = {"finished_at": now, "report": report, "error": error}
    session.execute(update(TurnRow).where(*mine).values(values))


def done(session: Session, job: str, slot: datetime, run: str, taker: str, at: datetime, report: Any) -> None:
    """Record a piece of work that is done; done twice, it is recorded once."""
    row = {
        "job": job, "slot": slot, "run": run, "taker": taker, "started_at": at, "finished_at": at,
        "report": report, "error": "",
    }  # fmt: skip
    session.execute(insert_or(session, TurnRow).values(row).on_conflict_do_nothing())


def close(session: Session, job: str, slot: datetime, now: datetime, report: dict[str, Any]) -> None:
    """Record what came of a turn to which several contributed."""
    values = {"finished_at": now, "report": report}
    session.execute(update(TurnRow).where(TurnRow.job == job, TurnRow.slot == slot).values(values))


def sums(session: Session, prefix: str, slot: datetime) -> dict[str, int]:
    """The numbers in the reports of this slot's turns whose job begins so, each added up."""
    query = select(TurnRow.report).where(TurnRow.slot == slot, TurnRow.job.startswith(prefix))
    total: Counter[str] = Counter()
    for report in session.scalars(query):
        total.update({name: value for name, value in report.items() if isinstance(value, int)})
    return dict(total)


def turn(session: Session, job: str, slot: datetime) -> Turn | None:
    """The job's turn at this slot."""
    row = session.scalars(select(TurnRow).where(TurnRow.job == job, TurnRow.slot == slot)).first()
    return _turn(row) if row else None


def finished(session: Session, jobs: Iterable[str], slot: datetime) -> set[str]:
    """Those of these jobs that are finished at this slot."""
    query = select(TurnRow.job).where(
        TurnRow.slot == slot, TurnRow.finished_at.is_not(None), TurnRow.job.in_(list(jobs))
    )
    return set(session.scalars(query))


def latest(session: Session, job: str, *, at_most: int = 1) -> list[Turn]:
    """The job's latest turns, newest first."""
    query = select(TurnRow).where(TurnRow.job == job).order_by(TurnRow.slot.desc()).limit(at_most)
    return [_turn(row) for row in session.scalars(query)]


def _turn(row: TurnRow) -> Turn:
    return Turn(row.id, row.job, row.slot, row.run, row.taker, row.started_at, row.finished_at, row.report,
                row.error)  # fmt: skip


# --- PostgreSQL's lock --------------------------------------------------------------------------------------


class ActiveLock:
    """PostgreSQL's advisory lock of the one active scheduler, held by a connection that is kept.

    The server gives it to the next one as soon as the connection ends, however its process died. On SQLite
    there is none, and the lease alone decides.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._kept: Connection | None = None

    def held(self) -> bool:
        """Whether this process has the lock, which is tried for if it has not."""
        if self._kept is not None:
            try:
                self._kept.execute(text("SELECT 1"))
            except DBAPIError:
                self.release()
            else:
                return True
        connection = self._database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        if connection.execute(select(func.pg_try_advisory_lock(_ACTIVE))).scalar_one():
            self._kept = connection
            return True
        connection.close()
        return False

    def end_holder(self) -> None:
        """End the connection of whoever has the lock: for a process that is frozen and holds it."""
        with self._database.engine.connect() as connection:
            connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid, 2000) FROM pg_locks"
                    " WHERE locktype = 'advisory' AND granted AND objid = :key AND pid <> pg_backend_pid()"
                    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
                ),
                {"key": _ACTIVE},
            )

    def release(self) -> None:
        """Give the lock up, by ending the connection."""
        if self._kept is not None:
            self._kept.invalidate()
            self._kept.close()
            self._kept = None
