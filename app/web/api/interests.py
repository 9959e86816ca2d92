"""Saying what one wants: a library, a name or an ORCID iD read, papers to say yes or no to, a preview."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import fastapi
from fastapi import APIRouter, Depends
from pydantic import Field

from app.web import brought, errands
from app.web.api.access import ACaller, Caller
from app.web.api.fields import Model, Person, Short, Text
from app.web.api.paper_models import ADays, AParts, Brief, PaperOut, PreviewOut
from app.web.api.papers import known_key
from app.web.api.problems import ProblemError, documented
from app.web.api.profile_models import Interest, Wanted
from app.web.pages import SHOWN_PARTS
from db import paper_store
from profiles.answers import MOST as MOST_ANSWERS
from profiles.answers import Answers
from profiles.portable import Portable
from profiles.request import LONGEST, Request, RequestError
from profiles.understood import spoken
from recommender.interest import Examples
from recommender.paper import Paper

if TYPE_CHECKING:
    from jobs.alerts.digest import Item
    from jobs.importing import Imported

router = APIRouter(tags=["interests"])

_MOST_REJECTED = 100


class Rejected(Model):
    """An entry that could not be read."""

    where: str = Field(examples=["line 5"])
    why: str = Field(examples=["no whole BibTeX entry; check its braces"])


class Explored(Model):
    """What of its delivery a profile's text file holds."""

    explore: bool


class TextProfile(Interest):
    """A profile that came as a text file, as the body of a request for a new profile."""

    name: str
    per_day: int
    delivery: Explored

    @classmethod
    def held(cls, found: Portable) -> TextProfile:
        """What stood in the file."""
        return cls(
            **dict(Interest.of(found.interests)), name=found.name, per_day=found.per_day,
            delivery=Explored(explore=found.explore),
        )  # fmt: skip


class BroughtAlong(Model):
    """What was found in what you brought; nothing of it is stored. ``likes`` and ``statement`` are for a
    profile's request."""

    kind: str = Field(
        description="BibTeX, RIS, CSL-JSON, Zotero RDF, profile, author or ORCID", examples=["BibTeX"]
    )
    likes: list[str] = Field(description="Ids of the papers, also of some that may come on hand one day")
    statement: str = Field(description="Titles that are not on hand, as many as a statement holds")
    papers: list[Brief] = Field(description="Those of the papers that are on hand")
    titles: list[str] = Field(description="Titles of those that are not")
    left: int = Field(description="Entries beyond the thousand that are enough to learn from")
    rejected: list[Rejected] = Field(description="Entries that could not be read, the first hundred")
    profile: TextProfile | None = Field(description="Where a profile's text file was brought: all of it")

    @classmethod
    def of(cls, kind: str, found: Imported) -> BroughtAlong:
        """A library."""
        return cls(
            kind=kind, likes=list(found.seeds), statement=spoken(found.titles),
            papers=[Brief.of(paper) for paper in found.papers], titles=list(found.titles), left=found.left,
            rejected=[Rejected(where=r.where, why=r.why) for r in found.rejected[:_MOST_REJECTED]],
            profile=None,
        )  # fmt: skip

    @classmethod
    def of_papers(
        cls, kind: str, papers: Sequence[Paper], profile: TextProfile | None = None
    ) -> BroughtAlong:
        """These papers, or a profile that likes them and perhaps others."""
        return cls(
            kind=kind, likes=profile.likes if profile else [paper.id for paper in papers],
            statement=profile.statement if profile else "", papers=[Brief.of(paper) for paper in papers],
            titles=[], left=0, rejected=[], profile=profile,
        )  # fmt: skip


class Author(Model):
    """An author by name."""

    name: Annotated[Person, Field(json_schema_extra={"allOf": [{"pattern": r"\S\s+\S"}]})] = Field(
        description="First and last name, as on the papers; accents, initials and case do not matter",
        examples=["Zhenan Fan"],
    )


class Orcid(Model):
    """A researcher by ORCID iD."""

    orcid: str = Field(
        pattern=r"^\s*(https?://orcid\.org/)?[0-9]{4}-?[0-9]{4}-?[0-9]{4}-?[0-9]{3}[0-9Xx]/?\s*$",
        max_length=100,
        description="Such as 0000-0002-1825-0097, or the link to it",
        examples=["0000-0002-1825-0097"],
    )


class AnswersIn(Model):
    """What was said of papers so far; ``passed`` counts neither way."""

    statement: Text = Field("", max_length=LONGEST["statement"], description="Words that narrow it down")
    liked: list[Short] = Field([], max_length=MOST_ANSWERS, description="Ids of papers that you would read")
    refused: list[Short] = Field([], max_length=MOST_ANSWERS, description="Ids of those that are not for you")
    passed: list[Short] = Field([], max_length=MOST_ANSWERS, description="Ids of those passed over")


class Picks(Model):
    """Papers to say yes or no to, at most ten; none where all of the latest days were asked about."""

    papers: list[PaperOut]


