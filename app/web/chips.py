"""Chips: what was understood of a profile form, each piece to be weighed or taken out by one press."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.web.typed import Typed
from db import paper_store
from jobs.service import Service
from profiles.request import RequestError

if TYPE_CHECKING:
    from jobs.preview import Preview

MOST = 24
"""So many of a kind are shown; an imported library has hundreds."""


@dataclass(frozen=True, slots=True)
class Chip:
    """One piece: its ``kind`` and ``label`` for the eye, ``value`` as `Typed.edited` takes it.

    ``strength`` is that of a term. A term that was only ``heard`` in the statement has none of its own yet.
    """

    kind: str
    label: str
    value: str
    strength: float = 1.0
    heard: bool = False


@dataclass(frozen=True, slots=True)
class Chips:
    """The chips of a form, and how many papers there are beside those shown."""

    shown: tuple[Chip, ...] = ()
    more_papers: int = 0


def chips(service: Service, typed: Typed, found: Preview | None) -> Chips:
    """What this form was understood to say; nothing while a field is at fault."""
    try:
        wants = typed.interests()
    except RequestError:
        return Chips()
    heard = found.heard if found else ()
    seeds = wants.seeds[:MOST]
    papers = {}
    if seeds:
        with service.database.reading() as session:
            papers = {key: s.paper.title for key, s in paper_store.by_keys(session, seeds).items()}
    mutes = {"term": wants.mutes.terms, "author": wants.mutes.authors, "category": wants.mutes.categories}
    shown = (
        *(Chip("term", term, term, 0.0, heard=True) for term in heard),
        *(Chip("term", term, term, weight) for term, weight in wants.terms[: 2 * MOST]),
        *(Chip("like", papers.get(key, ""), _plain(key)) for key in seeds),
        *(Chip("author", name, name) for name in wants.authors[:MOST]),
        *(Chip("category", code, code) for code in wants.categories[:MOST]),
        *(
            Chip("mute", word, f"{kind}:{word}")
            for kind, words in mutes.items()
            for word in words[:MOST]
        ),
    )  # fmt: skip
    return Chips(shown, len(wants.seeds) - len(seeds))


def _plain(key: str) -> str:
    return key.removeprefix("arxiv:").removeprefix("doi:")
