"""What to ask a newcomer: the few papers whose answers tell most about all the others."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recommender.vectors import Matrix

Floats = NDArray[np.float64]

LIKELY = 300
"""So many of the best scored papers may be asked about, and are what the answers should tell of."""
SAMPLED = 2_000
"""Where nothing is known of the reader, that many papers drawn by chance stand for all."""


def ask(
    X: Matrix,
    count: int,
    *,
    chance: np.random.Generator,
    scores: ArrayLike | None = None,
    asked: Collection[int] = (),
) -> list[int]:
    """The rows of the ``count`` papers to ask about, the most telling first; fewer where there are fewer.

    ``X`` are the text columns of n papers' vectors, of length one (`Edition.text_columns`). ``scores`` (n)
    are those of what is known of the reader so far: papers under the `LIKELY` best are left alone, since the
    answer is all but sure to be no, and the others weigh by the root of their score, since of a doubtful one
    the answer tells more than its score says. ``asked`` are rows that were asked about already.

    Papers are chosen greedily so that the likely ones are as close as possible to one asked about: by the
    weighted sum of their best cosines (facility location, whose greedy choice reaches 63 % of the best sum:
    Nemhauser, Wolsey and Fisher 1978). A central paper covers many, and what is covered counts no longer, so
    that the next one differs. Called again with ``scores`` learned from the answers, it follows them.
    """
    candidates, weight = _likely(X, chance, scores)
    open_to = np.array([row not in asked for row in candidates.tolist()], dtype=bool)
    vectors = X[candidates].astype(np.float64)
    alike: Floats = (vectors @ vectors.T).toarray()
    covered = np.zeros(len(candidates))
    if asked and len(candidates):
        covered = (vectors @ X[sorted(asked)].astype(np.float64).T).toarray().max(axis=1)
    chosen: list[int] = []
    for _ in range(min(count, int(open_to.sum()))):
        gain = np.maximum(alike - covered, 0.0) @ weight
        best = int(np.where(open_to, gain, -1.0).argmax())
        open_to[best] = False
        covered = np.maximum(covered, alike[best])
        chosen.append(int(candidates[best]))
    return chosen


def _likely(
    X: Matrix, chance: np.random.Generator, scores: ArrayLike | None
) -> tuple[NDArray[np.intp], Floats]:
    """The rows that the answers should tell of, in order, and how much each weighs: the best scored, else
    some drawn by chance."""
    filled = np.flatnonzero(np.diff(X.indptr))
    values = np.zeros(X.shape[0]) if scores is None else np.asarray(scores, dtype=np.float64).clip(min=0)
    if not values[filled].any():
        rows = np.sort(chance.permutation(filled)[:SAMPLED])
        return rows, np.ones(len(rows))
    # Ties are broken by chance: where a category is all that is known, thousands score the same.
    order = np.lexsort((chance.random(len(filled)), -values[filled]))
    rows = np.sort(filled[order[:LIKELY]])
    return rows, np.sqrt(values[rows])
