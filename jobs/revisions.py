"""What changed between two versions of a text, word by word (pure)."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import Literal

# Words with the space behind them, so that the segments of either side join to its text again.
_WORDS = re.compile(r"\S+\s*|\s+")


@dataclass(frozen=True, slots=True)
class Segment:
    """A run of words that both versions have ("same"), only the old one ("gone") or only the new ("new")."""

    kind: Literal["same", "gone", "new"]
    text: str


def diff(old: str, new: str) -> list[Segment]:
    """The segments that lead from the old text to the new one; what was replaced is gone first, then new.

    Joined, "same" and "gone" are the old text but for its white space, "same" and "new" the new one. White
    space by itself is no change: abstracts are wrapped anew with every version.
    """
    before, after = (_WORDS.findall(" ".join(text.split())) for text in (old, new))
    bare_before, bare_after = ([word.strip() for word in words] for words in (before, after))
    segments: list[Segment] = []
    matcher = difflib.SequenceMatcher(None, bare_before, bare_after, autojunk=False)
    for kind, a, b, c, d in matcher.get_opcodes():
        if kind == "equal":
            segments.append(Segment("same", "".join(after[c:d])))
            continue
        if b > a:
            segments.append(Segment("gone", "".join(before[a:b])))
        if d > c:
            segments.append(Segment("new", "".join(after[c:d])))
    return segments
