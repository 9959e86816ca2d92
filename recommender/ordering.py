"""The best scores of many readers in order, and where flags are set: in bulk, without a loop over readers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
Scores = NDArray[np.float32] | NDArray[np.float64]
LEAST = float(np.nextafter(np.float32(0), np.float32(1)))
"""The smallest positive number in single precision."""

_TOP = np.uint32(0x7FFFFFFF)
_NOTHING = np.uint64(0x7FFFFFFF << 32)  # the key of a score of 0, at place 0


def best_first(scores: Scores, width: int) -> tuple[Ints, Scores]:
    """The places of the ``width`` best scores of each row, best first, ties in order of place; and the
    scores, those of 0 and less as 0."""
    if scores.dtype == np.float32:
        return _best_singles(scores, width)
    kept = np.maximum(scores, 0)
    places = np.argsort(-kept, axis=1, kind="stable")[:, :width]
    return places, np.take_along_axis(kept, places, axis=1)


def _best_singles(scores: Scores, width: int) -> tuple[Ints, Scores]:
    """`best_first` in single precision: what reaches the score at ``width`` is sorted, no other."""
    count, n = scores.shape
    reach = scores > 0
    if width < n:
        # Plain numbers are put apart and sorted several times as fast as places by their scores.
        least: NDArray[Any] = np.partition(scores, n - width, axis=1)[:, n - width]
        reach &= scores >= least[:, None]
    at, held = where_set(reach)
    if len(tied := np.flatnonzero(held > width)):
        reach[tied] = False
        at, held = where_set(reach)
    rows = np.repeat(np.arange(count), held)
    places = at - n * rows
    nth = np.arange(len(at)) - np.repeat(np.cumsum(held) - held, held)
    # Positive floats are in the order of their bits; bits and place in one number make all numbers different.
    bits = _TOP - scores.ravel()[at].view(np.uint32)
    keys = np.full((count, min(width, n)), _NOTHING)
    keys[rows, nth] = (bits.astype(np.uint64) << np.uint64(32)) | places.astype(np.uint64)
    keys.sort(axis=1)
    order = (keys & np.uint64(0xFFFFFFFF)).astype(np.int64)
    best = (_TOP - (keys >> np.uint64(32)).astype(np.uint32)).view(np.float32)
    if len(tied):
        # More score the same as the last one than there is room for: all are put in order, by place.
        all_places, all_best = _best_singles(scores[tied], n)
        order[tied], best[tied] = all_places[:, :width], all_best[:, :width]
    return order, best


def where_set(flags: Flags) -> tuple[Ints, Ints]:
    """Where flags are set, counted through all rows, and how many are in each row: faster than counting."""
    rows, n = flags.shape
    at = np.flatnonzero(flags)
    return at, np.diff(np.searchsorted(at, n * np.arange(rows + 1)))
