"""What a reader never wants to see."""

from __future__ import annotations

from dataclasses import dataclass

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

    def reason(self, paper: Paper) -> str:
        """Why the paper is muted, such as ``muted term "blockchain"``; empty if it is not.

        Terms match whole words and phrases of title, abstract, summary and tags, plurals and hyphens aside;
        authors as `names.same_author` says; categories the whole name, or an archive by ``cs`` or ``cs.*``.
        """
        for category in self.categories:
            archive = category.removesuffix(".*")
            if any(c in {category, archive} or c.startswith(f"{archive}.") for c in paper.categories):
                return f'muted category "{category}"'
        if self.authors:
            keys = [names.author(author) for author in paper.authors]
            for key, written in self.authors:
                if any(names.same_author(key, other) for other in keys):
                    return f'muted author "{written}"'
        if self.terms:
            pieces = (paper.title, paper.abstract, paper.summary, paper.area, *paper.topics, *paper.keywords)
            held = "".join(f" {text.term(piece)} \n" for piece in pieces if piece)
            for padded, written in self.terms:
                if padded in held:
                    return f'muted term "{written}"'
        return ""
