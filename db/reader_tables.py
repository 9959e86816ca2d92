"""The tables of readers: who they are, what they told us, what was learned from it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from db.columns import Base, Key


class SubscriberRow(Base):
    __tablename__ = "subscriber"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    # Lower-cased; empty for a reader of feeds only.
    email: Mapped[str] = mapped_column(String(320), index=True)
    state: Mapped[str] = mapped_column(String(16))
    state_at: Mapped[datetime]
    state_note: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]
    # The latest consent to mail, when and from where, whatever the state has become since; NULL for none.
    confirmed_at: Mapped[datetime | None]
    confirmed_note: Mapped[str | None] = mapped_column(Text)

    __table_args__ = (
        Index("uq_subscriber_email_given", "email", unique=True, sqlite_where=text("email <> ''"),
              postgresql_where=text("email <> ''")),
    )  # fmt: skip


class ProfileRow(Base):
    __tablename__ = "profile"
    __table_args__ = (UniqueConstraint("subscriber_id", "name"),)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    subscriber_id: Mapped[int] = mapped_column(ForeignKey("subscriber.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(120))
    interests: Mapped[dict[str, Any]]
    per_day: Mapped[int]
    delivery: Mapped[dict[str, Any]]
    feed_token: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime]
    # When its next digest is due; NULL where nothing is planned (feed only, or mail on announcement).
    next_digest_at: Mapped[datetime | None] = mapped_column(index=True)
    # Counts up with every edit and every rating: a model learned from an older count is stale.
    revision: Mapped[int]
    # When that count last rose; NULL where it never did since this column exists.
    changed_at: Mapped[datetime | None]


class SpentRow(Base):
    """The highest number of a table whose row was deleted: signed links in old mails name it, so that it must
    not be given to somebody else. SQLite would."""

    __tablename__ = "spent"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    highest: Mapped[int] = mapped_column(BigInteger)


class FeedbackRow(Base):
    """Append-only; the current opinion is derived."""

    __tablename__ = "feedback"
    # What was said each day is counted without looking at the rows.
    __table_args__ = (Index("ix_feedback_said", "at", "opinion"),)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    profile_id: Mapped[int] = mapped_column(ForeignKey("profile.id", ondelete="CASCADE"), index=True)
    paper_id: Mapped[int] = mapped_column(ForeignKey("paper.id"))
    opinion: Mapped[str] = mapped_column(String(16))
    at: Mapped[datetime]
    via: Mapped[str] = mapped_column(String(16))


class ModelRow(Base):
    """A profile's weights, rebuilt only when its inputs change."""

    __tablename__ = "model"

    profile_id: Mapped[int] = mapped_column(ForeignKey("profile.id", ondelete="CASCADE"), primary_key=True)
    edition: Mapped[str] = mapped_column(String(64))
    ranker: Mapped[str] = mapped_column(String(32))
    revision: Mapped[int]
    weights: Mapped[bytes] = mapped_column(LargeBinary)
    made_at: Mapped[datetime]


class TrialRow(Base):
    """A second ranker that scores silently beside the first for one profile, or takes turns with it."""

    __tablename__ = "trial"

    profile_id: Mapped[int] = mapped_column(ForeignKey("profile.id", ondelete="CASCADE"), primary_key=True)
    ranker: Mapped[str] = mapped_column(String(32), primary_key=True)
    interleaved: Mapped[bool]
    since: Mapped[datetime]


class ShadowRow(Base):
    """What a ranker on trial would have chosen of a batch, and who drew which paper where they took turns."""

    __tablename__ = "shadow"

    profile_id: Mapped[int] = mapped_column(ForeignKey("profile.id", ondelete="CASCADE"), primary_key=True)
    batch_id: Mapped[int] = mapped_column(ForeignKey("batch.id"), primary_key=True)
    ranker: Mapped[str] = mapped_column(String(32), primary_key=True)
    made_at: Mapped[datetime]
    items: Mapped[dict[str, Any]]


class ApiKeyRow(Base):
    """A subscriber's key to the API; only its SHA-256 is kept, in hexadecimal."""

    __tablename__ = "api_key"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    subscriber_id: Mapped[int] = mapped_column(ForeignKey("subscriber.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(120))
    mark: Mapped[str] = mapped_column(String(64), unique=True)
    made_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
