"""What a reader's own words ask for: the terms of a statement, wanted and unwanted."""

from __future__ import annotations

import re

from recommender import text

# Words of speaking about one's interest, which are rare in abstracts and would weigh much.
_SPOKEN = """
am interested interest interests interesting work working works paper papers article articles research
researcher researchers read reading like likes love want wants wanted need needs follow following looking
look find field fields area areas topic topics subject study studies studying phd student students thesis
anything everything something new recent latest especially particularly specifically mostly primarily
related regarding concerning focus focused please care currently things stuff
想 看 关注 感兴趣 论文 研究 相关 方向 领域
"""
_SPEECH = frozenset(_SPOKEN.split())
_CLAUSE = re.compile(
    r"[.,;:!?()\[\]\n/，。；、：（）]+|\b(?:and|or|but|plus|as well as|for|in|on|with|和|与)\b", re.I
)
_NEGATION = re.compile(
    r"\b(?:but\s+not|not|no|never|except(?:\s+for)?|excluding|rather\s+than|nothing\s+(?:on|about|with)|don'?t)\b",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"[.;!?\n。；]+")


def asked(statement: str) -> tuple[list[str], list[str]]:
    """The 1-2-grams that a statement wants and those that it does not, each once and in order.

    Words pair up only within a clause. What follows "not", "except" or "rather than" in a sentence is
    unwanted: "KV cache, not vision" wants ``kv cache`` and does not want ``vision``.
    """
    wanted: dict[str, None] = {}
    unwanted: dict[str, None] = {}
    for sentence in _SENTENCE.split(statement):
        before, *after = _NEGATION.split(sentence, maxsplit=1)
        for side, words in ((wanted, before), *((unwanted, words) for words in after)):
            for clause in _CLAUSE.split(words):
                kept = " ".join(w for w in text.words(clause) if w.lstrip("-").lower() not in _SPEECH)
                side.update(dict.fromkeys(text.terms(kept)))
    return list(wanted), [t for t in unwanted if t not in wanted]
