"""Terms that papers use beside a given term, so that a short statement reaches further than its own words."""

from __future__ import annotations

from functools import cache, lru_cache
from importlib.resources import files
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommender.vectors import Edition

FILE = "related_terms.npz"


@lru_cache(maxsize=4_096)
def related(term: str) -> tuple[tuple[str, float], ...]:
    """The terms (normal forms) that go with ``term``, closest first, with weights whose squares sum to one.

    Empty for a term that the shipped corpus does not hold often enough.
    """
    edition = Edition.shipped()
    column = edition.index("term", term)
    held = _held()
    if column is None:
        return ()
    at = int(np.searchsorted(held["heads"], column))
    if at == len(held["heads"]) or held["heads"][at] != column:
        return ()
    columns = held["tails"][held["places"][at]]
    weights = held["weights"][at].astype(np.float64)
    weights /= np.sqrt((weights**2).sum())
    return tuple(
        (edition.feature(int(column)).name, float(weight))
        for column, weight in zip(columns, weights, strict=True)
        if weight
    )


def figures() -> dict[str, Any]:
    """How many terms have how many related ones, as `benchmarks/derive_related_terms.py` counted."""
    heads, places = _held()["heads"], _held()["places"]
    return {"terms": len(heads), "related_each": places.shape[1], "edition": str(_held()["edition"])}


@cache
def _held() -> dict[str, NDArray[Any]]:
    """heads and tails are sorted columns of the shipped edition; places are in tails, weights up to 255."""
    with np.load(BytesIO((files("recommender") / "data" / FILE).read_bytes()), allow_pickle=False) as stored:
        held = {name: stored[name] for name in stored.files}
    held["heads"] = np.cumsum(held["heads"])
    held["tails"] = np.cumsum(held["tails"])
    return held
