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


_SPANS = 2
"""So many spans are kept: a week for all pages, and what the API was asked for last."""


@dataclass(slots=True)
class _Held:
    edition: str
    span: Span
    ready: Ready
    opening: Sequence[int] | None = None


@dataclass(slots=True)
class Shelf:
    """Spans of papers, each read when it is first asked for and again when the papers or the edition changed.

    Whoever asks meanwhile waits for it rather than read the same papers twice.
    """

    lock: Lock = field(default_factory=Lock)
    held: dict[int, _Held] = field(default_factory=dict)

    def is_fresh(self, session: Session, fitted: Edition, days: int) -> bool:
        """Whether the latest ``days`` are at hand as they are."""
        return self._at_hand(fitted, days, week_store.span(session, days=days)) is not None

    def latest(self, session: Session, fitted: Edition, days: int) -> Ready:
        """The papers of the latest ``days`` announcement days, at most `AT_MOST`, on ``fitted``."""
        from recommender.ready import Ready  # noqa: PLC0415 - see above

        span = week_store.span(session, days=days)
        with self.lock:
            held = self._at_hand(fitted, days, span)
            self.held.pop(days, None)
            if held is None:
                while len(self.held) >= _SPANS:
                    del self.held[next(iter(self.held))]
                papers = [s.paper for s in paper_store.recent(session, days=days, at_most=AT_MOST)]
                held = _Held(fitted.name, span, Ready.of(fitted, papers))
                held.ready.words.read()  # so that no preview waits for it
            self.held[days] = held  # the last one asked for stands last
            return held.ready

    def _at_hand(self, fitted: Edition, days: int, span: Span) -> _Held | None:
        held = self.held.get(days)
        return held if held and (held.edition, held.span) == (fitted.name, span) else None

    def opened(self, week: Ready, choose: Callable[[Ready], Sequence[int]]) -> Sequence[int]:
        """The rows that newcomers are asked about first, chosen once for each ``week``."""
        with self.lock:
            held = next((each for each in self.held.values() if each.ready is week), None)
            if held is None:
                return choose(week)
            if held.opening is None:
                held.opening = choose(week)
            return held.opening
