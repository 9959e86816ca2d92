"""What the API takes and gives."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from app.web.api import rules
from jobs.alerts import wording
from jobs.alerts.digest import Item, Part
from jobs.alerts.links import Links
from profiles.delivery import DeliveryPlan
from profiles.profile import Profile
from profiles.request import LONGEST, MOST_PER_DAY, Request, request
from recommender.paper import Paper


def _without_controls(text: str) -> str:
    if any((ord(character) < 32 and character not in "\t\n\r") or character == "\x7f" for character in text):
        raise ValueError("holds a control character")
    return text


class _Visible:
    """Says in the schema what `_without_controls` checks, whose words are kinder than those of a pattern."""

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return handler(core) | {"pattern": r"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]*$"}


Text = Annotated[str, AfterValidator(_without_controls), _Visible()]
Short = Annotated[Text, Field(max_length=300)]
Category = Annotated[str, Field(max_length=60, pattern=r"^[a-z][a-z-]*(\.([A-Za-z-]{2,}|\*))?$")]
_MOST = 500  # of a kind in one request
Person = Annotated[Text, Field(max_length=LONGEST["author"])]
Phrase = Annotated[Text, Field(max_length=LONGEST["term"])]
Named = Annotated[Short, Field(json_schema_extra=rules.REFERENCE)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Term(_Model):
    """A term and how much it counts; below 0 it counts against a paper."""

    term: Annotated[Phrase, Field(json_schema_extra={"allOf": [rules.SAID]})]
    weight: float = Field(1, ge=-3, le=3)


class Mutes(_Model):
    """What never to show."""

    terms: list[Phrase] = Field([], max_length=_MOST)
    authors: list[Person] = Field([], max_length=_MOST)
    categories: list[Category] = Field([], max_length=_MOST)


class Wanted(_Model):
    """An interest: at least one of statement, terms, authors, categories and likes says something."""

    model_config = ConfigDict(json_schema_extra=rules.STATES_SOMETHING)

    statement: Text = Field(
        "", max_length=LONGEST["statement"], description="What you work on, in a sentence"
    )
    terms: list[Term] = Field([], max_length=_MOST)
    authors: list[Person] = Field([], max_length=_MOST)
    categories: list[Category] = Field(
        [], max_length=_MOST, description="Such as cs.DC, or math.* for a whole archive"
    )
    likes: list[Named] = Field(
        [], max_length=_MOST, description="Papers that you like: arXiv ids or links, or DOIs"
    )
    mutes: Mutes = Mutes()
    per_day: int = Field(5, ge=1, le=MOST_PER_DAY, description="About so many papers a day")

    def request(self, email: str = "", name: str = "", plan: Delivery | None = None) -> Request:
        """The same, checked. Raises `RequestError`."""
        mutes = [f"{kind}:{one}" for kind, several in (
            ("term", self.mutes.terms), ("author", self.mutes.authors), ("category", self.mutes.categories)
        ) for one in several]  # fmt: skip
        return request(
            email=email, name=name, statement=self.statement, authors=self.authors,
            terms=[f"{one.term}={one.weight:.4f}" for one in self.terms], categories=self.categories,
            likes=self.likes, mutes=mutes, per_day=self.per_day, **(plan or Delivery()).model_dump(),
        )  # fmt: skip


class Delivery(_Model):
    """When mail goes out."""

    every: Literal["announced", "daily", "weekly", "feed"] = Field(
        "daily", description="feed: no mail; so for readers without an address, whatever is asked for"
    )
    hour: int = Field(7, ge=0, le=23)
    zone: Text = Field("UTC", json_schema_extra=rules.zone(), description="Such as Europe/Zurich")
    weekday: int = Field(0, ge=0, le=6, description="Of a weekly mail; 0 is Monday")
    days: list[Annotated[int, Field(ge=0, le=6)]] = Field(
        [0, 1, 2, 3, 4, 5, 6], min_length=1, max_length=7, description="Of a daily mail"
    )
    send_empty: bool = Field(False, description="Mail even where nothing matched")
    alone: bool = Field(False, description="A mail of its own, where other profiles share one")
    at_most: int | None = Field(None, ge=1, le=MOST_PER_DAY, description="Most papers in a mail")
    markdown: bool = Field(False, description="Attach the digest as Markdown")
    bibtex: bool = Field(False, description="Attach the papers as BibTeX")
    explore: bool = Field(
        True,
        description="Whether the last of three or more papers may be one from just outside the usual range",
    )
    paused_until: date | None = Field(None, description="No mail before this day")

    @classmethod
    def of(cls, plan: DeliveryPlan) -> Delivery:
        """A plan as it is asked for."""
        weekday = plan.days[0] if plan.frequency == "weekly" and plan.days else 0
        return cls(
            every=plan.frequency, hour=plan.hour, zone=plan.zone, weekday=weekday, days=list(plan.days),
            send_empty=plan.send_empty, alone=plan.alone, at_most=plan.at_most, markdown=plan.markdown,
            bibtex=plan.bibtex, explore=plan.explore, paused_until=plan.paused_until,
        )  # fmt: skip


class ProfileIn(Wanted):
    """A profile as it is asked for."""

    name: Text = Field("My papers", max_length=LONGEST["name"])
    delivery: Delivery = Delivery()


class Feeds(_Model):
    """The private addresses of a profile's feeds; whoever knows one can read along."""

    rss: str
    atom: str
    json_feed: str
    saved_rss: str
    saved_atom: str
    saved_json_feed: str

    @classmethod
    def of(cls, profile: Profile, links: Links) -> Feeds:
        """The feeds of a profile."""
        token = profile.feed_token
        return cls(
            rss=links.feed(token, "rss"), atom=links.feed(token, "atom"), json_feed=links.feed(token, "json"),
            saved_rss=links.saved_feed(token, "rss"), saved_atom=links.saved_feed(token, "atom"),
            saved_json_feed=links.saved_feed(token, "json"),
        )  # fmt: skip


