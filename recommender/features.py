"""What a column of a vector can stand for, and the features that papers and readers name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple, cast, get_args

from recommender import names, text
from recommender.interest import Interests
from recommender.paper import Paper

Kind = Literal["term", "category", "author", "institution", "tag"]
KINDS: tuple[str, ...] = get_args(Kind)


class Feature(NamedTuple):
    """A term in its normal form, or a category, author, institution or tag by the form that counts."""

    kind: Kind
    name: str

    @classmethod
    def of(cls, kind: str, name: str) -> Feature:
        """The feature that a person means by ``name``. Raises ValueError for a kind that does not exist."""
        if kind not in KINDS:
            raise ValueError(f"no kind of feature {kind!r}; there are {', '.join(KINDS)}")
        if kind == "term":
            return cls("term", text.term(name))
        if kind == "author":
            return cls("author", names.author(name))
        if kind == "category":
            return cls("category", name.strip())
        return cls(cast(Kind, kind), names.label(name))


def named_features(paper: Paper, *, people: bool = True) -> Iterator[Feature]:
    """The categories, people, institutions and tags of a paper; repeats are possible, empty names are not."""
    for category in paper.categories:
        yield Feature("category", category)
    for author in paper.authors if people else ():
        if key := names.author(author):
            yield Feature("author", key)
    for institution in paper.institutions:
        if key := names.label(institution):
            yield Feature("institution", key)
    for tag in (paper.area, *paper.topics, *paper.keywords):
        if key := names.label(tag):
            yield Feature("tag", key)


def stated_features(interests: Interests) -> Iterator[Feature]:
    """The terms, people and categories that a reader names, mutes not included."""
    for words in (interests.statement, *(term for term, _ in interests.terms)):
        for term in text.terms(words):
            yield Feature("term", term)
            for word in term.split():
                yield Feature("term", word)
    for author in interests.authors:
        if key := names.author(author):
            yield Feature("author", key)
    for category in interests.categories:
        yield Feature("category", category.strip())
