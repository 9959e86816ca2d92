"""What a reader never wants to see."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

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
            if category in read.categories or category.removesuffix(".*") in read.categories:
                return f'muted category "{category}"'
        for key, written in self.authors:
            namesakes = read.authors.get(key.rpartition(" ")[2], ())
            if any(names.same_author(key, other) for other in namesakes):
                return f'muted author "{written}"'
        for padded, written in self.terms:
            if padded in read.text:
                return f'muted term "{written}"'
        return ""


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
    def text(self) -> str:
        """The normal forms of title, abstract, summary and tags, each with a space before and behind."""
        paper = self.paper
        pieces = (paper.title, paper.abstract, paper.summary, paper.area, *paper.topics, *paper.keywords)
        return "".join(f" {text.term(piece)} \n" for piece in pieces if piece)
