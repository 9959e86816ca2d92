"""What readers said about papers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

Opinion = Literal["like", "dislike", "save", "open", "clear"]
OPINIONS: tuple[str, ...] = get_args(Opinion)


@dataclass(frozen=True, slots=True)
class Feedback:
    """One event; events are only ever appended. ``via`` is where it came from: page, mail, feed, import."""

    profile_id: int
    paper_id: str
    opinion: Opinion
    at: datetime
    via: str


def current(events: Iterable[Feedback]) -> dict[str, Feedback]:
    """The opinion that counts now for each paper id: the latest like, dislike or save; opens only where
    nothing stronger was said; a ``clear`` takes all back. ``events`` may come in any order."""
    now: dict[str, Feedback] = {}
    for event in sorted(events, key=lambda e: e.at):
        held = now.get(event.paper_id)
        if event.opinion == "clear":
            now.pop(event.paper_id, None)
        elif event.opinion != "open" or held is None or held.opinion == "open":
            now[event.paper_id] = event
    return now