async def _file(request: fastapi.Request) -> bytes:
    return await request.body()


_FILE: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The file as it is",
        "content": {
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
        },
    }
}


@router.post(
    "/read/library",
    summary="Read a library",
    response_model=BroughtAlong,
    responses=documented(401, 413, 422, 429),
    openapi_extra=_FILE,
)
def read_library(caller: ACaller, data: Annotated[bytes, Depends(_file)]) -> BroughtAlong:
    """The papers of a reference library (BibTeX, RIS, CSL-JSON or Zotero RDF), or a profile that was exported
    as text. Send the file as it is, at most 2 MB. Nothing is stored; a sixth as many as previews go."""
    caller.count("read")
    if len(data) > brought.MAX_LIBRARY:
        raise ProblemError(413, brought.TOO_LARGE)
    try:
        found = brought.of_file(caller.web.service, data, "The file")
    except RequestError as exc:
        raise ProblemError(422, str(exc)) from exc
    if not isinstance(found, Portable):
        return BroughtAlong.of(found.format, found)
    profile = TextProfile.held(found)
    return BroughtAlong.of_papers("profile", _on_hand(caller, profile.likes), profile)


@router.post(
    "/read/author",
    summary="Read an author's papers",
    response_model=BroughtAlong,
    responses=documented(401, 422, 429),
)
def read_author(caller: ACaller, who: Author) -> BroughtAlong:
    """The newest papers on hand by somebody of this name, at most forty; another may have the same name.
    Counted as a library is."""
    caller.count("read")
    try:
        return BroughtAlong.of_papers("author", brought.by_author(caller.web.service, who.name))
    except RequestError as exc:
        raise ProblemError(422, str(exc), field="name") from exc


@router.post(
    "/read/orcid",
    summary="Read the works of an ORCID iD",
    response_model=BroughtAlong,
    responses=documented(401, 404, 422, 429, 503),
)
def read_orcid(caller: ACaller, who: Orcid) -> BroughtAlong:
    """The public works that ORCID lists for an iD, the latest thousand; 404 where it lists none, or is not
    asked here. Counted as a library is."""
    caller.count("read")
    try:
        return BroughtAlong.of("ORCID", errands.works(caller.web.service, who.orcid))
    except errands.NotNowError as exc:
        raise ProblemError(503, str(exc), retry_after="60") from exc
    except RequestError as exc:
        raise ProblemError(404, str(exc)) from exc


@router.post("/picks", response_model=Picks, responses=documented(401, 422, 429))
def pick_papers(caller: ACaller, said: AnswersIn) -> Picks:
    """Ten papers of the last days whose answers tell most, given those so far. Counted as a preview is."""
    caller.count("preview")
    liked, refused, passed = (
        tuple(dict.fromkeys(map(known_key, keys))) for keys in (said.liked, said.refused, said.passed)
    )
    found = errands.ask_ten(caller.web.service, Answers(said.statement, liked, refused, passed))
    known = _sourced(caller, found)
    return Picks(papers=[PaperOut.of(known.get(paper.id, paper)) for paper in found])


@router.post("/preview", response_model=PreviewOut, responses=documented(401, 422, 429))
def preview_interest(
    caller: ACaller,
    wanted: Wanted,
    days: ADays = 7,
    parts: AParts = SHOWN_PARTS,
) -> PreviewOut:
    """What this interest would have brought in the latest days, as the form shows it; nothing is stored."""
    caller.count("preview")
    return previewed(caller, wanted.request(), days, parts)


def previewed(caller: Caller, asked: Request, days: int, parts: int, examples: Examples = ()) -> PreviewOut:
    """What was asked for would have brought this in the latest days, for somebody who judged these papers; of
    each score so many parts and their rest, or all for 0."""
    found = errands.preview(
        caller.web.service, asked.interests, per_day=asked.per_day, days=days, examples=examples,
        parts=parts or None,
    )  # fmt: skip
    known = _sourced(caller, [item.paper for item in (*found.items, *found.near)])
    found = replace(found, items=_with(known, found.items), near=_with(known, found.near))
    return PreviewOut.of(found, asked.interests, _on_hand(caller, asked.interests.seeds))


def _with(known: Mapping[str, Paper], items: Sequence[Item]) -> tuple[Item, ...]:
    return tuple(replace(item, paper=known.get(item.paper.id, item.paper)) for item in items)


def _on_hand(caller: Caller, keys: Sequence[str]) -> list[Paper]:
    """Those of these papers that are on hand, in their order."""
    with caller.web.service.database.reading() as session:
        found = paper_store.by_keys(session, keys)
    return [found[key].paper for key in keys if key in found]


def _sourced(caller: Caller, papers: Sequence[Paper]) -> dict[str, Paper]:
    """The same papers by id, with the names of the sources that showed each."""
    with caller.web.service.database.reading() as session:
        found = paper_store.by_keys(session, [paper.id for paper in papers], with_sources=True)
    return {key: one.paper for key, one in found.items()}
