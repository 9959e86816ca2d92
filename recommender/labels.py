"""What a paper is browsed by: categories, topics, an area, institutions, and its authors."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

from recommender import names
from recommender.paper import Paper

Kind = Literal["category", "topic", "area", "institution", "author"]
KINDS: Final[tuple[Kind, ...]] = ("category", "topic", "area", "institution", "author")

_LONGEST = 200
_NO_CATEGORY = re.compile(r"[^\w.+-]+")
NO_TOPIC = frozenset({"", "others", "other", "tbd", "n a", "none", "misc"})
# Language models that wrote the digests fill the institution's place with sentences where the paper names
# none: "Unable to determine from provided information", "Not explicitly stated", "Unknown (no …)". A name
# with a guess beside it, as "Independent researcher (based on email domain)", is one of those too.
_NO_INSTITUTION = re.compile(
    r"\b(?:not|cannot be|no) (?:\w+ ){0,3}(?:affil|avail|clear|determin|disclos|found|given|identif|indicat|"
    r"known|list|mention|provid|specif|stat)"
    r"|^(?:unknown|unclear|unspecified|undetermined|undisclosed|none|tbd|n/?a|not applicable|various)\b|^[-?]"
    r"|\bunable to determine|\bno institution|^independent researchers?\b"
    r"|\b(?:based on|implied|inferred) (?:from )?(?:the |author|email|gmail|arxiv|technical|membership)"
    r"|未知|未提及|未明确|无法确定|未注明",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, order=True)
class Named:
    """A label as it stands in an address (``slug``) and as people write it (``name``)."""

    kind: Kind
    slug: str
    name: str


def labels_of(paper: Paper, topics: Iterable[str] = (), area: str = "") -> tuple[Named, ...]:
    """The labels of a paper, authors aside, each slug once a kind; ``topics`` and ``area`` were guessed."""
    given: list[tuple[Kind, str]] = [("category", name) for name in paper.categories]
    given += [("topic", name) for name in (*paper.topics, *topics) if is_topic(name)]
    given += [("area", name) for name in (paper.area, area) if is_topic(name)]
    given += [("institution", name) for name in paper.institutions if is_institution(name)]
    found: dict[tuple[Kind, str], Named] = {}
    for kind, name in given:
        if short := slug(kind, name):
            found.setdefault((kind, short), Named(kind, short, " ".join(name.split())[:_LONGEST]))
    return tuple(found.values())


@lru_cache(maxsize=1 << 15)
def slug(kind: Kind, name: str) -> str:
    """The form of a name that counts and can stand in an address: ``llm-inference``, ``cs.lg``.

    Empty for a name without a letter or digit.
    """
    if kind == "category":
        return _NO_CATEGORY.sub("-", name.strip().casefold()).strip("-")[:_LONGEST]
    form = names.author(name) if kind == "author" else names.label(name)
    return form.replace(" ", "-")[:_LONGEST].strip("-")


def read_slug(kind: Kind, given: str) -> str:
    """The slug of what an address or a form gives, which may be a name or a slug."""
    if kind == "author" and " " not in given.strip():
        # The hyphens of a slug stand between names; those within a name were dropped.
        given = given.replace("-", " ")
    return slug(kind, given)


@lru_cache(maxsize=1 << 16)
def token(kind: Kind, short: str) -> str:
    """One word that no stemmer changes and that stands for a label in a full-text index."""
    digest = hashlib.blake2b(f"{kind}\n{short}".encode(), digest_size=6).digest()
    return f"x{int.from_bytes(digest, 'big')}"


def is_topic(name: str) -> bool:
    """Whether a topic or area says something: "others" and "TBD" do not."""
    return names.label(name) not in NO_TOPIC


@lru_cache(maxsize=1 << 14)
def is_institution(name: str) -> bool:
    """Whether this is the name of an institution, and no sentence on why there is none."""
    return bool(name.strip()) and len(name) <= 160 and _NO_INSTITUTION.search(name) is None
