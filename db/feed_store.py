"""What feeds ask of the database: whether a rendered one still holds, and which matches fill its pages."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, LargeBinary, Select, event, func, select
from sqlalchemy.orm import Session

from db.match_rows import HEAD
from db.session import Database
from db.tables import LabelRow, MatchRow, PaperLabelRow, PaperRow, ProfileRow

# What `Watch`, `marks` and `topic_mark` give: all that a feed's content depends on, in the database's own
# types.
Mark = tuple[Any, ...]
# A profile's mark has so many fields; so many of them are about what its reader states and says.
_FIELDS, _STATED = 6, 4
# A reader that waits longer than this for SQLite is answered by a thread, which may wait.
_PATIENCE_MS = 20


@dataclass(frozen=True, slots=True)
class FeedState:
    """What a mark says: the profile, its revision and latest batch (0 where it has none), and when each of
    them came about (aware)."""

    profile: int
    revision: int
    batch: int
    born: datetime
    changed: datetime
    matched: datetime


class BusyError(Exception):
    """The database cannot say at once; ask again from a thread that may wait."""


class Watch:
    """Looks up the mark of one feed in some microseconds: one prepared query on a SQLite connection of its
    own, which no transaction holds. For the thread of an event loop, which it never keeps waiting."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._query = str(_query().where(ProfileRow.feed_token == "").compile(database.engine))
        self._connection: sqlite3.Connection | None = None
        self._lock = threading.Lock()
        event.listen(database.engine, "engine_disposed", lambda _engine: self.close())

    def mark(self, token: str) -> Mark | None:
        """The mark of the profile whose feed has this token. Raises `BusyError`."""
        with self._lock:
            if self._connection is None:
                self._connection = self._open()
            try:
                row: Mark | None = self._connection.execute(self._query, (token,)).fetchone()
            except sqlite3.OperationalError as exc:
                raise BusyError from exc
        return row

    def close(self) -> None:
        """Close the connection; the next question opens another."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _open(self) -> sqlite3.Connection:
        pooled = self._database.engine.raw_connection()
        pooled.detach()  # it stays out of the pool, which would begin transactions on it
        connection = pooled.dbapi_connection
        assert isinstance(connection, sqlite3.Connection), "a watch is for SQLite"  # noqa: S101
        connection.execute(f"PRAGMA busy_timeout={_PATIENCE_MS}")
        connection.execute("PRAGMA query_only=ON")
        return connection


def marks(session: Session, tokens: Iterable[str]) -> dict[str, Mark]:
    """The marks of the profiles whose feeds have these tokens; unknown tokens are left out."""
    query = _query().add_columns(ProfileRow.feed_token).where(ProfileRow.feed_token.in_(list(tokens)))
    return {row[-1]: tuple(row[:-1]) for row in session.execute(query)}


def state(mark: Mark) -> FeedState:
    """What a mark says."""
    profile, revision, changed, born, batch, matched = mark
    began = _moment(born)
    return FeedState(
        profile, revision, batch or 0, began, _moment(changed) if changed else began,
        _moment(matched) if matched else began,
    )  # fmt: skip


def same_but_newer(old: Mark, new: Mark) -> bool:
    """Whether two marks of private feeds tell apart only which match is the latest."""
    return len(old) == _FIELDS and old[:_STATED] == new[:_STATED]


def _query() -> Select[int, int, datetime | None, datetime, int, datetime]:
    newest = select(func.max(MatchRow.batch_id)).where(MatchRow.profile_id == ProfileRow.id)
    latest = (MatchRow.profile_id == ProfileRow.id) & (
        MatchRow.batch_id == newest.correlate(ProfileRow).scalar_subquery()
    )
    return select(
        ProfileRow.id, ProfileRow.revision, ProfileRow.changed_at, ProfileRow.created_at, MatchRow.batch_id,
        MatchRow.made_at,
    ).join_from(ProfileRow, MatchRow, latest, isouter=True)  # fmt: skip


def _moment(value: datetime | str) -> datetime:
    """A moment as SQLite keeps it, without a zone, or as SQLAlchemy reads it."""
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def topic_mark(session: Session, short: str, *, at_most: int) -> Mark | None:
    """All that the feed of a topic depends on, the topic given by its slug: its name, when the latest of its
    newest papers came or was read again for its new words, and which these are, as they are; None where there
    is no such topic."""
    query = (
        select(LabelRow.name, PaperRow.id, PaperRow.first_seen_at, PaperRow.indexed_at)
        .join(PaperLabelRow, PaperLabelRow.label_id == LabelRow.id)
        .join(PaperRow, PaperRow.id == PaperLabelRow.paper_id)
        .where(LabelRow.kind == "topic", LabelRow.slug == short)
        .order_by(PaperLabelRow.announced.desc(), PaperLabelRow.paper_id.desc())
        .limit(at_most)
    )
    rows = session.execute(query).all()
    if not rows:
        return None
    latest = max(at for row in rows for at in (row.first_seen_at, row.indexed_at) if at)
    return rows[0].name, latest, tuple((row.id, row.indexed_at) for row in rows)


def topic_changed(mark: Mark) -> datetime:
    """When the topic's feed last changed, by its mark."""
    moment: datetime = mark[1]
    return moment


def chosen_head() -> ColumnElement[bytes]:
    """The part of a match that says how many papers are chosen, see `match_rows.HEAD`."""
    return func.substr(MatchRow.picks, 1, HEAD.size, type_=LargeBinary)


@dataclass(frozen=True, slots=True)
class Counted:
    """How many papers a profile's match with a batch chose, and the quarter (year, 0 to 3) that it is of."""

    batch: int
    papers: int
    quarter: tuple[int, int]


def chosen_counts(session: Session, profile_id: int) -> list[Counted]:
    """What each of a profile's matches chose, oldest first; none that chose nothing."""
    query = select(MatchRow.batch_id, chosen_head(), MatchRow.made_at).where(
        MatchRow.profile_id == profile_id
    )
    counted = [
        Counted(batch, HEAD.unpack(held)[0], (at.year, (at.month - 1) // 3))
        for batch, held, at in session.execute(query.order_by(MatchRow.batch_id))
    ]
    return [one for one in counted if one.papers]
