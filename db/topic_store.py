"""The model that guesses topics, what it is learned from, and how far its guesses have come."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from db.paper_rows import COLUMNS, stored
from db.tables import LabelRow, PaperLabelRow, PaperRow, TopicModelRow
from recommender.paper import Paper


@dataclass(frozen=True, slots=True)
class Kept:
    """A stored model: its name, how many tagged papers it was learned from and when, and that papers with row
    numbers below ``guessed_down_to`` are still to be looked at."""

    name: str
    papers: int
    made_at: datetime
    guessed_down_to: int


def latest(session: Session) -> Kept | None:
    """The model in force; None before the first was learned."""
    row = session.execute(
        select(
            TopicModelRow.name, TopicModelRow.papers, TopicModelRow.made_at, TopicModelRow.guessed_down_to
        ).order_by(TopicModelRow.made_at.desc())
    ).first()
    return Kept(*row) if row else None


def data(session: Session, name: str) -> bytes | None:
    """The npz bytes of a model."""
    return session.scalar(select(TopicModelRow.data).where(TopicModelRow.name == name))


def keep(session: Session, name: str, held: bytes, papers: int, now: datetime) -> None:
    """Put a model in force, in place of the one before; all papers are to be looked at with it."""
    newest = session.scalar(select(func.max(PaperRow.id))) or 0
    session.execute(delete(TopicModelRow))
    session.add(TopicModelRow(name=name, data=held, papers=papers, made_at=now, guessed_down_to=newest + 1))


def looked_down_to(session: Session, name: str, number: int) -> None:
    """Record that papers from this row number on were looked at with a model."""
    session.execute(update(TopicModelRow).where(TopicModelRow.name == name).values(guessed_down_to=number))


def tagged(session: Session, *, at_most: int) -> list[Paper]:
    """The latest papers to which a source gave an area or a topic, the oldest first."""
    named = select(PaperLabelRow.paper_id).join(LabelRow, LabelRow.id == PaperLabelRow.label_id)
    with_label = named.where(LabelRow.kind.in_(("topic", "area")))
    query = (
        select(*COLUMNS)
        .where(PaperRow.id.in_(with_label), PaperRow.guessed_topics.is_(None))
        .order_by(PaperRow.announced.desc().nulls_last(), PaperRow.id.desc())
        .limit(at_most)
    )
    return [stored(row).paper for row in session.execute(query)][::-1]


def count_tagged(session: Session) -> int:
    """How many papers a source gave an area or a topic."""
    named = select(PaperLabelRow.paper_id).join(LabelRow, LabelRow.id == PaperLabelRow.label_id)
    with_label = named.where(LabelRow.kind.in_(("topic", "area")))
    query = select(func.count()).select_from(PaperRow)
    return session.scalar(query.where(PaperRow.id.in_(with_label), PaperRow.guessed_topics.is_(None))) or 0


def untagged(session: Session, *, at_most: int) -> list[Paper]:
    """Papers without area and topic, spread evenly over all that are on hand; about ``at_most``."""
    highest = session.scalar(select(func.max(PaperRow.id))) or 0
    step = max(1, highest // (2 * at_most))
    query = select(*COLUMNS).where(PaperRow.id % step == 0).order_by(PaperRow.id)
    found = (stored(row).paper for row in session.execute(query.execution_options(yield_per=500)))
    bare = [paper for paper in found if not paper.topics and not paper.area]
    return bare[:: max(1, -(-len(bare) // at_most))]
