"""The selection one reader and one paper at a time: slow, plain, and what the fast one is held against."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recommender.choosing import JUST_UNDER, NEAR, POOL
from recommender.interest import Mutes
from recommender.likeness import SAME, Likeness
from recommender.mutes import Filter
from recommender.paper import Paper
from recommender.select import Choice, Selection, strength
from recommender.vectors import Matrix

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


def choose(
    papers: Sequence[Paper],
    scores: ArrayLike,
    *,
    limit: int,
    mutes: Mutes | None = None,
    seen: Collection[str] = frozenset(),
    cut: float | None = None,
    X: Matrix | None = None,
    history: ArrayLike | None = None,
    explore: float | None = None,
    diversity: float = 0.2,
) -> Selection:
    """As `recommender.select.choose`; ``dropped`` is left out."""
    values = np.asarray(scores, dtype=np.float64)
    past = values if history is None else np.asarray(history, dtype=np.float64)
    order = _ranked(papers, values)
    passing = int((values[order] >= cut).sum()) if cut is not None else len(order)
    open_to = _admit(papers, order, passing, limit, Filter.of(mutes or Mutes()), seen)
    above = [at for at, passes in open_to if passes]
    likeness = Likeness(papers, X)
    picked, folded = _spread(values, above, limit, likeness, diversity)
    inside = {at for first, similar in zip(picked, folded, strict=True) for at in (first, *similar)}
    left = [at for at, _ in open_to if at not in inside]
    chosen = [
        Choice(at, float(values[at]), strength(values[at], past), tuple(similar))
        for at, similar in zip(picked, folded, strict=True)
    ]
    close = [at for at in left if cut is None or values[at] >= JUST_UNDER * cut]
    if explore is not None and limit > 1 and close and chosen:
        drawn, propensity = _draw(values, close[:POOL], explore)
        left.remove(drawn)
        if len(chosen) == limit:
            left.append(chosen.pop().paper)
            left.sort(key=lambda at: (-values[at], papers[at].id))
        chosen.append(Choice(drawn, float(values[drawn]), strength(values[drawn], past), (), propensity))
    near = tuple(Choice(at, float(values[at]), strength(values[at], past)) for at in left[:NEAR])
    return Selection(tuple(chosen), near)


def _ranked(papers: Sequence[Paper], values: Floats) -> Ints:
    """The places of the papers that score above 0, best first."""
    matching = np.flatnonzero(values > 0)
    order = matching[np.argsort(-values[matching], kind="stable")]
    if not (np.diff(values[order]) == 0).any():
        return order
    # Sorting the ids of a whole batch takes as long as all else here, so only ties pay for it.
    ids = np.array([papers[at].id for at in matching.tolist()], dtype=str)
    return matching[np.lexsort((ids, -values[matching]))]


def _admit(
    papers: Sequence[Paper],
    order: Ints,
    passing: int,
    limit: int,
    muted: Filter,
    seen: Collection[str],
) -> list[tuple[int, bool]]:
    """The best papers that are neither muted nor seen, and whether each passes the cut.

    Stops when there are enough to choose from."""
    found: list[tuple[int, bool]] = []
    above = 0
    for rank, at in enumerate(order.tolist()):
        passes = rank < passing and above < 4 * limit + 20
        if not passes and len(found) - above >= POOL:
            break
        paper = papers[at]
        why = "seen" if paper.id in seen else "muted" if muted.reason(paper) else ""
        if not why:
            found.append((at, passes))
            above += passes
    return found


def _spread(
    values: Floats, above: list[int], limit: int, likeness: Likeness, diversity: float
) -> tuple[list[int], list[list[int]]]:
    """The chosen places, best score first, and for each those folded under it."""
    alike = likeness.among(np.array(above, np.int64)).astype(np.float64)
    open_to = np.ones(len(above), bool)
    nearest = np.zeros(len(above))
    relevance = values[above] / values[above[0]] if above else np.empty(0)
    folded: dict[int, list[int]] = {}
    while len(folded) < limit and open_to.any():
        gain = np.where(open_to, (1 - diversity) * relevance - diversity * nearest, -np.inf)
        best = int(gain.argmax())
        same = np.flatnonzero(open_to & (alike[best] >= SAME))
        # The best scored of a group stands for it.
        first = int(same.min(initial=best))
        folded[first] = [int(at) for at in {best, *same.tolist()} - {first}]
        open_to[[best, first, *same]] = False
        nearest = np.maximum(nearest, alike[first])
    firsts = sorted(folded)
    return [above[at] for at in firsts], [[above[at] for at in sorted(folded[first])] for first in firsts]


def _draw(values: Floats, pool: list[int], chance: float) -> tuple[int, float]:
    """Draw one of ``pool`` with a probability that is proportional to its score."""
    sums = np.cumsum(values[pool])
    at = int(np.searchsorted(sums, chance * sums[-1], side="right"))
    return pool[at], float(values[pool[at]] / sums[-1])
