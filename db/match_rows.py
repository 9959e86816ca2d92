"""Matches and their scores as bytes: what a column holds of them.

Without numpy, so that a process which only shows what was matched does not load it.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Collection, Sequence

from db.records import Pick

WORDS = ("strong", "good", "near", "weak")
"""Strengths are kept as places in this."""
BEST = 64
"""So many of a batch's best scores are kept; the dial goes up to 100 a day, and most want five."""
SHARD = 4_096
"""So many profile numbers make a shard: some 20 MB of weights, and a second or two of work."""
WIDTH = struct.Struct("<H")
"""The head of a block of scores: how many a profile has."""

HEAD = struct.Struct("<HH")
"""What a match begins with: how many papers are chosen, and how many are near."""
NONE_CHOSEN = bytes(2)
"""With what a match begins that chose no paper."""
# Row number, score, propensity (NaN where it was not drawn), strength, and the number of papers folded under
# it, whose row numbers follow behind the last pick.
_PICK = struct.Struct("<IffBB")


def pack(chosen: Sequence[Pick], near: Sequence[Pick]) -> bytes:
    """One match's picks: 14 bytes each, 4 for the match, 4 for each folded paper."""
    picks = (*chosen, *near)
    records = [
        _PICK.pack(
            p.paper, p.score, float("nan") if p.explore is None else p.explore, WORDS.index(p.strength),
            len(p.similar[:255]),
        )
        for p in picks
    ]  # fmt: skip
    folded = [number for p in picks for number in p.similar[:255]]
    return b"".join((HEAD.pack(len(chosen), len(near)), *records, struct.pack(f"<{len(folded)}I", *folded)))


def unpack(data: bytes) -> tuple[tuple[Pick, ...], tuple[Pick, ...]]:
    """The chosen and the near picks of one match."""
    chosen, near = HEAD.unpack_from(data)
    end = HEAD.size + _PICK.size * (chosen + near)
    folded = struct.unpack(f"<{(len(data) - end) // 4}I", data[end:])
    picks: list[Pick] = []
    begin = 0
    for paper, score, explore, word, similar in _PICK.iter_unpack(data[HEAD.size : end]):
        drawn = None if math.isnan(explore) else round(explore, 6)
        picks.append(Pick(paper, round(score, 6), WORDS[word], folded[begin : begin + similar], drawn))
        begin += similar
    return tuple(picks[:chosen]), tuple(picks[chosen:])


def scores_without(data: bytes, profiles: Collection[int]) -> bytes:
    """A block of scores but for those of these profiles; empty where none are left."""
    row = struct.Struct(f"<qH{2 * WIDTH.unpack_from(data)[0]}s")
    rows = [held for held in row.iter_unpack(data[WIDTH.size :]) if held[0] not in profiles]
    return data[: WIDTH.size] + b"".join(row.pack(*held) for held in rows) if rows else b""
