"""The tables. Rows never leave this package: stores turn them into frozen dataclasses."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    BigInteger,
    Date,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Moment(TypeDecorator[datetime]):
    """An aware UTC datetime on every database; a naive one is refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


# SQLite gives rowids only to INTEGER keys; PostgreSQL wants 64 bits for tables that grow for years.
Key = BigInteger().with_variant(Integer, "sqlite")


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar = {datetime: Moment, dict[str, Any]: JSON, list[Any]: JSON}


class PaperRow(Base):
    """One row a paper, however many sources, versions and cross-lists show it."""

    __tablename__ = "paper"
    __table_args__ = (
        # What waits to be matched: small at any time, whatever the corpus has grown to.
        Index(
            "ix_paper_unmatched",
            "id",
            sqlite_where=text("news AND batch_id IS NULL"),
            postgresql_where=text("news AND batch_id IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    key: Mapped[str] = mapped_column(String(300), unique=True)
    title_key: Mapped[str | None] = mapped_column(String(24), index=True)
    version: Mapped[int | None]
    title: Mapped[str] = mapped_column(Text)
    abstract: Mapped[str] = mapped_column(Text)
    summary: Mapped[str] = mapped_column(Text)
    authors: Mapped[list[Any]]
    authors_complete: Mapped[bool]
    categories: Mapped[list[Any]]
    announced: Mapped[date | None] = mapped_column(Date, index=True)
    announce_type: Mapped[str] = mapped_column(String(16))
    url: Mapped[str] = mapped_column(Text)
    withdrawn: Mapped[bool]
    # Institutions, area, topics, keywords, doi, journal_ref, comment, code_url, contributions, thumbnail.
    extra: Mapped[dict[str, Any]]
    # A first sighting that readers may be told of; false for archives and for replacements of unseen papers.
    news: Mapped[bool]
    batch_id: Mapped[int | None] = mapped_column(ForeignKey("batch.id"), index=True)
    first_seen_at: Mapped[datetime]


class AliasRow(Base):
    """Another key of a paper: its DOI, or the hash that it had before its id was known."""

    __tablename__ = "alias"

    key: Mapped[str] = mapped_column(String(300), primary_key=True)
    paper_id: Mapped[int] = mapped_column(ForeignKey("paper.id"), index=True)


class RevisionRow(Base):
    """What an earlier version said, kept for the diff."""

    __tablename__ = "revision"

    paper_id: Mapped[int] = mapped_column(ForeignKey("paper.id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(Text)
    abstract: Mapped[str] = mapped_column(Text)
    replaced_at: Mapped[datetime]


class SourceRow(Base):
    """Where papers come from and when it is asked next."""

    __tablename__ = "source"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    kind: Mapped[str] = mapped_column(String(32))
    location: Mapped[str] = mapped_column(String(1000), unique=True)
    every_minutes: Mapped[int]
    paused: Mapped[bool]
    next_check_at: Mapped[datetime | None] = mapped_column(index=True)
    etag: Mapped[str] = mapped_column(Text)
    last_modified: Mapped[str] = mapped_column(Text)
    # What a source needs to remember between checks: file states of a folder, a resumption token.
    cursor: Mapped[dict[str, Any]]
    last_batch: Mapped[date | None] = mapped_column(Date)
    last_success_at: Mapped[datetime | None]
    last_error: Mapped[str] = mapped_column(Text)
    failures: Mapped[int]
    added_at: Mapped[datetime | None]
    paused_at: Mapped[datetime | None]
    # A removed source stays as a row, since the papers that it showed still name it.
    removed_at: Mapped[datetime | None]


class PaceRow(Base):
    """Whose turn it is to ask a group of hosts that wants to be asked slowly, across all processes."""

    __tablename__ = "pace"

    group: Mapped[str] = mapped_column(String(100), primary_key=True)
    next_at: Mapped[datetime]
    # Who holds the only connection, until when at the latest; empty where nobody does.
    holder: Mapped[str] = mapped_column(String(64))
    held_until: Mapped[datetime]


class EntryMarkRow(Base):
    """Which entries of a large archive were merged, as 64-bit marks of a block of lines, eight bytes each."""

    __tablename__ = "entry_mark"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    source_id: Mapped[int] = mapped_column(ForeignKey("source.id"), index=True)
    marks: Mapped[bytes] = mapped_column(LargeBinary)


class SightingRow(Base):
    """Which source showed which paper, in which version and announcement batch."""

    __tablename__ = "sighting"

    paper_id: Mapped[int] = mapped_column(ForeignKey("paper.id"), primary_key=True)
    source_id: Mapped[int] = mapped_column(ForeignKey("source.id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    announce_type: Mapped[str] = mapped_column(String(16), primary_key=True)
    batch: Mapped[date | None] = mapped_column(Date)
    seen_at: Mapped[datetime]


class ReceiptRow(Base):
    """What one check of one source found, or why it found nothing."""

    __tablename__ = "receipt"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    run: Mapped[str] = mapped_column(String(32), index=True)
    source_id: Mapped[int] = mapped_column(ForeignKey("source.id"), index=True)
    at: Mapped[datetime] = mapped_column(index=True)
    location: Mapped[str] = mapped_column(Text)
    format: Mapped[str] = mapped_column(String(32))
    outcome: Mapped[str] = mapped_column(String(16))
    batch: Mapped[date | None] = mapped_column(Date)
    received: Mapped[int]
    new: Mapped[int]
    updated: Mapped[int]
    merged: Mapped[int]
    rejected: Mapped[int]
    rejections: Mapped[list[Any]]
    note: Mapped[str] = mapped_column(Text)
    error: Mapped[str] = mapped_column(Text)


class SubscriberRow(Base):
    __tablename__ = "subscriber"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    # Lower-cased; empty for a reader of feeds only.
    email: Mapped[str] = mapped_column(String(320), index=True)
    state: Mapped[str] = mapped_column(String(16))
    state_at: Mapped[datetime]
    state_note: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]

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


class FeedbackRow(Base):
    """Append-only; the current opinion is derived."""

    __tablename__ = "feedback"

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    profile_id: Mapped[int] = mapped_column(ForeignKey("profile.id", ondelete="CASCADE"), index=True)
    paper_id: Mapped[int] = mapped_column(ForeignKey("paper.id"))
    opinion: Mapped[str] = mapped_column(String(16))
    at: Mapped[datetime]
    via: Mapped[str] = mapped_column(String(16))


class EditionRow(Base):
    """A vocabulary with its document frequencies, as npz bytes."""

    __tablename__ = "edition"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    data: Mapped[bytes] = mapped_column(LargeBinary)
    # What papers in general look like, as npz bytes; NULL where there were too few to tell.
    background: Mapped[bytes | None] = mapped_column(LargeBinary)
    papers: Mapped[int]
    made_at: Mapped[datetime]


class ModelRow(Base):
    """A profile's weights, rebuilt only when its inputs change."""

    __tablename__ = "model"

    profile_id: Mapped[int] = mapped_column(ForeignKey("profile.id", ondelete="CASCADE"), primary_key=True)
    edition: Mapped[str] = mapped_column(String(64))
    ranker: Mapped[str] = mapped_column(String(32))
    revision: Mapped[int]
    weights: Mapped[bytes] = mapped_column(LargeBinary)
    made_at: Mapped[datetime]


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
    batch_id: Mapped[int] = mapped_column(ForeignKey("batch.id"), primary_key=True)
    made_at: Mapped[datetime]
    ranked: Mapped[int]
    # {"chosen": [[paper id, score, strength, [folded paper ids], explore propensity or null]], "near": [...],
    #  "quantiles": [...]}
    items: Mapped[dict[str, Any]]
    digest_id: Mapped[int | None] = mapped_column(ForeignKey("digest.id"), index=True)


class DigestRow(Base):
    """The outbox: one mail to one address. Intent is committed before SMTP, the outcome after."""

    __tablename__ = "digest"
    __table_args__ = (
        UniqueConstraint("subscriber_id", "kind", "period"),
        Index("ix_digest_due", "state", "next_attempt_at"),
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
