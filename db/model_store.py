"""Editions, and the weights learned in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from db.session import insert_or
from db.tables import EditionRow, ModelRow


@dataclass(frozen=True, slots=True)
class Model:
    """A profile's weights as bytes, what they were learned by and from which revision of the profile."""

    edition: str
    ranker: str
    revision: int
    weights: bytes


def latest_edition(session: Session) -> tuple[str, datetime, int] | None:
    """Name, time and number of papers of the edition in force; None before the first one was fitted."""
    query = select(EditionRow.name, EditionRow.made_at, EditionRow.papers).order_by(EditionRow.made_at.desc())
    row = session.execute(query.limit(1)).first()
    return (row.name, row.made_at, row.papers) if row else None


def edition_data(session: Session, name: str) -> bytes:
    """The npz bytes of an edition."""
    return session.scalars(select(EditionRow.data).where(EditionRow.name == name)).one()


def background_data(session: Session, name: str) -> bytes | None:
    """The npz bytes of an edition's background, if it has one."""
    return session.scalars(select(EditionRow.background).where(EditionRow.name == name)).one()


def keep_edition(
    session: Session, name: str, data: bytes, background: bytes | None, papers: int, now: datetime
) -> None:
    """Put an edition in force; earlier ones are dropped, since weights are rebuilt for the latest."""
    session.execute(delete(EditionRow).where(EditionRow.name != name))
    known = session.get(EditionRow, name)
    if known is None:
        session.add(EditionRow(name=name, data=data, background=background, papers=papers, made_at=now))
    else:
        known.made_at, known.papers, known.background = now, papers, background


def models(session: Session, profile_ids: Iterable[int]) -> dict[int, Model]:
    """The stored weights of these profiles."""
    query = select(ModelRow).where(ModelRow.profile_id.in_(list(profile_ids)))
    return {r.profile_id: Model(r.edition, r.ranker, r.revision, r.weights) for r in session.scalars(query)}


def keep_models(session: Session, models: Mapping[int, Model], now: datetime) -> None:
    """Store weights, replacing what each profile had."""
    if not models:
        return
    rows = [
        {
            "profile_id": number, "edition": m.edition, "ranker": m.ranker, "revision": m.revision,
            "weights": m.weights, "made_at": now,
        }
        for number, m in models.items()
    ]  # fmt: skip
    statement = insert_or(session, ModelRow)
    columns = ("edition", "ranker", "revision", "weights", "made_at")
    changes = {name: statement.excluded[name] for name in columns}
    session.execute(statement.on_conflict_do_update(index_elements=["profile_id"], set_=changes), rows)
