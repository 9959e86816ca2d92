"""A logistic fit of liked papers against others, shrunk towards what is known of the reader already."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.special import expit

from recommender.threads import one_thread
from recommender.vectors import Matrix

Floats = NDArray[np.floating[Any]]
Other = sparse.csc_matrix[np.float32]


def logistic(X: Matrix, mass: Floats, others: Other, known: Floats, freedom: float, rounds: int) -> Floats:
    """Weights s · ``known`` + d that minimise ½|d|² + freedom · loss, by at most ``rounds`` rounds of L-BFGS.

    The loss is the logistic one over the n judged papers ``X``, each counting |``mass``| and being liked
    where that is positive, and the m ``others``, taken as not liked. Liked papers and the rest count half of
    n + m each, as with scikit-learn's ``class_weight="balanced"``; the bias and the scale s are free. So d
    corrects the ``known`` weights where they are wrong, and stays 0 where freedom is.
    """
    # Here, since it brings 20 MB along that a process which sends mail never needs.
    from scipy.optimize import minimize  # noqa: PLC0415

    n, m = X.shape[0], others.shape[0]
    sign = np.r_[np.where(mass > 0, 1.0, -1.0), np.full(m, -1.0)]
    worth = np.r_[np.abs(mass), np.ones(m)]
    for side in (1.0, -1.0):
        worth[sign == side] *= freedom * (n + m) / 2 / max(worth[sign == side].sum(), 1e-9)
    # One matrix of one kind: a float32 matrix would be copied to float64 for each product.
    papers = sparse.vstack([X.astype(np.float64), others.astype(np.float64)], format="csr")
    across = papers.T  # shares the memory
    before = papers @ known
    before -= before[n:].mean()
    scale = float(before[n:].std()) or 1.0
    before /= scale

    def objective(point: Floats) -> tuple[float, Floats]:
        bias, s, d = point[0], point[1], point[2:]
        margin = sign * (papers @ d + s * before + bias)
        pull = -worth * sign * expit(-margin)
        loss = float(worth @ np.logaddexp(0, -margin) + d @ d / 2)
        return loss, np.r_[pull.sum(), pull @ before, across @ pull + d]

    with one_thread():
        found = minimize(
            objective, np.zeros(X.shape[1] + 2), jac=True, method="L-BFGS-B",
            options={"maxiter": rounds, "maxcor": 6},
        )  # fmt: skip
    return np.asarray(found.x[2:] + found.x[1] / scale * known)
