"""The tables of papers: where they come from, what they say, how they are found."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Date,
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


class PaperRow(Base):
    """One row a paper, however many sources, versions and cross-lists show it."""

    __tablename__ = "paper"
    __table_args__ = (
        # What waits to be matched: small at any time, whatever the corpus has grown to. SQLite takes an index
        # of some rows only where a query repeats its condition word for word, and a Boolean is "= 1" there.
        Index(
            "ix_paper_unmatched",
            "id",
            sqlite_where=text("news = 1 AND batch_id IS NULL"),
            postgresql_where=text("news AND batch_id IS NULL"),
        ),
        # Without an archive's papers, which are in no batch: SQLite would look for what waits among them all.
        Index(
            "ix_paper_batch_id",
            "batch_id",
            sqlite_where=text("batch_id IS NOT NULL"),
            postgresql_where=text("batch_id IS NOT NULL"),
        ),
        # What the search does not know yet, in its latest words.
        Index(
            "ix_paper_unindexed",
            "id",
            sqlite_where=text("indexed_at IS NULL"),
            postgresql_where=text("indexed_at IS NULL"),
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
    batch_id: Mapped[int | None] = mapped_column(ForeignKey("batch.id"))
    first_seen_at: Mapped[datetime]
    # When the search and the labels took in its latest words; NULL again after each change.
    indexed_at: Mapped[datetime | None]
    # Where the search has it: announcement day and row number in one, so that later is larger.
    search_number: Mapped[int | None] = mapped_column(BigInteger)
    # [[area or topic, its name, probability], …] for papers that came without; NULL where nobody guessed.
    guessed_topics: Mapped[list[Any] | None] = mapped_column(JSON(none_as_null=True))


class LabelRow(Base):
    """What papers are found by when browsing: a category, topic, area or institution.

    The slug is what counts and stands in addresses; the name is how it is written.
    """

    __tablename__ = "label"
    __table_args__ = (UniqueConstraint("kind", "slug"),)

    id: Mapped[int] = mapped_column(Key, primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    slug: Mapped[str] = mapped_column(String(300))
    name: Mapped[str] = mapped_column(String(300))


class PaperLabelRow(Base):
    """Which paper carries which label; in the order in which a label's papers are browsed."""

    __tablename__ = "paper_label"

    label_id: Mapped[int] = mapped_column(ForeignKey("label.id"), primary_key=True)
    announced: Mapped[date] = mapped_column(Date, primary_key=True)
    paper_id: Mapped[int] = mapped_column(ForeignKey("paper.id"), primary_key=True, index=True)


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


class EditionRow(Base):
    """A vocabulary with its document frequencies, as npz bytes."""

    __tablename__ = "edition"
    # Which edition is in force is asked for with every page: without this the megabytes of ``data`` are read.
    __table_args__ = (Index("ix_edition_in_force", "made_at", "name", "papers"),)

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    data: Mapped[bytes] = mapped_column(LargeBinary)
    # What papers in general look like, as npz bytes; NULL where there were too few to tell.
    background: Mapped[bytes | None] = mapped_column(LargeBinary)
    papers: Mapped[int]
    made_at: Mapped[datetime]


class TopicModelRow(Base):
    """What names the topics of papers that came without: learned from the digests' own tags, as npz bytes."""

    __tablename__ = "topic_model"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    data: Mapped[bytes] = mapped_column(LargeBinary)
    papers: Mapped[int]
    made_at: Mapped[datetime]
    # Papers with row numbers below this are still to be looked at with this model; 0 when all are.
    guessed_down_to: Mapped[int] = mapped_column(BigInteger)


class TrendReportRow(Base):
    """What rose in the month that ends on a day; only the latest report is kept."""

    __tablename__ = "trend_report"

    day: Mapped[date] = mapped_column(Date, primary_key=True)
    made_at: Mapped[datetime]
    report: Mapped[dict[str, Any]]
