"""What a reader's liked papers would score had each not been liked, and what that says of categories."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

Floats = NDArray[np.floating[Any]]

_ROUNDS = 25
_CLOSE = 0.01
_LONGEST_STEP = 2.0
_MOST = 20.0


def ratio(liked: Floats, mass: Floats, others: Floats, doubt: float) -> float:
    """How many times its usual weight the second of two scores is worth, between 0 and 20.

    ``liked`` (n × 2) are both scores of the n liked papers, each counting ``mass`` and scored by what the
    others of them say; ``others`` (m × 2) are those of papers in general. A logistic fit with a free bias
    weighs the scores against each other; ``doubt`` times half the squared difference of its two weights
    holds them together, so that a few likes hardly part them. Newton's method, some ten rounds.
    """
    scores = np.concatenate([liked, others])
    rows = np.column_stack([np.ones(len(scores)), scores])
    truth = np.repeat([1.0, 0.0], [len(liked), len(others)])
    worth = np.concatenate([mass, np.ones(len(others))])
    held = doubt * np.array([[0.0, 0, 0], [0, 1, -1], [0, -1, 1]]) + 1e-2 * np.eye(3)
    weights = np.array([-4.0, 1.0, 1.0])
    for _ in range(_ROUNDS):
        chance = expit(rows @ weights)
        slope = rows.T @ (worth * (chance - truth)) + held @ weights
        bend = (rows * (worth * chance * (1 - chance))[:, None]).T @ rows + held
        step = np.linalg.solve(bend, slope)
        # A full step may overshoot where likes and others lie far apart.
        step *= min(1.0, _LONGEST_STEP / (float(np.linalg.norm(step)) or 1.0))
        weights -= step
        if np.abs(step).max() < _CLOSE:
            break
    first, second = float(weights[1]), float(weights[2])
    if second <= 0:
        return 0.0 if first > 0 else 1.0
    return min(second / max(first, 1e-9), _MOST)
