"""What a person types into the search: words, "phrases", author: and other prefixes, -exclusions (pure)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from recommender import labels, names, text
from recommender.labels import Kind
from recommender.words import STOPWORDS

Field = Literal["any", "title", "author"]

_MOST_PARTS = 24
_MOST_WORDS = 12  # of one phrase
_LONGEST = 500  # characters that are read
# Half of all words begin with one of a few letters: "a*" took a second among 200,000 papers, "mod*" 0.02 s.
_SHORTEST_BEGINNING = 3
_PIECE = re.compile(
    r'(?P<minus>-)?(?:(?P<prefix>[a-z]{2,11}):)?(?:"(?P<phrase>[^"]*)"?|(?P<word>[^\s"]+))', re.I
)
_FIELDS: Final[dict[str, Field]] = {"title": "title", "ti": "title", "author": "author", "au": "author"}
_KINDS: Final[dict[str, Kind]] = {
    "cat": "category", "category": "category", "topic": "topic", "area": "area", "inst": "institution",
    "institution": "institution",
}  # fmt: skip
# What indexers would cut away from the word.
_SPELLED = {"c++": "cplusplus", "c#": "csharp", "f#": "fsharp"}


@dataclass(frozen=True, slots=True)
class Part:
    """Words that stand one after another in some field; ``open`` where the last one is only a beginning."""

    words: tuple[str, ...]
    field: Field = "any"
    open: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """What papers must hold (``parts`` and ``labels``, as kind and slug) and must not (``without``).

    ``any_part`` asks for one of the parts at least, not for all of them.
    """

    parts: tuple[Part, ...] = ()
    without: tuple[Part, ...] = ()
    labels: tuple[tuple[Kind, str], ...] = ()
    any_part: bool = False

    @property
    def asks(self) -> bool:
        """Whether it asks for anything; exclusions alone do not."""
        return bool(self.parts or self.labels)


def read(typed: str) -> Query:
    """The query in what was typed; there is no wrong one. Empty where nothing in it can be looked for.

    Words that say nothing ("the") count only in phrases, or where nothing else is asked for.
    """
    parts: list[Part] = []
    without: list[Part] = []
    wanted: list[tuple[Kind, str]] = []
    idle: list[Part] = []
    for piece in _PIECE.finditer(typed[:_LONGEST]):
        prefix, phrase = (piece["prefix"] or "").lower(), piece["phrase"]
        body = piece["word"] if phrase is None else phrase
        if prefix in _KINDS:
            if short := labels.read_slug(_KINDS[prefix], body):
                wanted.append((_KINDS[prefix], short))
            continue
        if prefix and prefix not in _FIELDS:
            body = f"{prefix} {body}"  # "GPT:", or a title's colon without a space
        part = _part(body, _FIELDS.get(prefix, "any"), phrase is None)
        if part is None:
            continue
        if piece["minus"]:
            without.append(part)
        elif phrase is None and len(part.words) == 1 and part.words[0] in STOPWORDS and not part.open:
            idle.append(part)
        else:
            parts.append(part)
    if not parts and not wanted:
        parts = idle
    return Query(tuple(parts[:_MOST_PARTS]), tuple(without[:_MOST_PARTS]), tuple(wanted[:_MOST_PARTS]))


def _part(body: str, field: Field, bare: bool) -> Part | None:
    words = names.author(body).split() if field == "author" else indexed(body).split()
    is_open = bare and body.endswith("*") and bool(words) and len(words[-1]) >= _SHORTEST_BEGINNING
    return Part(tuple(words[:_MOST_WORDS]), field, is_open) if words else None


def by_author(name: str) -> Part | None:
    """The part that asks for an author by name, in either order."""
    return _part(name, "author", False)


def indexed(passage: str) -> str:
    """A text as it is handed to a full-text index: LaTeX read out, accents dropped, lower-cased, Chinese cut
    into words, nothing between words but a space."""
    found = (word.lstrip("-").lower() for word in text.words(passage))
    return " ".join(_SPELLED.get(word, word) for word in found if word)
