"""What became of a paper: its versions with what each changed, where it was shown, and what was guessed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from db import label_store, paper_store
from db.label_store import Guess
from db.records import Revision, Shown, Stored
from db.session import Session
from jobs.alerts.readable import readable
from jobs.revisions import Segment, diff
from recommender.paper import Paper

# Words that are compared; a longer text is no abstract, and comparing takes the square of the time.
_COMPARED = 1_500


@dataclass(frozen=True, slots=True)
class Change:
    """What an earlier version said, and how the next one, ``to`` (None where it has no number), differs."""

    old: Revision
    to: int | None
    title: list[Segment]
    abstract: list[Segment]


@dataclass(frozen=True, slots=True)
class History:
    """What each version changed, the latest first; where the paper was shown, the earliest first; and the
    labels that were guessed for it."""

    changes: list[Change]
    shown: list[Shown]
    guesses: tuple[Guess, ...]


def history(session: Session, found: Stored) -> History:
    """All this of a stored paper."""
    return History(
        _changes(found.paper, paper_store.revisions(session, found.number)),
        _first_showings(paper_store.shown_by(session, found.number)),
        label_store.guesses(session, [found.number]).get(found.number, ()),
    )


def _changes(paper: Paper, revisions: Sequence[Revision]) -> list[Change]:
    if not revisions:
        return []
    later = [(r.version, r.title, r.abstract) for r in revisions[1:]]
    later.append((paper.version or 0, paper.title, paper.abstract))
    changes = [
        Change(old, version or None, _compared(old.title, title), _compared(old.abstract, abstract))
        for old, (version, title, abstract) in zip(revisions, later, strict=True)
    ]
    return changes[::-1]


def _compared(old: str, new: str) -> list[Segment]:
    old, new = readable(old), readable(new)
    if max(len(old.split()), len(new.split())) > _COMPARED:
        return [Segment("same", new)]
    return diff(old, new)


def _first_showings(shown: Sequence[Shown]) -> list[Shown]:
    """Each source once for each version: a cross-list of the same version says nothing new."""
    found: dict[tuple[str, int | None], Shown] = {}
    for one in shown:
        found.setdefault((one.source, one.version), one)
    return list(found.values())
