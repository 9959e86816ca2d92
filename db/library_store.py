"""Papers on hand as the entries of somebody's library name them: by title, or by an author."""

from __future__ import annotations

import json
from collections.abc import Iterable

from sqlalchemy import String, cast, select
from sqlalchemy.orm import Session

from db.paper_rows import COLUMNS, stored
from db.records import Stored
from db.tables import PaperRow
from recommender import names

_CHUNK = 500
# Of the papers whose authors' names hold the surname, so many are looked at: "Wang" is in every tenth.
_LOOKED_AT = 2_000


def by_title_keys(session: Session, labels: Iterable[str]) -> dict[str, Stored]:
    """Stored papers by their `merging.title_key`; of several with one key the oldest row."""
    wanted = list(dict.fromkeys(labels))
    found: dict[str, Stored] = {}
    for start in range(0, len(wanted), _CHUNK):
        part = PaperRow.title_key.in_(wanted[start : start + _CHUNK])
        query = select(*COLUMNS, PaperRow.title_key).where(part).order_by(PaperRow.id)
        for row in session.execute(query):
            found.setdefault(row.title_key, stored(row))
    return found


def by_author(session: Session, name: str, *, at_most: int) -> list[Stored]:
    """The newest papers of an author of this name, whatever the accents and however the first name is cut.

    A look through all author lists: a tenth of a second in 200,000 papers, more for a common surname.
    """
    wanted = names.author(name)
    parts = wanted.split()
    if len(parts) < 2:
        return []
    # As JSON writes it, so that the database finds Müller; names.author has dropped the accents, so the word
    # as it was typed is sought too.
    typed = max(name.replace(",", " ").split(), key=lambda word: names.author(word) == parts[-1])
    words = {json.dumps(word)[1:-1].replace("\\", "\\\\") for word in (parts[-1], typed)}
    held = cast(PaperRow.authors, String)
    holds = [held.ilike(f"%{word}%", escape="\\") for word in words]
    query = select(PaperRow.id, PaperRow.authors).where(holds[0] if len(holds) == 1 else holds[0] | holds[1])
    numbers = [
        row.id
        for row in session.execute(query.order_by(PaperRow.id.desc()).limit(_LOOKED_AT))
        if any(names.same_author(names.author(author), wanted) for author in row.authors)
    ][:at_most]
    found = session.execute(select(*COLUMNS).where(PaperRow.id.in_(numbers)))
    return sorted((stored(row) for row in found), key=lambda s: -s.number)
