"""What one digest is made of, ready to be rendered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from recommender.paper import Paper

# The words are `recommender.select`'s; importing it here would load scipy and scikit-learn (a second and
# 100 MB) into every process that only serves feeds or sends mail. The same goes for `Part` below.
Strength = Literal["strong", "good", "near", "weak"]
Attached = Literal["markdown", "bibtex"]

# Filled cells of the four that make a strength bar, so that every channel draws the same one.
BARS: dict[str, int] = {"strong": 4, "good": 3, "near": 2, "weak": 1}


class Part(Protocol):
    """One signed part of a score, as `recommender.explain.Contribution` is one."""

    @property
    def kind(self) -> str:
        """What it is about: term, category, author, institution or tag."""

    @property
    def name(self) -> str:
        """The feature as a person writes it."""

    @property
    def value(self) -> float:
        """What it adds to the score, or takes off it."""

    @property
    def via(self) -> str:
        """The title of the liked paper that brought it in; empty where the reader stated it."""

    @property
    def parts(self) -> int:
        """Of how many parts it is the sum: one, but for the sum of the smallest."""


@dataclass(frozen=True, slots=True)
class Contribution:
    """A part of a score that was put together outside the recommender, such as the sum of the smallest."""

    kind: str
    name: str
    value: float
    via: str = ""
    parts: int = 1


@dataclass(frozen=True, slots=True)
class Item:
    """One paper chosen for one profile, with its reason in words and in numbers.

    ``contributions`` add up to ``score``, strongest first. ``similar`` are near-duplicates folded under it.
    ``explore`` is the propensity (0 to 1) with which a paper was drawn as the explore pick, else None.
    """

    paper: Paper
    score: float
    strength: Strength
    reason: str
    contributions: tuple[Part, ...] = ()
    similar: tuple[Paper, ...] = ()
    explore: float | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """What one profile gets: its papers, best first, and the ``near`` misses just under the cut."""

    profile_id: int
    profile_name: str
    items: tuple[Item, ...]
    near: tuple[Item, ...] = ()


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was checked, in one line, and why nothing came of it where nothing did.

    ``line`` reads like "Checked arXiv cs.DC cs.LG (Tue batch, 312 new) and 1 digest; 5 of 312 sent."
    """

    line: str
    why_empty: str = ""


@dataclass(frozen=True, slots=True)
class Digest:
    """One mail to one subscriber: rendered again it gives the same bytes, so that a retry is the same mail.

    ``message_id`` is with its angle brackets. ``zone`` is the IANA zone in which ``at`` is shown.
    ``list_profile`` is set where a profile has a mail of its own: List-Id and one-click unsubscribe are then
    about that profile only; None is one mail for everything the subscriber reads.
    ``attach`` names further forms of the same papers that are attached.
    """

    subscriber_id: int
    to: str
    message_id: str
    at: datetime
    sections: tuple[Section, ...]
    receipt: Receipt
    zone: str
    list_profile: int | None = None
    attach: tuple[Attached, ...] = ()

    @property
    def papers(self) -> int:
        """How many papers are in it, over all sections."""
        return sum(len(section.items) for section in self.sections)
