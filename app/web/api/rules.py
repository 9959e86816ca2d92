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


def references() -> dict[str, str]:
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
        "an arXiv id": rf"^\s*({_any_case('arxiv:')})?\s*{versioned}(\.{_any_case('pdf')})?\s*$",
        "an arXiv link": rf"({places}){versioned}",
        "a DOI or a link to one": r'10\.[0-9]{4,9}/[^\s"<>]+',
        "the id that a paper without any of these has here": r"^\s*hash:",
        "nothing, which is passed over": _BLANK,
    }


REFERENCE: Final[dict[str, Any]] = {
    "allOf": [{"pattern": "|".join(f"({pattern})" for pattern in references().values())}]
}
"""A paper as it may be named: one pattern, since clients would make a type of each of several."""

SAID: Final[dict[str, Any]] = {"pattern": _SPOKEN}
"""A text of more than spaces."""

_BLANKS: Final = {"items": {"pattern": _BLANK}}
STATES_SOMETHING: Final[dict[str, Any]] = {
    "not": {
        "properties": {
            "statement": {"pattern": _BLANK},
            "terms": {"maxItems": 0},
            "authors": _BLANKS,
            "categories": {"maxItems": 0},
            "likes": _BLANKS,
        }
    }
}
"""An interest that says anything at all. Said as "not nothing": an "any of" beside the fields of a model is a
choice of types to those who make clients, and they leave the model out."""


def zone() -> dict[str, Any]:
    """The time zones that this machine knows, as a pattern: of six hundred choices generated clients make a
    type whose names collide (GMT0, GMT+0)."""
    names = [name.replace("+", "[+]") for name in sorted(available_timezones() | {"UTC"})]
    return {"pattern": f"^({'|'.join(names)})$"}