class StatedTerm(_Model):
    """A term of a profile and how much it counts."""

    term: str
    weight: float


class Muted(_Model):
    """What a profile never shows."""

    terms: list[str]
    authors: list[str]
    categories: list[str]


class ProfileOut(_Model):
    """A profile as it stands; a library may have brought more papers than a request takes."""

    id: int
    name: str
    created_at: datetime
    statement: str
    terms: list[StatedTerm]
    authors: list[str]
    categories: list[str]
    likes: list[str]
    mutes: Muted
    per_day: int
    delivery: Delivery
    feeds: Feeds

    @classmethod
    def of(cls, profile: Profile, links: Links) -> ProfileOut:
        """A stored profile."""
        wants = profile.interests
        return cls(
            id=profile.id, created_at=profile.created_at, name=profile.name, statement=wants.statement,
            terms=[StatedTerm(term=term, weight=weight) for term, weight in wants.terms],
            authors=list(wants.authors), categories=list(wants.categories), likes=list(wants.seeds),
            mutes=Muted(
                terms=list(wants.mutes.terms), authors=list(wants.mutes.authors),
                categories=list(wants.mutes.categories),
            ),
            per_day=profile.per_day, delivery=Delivery.of(profile.delivery), feeds=Feeds.of(profile, links),
        )  # fmt: skip


class PaperOut(_Model):
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


class Contribution(_Model):
    """One signed part of a score."""

    kind: str = Field(description="term, category, author, institution or tag")
    name: str
    value: float
    via: str = Field(description="The title of the liked paper that brought it in; empty where stated")

    @classmethod
    def of(cls, part: Part) -> Contribution:
        """A part of a score."""
        return cls(kind=part.kind, name=part.name, value=part.value, via=part.via)


class Scored(_Model):
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


class Papers(_Model):
    """Papers, the latest first; ``next`` is what to give as ``before`` for those after them."""

    papers: list[PaperOut]
    next: int | None


class Digest(_Model):
    """What one batch of new papers brought a profile."""

    batch: int
    at: datetime
    ranked: int = Field(description="How many papers were ranked")
    papers: list[Scored]
    near: list[Scored] = Field(description="Those just under the cut")


class Digests(_Model):
    """A profile's digests, the latest first; ``next`` is what to give as ``before`` for older ones."""

    digests: list[Digest]
    next: int | None


class PreviewOut(_Model):
    """What an interest would have brought in the latest days on hand."""

    papers: list[Scored]
    near: list[Scored]
    ranked: int
    first: date | None
    last: date | None


class FeedbackIn(_Model):
    """What you say about a paper; ``clear`` takes back what was said."""

    paper: Short
    opinion: Literal["like", "dislike", "save", "open", "clear"]


class FeedbackOut(_Model):
    """What counts now of what was said about a paper."""

    paper: str
    opinion: Literal["like", "dislike", "save", "open"]
    at: datetime
    via: str


class Pause(_Model):
    """Until when no mail goes out."""

    until: date


class Me(_Model):
    """The reader whom the key belongs to."""

    email: str
    state: str
    since: datetime
    profiles: list[int]


class KeyOut(_Model):
    """A key; what it is was shown once, when it was made."""

    id: int
    name: str
    made_at: datetime
    used_at: datetime | None
    current: bool = Field(description="Whether it is the one that asks")
