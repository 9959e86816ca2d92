"""What a reader wants, as the ranking model takes it in: what they state, and papers they judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from recommender.paper import Paper


@dataclass(frozen=True, slots=True)
class Mutes:
    """What a reader never wants to see; a mute always wins."""

    terms: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.terms or self.authors or self.categories)


@dataclass(frozen=True, slots=True)
class Interests:
    """What a reader says of one interest, before any feedback.

    ``terms`` are (term, strength) with strength in [-3, 3], 1 being "yes" and negative ones "rather not".
    ``seeds`` are canonical paper ids that the reader named as examples.
    """

    statement: str = ""
    terms: tuple[tuple[str, float], ...] = ()
    authors: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    seeds: tuple[str, ...] = ()
    mutes: Mutes = field(default_factory=Mutes)

    def __bool__(self) -> bool:
        return bool(self.statement.strip() or self.terms or self.authors or self.categories or self.seeds)


@dataclass(frozen=True, slots=True)
class Judged:
    """One paper that the reader judged: ``opinion`` is like, dislike, save, open or seed; ``age`` in days."""

    paper: Paper
    opinion: str
    age: float = 0.0


Examples = Sequence[Judged]
