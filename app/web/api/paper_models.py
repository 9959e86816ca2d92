"""Papers as the API gives them, and what readers say about them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from pydantic import Field

from app.web.api.fields import Model, Short
from jobs.alerts import wording
from jobs.alerts.digest import Item, Part
from recommender.paper import Paper


class PaperOut(Model):
    """A paper, with the same fields as ``paperwatch papers --format jsonl`` and some more."""

    id: str
    version: int | None
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
    announced: date | None
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
            announced=paper.announced, sources=list(paper.sources),
        )  # fmt: skip


class Contribution(Model):
    """One signed part of a score."""

    kind: str = Field(description="term, category, author, institution or tag")
    name: str
    value: float
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
    next: int | None


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
    next: int | None


class PreviewOut(Model):
    """What an interest would have brought in the latest days on hand."""

    papers: list[Scored]
    near: list[Scored]
    ranked: int
    first: date | None
    last: date | None


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
