"""Which of the scored papers a reader gets: selection apart from scoring."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics.pairwise import linear_kernel

from recommender.interest import Mutes
from recommender.mutes import Filter
from recommender.paper import Paper, normal_title
from recommender.vectors import Matrix

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]
Strength = Literal["strong", "good", "near", "weak"]
STRENGTHS: tuple[tuple[Strength, float], ...] = (("strong", 0.98), ("good", 0.92), ("near", 0.80))
"""The share of the recent scores that a score must reach for each word."""
NEAR = 5
SAME = 0.75
"""Papers whose words are closer than this cosine are shown as one."""
POOL = 50
"""From so many papers under the cut the explore slot is drawn."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One chosen paper by its place in the papers given, with the places of those folded under it.

    ``explore`` is the probability with which the paper was drawn for the explore slot, None for the others.
    """

    paper: int
    score: float
    strength: Strength
    similar: tuple[int, ...] = ()
    explore: float | None = None


@dataclass(frozen=True, slots=True)
class Selection:
    """What a reader gets of one batch, best first; the explored paper, if any, comes last.

    ``near`` are up to five papers just under the cut, best first. ``dropped`` counts by reason the papers
    that scored high enough and were left out: muted, seen, similar, over the limit.
    """

    chosen: tuple[Choice, ...]
    near: tuple[Choice, ...] = ()
    dropped: Mapping[str, int] = field(default_factory=dict)


def strength(score: float, history: ArrayLike) -> Strength:
    """How a score is shown: by the share of the recent scores that it reaches; weak at 0 or less."""
    past = np.asarray(history, dtype=np.float64)
    if score <= 0 or not past.size:
        return "weak" if score <= 0 else "good"
    reached = float(np.mean(past <= score))
    return next((word for word, share in STRENGTHS if reached >= share), "weak")


def cut_for(per_day: float, history: ArrayLike, days: float) -> float:
    """The score that about ``per_day`` papers a day reached in ``history``, the scores of ``days`` days.

    It is 0 where the history holds fewer papers than that, so that all that match at all are let through.
    """
    past = np.asarray(history, dtype=np.float64)
    wanted = round(per_day * days)
    if wanted <= 0:
        return float("inf")
    if wanted >= past.size:
        return 0.0
    return max(0.0, float(np.partition(past, past.size - wanted)[past.size - wanted]))


class Likeness:
    """How alike each two papers of a batch are: the cosine of their words, 1 where they have the same title.

    Made once for all readers of a batch. ``X`` are the text columns of the papers' vectors, of length one
    (`Edition.text_columns`); without it only titles count.
    """

    _WHOLE = 3_000  # up to here the whole n × n matrix is kept: 36 MB

    def __init__(self, papers: Sequence[Paper], X: Matrix | None = None) -> None:
        titles = [normal_title(paper.title) for paper in papers]
        _, numbers = np.unique(np.array(titles, dtype=str), return_inverse=True)
        # Papers without a title are like no other.
        self._titles = np.where([t != "" for t in titles], numbers, -1 - np.arange(len(titles)))
        self._X = X
        self._all: NDArray[np.float32] | None = None

    def among(self, places: Sequence[int]) -> Floats:
        """The likeness of the papers at these places to each other: m × m, in the order given."""
        at = np.asarray(places, dtype=np.int64)
        titles = self._titles[at]
        same = titles[:, None] == titles[None, :]
        if self._X is None or not len(at):
            return np.where(same, 1.0, 0.0)
        if self._X.shape[0] > self._WHOLE:
            return np.where(same, 1.0, linear_kernel(self._X[at], dense_output=True))
        if self._all is None:
            self._all = linear_kernel(self._X, dense_output=True).astype(np.float32)
        return np.where(same, 1.0, self._all[np.ix_(at, at)])


def choose(
    papers: Sequence[Paper],
    scores: ArrayLike,
    *,
    limit: int,
    mutes: Mutes | None = None,
    seen: Collection[str] = frozenset(),
    cut: float | None = None,
    X: Matrix | Likeness | None = None,
    history: ArrayLike | None = None,
    explore: np.random.Generator | None = None,
    diversity: float = 0.2,
) -> Selection:
    """Choose at most ``limit`` of ``papers`` by their ``scores``.

    Papers must score above 0 and at least ``cut``. What is muted or in ``seen`` (canonical ids) is never
    chosen, nor shown as near. ``X`` are the text columns of the papers' vectors (`Edition.text_columns`), or
    the `Likeness` made of them: with it papers that say the same are folded and the rest is spread by maximal
    marginal relevance (Carbonell and Goldstein 1998), ``diversity`` being the weight of being unlike.
    ``explore`` draws one paper from just under the cut into the last place where ``limit`` is 2 or more.
    ``history`` (default: ``scores``) says how strong a score is. Ties break by paper id.
    """
    values = np.asarray(scores, dtype=np.float64)
    past = values if history is None else np.asarray(history, dtype=np.float64)
    order = _ranked(papers, values)
    passing = int((values[order] >= cut).sum()) if cut is not None else len(order)
    dropped: Counter[str] = Counter()
    open_to = _admit(papers, order, passing, limit, Filter.of(mutes or Mutes()), seen, dropped)
    above = [at for at, passes in open_to if passes]
    likeness = X if isinstance(X, Likeness) else Likeness(papers, X)
    picked, folded = _spread(values, above, limit, likeness, diversity)
    inside = {at for first, similar in zip(picked, folded, strict=True) for at in (first, *similar)}
    left = [at for at, _ in open_to if at not in inside]
    dropped["similar"] = len(inside) - len(picked)
    dropped["over the limit"] = passing - len(inside) - dropped["muted"] - dropped["seen"]
    chosen = [
        Choice(at, float(values[at]), strength(values[at], past), tuple(similar))
        for at, similar in zip(picked, folded, strict=True)
    ]
    if explore is not None and limit > 1 and left:
        drawn, propensity = _draw(values, left[:POOL], explore)
        left.remove(drawn)
        if len(chosen) == limit:
            left.insert(0, chosen.pop().paper)
        chosen.append(Choice(drawn, float(values[drawn]), strength(values[drawn], past), (), propensity))
    near = tuple(Choice(at, float(values[at]), strength(values[at], past)) for at in left[:NEAR])
    return Selection(tuple(chosen), near, {why: n for why, n in sorted(dropped.items()) if n > 0})


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
    dropped: Counter[str],
) -> list[tuple[int, bool]]:
    """The best papers that are neither muted nor seen, and whether each passes the cut.

    Stops when there are enough to choose from, since reading a paper for muted words takes time; counts what
    it bars above the cut into ``dropped``.
    """
    found: list[tuple[int, bool]] = []
    above = 0
    for rank, at in enumerate(order.tolist()):
        passes = rank < passing and above < 4 * limit + 20
        if not passes and len(found) - above >= POOL:
            break
        paper = papers[at]
        why = "seen" if paper.id in seen else "muted" if muted.reason(paper) else ""
        if why:
            dropped[why] += rank < passing
        else:
            found.append((at, passes))
            above += passes
    return found


def _spread(
    values: Floats, above: list[int], limit: int, likeness: Likeness, diversity: float
) -> tuple[list[int], list[list[int]]]:
    """The chosen places, best score first, and for each those folded under it."""
    alike = likeness.among(above)
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


def _draw(values: Floats, pool: list[int], chance: np.random.Generator) -> tuple[int, float]:
    """Draw one of ``pool`` with a probability that is proportional to its score."""
    odds = values[pool] / values[pool].sum()
    at = int(chance.choice(len(pool), p=odds))
    return pool[at], float(odds[at])


def share_out(ranked: Sequence[Sequence[str]], limit: int) -> list[list[int]]:
    """Share the ``limit`` places of one mail among profiles, none starving another.

    ``ranked`` holds each profile's paper ids, best first. Profiles take turns, a paper that another profile
    already took not counting; places that one cannot fill go to the others. Returns for each profile the
    places of its papers in its list, best first.
    """
    taken: set[str] = set()
    kept: list[list[int]] = [[] for _ in ranked]
    at = [0] * len(ranked)
    while len(taken) < limit and any(at[i] < len(ids) for i, ids in enumerate(ranked)):
        for i, ids in enumerate(ranked):
            while at[i] < len(ids) and ids[at[i]] in taken:
                at[i] += 1
            if at[i] < len(ids) and len(taken) < limit:
                taken.add(ids[at[i]])
                kept[i].append(at[i])
                at[i] += 1
    return kept
