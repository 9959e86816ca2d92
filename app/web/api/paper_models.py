"""Papers as the API gives them, and what readers say about them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Literal

from fastapi import Query
from pydantic import Field

from app.web.api.fields import Model, Short
from app.web.api.profile_models import Interest
from db.label_store import Guess
from jobs.alerts import wording
from jobs.alerts.digest import Item, Part
from recommender.interest import Interests
from recommender.paper import Paper

if TYPE_CHECKING:
    from jobs.preview import Preview
ADays = Annotated[int, Query(ge=1, le=31, description="So many days of announcements back")]
AParts = Annotated[
    int,
    Query(
        ge=0, le=1_000, description="So many parts of each score, the strongest, and the rest as one; 0: all"
    ),
]


class PaperOut(Model):
    """A paper, with the same fields as ``paperwatch papers --format jsonl`` and some more."""

    id: str
    version: int | None = Field(description="As arXiv counts; null where it has none or none is known")
    title: str
    abstract: str
    summary: str = Field(description="Somebody's digest of the paper, often a language model's")
    authors: list[str]
    authors_complete: bool
    institutions: list[str]
    categories: list[str]
    area: str
    topics: list[str]
    keywords: list[str]
    url: str
    doi: str
    journal_ref: str
    comment: str
    code_url: str
    contributions: str = Field(description="What it contributes, as a digest has it")
    withdrawn: bool
    announced: date | None = Field(description="The day on which it was announced; null: not known")
    sources: list[str]

    @classmethod
    def of(cls, paper: Paper) -> PaperOut:
        """A stored paper."""
        return cls(
            id=paper.id, version=paper.version, title=paper.title, abstract=paper.abstract,
            summary=paper.summary, authors=list(paper.authors), authors_complete=paper.authors_complete,
            institutions=list(paper.institutions), categories=list(paper.categories), area=paper.area,
            topics=list(paper.topics), keywords=list(paper.keywords), url=wording.address(paper),
            doi=paper.doi, journal_ref=paper.journal_ref, comment=paper.comment, code_url=paper.code_url,
            contributions=paper.contributions, withdrawn=paper.withdrawn, announced=paper.announced,
            sources=list(paper.sources),
        )  # fmt: skip


class Brief(Model):
    """A paper in short; ``/papers/{id}`` has the rest."""

    id: str
    title: str
    authors: list[str]
    announced: date | None = Field(description="The day on which it was announced; null: not known")
    url: str

    @classmethod
    def of(cls, paper: Paper) -> Brief:
        """A stored paper."""
        return cls(
            id=paper.id, title=paper.title, authors=list(paper.authors), announced=paper.announced,
            url=wording.address(paper),
        )  # fmt: skip


class Guessed(Model):
    """A label that no source gave, guessed from the paper's words."""

    kind: Literal["topic", "area"]
    name: str
    certainty: float = Field(description="From 0 to 1")

    @classmethod
    def of(cls, guess: Guess) -> Guessed:
        """A stored guess."""
        return cls(kind=guess.kind, name=guess.name, certainty=guess.share)


class Contribution(Model):
    """One signed part of a score."""

    kind: str = Field(
        description="term, category, author, institution or tag; rest: the sum of all smaller ones"
    )
    name: str
    value: float = Field(description="What it adds to the score, or takes off it")
    via: str = Field(description="The title of the liked paper that brought it in; empty where stated")

    @classmethod
    def of(cls, part: Part) -> Contribution:
        """A part of a score."""
        return cls(kind=part.kind, name=part.name, value=part.value, via=part.via)


class Scored(Model):
    """A paper as a profile sees it; the contributions add up to the score."""

    paper: PaperOut
    score: float
    strength: Literal["strong", "good", "near", "weak"]
    reason: str
    contributions: list[Contribution]
    similar: list[str] = Field(description="Ids of near-duplicates folded under it")
    explore: float | None = Field(description="The propensity of a pick from outside the usual range")

    @classmethod
    def of(cls, item: Item) -> Scored:
        """An item of a digest."""
        return cls(
            paper=PaperOut.of(item.paper), score=item.score, strength=item.strength, reason=item.reason,
            contributions=[Contribution.of(part) for part in item.contributions],
            similar=[paper.id for paper in item.similar], explore=item.explore,
        )  # fmt: skip


class Papers(Model):
    """Papers, the latest first; ``next`` is what to give as ``before`` for those after them."""

    papers: list[PaperOut]
    next: int | None = Field(description="What to ask for to get those after these; null: there are no more")


class Digest(Model):
    """What one batch of new papers brought a profile."""

    batch: int
    at: datetime
    ranked: int = Field(description="How many papers were ranked")
    papers: list[Scored]
    near: list[Scored] = Field(description="Those just under the cut")


class Digests(Model):
    """A profile's digests, the latest first; ``next`` is what to give as ``before`` for older ones."""

    digests: list[Digest]
    next: int | None = Field(description="What to ask for to get those after these; null: there are no more")


class PreviewOut(Model):
    """What an interest would have brought in the latest days on hand, and how it was understood."""

    papers: list[Scored]
    near: list[Scored] = Field(description="Those just under the cut")
    ranked: int = Field(description="How many papers were ranked")
    first: date | None = Field(
        description="The first day of announcements that was ranked; null: there is none"
    )
    last: date | None = Field(description="The last such day")
    heard: list[str] = Field(description="Terms that the statement was heard to say, beside those stated")
    understood: Interest = Field(
        description="The interest with what its statement names (papers, categories, people, weighed terms) "
        "in its own field"
    )
    liked: list[Brief] = Field(description="Those of the papers you like that are on hand")

    @classmethod
    def of(cls, found: Preview, wants: Interests, liked: Sequence[Paper]) -> PreviewOut:
        """A preview of these interests."""
        return cls(
            papers=[Scored.of(item) for item in found.items], near=[Scored.of(item) for item in found.near],
            ranked=found.ranked, first=found.first, last=found.last, heard=list(found.heard),
            understood=Interest.of(wants), liked=[Brief.of(paper) for paper in liked],
        )  # fmt: skip


class FeedbackIn(Model):
    """What you say about a paper; ``clear`` takes back what was said."""

    paper: Short = Field(description="A paper on hand: its id, an arXiv id or link, or a DOI")
    opinion: Literal["like", "dislike", "save", "open", "clear"] = Field(
        description="like and dislike teach the profile; save keeps the paper; open says that it was read"
    )


class FeedbackOut(Model):
    """What counts now of what was said about a paper."""

    paper: str
    opinion: Literal["like", "dislike", "save", "open"]
    at: datetime
    via: str
