"""How a pair of words is written: joined by a hyphen, a space or small words, in the singular or plural."""

from __future__ import annotations

_SMALL_WORDS = "of in for and to with on by from via as or at into the a an between over is are"
_SMALL = _SMALL_WORDS.split()
JOINTS: tuple[str, ...] = (
    " ",
    "-",
    *(f" {word} " for word in _SMALL),
    *(f" {word} the " for word in _SMALL[:12]),
    *(f" {word} a " for word in _SMALL[:12]),
    *(f"-{word}-" for word in ("of", "in", "to", "and", "the", "by", "as", "for", "on", "a")),
)
"""What may stand between the two; a shape is ``4 * joint + 2 * first is plural + second is plural``."""


def shaped(first: str, second: str, joint: int) -> str:
    """The pair as it is written: ``mixture of experts`` for mixture, experts and the joint of " of "."""
    return f"{first}{JOINTS[joint]}{second}"
