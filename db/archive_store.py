"""Papers of an archive: those that nobody has shown before are stored as they come, without merging."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from db import paper_store
from db.bulk import among, insert_columns, one_at_a_time
from db.paper_rows import WRITTEN, unwritten
from db.paper_store import Merged
from db.session import insert_or
from db.tables import AliasRow, Base, PaperRow

# As in `paper_store`.
_CHUNK = 1_000
_PAPERS = Base.metadata.tables["paper"]
_SIGHTINGS = Base.metadata.tables["sighting"]
_KEY, _LABEL, _VERSION = (WRITTEN.index(name) for name in ("key", "title_key", "version"))
_ANNOUNCED, _KIND = (WRITTEN.index(name) for name in ("announced", "announce_type"))


def add(session: Session, rows: Sequence[tuple[Any, ...]], source_id: int, now: datetime) -> Merged:
    """Store papers as `paper_rows.written` gives them, as `paper_store.merge` does for an archive.

    Of a large archive nearly all are new: what can be no known paper, by key, DOI or title, needs neither
    a `Paper` nor a comparison, which is half of the time. The others are merged.
    """
    one_at_a_time(session)
    total = Merged()
    for start in range(0, len(rows), _CHUNK):
        part = rows[start : start + _CHUNK]
        new, others = _sorted_out(session, part)
        _insert(session, new, source_id, now)
        papers = [unwritten(row) for row in others]
        total += Merged(new=len(new)) + paper_store.merge(session, papers, source_id, now, archive=True)
    return total


def _keys(row: tuple[Any, ...]) -> list[str]:
    """As `paper_store.keys_of`: the paper's own, and its DOI's."""
    key, doi = row[_KEY], f"doi:{row[-1]}"
    return [key, doi] if row[-1] and doi != key else [key]


def _sorted_out(
    session: Session, rows: Sequence[tuple[Any, ...]]
) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """Those that share no name with a known paper or with another row, and the rest in their order."""
    named = [[*_keys(row), row[_LABEL]] if row[_LABEL] else _keys(row) for row in rows]
    labels = [row[_LABEL] for row in rows if row[_LABEL]]
    met = paper_store.known(session, [key for row in rows for key in _keys(row)])
    met.update(
        label
        for label in session.scalars(
            select(PaperRow.title_key).where(among(session, PaperRow.title_key, labels))
        )
        if label
    )
    # Which of two is met first can decide what becomes of both: that is for `merge` to say.
    times = Counter(name for names in named for name in names)
    met.update(name for name, number in times.items() if number > 1)
    new: list[tuple[Any, ...]] = []
    others: list[tuple[Any, ...]] = []
    for row, names in zip(rows, named, strict=True):
        (new if met.isdisjoint(names) else others).append(row)
    return new, others


def _insert(session: Session, rows: Sequence[tuple[Any, ...]], source_id: int, now: datetime) -> None:
    if not rows:
        return
    number = len(rows)
    columns = {name: list(held) for name, held in zip(WRITTEN, zip(*rows, strict=True), strict=False)}
    columns |= {"first_seen_at": [now] * number, "batch_id": [None] * number, "news": [False] * number}
    insert_columns(session, _PAPERS, columns)
    query = select(PaperRow.key, PaperRow.id).where(among(session, PaperRow.key, columns["key"]))
    found = {row.key: row.id for row in session.execute(query)}
    numbers = [found[row[_KEY]] for row in rows]
    versions = [row[_VERSION] or 0 for row in rows]
    seen = {
        "paper_id": numbers, "source_id": [source_id] * number, "version": versions,
        "announce_type": columns["announce_type"], "batch": columns["announced"], "seen_at": [now] * number,
    }  # fmt: skip
    insert_columns(session, _SIGHTINGS, seen)
    aliases = [
        {"key": key, "paper_id": at} for row, at in zip(rows, numbers, strict=True) for key in _keys(row)[1:]
    ]
    if aliases:
        session.execute(insert_or(session, AliasRow).on_conflict_do_nothing(), aliases)
