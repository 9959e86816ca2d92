"""What a reader never wants to see."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from recommender import names, text
from recommender.interest import Mutes
from recommender.paper import Paper


@dataclass(frozen=True, slots=True)
class Filter:
    """Mutes made ready to be checked against many papers."""

    terms: tuple[tuple[str, str], ...]  # padded normal form, as the reader wrote it
    authors: tuple[tuple[str, str], ...]
    categories: tuple[str, ...]

    @classmethod
    def of(cls, mutes: Mutes) -> Filter:
        """The filter for ``mutes``; terms of stop words alone mute nothing."""
        return cls(
            tuple((f" {text.term(term)} ", term) for term in mutes.terms if text.term(term)),
            tuple((names.author(author), author) for author in mutes.authors if names.author(author)),
            tuple(category.strip() for category in mutes.categories if category.strip()),
        )

    def reason(self, paper: Paper | Read) -> str:
        """Why the paper is muted, such as ``muted term "blockchain"``; empty if it is not.

        Terms match whole words and phrases of title, abstract, summary and tags, plurals and hyphens aside;
        authors as `names.same_author` says; categories the whole name, or an archive by ``cs`` or ``cs.*``.
        """
        read = paper if isinstance(paper, Read) else Read(paper)
        for category in self.categories:
            if _lists(read, category):
                return f'muted category "{category}"'
        for key, written in self.authors:
            if _is_by(read, key):
                return f'muted author "{written}"'
        for padded, written in self.terms:
            if _says(read, padded):
                return f'muted term "{written}"'
        return ""

    @property
    def each(self) -> Iterator[tuple[Check, str]]:
        """What `reason` looks for, one by one."""
        yield from ((_lists, category) for category in self.categories)
        yield from ((_is_by, key) for key, _ in self.authors)
        yield from ((_says, padded) for padded, _ in self.terms)


class Read:
    """A paper as mutes look at it; each part is made when one asks for it first, and kept."""

    def __init__(self, paper: Paper) -> None:
        self.paper = paper

    @cached_property
    def categories(self) -> frozenset[str]:
        """The categories and, of those with a point in them, the archives."""
        found = self.paper.categories
        return frozenset((*found, *(c[:at] for c in found for at, sign in enumerate(c) if sign == ".")))

    @cached_property
    def authors(self) -> dict[str, list[str]]:
        """The authors in their normal form, by surname."""
        found: dict[str, list[str]] = {}
        for author in self.paper.authors:
            key = names.author(author)
            found.setdefault(key.rpartition(" ")[2], []).append(key)
        return found

    @cached_property
    def words(self) -> frozenset[str]:
        """The words of `text`."""
        return frozenset(self.text.split())

    @cached_property
    def text(self) -> str:
        """The normal forms of title, abstract, summary and tags, each with a space before and behind."""
        paper = self.paper
        pieces = (paper.title, paper.abstract, paper.summary, paper.area, *paper.topics, *paper.keywords)
        return "".join(f" {text.term(piece)} \n" for piece in pieces if piece)


Check = Callable[[Read, str], bool]


def _lists(read: Read, category: str) -> bool:
    return category in read.categories or category.removesuffix(".*") in read.categories


def _is_by(read: Read, key: str) -> bool:
    namesakes = read.authors.get(key.rpartition(" ")[2], ())
    return any(names.same_author(key, other) for other in namesakes)


def _says(read: Read, padded: str) -> bool:
    # Most papers do not hold the first word: a set says so in a tenth of the time.
    return padded.split(" ", 2)[1] in read.words and padded in read.text


_UNKNOWN = 2
_MOST_KEPT = 4_096


class Barring:
    """Which of some papers mutes bar. Each is looked at when somebody asks about it first, and what was seen
    is kept: readers mute the same things, and ask about the same papers."""

    def __init__(self, papers: Sequence[Paper]) -> None:
        self._reads = [Read(paper) for paper in papers]
        self._seen: dict[tuple[Check, str], NDArray[np.uint8]] = {}

    def bars(self, filtered: Filter, places: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of the papers at these places a filter bars."""
        found = np.zeros(len(places), bool)
        for check, word in filtered.each:
            seen = self._seen.get((check, word))
            if seen is None:
                if len(self._seen) >= _MOST_KEPT:
                    self._seen.clear()
                seen = self._seen[check, word] = np.full(len(self._reads), _UNKNOWN, np.uint8)
            for at in places[seen[places] == _UNKNOWN].tolist():
                seen[at] = check(self._reads[at], word)
            found |= seen[places] == 1
        return found
