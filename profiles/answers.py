"""What somebody answered who was shown papers to say yes or no to."""

from __future__ import annotations

from dataclasses import dataclass

MOST = 200
"""So many papers of a kind are carried along; more answers tell little more."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What was said so far: a statement, and the ids of the papers liked, refused and passed over."""

    statement: str = ""
    liked: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    passed: tuple[str, ...] = ()
