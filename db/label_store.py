"""Labels: what papers are browsed by, and the papers that carry one, newest first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import and_, delete, func, select, tuple_, update
from sqlalchemy.orm import Session

from db.bulk import insert_rows
from db.paper_rows import COLUMNS, stored
from db.records import Stored
from db.search_store import day_of, number_of, paper_of
from db.session import insert_or
from db.tables import Base, LabelRow, PaperLabelRow, PaperRow
from recommender.labels import Kind, Named

_CHUNK = 500
_PAPER_LABELS = Base.metadata.tables["paper_label"]


@dataclass(frozen=True, slots=True)
class Found:
    """A paper on a page of many, and its number in their order: the next page begins before the last one."""

    number: int
    stored: Stored


@dataclass(frozen=True, slots=True)
class Guess:
    """A label that no source gave: ``share`` is how certain it is, 0 to 1."""

    kind: Kind
    name: str
    share: float


@dataclass(frozen=True, slots=True)
class Counted:
    """A label and how many papers carry it."""

    label: Named
    papers: int


def find(session: Session, kind: Kind, short: str) -> Named | None:
    """The label with this slug, if any paper had it."""
    name = session.scalar(select(LabelRow.name).where(LabelRow.kind == kind, LabelRow.slug == short))
    return None if name is None else Named(kind, short, name)


def papers_of_label(
    session: Session, kind: Kind, short: str, *, at_most: int, before: int | None = None
) -> list[Found]:
    """The latest papers with this label, guessed topics included, of those with numbers below ``before``;
    empty where there is no such label."""
    label = select(LabelRow.id).where(LabelRow.kind == kind, LabelRow.slug == short).scalar_subquery()
    day, paper_id = PaperLabelRow.announced, PaperLabelRow.paper_id
    query = (
        select(*COLUMNS, day.label("day"))
        .join(PaperLabelRow, paper_id == PaperRow.id)
        .where(PaperLabelRow.label_id == label)
        .order_by(day.desc(), paper_id.desc())
        .limit(at_most)
    )
    if before is not None:
        query = query.where(tuple_(day, paper_id) < (day_of(before), paper_of(before)))
    return [Found(number_of(row.day, row.id), stored(row)) for row in session.execute(query)]


def papers_of_days(
    session: Session, first: date | None, last: date | None, *, at_most: int, before: int | None = None
) -> list[Found]:
    """The latest papers announced in these days (both included, None for no end), of those with numbers
    below ``before``."""
    query = select(*COLUMNS).where(PaperRow.announced.is_not(None))
    if first is not None:
        query = query.where(PaperRow.announced >= first)
    if last is not None:
        query = query.where(PaperRow.announced <= last)
    if before is not None:
        # The day stands alone as well, since SQLite finds its place in the index of days by it.
        query = query.where(PaperRow.announced <= day_of(before))
        query = query.where(tuple_(PaperRow.announced, PaperRow.id) < (day_of(before), paper_of(before)))
    query = query.order_by(PaperRow.announced.desc(), PaperRow.id.desc()).limit(at_most)
    return [Found(number_of(row.announced, row.id), stored(row)) for row in session.execute(query)]


def count_of_days(session: Session, first: date | None, last: date | None, *, at_most: int) -> int:
    """How many papers were announced in these days, counted up to ``at_most``."""
    query = select(PaperRow.id).where(PaperRow.announced.is_not(None))
    if first is not None:
        query = query.where(PaperRow.announced >= first)
    if last is not None:
        query = query.where(PaperRow.announced <= last)
    return session.scalar(select(func.count()).select_from(query.limit(at_most).subquery())) or 0


def count(session: Session, kind: Kind, short: str, *, at_most: int) -> int:
    """How many papers carry a label, counted up to ``at_most``."""
    label = select(LabelRow.id).where(LabelRow.kind == kind, LabelRow.slug == short).scalar_subquery()
    query = select(PaperLabelRow.paper_id).where(PaperLabelRow.label_id == label).limit(at_most)
    return session.scalar(select(func.count()).select_from(query.subquery())) or 0


def days(session: Session, last: date | None = None, *, at_most: int) -> list[tuple[date, int]]:
    """The latest announcement days, or those up to ``last``, and how many papers each had."""
    query = select(PaperRow.announced, func.count()).where(PaperRow.announced.is_not(None))
    if last is not None:
        query = query.where(PaperRow.announced <= last)
    query = query.group_by(PaperRow.announced).order_by(PaperRow.announced.desc()).limit(at_most)
    return [(day, papers) for day, papers in session.execute(query) if day is not None]


def neighbours(session: Session, day: date) -> tuple[date | None, date | None]:
    """The announcement days on hand next before and next after a day."""
    before = select(func.max(PaperRow.announced)).where(PaperRow.announced < day)
    after = select(func.min(PaperRow.announced)).where(PaperRow.announced > day)
    return session.scalar(before), session.scalar(after)


def most_used(
    session: Session, kind: Kind, first: date, last: date | None = None, *, at_most: int
) -> list[Counted]:
    """The labels of a kind that most papers of these days (both included, None for no end) carry, those with
    most first."""
    days = PaperLabelRow.announced >= first
    if last is not None:
        days = and_(days, PaperLabelRow.announced <= last)
    papers = func.count().label("papers")
    query = (
        select(LabelRow.slug, LabelRow.name, papers)
        .join(PaperLabelRow, PaperLabelRow.label_id == LabelRow.id)
        .where(LabelRow.kind == kind, days)
        .group_by(LabelRow.id, LabelRow.slug, LabelRow.name)
        .order_by(papers.desc(), LabelRow.slug)
        .limit(at_most)
    )
    return [Counted(Named(kind, row.slug, row.name), row.papers) for row in session.execute(query)]


def daily_counts(session: Session, kind: Kind, first: date, last: date) -> dict[Named, dict[date, int]]:
    """How many papers of each day (both ends included) carry each label of a kind."""
    query = (
        select(LabelRow.slug, LabelRow.name, PaperLabelRow.announced, func.count().label("papers"))
        .join(PaperLabelRow, PaperLabelRow.label_id == LabelRow.id)
        .where(LabelRow.kind == kind, PaperLabelRow.announced.between(first, last))
        .group_by(LabelRow.id, LabelRow.slug, LabelRow.name, PaperLabelRow.announced)
    )
    found: dict[Named, dict[date, int]] = {}
    for row in session.execute(query):
        found.setdefault(Named(kind, row.slug, row.name), {})[row.announced] = row.papers
    return found


def guesses(session: Session, numbers: Iterable[int]) -> dict[int, tuple[Guess, ...]]:
    """The area and topics that were guessed for these papers; papers without are left out."""
    query = select(PaperRow.id, PaperRow.guessed_topics).where(PaperRow.id.in_(list(numbers)))
    rows = session.execute(query)
    return {r.id: tuple(Guess(*one) for one in r.guessed_topics) for r in rows if r.guessed_topics}


def write_as(session: Session, named: Iterable[Named]) -> None:
    """Write labels as these are written, where they are known."""
    for label in named:
        same = LabelRow.kind == label.kind, LabelRow.slug == label.slug
        session.execute(update(LabelRow).where(*same).values(name=label.name))


def put(session: Session, labelled: Mapping[int, tuple[date, Sequence[Named]]]) -> None:
    """Give papers these labels, under these days, instead of the ones they had."""
    ids = list(labelled)
    for start in range(0, len(ids), _CHUNK):
        part = ids[start : start + _CHUNK]
        session.execute(delete(PaperLabelRow).where(PaperLabelRow.paper_id.in_(part)))
    numbers = _numbers(session, sorted({label for _, found in labelled.values() for label in found}))
    rows = [
        {"label_id": numbers[label.kind, label.slug], "announced": day, "paper_id": paper_id}
        for paper_id, (day, found) in labelled.items()
        for label in found
    ]
    insert_rows(session, _PAPER_LABELS, rows)


def _numbers(session: Session, wanted: Sequence[Named]) -> dict[tuple[str, str], int]:
    """The row numbers of labels by kind and slug; those that are new are stored."""
    found: dict[tuple[str, str], int] = {}
    for start in range(0, len(wanted), _CHUNK):
        part = wanted[start : start + _CHUNK]
        slugs = {label.slug for label in part}
        query = select(LabelRow.id, LabelRow.kind, LabelRow.slug).where(LabelRow.slug.in_(slugs))
        found |= {(row.kind, row.slug): row.id for row in session.execute(query)}
        new = {(label.kind, label.slug): label for label in part if (label.kind, label.slug) not in found}
        if new:
            rows = [{"kind": one.kind, "slug": one.slug, "name": one.name} for one in new.values()]
            session.execute(insert_or(session, LabelRow).on_conflict_do_nothing(), rows)
            found |= {(row.kind, row.slug): row.id for row in session.execute(query)}
    return found
