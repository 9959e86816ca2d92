"""How the way out for mail has been doing: faults in a row, and the pause that follows many of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from db.session import insert_or
from db.tables import RelayRow

_ONLY = 1


@dataclass(frozen=True, slots=True)
class Relay:
    """``faults`` of the server in a row, over all runs; ``pauses`` in a row; when the last one began and when
    mail is tried again; and what the server said. All of it is empty once a mail has gone through."""

    faults: int = 0
    pauses: int = 0
    paused_at: datetime | None = None
    resume_at: datetime | None = None
    error: str = ""

    def holds(self, now: datetime) -> bool:
        """Whether nothing is sent yet. A pause that begins in the future was made before the clock was set
        back, and holds nothing."""
        if self.paused_at is None or self.resume_at is None:
            return False
        return self.paused_at <= now < self.resume_at


def relay(session: Session) -> Relay:
    """How it is doing."""
    row = session.get(RelayRow, _ONLY)
    return Relay(row.faults, row.pauses, row.paused_at, row.resume_at, row.error) if row else Relay()


def keep(session: Session, state: Relay) -> None:
    """Remember how it is doing."""
    values = asdict(state)
    statement = insert_or(session, RelayRow).values(id=_ONLY, **values)
    session.execute(statement.on_conflict_do_update(index_elements=["id"], set_=values))
