"""The terms that weigh most in what was learned of a reader."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

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
    columns, values = _by_size(weights, edition.text_columns.stop)
    # Only what may be among the first is named, of the thousands that a reader has. Terms that are left out,
    # and those that weights by name replace, may stand before it.
    enough = at_most + len(without) + len(weights.named)
    if len(columns) > enough:
        shown = np.abs(values) >= abs(values[enough - 1])
        columns, values = columns[shown], values[shown]
    found: dict[str, tuple[str, float]] = {}
    for column, value in zip(columns.tolist(), values.tolist(), strict=True):
        found[edition.feature(column).name] = (edition.written(column), value)
    for feature, numbers in weights.named:
        if feature.kind == "term":
            found[feature.name] = (feature.name, max(numbers, key=abs))
    left = [shown for name, shown in found.items() if name not in without]
    return sorted(left, key=lambda shown: (-abs(shown[1]), shown[0]))[:at_most]


def _by_size(weights: Weights, stop: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The columns before ``stop`` that have weights, by falling size; of each the weight that says most."""
    rows = sparse.coo_matrix(weights.rows)
    held = (rows.col < stop) & (rows.data != 0)
    columns, values = rows.col[held], rows.data[held].astype(np.float64)
    # A column stands once for each row that has it; the first of its rows wins among equals.
    order = np.lexsort((rows.row[held], -np.abs(values)))
    _, first = np.unique(columns[order], return_index=True)
    kept = order[np.sort(first)]
    return columns[kept].astype(np.int64), values[kept]


def stated_terms(interests: Interests) -> set[str]:
    """The terms that the reader's own words name, wanted or not, in their normal form."""
    wanted, unwanted = asked(interests.statement)
    stated = {*wanted, *unwanted}
    for words, _ in interests.terms:
        stated |= {Feature.of("term", words).name, *text.terms(words)}
    return stated
