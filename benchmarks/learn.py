"""Milliseconds to learn a reader's weights anew after a click, beside a logistic regression.

``python -m benchmarks.learn --likes 50`` prints one JSON object. The reference is a common recipe on the same
papers: scikit-learn's LogisticRegression, C = 0.1, against 5,000 random papers. Both learn against the same
papers, as the service does once it has seen 300.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import time

import numpy as np
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from benchmarks import synthetic
from recommender import background
from recommender.background import Background
from recommender.interest import Interests, Judged
from recommender.ranking import DEFAULT, RANKERS
from recommender.vectors import Edition

_NEGATIVES = 5_000
_ROUNDS = 7


def measure(likes: int) -> dict[str, object]:
    """Both times, medians of several rounds, as the contract's JSON object has them."""
    edition = Edition.shipped()
    liked = synthetic.papers(likes, first=500_000)
    judged = [Judged(paper, "like", age=float(at)) for at, paper in enumerate(liked)]
    X = edition.transform(liked)
    others = edition.transform(synthetic.papers(_NEGATIVES, first=600_000))
    background.attach(edition, Background.of(edition, others))
    ours = []
    for _ in range(_ROUNDS):
        start = time.perf_counter()
        RANKERS[DEFAULT].learn(edition, Interests(), judged, X)
        ours.append(1000 * (time.perf_counter() - start))
    both = sparse.vstack([X, others], format="csr")
    labels = np.r_[np.ones(likes), np.zeros(_NEGATIVES)]
    theirs = []
    for _ in range(3):
        start = time.perf_counter()
        LogisticRegression(C=0.1, class_weight="balanced", max_iter=200).fit(both, labels)
        theirs.append(1000 * (time.perf_counter() - start))
    value, reference = statistics.median(ours), statistics.median(theirs)
    return {
        "name": "learn",
        "params": {"likes": likes, "ranker": DEFAULT},
        "value": round(value, 3),
        "unit": "ms",
        "reference": round(reference, 3),
        "reference_what": "logistic regression against 5,000 random papers, C = 0.1",
        "ratio": round(value / reference, 5),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--likes", type=int, default=50)
    print(json.dumps(measure(parser.parse_args().likes)))
