"""The latest days on hand, kept as vectors in this process until something newer came."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING

from db import paper_store, week_store
from db.session import Session
from db.week_store import Span

if TYPE_CHECKING:
    # Loading it takes scikit-learn, which the web process does without until a page ranks something.
    from recommender.ready import Ready
    from recommender.vectors import Edition

AT_MOST = 10_000
"""As many papers as a busy week of all arXiv, some 100 MB; what is older than the newest so many is left."""


@dataclass(slots=True)
class Shelf:
    """One span of papers, read when it is first asked for and again when the papers or the edition changed.

    Whoever asks meanwhile waits for it rather than read the same papers twice.
    """

    lock: Lock = field(default_factory=Lock)
    held: Ready | None = None
    edition: str = ""
    span: Span | None = None
    opening: Sequence[int] | None = None

    def is_fresh(self, session: Session, fitted: Edition, days: int) -> bool:
        """Whether the latest ``days`` are at hand as they are."""
        return (self.edition, self.span) == (fitted.name, week_store.span(session, days=days))

    def latest(self, session: Session, fitted: Edition, days: int) -> Ready:
        """The papers of the latest ``days`` announcement days, at most `AT_MOST`, on ``fitted``."""
        from recommender.ready import Ready  # noqa: PLC0415 - see above

        span = week_store.span(session, days=days)
        with self.lock:
            if self.held is None or (self.edition, self.span) != (fitted.name, span):
                papers = [s.paper for s in paper_store.recent(session, days=days, at_most=AT_MOST)]
                self.held = Ready.of(fitted, papers)
                self.held.words.read()  # so that no preview waits for it
                self.edition, self.span, self.opening = fitted.name, span, None
            return self.held

    def opened(self, week: Ready, choose: Callable[[Ready], Sequence[int]]) -> Sequence[int]:
        """The rows that newcomers are asked about first, chosen once for each ``week``."""
        with self.lock:
            if self.opening is None or week is not self.held:
                self.opening = choose(week)
            return self.opening
