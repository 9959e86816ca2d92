"""Finding papers: by words with the passage that holds them, by day and label, and by what rises."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from pydantic import Field

from app.web.api.access import ACaller
from app.web.api.fields import Model, Text
from app.web.api.paper_models import Guessed, PaperOut
from app.web.api.papers import ACategory, AnArea, AnAuthor, AnInstitution, ATopic
from app.web.api.problems import ProblemError, documented
from app.web.search import LABEL_DAYS
from db import index_store, label_store, trend_store
from jobs import finding
from jobs.alerts.links import Links
from jobs.finding import Asked, Listed, Results
from recommender import labels
from recommender.labels import Kind

router = APIRouter(tags=["search"])

Words = Annotated[Text, Field(max_length=500)]
_CURSOR = r"^a?(-?[0-9.e+-]{1,25}_)?[0-9]{1,19}$"


class Hit(Model):
    """A paper that was found."""

    paper: PaperOut
    passage: str = Field(description="The sentences that hold the words, as plain text; empty without words")
    guessed: list[Guessed]

    @classmethod
    def of(cls, listed: Listed) -> Hit:
        """A paper as it stands in a list."""
        return cls(
            paper=PaperOut.of(listed.stored.paper),
            passage="".join(mark.text for mark in listed.passage),
            guessed=[Guessed.of(one) for one in listed.guesses],
        )


class FoundOut(Model):
    """A page of what was found; ``next`` is what to give as ``after`` for those after them."""

    papers: list[Hit]
    total: int = Field(description="How many papers were found in all, counted to a thousand")
    more: bool = Field(description="Whether there are more than were counted")
    any_word: bool = Field(description="No paper holds all of the words; these hold some")
    waiting: int = Field(description="Papers that the search does not know yet, counted where it found none")
    next: str | None = Field(description="What to ask for to get those after these; null: there are no more")


class DayOut(Model):
    """A day of announcement."""

    day: date
    papers: int = Field(description="How many were announced")


class Days(Model):
    """Days of announcement, the latest first; ``next`` is what to give as ``until`` for earlier ones."""

    days: list[DayOut]
    next: date | None = Field(description="What to ask for to get those after these; null: there are no more")


class TopicFeeds(Model):
    """The public feeds of a topic; they need no key."""

    rss: str
    atom: str
    json_feed: str

    @classmethod
    def of(cls, short: str, links: Links) -> TopicFeeds:
        """Those of the topic with this slug."""
        rss, atom, json = (links.topic_feed(short, form) for form in ("rss", "atom", "json"))
        return cls(rss=rss, atom=atom, json_feed=json)


class LabelOut(Model):
    """A label and how many papers carry it."""

    name: str
    slug: str = Field(description="The name in short; where a label is asked for, either will do")
    papers: int
    feeds: TopicFeeds | None = Field(description="Of a topic")


class Labels(Model):
    """Labels of a kind, those of most papers first, and the first of the days that were counted."""

    labels: list[LabelOut]
    first: date


class RiseOut(Model):
    """Something that a larger share of papers has than before."""

    name: str
    lately: int = Field(description="Papers that have it, of the latest four weeks")
    before: int = Field(description="Papers that have it, of the thirteen weeks before")
    ratio: float = Field(description="How many times larger the odds of meeting it became, smoothed")
    z: float = Field(description="The log of that in standard errors")
    weeks: list[int] = Field(description="Papers that have it, week by week")


class Trends(Model):
    """What rises in the latest four weeks against the thirteen before, worked out once a night. Before the
    first night, or with too few papers to tell (``enough``), there is nothing in it."""

    made_at: datetime | None = Field(description="When they were worked out; null: not yet")
    enough: bool
    first: date | None = Field(description="The first of the earlier days")
    split: date | None = Field(description="The first of the latest days")
    last: date | None = Field(description="The last day that they are of; null: there are none yet")
    latest: int = Field(description="Papers of the latest days")
    earlier: int = Field(description="Papers of the earlier days")
    weeks: list[int] = Field(description="All papers, week by week")
    phrases: list[RiseOut] = Field(description="In titles")
    words: list[RiseOut] = Field(description="In titles")
    topics: list[RiseOut]
    categories: list[RiseOut]


@router.get("/search", response_model=FoundOut, responses=documented(401, 422, 429))
def search_papers(
    caller: ACaller,
    q: Annotated[Words, Query(description='Words, "phrases", author:NAME, title:WORD, begin*, -WORD')] = "",
    category: ACategory = "",
    topic: ATopic = "",
    area: AnArea = "",
    author: AnAuthor = "",
    institution: AnInstitution = "",
    since: Annotated[date | None, Query(description="Announced on this day or later")] = None,
    until: Annotated[date | None, Query(description="Announced on this day or earlier")] = None,
    sort: Annotated[Literal["best", "newest"], Query(description="Without words always newest")] = "best",
    after: Annotated[
        str | None, Query(pattern=_CURSOR, description="A page's `next`", examples=["-7.5_813135418000123"])
    ] = None,
    limit: Annotated[int, Query(ge=1, le=100, description="At most so many")] = finding.PER_PAGE,
) -> FoundOut:
    """Papers that hold these words, best first, each with the passage that says it; the id, a link or the DOI
    of a paper on hand finds that paper. Without words or labels it is all of these days, the latest first."""
    given: dict[Kind, str] = {
        "category": category, "topic": topic, "area": area, "author": author, "institution": institution,
    }  # fmt: skip
    chosen = tuple((kind, name) for kind, name in given.items() if name.strip())
    asked = Asked(q, chosen, since, until, sort == "newest")
    if q.strip() and not asked.query.asks:
        raise ProblemError(422, "q: nothing in it can be looked for; give words or numbers.", field="q")
    with caller.web.service.database.reading() as session:
        named = finding.named(session, q)
        if named is not None:
            found = Results(finding.listed(session, [named], ()), 1)
        elif all(labels.read_slug(kind, name) for kind, name in chosen):
            found = finding.find(session, asked, after or "", at_most=limit)
        else:
            found = Results()
        waiting = 0 if found.papers else index_store.count_waiting(session)
    return FoundOut(
        papers=[Hit.of(one) for one in found.papers], total=found.total, more=found.many,
        any_word=found.any_word, waiting=waiting, next=found.next or None,
    )  # fmt: skip


@router.get("/days", response_model=Days, responses=documented(401, 422, 429))
def list_days(
    caller: ACaller,
    until: Annotated[date | None, Query(description="No later than this day")] = None,
    limit: Annotated[int, Query(ge=1, le=366, description="At most so many")] = 14,
) -> Days:
    """The latest days on which papers were announced, and how many on each."""
    with caller.web.service.database.reading() as session:
        found = label_store.days(session, until, at_most=limit)
    more = len(found) == limit and found[-1][0] > date.min
    return Days(
        days=[DayOut(day=day, papers=papers) for day, papers in found],
        next=found[-1][0] - timedelta(days=1) if more else None,
    )


@router.get("/labels/{kind}", response_model=Labels, responses=documented(401, 422, 429))
def list_labels(
    caller: ACaller,
    kind: Annotated[Literal["category", "topic", "area", "institution"], Path(description="What labels")],
    days: Annotated[int, Query(ge=1, le=366, description="Of so many days")] = LABEL_DAYS,
    until: Annotated[date | None, Query(description="The last of these days, else the latest")] = None,
    limit: Annotated[int, Query(ge=1, le=200, description="At most so many")] = 24,
) -> Labels:
    """What the papers of some days are about, or where they come from: labels with how many papers carry
    each, those with most first. Guessed topics count."""
    with caller.web.service.database.reading() as session:
        first = finding.first_of(session, days, until, caller.web.clock().date())
        found = label_store.most_used(session, kind, first, until, at_most=limit)
    links = caller.web.service.links
    return Labels(
        labels=[
            LabelOut(
                name=one.label.name, slug=one.label.slug, papers=one.papers,
                feeds=TopicFeeds.of(one.label.slug, links) if kind == "topic" else None,
            )
            for one in found
        ],
        first=first,
    )  # fmt: skip


@router.get("/trends", response_model=Trends, responses=documented(401, 429))
def get_trends(caller: ACaller) -> Trends:
    """Topics, categories, and phrases and words of titles that rise, as last night's report has them."""
    with caller.web.service.database.reading() as session:
        kept = trend_store.latest(session)
    none: dict[str, Any] = {
        "first": None, "split": None, "last": None, "latest": 0, "earlier": 0, "weeks": [], "enough": False,
        "phrases": [], "words": [], "topics": [], "categories": [],
    }  # fmt: skip
    made_at, report = kept or (None, {})
    return Trends(made_at=made_at, **(none | report))
