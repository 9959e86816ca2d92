"""What every format's parser returns."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Protocol

from recommender.paper import Paper


class SourceError(Exception):
    """A source that could not be read as a whole; the message says what, where and what to do."""

    def __init__(self, message: str, *, permanent: bool = True) -> None:
        super().__init__(message)
        self.permanent = permanent


@dataclass(frozen=True, slots=True)
class Rejection:
    """An entry that was left out: where it stands ("line 14", "item 3") and why."""

    where: str
    why: str


@dataclass(frozen=True, slots=True)
class Parsed:
    """The papers of one payload, in its order, and what was left out.

    ``note`` says why a payload without papers is validly empty ("no announcement at the weekend").
    ``batch`` is the announcement day of the whole payload where it states one.
    ``next_page`` is what to ask for next: an OAI resumption token, or the API's next start.
    ``cursor`` is where the next harvest starts: OAI-PMH's responseDate, to be sent as ``from``; of arXiv's
    API the moment at which the last entry was updated. ``beyond`` if the API has more than it ever shows.
    ``deleted`` are the canonical ids of records that the source says it deleted; they are no papers.
    """

    format: str
    papers: tuple[Paper, ...]
    rejected: tuple[Rejection, ...] = ()
    note: str = ""
    batch: date | None = None
    next_page: str = ""
    cursor: str = ""
    deleted: tuple[str, ...] = ()
    beyond: bool = False


class Format(Protocol):
    """A module that reads one format. Both functions are pure; neither sees a file name."""

    NAME: str

    def recognises(self, head: bytes) -> bool:
        """Whether a payload that begins like this (its first 64 KiB) is of this format."""

    def parse(self, data: bytes) -> Parsed:
        """Read the whole payload. Raises `SourceError` where nothing of it can be read."""
