"""Where a paper holds what was looked for: its title with marks, and the sentences that say it (pure)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from jobs.alerts.readable import clean, readable
from jobs.alerts.wording import cut_sentences, ellipsis
from recommender import text
from recommender.paper import Paper
from recommender.query import Part, indexed

_TOKEN = re.compile(r"[^\W_]+(?:\+\+|#)?")
_CHINESE = re.compile(r"[㐀-鿿豈-﫿]")
_CHARACTERS = 340


@dataclass(frozen=True, slots=True)
class Mark:
    """A run of text, and whether it is what was looked for."""

    text: str
    hit: bool


def marked(line: str, parts: Sequence[Part]) -> tuple[Mark, ...]:
    """A readable line, cut where the words that were looked for begin and end."""
    tokens = _tokens(line) if parts else []
    spans = sorted(span for part in parts for span in _spans(line, tokens, part))
    marks: list[Mark] = []
    end = 0
    for start, stop in spans:
        if start < end:
            continue
        if start > end:
            marks.append(Mark(line[end:start], False))
        marks.append(Mark(line[start:stop], True))
        end = stop
    if end < len(line):
        marks.append(Mark(line[end:], False))
    return tuple(marks)


def passage(paper: Paper, parts: Sequence[Part]) -> tuple[Mark, ...]:
    """The sentences of what the paper says of itself, or of a digest's summary, that hold most of what was
    looked for; empty where none holds any."""
    for given in (paper.abstract, paper.summary):
        # LaTeX is slow to read, so only what is shown is read out.
        sentences = cut_sentences(clean(given))
        held = [_held(sentence, parts) for sentence in sentences]
        if any(held):
            at = max(range(len(held)), key=lambda n: (held[n], -n))
            return marked(readable(_around(sentences, at)), parts)
    return ()


def _held(sentence: str, parts: Sequence[Part]) -> int:
    """How many of the parts stand in a sentence."""
    tokens = _tokens(sentence)
    return sum(bool(_spans(sentence, tokens, part)) for part in parts)


def _around(sentences: Sequence[str], at: int) -> str:
    """The sentence, with the ones after it as long as they fit."""
    chosen = sentences[at]
    for sentence in sentences[at + 1 :]:
        if len(chosen) + len(sentence) >= _CHARACTERS:
            break
        chosen = f"{chosen} {sentence}"
    return ("… " if at else "") + ellipsis(chosen, 2 * _CHARACTERS)


def _tokens(line: str) -> list[tuple[int, int, str]]:
    """The words of a line: where each begins and ends, and its form in the index."""
    return [(m.start(), m.end(), _form(m[0])) for m in _TOKEN.finditer(line)]


def _spans(line: str, tokens: Sequence[tuple[int, int, str]], part: Part) -> list[tuple[int, int]]:
    """Where the words of a part stand one after another in a line."""
    if _is_chinese(part.words):
        return [(m.start(), m.end()) for m in re.finditer(re.escape("".join(part.words)), line)]
    size, last = len(part.words), len(part.words) - 1
    first = part.words[0]
    found = []
    for at in range(len(tokens) - last):
        if not (part.open and not last) and not _alike(tokens[at][2], first):
            continue
        run = tokens[at : at + size]
        if all(
            form.startswith(word) if part.open and n == last else _alike(form, word)
            for n, ((_, _, form), word) in enumerate(zip(run, part.words, strict=True))
        ):
            found.append((run[0][0], run[-1][1]))
    return found


@lru_cache(maxsize=1 << 10)
def _is_chinese(words: tuple[str, ...]) -> bool:
    return any(_CHINESE.search(word) for word in words)


@lru_cache(maxsize=1 << 14)
def _form(word: str) -> str:
    return indexed(word)


@lru_cache(maxsize=1 << 14)
def _alike(a: str, b: str) -> bool:
    """Whether the databases' stemmers are likely to take two words for one; they do not say how they cut."""
    if a == b or (text.normal(a) and text.normal(a) == text.normal(b)):
        return True
    shared = next((n for n, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    return shared >= 4 and shared >= max(len(a), len(b)) - 3
