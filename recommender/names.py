"""Names of people, institutions and tags, brought to one form."""

from __future__ import annotations

import re
from functools import lru_cache

from recommender import text

_SUFFIXES = frozenset({"jr", "sr", "ii", "iii", "iv", "phd", "md"})
_AFFILIATION = re.compile(r"\s*\([^()]*\)")


@lru_cache(maxsize=1 << 17)
def author(name: str) -> str:
    """The form of an author's name that counts: ``Erdős, Pál`` and ``Pal Erdos`` are both ``pal erdos``."""
    name = _AFFILIATION.sub(" ", text.plain(name))
    last, comma, first = name.partition(",")
    if comma and first.strip() and first.strip(" .").casefold() not in _SUFFIXES:
        name = f"{first} {last}"
    parts = re.findall(r"[^\W_]+", name.replace("-", "").replace("'", "").casefold())
    while len(parts) > 1 and parts[-1] in _SUFFIXES:
        parts.pop()
    return " ".join(parts)


def groups(key: str) -> list[tuple[str, str]]:
    """Surname and first name of an `author` key, and the initial beside a full first name as ``j*``."""
    parts = key.split() or [""]
    last, first = parts[-1], parts[0]
    return [(last, first)] if len(first) < 2 else [(last, first), (last, f"{first[0]}*")]


def namesake_groups(key: str) -> list[tuple[str, str]]:
    """The `groups` in which everybody is whom `same_author` may take for this author."""
    (last, first), *_ = groups(key)
    return [(last, first), (last, first[0])] if len(first) > 1 else [(last, first), (last, f"{first}*")]


def same_author(a: str, b: str) -> bool:
    """Whether two `author` keys may be one person: an initial stands for any name that begins with it.

    ``j smith``, ``john smith`` and ``john a smith`` are the same; ``jane smith`` is another, and so is
    ``john b smith`` beside ``john a smith``. A single name matches only itself.
    """
    if a == b:
        return bool(a)
    *first_a, last_a = a.split() or [""]
    *first_b, last_b = b.split() or [""]
    if last_a != last_b or not first_a or not first_b:
        return False
    # A middle name that one of them leaves out says nothing.
    return all(_may_be(x, y) for x, y in zip(first_a, first_b, strict=False))


def _may_be(x: str, y: str) -> bool:
    return x == y or (len(x) == 1 and y.startswith(x)) or (len(y) == 1 and x.startswith(y))


@lru_cache(maxsize=1 << 16)
def label(name: str) -> str:
    """The form of an institution or tag that counts: case, accents and punctuation dropped."""
    return " ".join(re.findall(r"[^\W_]+", text.plain(name).casefold()))
