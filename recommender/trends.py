"""What rises: how much more often something is met lately than before (pure)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

PRIOR = 1_000
"""So many papers are added to both sides as if seen before, a name being as frequent in them as on both
sides together: a name that is new then rises by a number, not without end."""
SURE = 3.0
"""So many standard errors a rise must be above none. Thousands of names are compared, and two errors would
let one in forty of them through by chance."""

COMMON = 0.002
"""A term that this share of all papers holds is a topic only where it is `GATHERED`; rarer ones are names of
something."""
GATHERED = 2.0
"""So many times as often as two papers at all do two of a topic's papers have the same first category."""
_DOUBT = 100
"""So many pairs of papers count as if they shared a category no more often than others."""


@dataclass(frozen=True, slots=True)
class Rise:
    """Something that ``lately`` of the latest papers and ``before`` of the earlier ones have.

    ``ratio`` is how many times larger the odds of meeting it became, after smoothing; ``z`` is the log of
    that in standard errors, and ``least`` that of which one can be rather sure: two of them less.
    """

    name: str
    lately: int
    before: int
    ratio: float
    z: float

    @property
    def least(self) -> float:
        """The log of the ratio, less two standard errors."""
        log = math.log(self.ratio)
        return log - 2 * log / self.z


def rising(
    counts: Iterable[tuple[str, int, int]], latest: int, earlier: int, *, at_least: int, at_most: int
) -> list[Rise]:
    """What rises most, as far as one can be sure (`Rise.least`), among (name, papers lately, before) of
    ``latest`` and ``earlier`` papers.

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
    found.sort(key=lambda rise: (-rise.least, rise.name))
    return found[:at_most]


def gathered(fields: Mapping[str, int], everywhere: Mapping[str, int]) -> float:
    """How many times likelier two of some papers share a field than two papers at all do: near 1 for words
    that any paper may use, such as "frozen" or "exact".

    Both are papers by field. It is the ratio of two Simpson indices (Simpson 1949, "Measurement of
    diversity"), that of few papers drawn towards 1.
    """
    usual = _same(everywhere) / max(_pairs(everywhere), 1)
    return (_same(fields) + _DOUBT * usual) / (_pairs(fields) + _DOUBT) / usual if usual else 1.0


def _same(fields: Mapping[str, int]) -> int:
    return sum(papers * (papers - 1) for papers in fields.values())


def _pairs(fields: Mapping[str, int]) -> int:
    papers = sum(fields.values())
    return papers * (papers - 1)


def apart(rises: Sequence[Rise], at_most: int, beside: Sequence[Rise] = ()) -> list[Rise]:
    """The first of these terms that share no word with an earlier one, nor with one of ``beside``."""
    kept: list[Rise] = []
    for rise in rises:
        if not any(_words(rise) & _words(other) for other in (*beside, *kept)):
            kept.append(rise)
    return kept[:at_most]


def _words(rise: Rise) -> set[str]:
    # A pair may be written with a hyphen, and either word as a plural.
    return {word.rstrip("s") for word in rise.name.casefold().replace("-", " ").split()}
