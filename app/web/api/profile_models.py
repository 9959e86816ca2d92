"""Profiles as the API takes and gives them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from app.web.api import rules
from app.web.api.fields import MOST, MOST_LIKES, Category, Model, Named, Person, Phrase, Text
from jobs.alerts.links import Links
from profiles.delivery import DeliveryPlan
from profiles.profile import Profile
from profiles.request import LONGEST, MOST_PER_DAY, Request, RequestError, interests_of, request
from profiles.understood import Understood, understood
from recommender.interest import Interests


class Term(Model):
    """A term and how much it counts; below 0 it counts against a paper."""

    term: Annotated[Phrase, Field(json_schema_extra={"allOf": [rules.SAID]})] = Field(
        description="A word or a phrase, such as KV cache"
    )
    weight: float = Field(1, ge=-3, le=3, description="1 as most; below 0 it speaks against a paper")

    def written(self) -> str:
        """The same as people type it."""
        return f"{self.term}={self.weight:.4f}"


class Mutes(Model):
    """What never to show."""

    terms: list[Phrase] = Field([], max_length=MOST, description="Words and phrases that no paper may have")
    authors: list[Person] = Field([], max_length=MOST, description="People by name")
    categories: list[Category] = Field([], max_length=MOST, description="Such as cs.CR")

    def written(self) -> list[str]:
        """The same as people type it."""
        return [
            *(f"term:{one}" for one in self.terms),
            *(f"author:{one}" for one in self.authors),
            *(f"category:{one}" for one in self.categories),
        ]


class Wanted(Model):
    """An interest: at least one of statement, terms, authors, categories and likes says something."""

    model_config = ConfigDict(json_schema_extra=rules.STATES_SOMETHING)

    statement: Text = Field(
        "",
        max_length=LONGEST["statement"],
        description="What you work on, in a sentence. Papers, categories and people that it names go into "
        "their own fields, as from the form",
    )
    terms: list[Term] = Field([], max_length=MOST, description="Words and phrases that count for themselves")
    authors: list[Person] = Field([], max_length=MOST, description="People whose papers you follow, by name")
    categories: list[Category] = Field(
        [], max_length=MOST, description="Such as cs.DC, or math.* for a whole archive"
    )
    likes: list[Named] = Field(
        [], max_length=MOST_LIKES, description="Papers that you like: arXiv ids or links, or DOIs"
    )
    mutes: Mutes = Field(Mutes(), description="What never to show")
    per_day: int = Field(5, ge=1, le=MOST_PER_DAY, description="About so many papers a day")

    def request(self, email: str = "", name: str = "", plan: Delivery | None = None) -> Request:
        """The same, checked, with what the statement names in its own field. Raises `RequestError`."""
        said = in_fields(self.statement)
        return request(
            email=email, name=name, statement=said.statement, authors=[*self.authors, *said.authors],
            terms=[*(one.written() for one in self.terms), *said.terms],
            categories=[*self.categories, *said.categories], likes=[*self.likes, *said.likes],
            mutes=[*self.mutes.written(), *said.mutes], per_day=self.per_day,
            **(plan or Delivery()).model_dump(),
        )  # fmt: skip


def in_fields(statement: str) -> Understood:
    """What stands in a statement; all of it are words where a line names what there cannot be."""
    read = understood(statement)
    try:
        interests_of(
            terms=read.terms, authors=read.authors, categories=read.categories, likes=read.likes,
            mutes=read.mutes,
        )  # fmt: skip
    except RequestError:
        # A program that sends a field for each thing may well have "papers: on sorting" in its sentence.
        return Understood(statement)
    return read


class Delivery(Model):
    """When mail goes out."""

    every: Literal["announced", "daily", "weekly", "feed"] = Field(
        "daily", description="feed: no mail; so for readers without an address, whatever is asked for"
    )
    hour: int = Field(7, ge=0, le=23, description="Of the day, in the zone")
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
        days = list(plan.days if plan.frequency == "daily" else range(7))
        return cls(
            every=plan.frequency, hour=plan.hour, zone=plan.zone, weekday=weekday, days=days,
            send_empty=plan.send_empty, alone=plan.alone, at_most=plan.at_most, markdown=plan.markdown,
            bibtex=plan.bibtex, explore=plan.explore, paused_until=plan.paused_until,
        )  # fmt: skip


class ProfileIn(Wanted):
    """A profile as it is asked for."""

    name: Text = Field(
        "My papers", max_length=LONGEST["name"], description="Yours to choose; no two profiles share one"
    )
    delivery: Delivery = Field(Delivery(), description="When mail goes out, and how")


class Feeds(Model):
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


class StatedTerm(Model):
    """A term of a profile and how much it counts."""

    term: str
    weight: float


class Muted(Model):
    """What a profile never shows."""

    terms: list[str]
    authors: list[str]
    categories: list[str]


class Interest(Model):
    """What an interest says, in the fields of a profile's request."""

    statement: str
    terms: list[StatedTerm]
    authors: list[str]
    categories: list[str]
    likes: list[str]
    mutes: Muted

    @classmethod
    def of(cls, wants: Interests) -> Interest:
        """Interests as they are held."""
        return cls(
            statement=wants.statement,
            terms=[StatedTerm(term=term, weight=weight) for term, weight in wants.terms],
            authors=list(wants.authors), categories=list(wants.categories), likes=list(wants.seeds),
            mutes=Muted(
                terms=list(wants.mutes.terms), authors=list(wants.mutes.authors),
                categories=list(wants.mutes.categories),
            ),
        )  # fmt: skip


class ProfileOut(Model):
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


class Pause(Model):
    """Until when no mail goes out."""

    until: date = Field(description="The first day with mail again")
