"""The terms that weigh most in what was learned of a reader."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from recommender import text
from recommender.features import Feature
from recommender.interest import Interests
from recommender.statement import asked
from recommender.vectors import Edition
from recommender.weights import Weights


def strongest_terms(
    edition: Edition, weights: Weights, at_most: int, without: Collection[str] = frozenset()
) -> list[tuple[str, float]]:
    """Words and pairs as a person writes them, each with its weight, by falling size and then by name.

    ``weights`` must be of ``edition`` or of an extension of it. Of several rows of weights the one that
    says most of a term counts. ``without`` are terms in their normal form that are left out.
    """
    rows = weights.rows[:, : edition.text_columns.stop].toarray().astype(np.float64)
    biggest = np.abs(rows).argmax(axis=0)
    values = rows[biggest, np.arange(rows.shape[1])]
    found: dict[str, tuple[str, float]] = {}
    for column in np.flatnonzero(values).tolist():
        found[edition.feature(column).name] = (edition.written(column), float(values[column]))
    for feature, numbers in weights.named:
        if feature.kind == "term":
            found[feature.name] = (feature.name, max(numbers, key=abs))
    left = [shown for name, shown in found.items() if name not in without]
    return sorted(left, key=lambda shown: (-abs(shown[1]), shown[0]))[:at_most]


def stated_terms(interests: Interests) -> set[str]:
    """The terms that the reader's own words name, wanted or not, in their normal form."""
    wanted, unwanted = asked(interests.statement)
    stated = {*wanted, *unwanted}
    for words, _ in interests.terms:
        stated |= {Feature.of("term", words).name, *text.terms(words)}
    return stated
