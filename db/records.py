"""What stores hand out besides papers and profiles."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Literal

from recommender.paper import Paper

if TYPE_CHECKING:
    # A process that only shows what was matched does without it.
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Source:
    """Where papers come from. ``kind`` is folder, feed, arxiv, oai or file (given by hand, never due by
    itself; addresses and standard input too).

    ``cursor`` is what the source's reader wants to remember between checks.
    """

    id: int
    name: str
    kind: str
    location: str
    every_minutes: int
    paused: bool
    next_check_at: datetime | None
    etag: str
    last_modified: str
    cursor: dict[str, Any]
    last_batch: date | None
    last_success_at: datetime | None
    last_error: str
    failures: int
    added_at: datetime | None = None
    paused_at: datetime | None = None


Outcome = Literal[
    "", "papers", "known", "unchanged", "not yet", "weekend", "holiday", "stale", "filled", "empty", "error"
]


@dataclass(frozen=True, slots=True)
class Receipt:
    """What one check of one location found, or why it found nothing.

    ``outcome`` is the same in one word: papers (something new or changed), known (nothing that was not),
    unchanged (the server or the folder says so), not yet (the day's announcement is not out), weekend,
    holiday, stale (a new batch was due and the last one is still shown), filled (missed days were fetched
    from the archive), empty, error.
    """

    source_id: int
    at: datetime
    location: str
    format: str = ""
    batch: date | None = None
    received: int = 0
    new: int = 0
    updated: int = 0
    merged: int = 0
    rejected: tuple[tuple[str, str], ...] = ()
    note: str = ""
    error: str = ""
    outcome: Outcome = ""


@dataclass(frozen=True, slots=True)
class Stored:
    """A paper with its row number, which matches refer to, and the batch in which it was news."""

    number: int
    paper: Paper
    batch: int | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """Papers that became news together, and the line that tells readers what was checked."""

    id: int
    made_at: datetime
    papers: int
    receipt: str
    matched: bool


@dataclass(frozen=True, slots=True)
class Pick:
    """One paper in a match: its row number, score and strength, the near-duplicates folded under it, and
    the propensity of an explore slot."""

    paper: int
    score: float
    strength: str
    similar: tuple[int, ...] = ()
    explore: float | None = None


@dataclass(frozen=True, slots=True)
class Match:
    """What one profile gets of one batch of ``ranked`` papers."""

    profile_id: int
    batch_id: int
    made_at: datetime
    ranked: int
    chosen: tuple[Pick, ...]
    near: tuple[Pick, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """The best scores that one batch of ``ranked`` papers had for P ``profiles``, in ascending order.

    ``best`` (P × w) are in half precision, best first, 0 where there were fewer. ``chosen`` (P) says how many
    papers each profile got.
    """

    batch_id: int
    made_at: datetime
    ranked: int
    profiles: NDArray[np.int64]
    chosen: NDArray[np.uint16]
    best: NDArray[np.float16]

    def of(self, rows: NDArray[np.int64]) -> Scores:
        """The same of the profiles in these rows."""
        held = self.profiles[rows], self.chosen[rows], self.best[rows]
        return Scores(self.batch_id, self.made_at, self.ranked, *held)


DigestState = Literal["queued", "sending", "sent", "failed", "suppressed", "cancelled", "empty"]


@dataclass(frozen=True, slots=True)
class Queued:
    """One mail in the outbox. ``kind`` is digest, confirmation or access (a link to one's own page)."""

    id: int
    subscriber_id: int
    kind: str
    period: str
    message_id: str
    state: DigestState
    content: dict[str, Any]
    attempts: int
    next_attempt_at: datetime | None
    leased_until: datetime | None
    queued_at: datetime
    sent_at: datetime | None
    last_error: str


@dataclass(frozen=True, slots=True)
class Revision:
    """What a paper's earlier version said."""

    version: int
    title: str
    abstract: str
    replaced_at: datetime


@dataclass(frozen=True, slots=True)
class Shown:
    """That a source showed a paper, in which version (None where it says none), as announced on which day."""

    source: str
    version: int | None
    day: date | None
    seen_at: datetime
