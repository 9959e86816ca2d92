"""The tables of what reaches readers: batches, matches, the outbox, and whose turn it is to work."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Date,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from db.columns import Base, Key


class BatchRow(Base):
    """Papers that became news together; every profile is matched against it once."""

    __tablename__ = "batch"

    id: Mapped[int] = mapped_column(primary_key=True)
    made_at: Mapped[datetime]
    papers: Mapped[int]
    receipt: Mapped[str] = mapped_column(Text)
    matched_at: Mapped[datetime | None] = mapped_column(index=True)


class MatchRow(Base):
    """What one profile gets of one batch: paper ids and scores, chosen and near misses."""

    __tablename__ = "match"

    profile_id: Mapped[int] = mapped_column(ForeignKey("profile.id", ondelete="CASCADE"), primary_key=True)
    # Indexed by itself too: old batches' matches are deleted by it.
    batch_id: Mapped[int] = mapped_column(ForeignKey("batch.id"), primary_key=True, index=True)
    made_at: Mapped[datetime]
    ranked: Mapped[int]
    # What `db/match_rows.py` packs: 14 bytes a pick.
    picks: Mapped[bytes] = mapped_column(LargeBinary)
    digest_id: Mapped[int | None] = mapped_column(ForeignKey("digest.id"), index=True)


class ScoresRow(Base):
    """The best scores of one batch for up to a thousand profiles, from which the dial learns its cut.

    Blocks instead of rows: a night reads thirty of them for a thousand profiles, not thirty thousand rows.
    """

    __tablename__ = "scores"
    __table_args__ = (Index("ix_scores_shard", "shard", "made_at"),)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    batch_id: Mapped[int] = mapped_column(ForeignKey("batch.id"), index=True)
    # Profile numbers from shard * SHARD on, see `db/match_store.py`; first and last are the block's own.
    shard: Mapped[int]
    first: Mapped[int] = mapped_column(Key)
    last: Mapped[int] = mapped_column(Key)
    made_at: Mapped[datetime] = mapped_column(index=True)
    ranked: Mapped[int]
    # What `db/match_rows.py` packs: at most 138 bytes a profile.
    data: Mapped[bytes] = mapped_column(LargeBinary)


class DigestRow(Base):
    """The outbox: one mail to one address. Intent is committed before SMTP, the outcome after."""

    __tablename__ = "digest"
    __table_args__ = (
        UniqueConstraint("subscriber_id", "kind", "period"),
        Index("ix_digest_due", "state", "next_attempt_at"),
        # What was sent in the last days, by kind, without looking through the years before.
        Index("ix_digest_sent", "sent_at", "kind", "state"),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    subscriber_id: Mapped[int] = mapped_column(ForeignKey("subscriber.id", ondelete="CASCADE"))
    # digest | confirmation | access
    kind: Mapped[str] = mapped_column(String(16))
    period: Mapped[str] = mapped_column(String(120))
    message_id: Mapped[str] = mapped_column(String(200), unique=True)
    state: Mapped[str] = mapped_column(String(16))
    content: Mapped[dict[str, Any]]
    attempts: Mapped[int]
    next_attempt_at: Mapped[datetime | None]
    leased_until: Mapped[datetime | None]
    queued_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    last_error: Mapped[str] = mapped_column(Text)


class DayRow(Base):
    """What a day (UTC) that is over came to, counted once: a month of mails is too much to be counted at each
    look."""

    __tablename__ = "day"

    day: Mapped[date] = mapped_column(Date, primary_key=True)
    # Digests sent; papers liked or saved.
    digests: Mapped[int] = mapped_column(BigInteger)
    likes: Mapped[int] = mapped_column(BigInteger)
    # Seconds from announcement to mail: the median and the 95th percentile; NULL for a day without mail.
    median_wait: Mapped[int | None]
    high_wait: Mapped[int | None]


class RelayRow(Base):
    """How the way out for mail has been doing; one row, whatever the number of processes."""

    __tablename__ = "relay"

    id: Mapped[int] = mapped_column(primary_key=True)
    # Faults of the server in a row, over all runs, and pauses in a row; both 0 once a mail has gone through.
    faults: Mapped[int]
    pauses: Mapped[int]
    paused_at: Mapped[datetime | None]
    resume_at: Mapped[datetime | None]
    error: Mapped[str] = mapped_column(Text)


class BounceRow(Base):
    """A delivery report that came back, kept so that it counts once however often it is read."""

    __tablename__ = "bounce"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    # SHA-256 of the report's bytes, in hexadecimal.
    mark: Mapped[str] = mapped_column(String(64), unique=True)
    # NULL where the report is about nobody known here.
    subscriber_id: Mapped[int | None] = mapped_column(
        ForeignKey("subscriber.id", ondelete="CASCADE"), index=True
    )
    at: Mapped[datetime]
    # hard | soft | other
    kind: Mapped[str] = mapped_column(String(16))
    status: Mapped[str] = mapped_column(String(16))
    why: Mapped[str] = mapped_column(Text)


class TurnRow(Base):
    """One turn of a job at one slot of time: claimed once, whatever the number of schedulers."""

    __tablename__ = "turn"
    __table_args__ = (UniqueConstraint("job", "slot"),)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    job: Mapped[str] = mapped_column(String(32))
    slot: Mapped[datetime] = mapped_column(index=True)
    run: Mapped[str] = mapped_column(String(32))
    # Host and process that took it.
    taker: Mapped[str] = mapped_column(String(200))
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    report: Mapped[dict[str, Any]]
    error: Mapped[str] = mapped_column(Text)


class LeaseRow(Base):
    """Who does something that only one process may do, until when at the latest, unless it asks again."""

    __tablename__ = "lease"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    holder: Mapped[str] = mapped_column(String(200))
    until: Mapped[datetime]
