"""What rises: how much more often something is met lately than before (pure)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

PRIOR = 1_000
"""So many papers are added to both sides as if seen before, a name being as frequent in them as on both
sides together: a name that is new then rises by a number, not without end."""
SURE = 3.0
"""So many standard errors a rise must be above none. Thousands of names are compared, and two errors would
let one in forty of them through by chance."""


@dataclass(frozen=True, slots=True)
class Rise:
    """Something that ``lately`` of the latest papers and ``before`` of the earlier ones have.

    ``ratio`` is how many times larger the odds of meeting it became, after smoothing; ``z`` is the log of
    that in standard errors.
    """

    name: str
    lately: int
    before: int
    ratio: float
    z: float


def rising(
    counts: Iterable[tuple[str, int, int]], latest: int, earlier: int, *, at_least: int, at_most: int
) -> list[Rise]:
    """What rises most surely among (name, papers lately, before) of ``latest`` and ``earlier`` papers.

    Log-odds with an informative Dirichlet prior (Monroe, Colaresi and Quinn 2008, "Fightin' Words", section
    3.5): each side is smoothed by pseudo-papers in which the name is as frequent as on both sides together.
    Left out is what fewer than ``at_least`` of the latest papers have, and what may be chance.
    """
    found = []
    for name, lately, before in counts:
        if lately < at_least:
            continue
        share = (lately + before) / (latest + earlier)
        odds, variance = [], 0.0
        for hits, papers in ((lately, latest), (before, earlier)):
            with_prior = hits + PRIOR * share
            odds.append(math.log(with_prior / max(papers + PRIOR - with_prior, 0.5)))
            variance += 1 / with_prior
        z = (odds[0] - odds[1]) / math.sqrt(variance)
        if z >= SURE:
            found.append(Rise(name, lately, before, math.exp(odds[0] - odds[1]), z))
    found.sort(key=lambda rise: (-rise.z, rise.name))
    return found[:at_most]


def without_parts(rises: Sequence[Rise], at_most: int) -> list[Rise]:
    """The first rises of terms, without words of a pair that rises more surely, nor pairs of such a word."""
    kept: list[Rise] = []
    for rise in rises:
        words = set(rise.name.casefold().split())
        if not any(words & set(other.name.casefold().split()) for other in kept):
            kept.append(rise)
    return kept[:at_most]
