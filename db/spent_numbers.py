"""Row numbers that are never given twice: links in old mails name a profile by its number."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.tables import ProfileRow, SpentRow

_PROFILE = ProfileRow.__tablename__


def spend(session: Session, profile_ids: Iterable[int]) -> None:
    """Note that these profiles are deleted; their numbers must not come back."""
    highest = max(profile_ids, default=0)
    spent = session.get(SpentRow, _PROFILE)
    if spent is None:
        session.add(SpentRow(name=_PROFILE, highest=highest))
    else:
        spent.highest = max(spent.highest, highest)
    session.flush()


def unspent(session: Session) -> int | None:
    """A number that no profile had before; None where the database counts on itself, as PostgreSQL does."""
    if session.get_bind().dialect.name != "sqlite":
        return None
    held = session.scalar(select(func.max(ProfileRow.id))) or 0
    spent = session.get(SpentRow, _PROFILE)
    return 1 + max(held, spent.highest if spent else 0)
