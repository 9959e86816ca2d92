"""Which of the scored papers a reader gets: selection apart from scoring."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import ArrayLike

from recommender.choosing import STRENGTHS, WORDS, Asked, Bars, Chosen, Strength, choose_many
from recommender.interest import Mutes
from recommender.likeness import Likeness
from recommender.mutes import Barring, Filter
from recommender.paper import Paper
from recommender.vectors import Matrix


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
    explore: float | None = None,
    diversity: float = 0.2,
) -> Selection:
    """Choose at most ``limit`` of ``papers`` by their ``scores`` for one reader, as `choose_many` does.

    Papers must score above 0 and at least ``cut``. What is muted or in ``seen`` (canonical ids) is never
    chosen, nor shown as near. ``X`` are the text columns of the papers' vectors (`Edition.text_columns`), or
    the `Likeness` made of them: with it papers that say the same are folded and the rest is spread.
    ``explore`` is a number drawn from [0, 1): it draws one paper from just under the cut into the last place
    where ``limit`` is 2 or more and a paper is chosen.
    ``history`` (default: ``scores``) says how strong a score is. Ties break by paper id.
    """
    values = np.asarray(scores, dtype=np.float64)
    ids = [paper.id for paper in papers]
    order = np.array(sorted(range(len(ids)), key=ids.__getitem__), np.int64)
    was_seen = np.array([name in seen for name in ids] if seen else np.zeros(len(ids)), bool)
    asked = Asked(
        np.array([limit]), np.array([-np.inf if cut is None else cut], np.float64),
        np.array([_marks(values if history is None else history)]),
        np.array([np.nan if explore is None else explore]), _barred(papers, mutes),
    )  # fmt: skip
    open_to = np.where(was_seen, 0.0, values)[order][None, :]
    likeness = X if isinstance(X, Likeness) else Likeness(papers, X)
    found = choose_many(open_to, asked, likeness, diversity=diversity, places=order)
    chosen = _choices(found)
    count = int(found.counts[0, 0])
    drawn = sum(choice.explore is not None for choice in chosen)
    dropped = {
        "muted": int(found.muted[0]),
        "over the limit": int(found.passing[0] - found.muted[0] - found.folded[0]) - (count - drawn),
        "seen": int((was_seen & (values > 0) & (values >= asked.cuts[0])).sum()),
        "similar": int(found.folded[0]),
    }
    return Selection(chosen[:count], chosen[count:], {why: n for why, n in dropped.items() if n > 0})


def _marks(history: ArrayLike) -> list[float]:
    """From which score on each word of `STRENGTHS` holds."""
    past = np.sort(np.asarray(history, dtype=np.float64))
    if not past.size:
        return [np.inf, *[-np.inf] * (len(STRENGTHS) - 1)]
    reached = np.arange(1, past.size + 1) / past.size
    return [float(past[np.searchsorted(reached, share)]) for _, share in STRENGTHS]


def _barred(papers: Sequence[Paper], mutes: Mutes | None) -> dict[int, Bars]:
    return {0: partial(Barring(papers).bars, Filter.of(mutes))} if mutes else {}


def _choices(found: Chosen) -> tuple[Choice, ...]:
    """The picks of the only reader."""
    similar: dict[int, list[int]] = {}
    for to, paper in zip(found.similar_to.tolist(), found.similar.tolist(), strict=True):
        similar.setdefault(to, []).append(paper)
    picks = zip(
        found.paper.tolist(), found.score.tolist(), found.word.tolist(), found.explore.tolist(), strict=True
    )
    return tuple(
        Choice(paper, score, WORDS[word], tuple(similar.get(at, ())), None if np.isnan(drawn) else drawn)
        for at, (paper, score, word, drawn) in enumerate(picks)
    )


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
