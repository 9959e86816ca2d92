"""Many matches and their scores as bytes at once: the bulk counterpart of `match_rows`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from db.match_rows import BEST, WIDTH
from db.records import Scores

PICK = np.dtype([("paper", "<u4"), ("score", "<f4"), ("explore", "<f4"), ("word", "u1"), ("similar", "u1")])
"""One pick as `match_rows.pack` writes it."""


def pack_many(counts: NDArray[np.int64], picks: NDArray[np.void], folded: NDArray[np.uint32]) -> list[bytes]:
    """The same for many matches: ``counts`` (matches × 2) of chosen and near, all picks as `PICK` records in
    a row, and all folded papers."""
    heads = counts.astype("<u2").tobytes()
    records, more = picks.tobytes(), folded.astype("<u4").tobytes()
    ends = np.cumsum(counts.sum(axis=1))
    to = np.concatenate([[0], np.cumsum(picks["similar"], dtype=np.int64)])[np.concatenate([[0], ends])]
    at = (PICK.itemsize * np.concatenate([[0], ends])).tolist()
    if not len(folded):
        return [heads[4 * i : 4 * i + 4] + records[at[i] : at[i + 1]] for i in range(len(counts))]
    bounds = (4 * to).tolist()
    return [
        heads[4 * i : 4 * i + 4] + records[at[i] : at[i + 1]] + more[bounds[i] : bounds[i + 1]]
        for i in range(len(counts))
    ]


def _profile(width: int) -> np.dtype[np.void]:
    return np.dtype([("profile", "<i8"), ("chosen", "<u2"), ("best", "<f2", (width,))])


def pack_scores(scores: Scores) -> bytes:
    """Scores as bytes: 10 a profile and 2 a score, of which there are as many as papers, at most `BEST`."""
    width = min(BEST, scores.ranked)
    rows = np.zeros(len(scores.profiles), _profile(width))
    rows["profile"], rows["chosen"] = scores.profiles, scores.chosen
    best = scores.best[:, :width]
    rows["best"][:, : best.shape[1]] = best
    return WIDTH.pack(width) + rows.tobytes()


def _rows(data: bytes) -> NDArray[np.void]:
    return np.frombuffer(data, _profile(*WIDTH.unpack_from(data)), offset=WIDTH.size)


def unpack_scores(data: bytes) -> tuple[NDArray[np.int64], NDArray[np.uint16], NDArray[np.float16]]:
    """Profiles, numbers of chosen papers, and best scores, best first."""
    rows = _rows(data)
    return rows["profile"].astype(np.int64), rows["chosen"].copy(), rows["best"].copy()
