"""A logistic fit of liked papers against others, on the terms of the liked ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import minimize
from scipy.special import expit
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from recommender.vectors import Matrix

Floats = NDArray[np.float64]
Other = sparse.csc_matrix[np.float32]


def logistic(X: Matrix, mass: Floats, others: Other, freedom: float, rounds: int) -> Floats:
    """Weights w that minimise ½|w|² + freedom · loss, by at most ``rounds`` rounds of L-BFGS.

    The loss is the logistic one over the n judged papers ``X``, each counting |``mass``| and being liked
    where that is positive, and the m ``others``, taken as not liked. Liked papers and the rest count half of
    n + m each, as with scikit-learn's ``class_weight="balanced"``; the bias is free.
    """
    n, m = X.shape[0], others.shape[0]
    sign = np.r_[np.where(mass > 0, 1.0, -1.0), np.full(m, -1.0)]
    worth = np.r_[np.abs(mass), np.ones(m)]
    for side in (1.0, -1.0):
        worth[sign == side] *= freedom * (n + m) / 2 / max(worth[sign == side].sum(), 1e-9)
    # One matrix of one kind: a float32 matrix would be copied to float64 for each product.
    papers = sparse.vstack([X.astype(np.float64), others.astype(np.float64)], format="csr")
    across = papers.T  # shares the memory

    def objective(point: Floats) -> tuple[float, Floats]:
        w = point[:-1]
        margin = sign * (papers @ w + point[-1])
        pull = -worth * sign * expit(-margin)
        loss = float(worth @ np.logaddexp(0, -margin) + w @ w / 2)
        return loss, np.r_[across @ pull + w, pull.sum()]

    # On vectors as short as these, threads of the BLAS take fifteen times as long as one does.
    with threadpool_limits(1, "blas"):
        found = minimize(
            objective, np.zeros(X.shape[1] + 1), jac=True, method="L-BFGS-B",
            options={"maxiter": rounds, "maxcor": 6},
        )  # fmt: skip
    return np.asarray(found.x[:-1])
