"""What a profile must be beyond the types of its fields, in the words of JSON Schema.

The schema is for whoever writes a client; the checks themselves are those of `profiles.request`, and a test
holds the two equal.
"""

from __future__ import annotations

from typing import Any, Final
from zoneinfo import available_timezones

# JSON Schema's patterns are ECMAScript's, which have no sign for "whatever the case".
_BLANK: Final = r"^\s*$"
_SPOKEN: Final = r"\S"


def _any_case(word: str) -> str:
    return "".join(f"[{letter.lower()}{letter.upper()}]" if letter.isalpha() else letter for letter in word)


def _references() -> dict[str, str]:
    """A pattern for each way in which `recommender.paper.paper_key` knows a paper."""
    number = r"[0-9]{2}(0[1-9]|1[0-2])\.[0-9]{4,5}|[A-Za-z][A-Za-z-]*(\.[A-Za-z-]{2,})?/[0-9]{7}"
    versioned = rf"({number})([vV][0-9]{{1,3}})?"
    kinds = "|".join(map(_any_case, ("abs", "pdf", "html", "format", "ps", "src", "e-print")))
    places = "|".join((
        rf"{_any_case('arxiv')}\.{_any_case('org')}/({kinds})/",
        rf"{_any_case('oai:arxiv')}\.{_any_case('org')}:",
        rf"10\.48550/{_any_case('arxiv')}\.",
    ))  # fmt: skip
    return {
        "An arXiv id": rf"^\s*({_any_case('arxiv:')})?\s*{versioned}(\.{_any_case('pdf')})?\s*$",
        "An arXiv link": rf"({places}){versioned}",
        "A DOI or a link to one": r'10\.[0-9]{4,9}/[^\s"<>]+',
        "The id that a paper without any of these has here": r"^\s*hash:",
        "Nothing, which is passed over": _BLANK,
    }


REFERENCE: Final[dict[str, Any]] = {
    "anyOf": [{"title": title, "pattern": pattern} for title, pattern in _references().items()]
}
"""A paper as it may be named."""

SAID: Final[dict[str, Any]] = {"pattern": _SPOKEN}
"""A text of more than spaces."""

_SOME: Final = {"contains": SAID}
STATES_SOMETHING: Final[dict[str, Any]] = {
    "anyOf": [
        {"title": "A sentence", "required": ["statement"], "properties": {"statement": SAID}},
        {"title": "Terms", "required": ["terms"], "properties": {"terms": {"minItems": 1}}},
        {"title": "People", "required": ["authors"], "properties": {"authors": _SOME}},
        {"title": "Categories", "required": ["categories"], "properties": {"categories": {"minItems": 1}}},
        {"title": "Papers", "required": ["likes"], "properties": {"likes": _SOME}},
    ]
}
"""An interest that says anything at all."""


def zone() -> dict[str, Any]:
    """The time zones that this machine knows."""
    return {"enum": sorted(available_timezones() | {"UTC"})}
