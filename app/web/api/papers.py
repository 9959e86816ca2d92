"""Papers on hand: listed, exported, one by one with what became of each, and those like it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Response
from pydantic import Field

from app.web import errands
from app.web.api.access import ACaller, Caller
from app.web.api.fields import Model, Short
from app.web.api.paper_models import Guessed, PaperOut, Papers
from app.web.api.problems import ProblemError, documented
from db import label_store, paper_store, search_store
from db.label_store import Found
from db.records import Stored
from db.search_store import Span
from db.session import Session
from jobs.alerts import exports
from jobs.history import Change, History, history
from recommender import labels, query
from recommender.paper import Paper, paper_key

router = APIRouter(tags=["papers"])

Form = Literal["json", "bibtex", "ris", "csl", "digest"]
AForm = Annotated[Form, Query(alias="format", description="json, or a form for other programs")]
AKey = Annotated[Short, Path(description="A paper: arxiv:2510.21419, an arXiv id or link, or a DOI")]
ACategory = Annotated[Short, Query(description="Such as cs.DC")]
ATopic = Annotated[Short, Query(description="A topic by its name, such as LLM inference")]
AnArea = Annotated[Short, Query(description="An area that digests name, such as systems")]
AnAuthor = Annotated[Short, Query(description="First and last name, as on the papers")]
AnInstitution = Annotated[Short, Query(description="Where an author works, such as Huawei")]
_MOST_NUMBER = date.max.toordinal() << 40


class Words(Model):
    """Words that two versions of a text have ("same"), only the older ("gone") or only the newer ("new")."""

    kind: Literal["same", "gone", "new"]
    text: str


class Earlier(Model):
    """An earlier version, and how the next one differs from it, word by word."""

    version: int
    title: str
    abstract: str
    replaced_at: datetime
    to: int | None = Field(description="The version that came next, where it has a number")
    title_changes: list[Words]
    abstract_changes: list[Words]

    @classmethod
    def of(cls, change: Change) -> Earlier:
        """A change."""
        return cls(
            version=change.old.version, title=change.old.title, abstract=change.old.abstract,
            replaced_at=change.old.replaced_at, to=change.to,
            title_changes=[Words(kind=one.kind, text=one.text) for one in change.title],
            abstract_changes=[Words(kind=one.kind, text=one.text) for one in change.abstract],
        )  # fmt: skip


class Showing(Model):
    """That a source showed the paper."""

    source: str
    version: int | None = Field(description="As arXiv counts; null: the source names none")
    announced: date | None = Field(description="The day of the source's own announcement, where it has days")
    seen_at: datetime


class PaperInFull(PaperOut):
    """A paper with all that is known of it."""

    page: str = Field(description="The address of its page here")
    earlier: list[Earlier] = Field(description="Its earlier versions, the latest first")
    shown: list[Showing] = Field(description="Each source once for each version, the earliest first")
    guessed: list[Guessed]

    @classmethod
    def known(cls, paper: Paper, known: History, page: str) -> PaperInFull:
        """A stored paper and its history."""
        return cls(
            **dict(PaperOut.of(paper)), page=page, earlier=[Earlier.of(one) for one in known.changes],
            shown=[
                Showing(source=one.source, version=one.version, announced=one.day, seen_at=one.seen_at)
                for one in known.shown
            ],
            guessed=[Guessed.of(one) for one in known.guesses],
        )  # fmt: skip


def exported(model: str) -> dict[int | str, dict[str, Any]]:
    """The answers of an operation that can export, for the schema."""
    text = {"schema": {"type": "string"}}
    media: dict[str, Any] = {form.content_type.partition(";")[0]: text for form in exports.FORMS.values()}
    media["application/vnd.citationstyles.csl+json"] = {
        "schema": {"type": "array", "items": {"type": "object"}}
    }
    media["application/json"] = {"schema": {"$ref": f"#/components/schemas/{model}"}}
    return {200: {"description": "The papers, in the form that was asked for", "content": media}}


def export(found: list[Paper], form: Form, name: str) -> Response:
    """These papers as a file of another program."""
    chosen = exports.FORMS[form]
    return Response(
        chosen.render(found), media_type=chosen.content_type,
        headers={"content-disposition": f'attachment; filename="{name}.{chosen.suffix}"'},
    )  # fmt: skip


@router.get("/papers", response_model=Papers, responses=exported("Papers") | documented(401, 422, 429))
def list_papers(
    caller: ACaller,
    q: Annotated[Short, Query(description='Words, "phrases", author:NAME, title:WORD, -WORD')] = "",
    category: ACategory = "",
    topic: ATopic = "",
    area: AnArea = "",
    author: AnAuthor = "",
    institution: AnInstitution = "",
    since: Annotated[date | None, Query(description="Announced on this day or later")] = None,
    until: Annotated[date | None, Query(description="Announced on this day or earlier")] = None,
    before: Annotated[int | None, Query(ge=1 << 40, le=_MOST_NUMBER, description="A page's `next`")] = None,
    limit: Annotated[int, Query(ge=1, le=200, description="Most papers in one answer")] = 50,
    form: AForm = "json",
) -> Papers | Response:
    """The latest papers on hand, with words and labels if any are given."""
    asked = query.read(q)
    given: dict[labels.Kind, str] = {
        "category": category, "topic": topic, "area": area, "author": author, "institution": institution,
    }  # fmt: skip
    named = tuple((kind, labels.read_slug(kind, name)) for kind, name in given.items() if name.strip())
    asked = query.Query(asked.parts, asked.without, named, asked.any_part)
    if q.strip() and not asked.asks:
        raise ProblemError(422, "q: nothing in it can be looked for; give words or numbers.", field="q")
    with caller.web.service.database.reading() as session:
        if asked.asks:
            found = _searched(session, asked, Span(since, until), limit, before)
        else:
            found = _sourced(
                session, label_store.papers_of_days(session, since, until, at_most=limit, before=before)
            )
    shown = [one.stored.paper for one in found]
    if form != "json":
        return export(shown, form, "papers")
    more = found[-1].number if len(found) == limit else None
    return Papers(papers=[PaperOut.of(paper) for paper in shown], next=more)


def _searched(
    session: Session, asked: query.Query, span: Span, limit: int, before: int | None
) -> list[Found]:
    hits = search_store.newest(session, asked, span, at_most=limit, before=before)
    stored = paper_store.by_numbers(session, [hit.paper_id for hit in hits], with_sources=True)
    return [Found(hit.number, stored[hit.paper_id]) for hit in hits if hit.paper_id in stored]


def _sourced(session: Session, found: list[Found]) -> list[Found]:
    sourced = paper_store.sourced(session, {one.stored.number: one.stored for one in found})
    return [Found(one.number, sourced[one.stored.number]) for one in found]


@router.get(
    "/papers/{key:path}",
    response_model=PaperInFull,
    responses=exported("PaperInFull") | documented(401, 404, 422, 429),
)
def get_paper(caller: ACaller, key: AKey, form: AForm = "json") -> PaperInFull | Response:
    """One paper, by any of its names: with its earlier versions, where it was shown, and topics guessed."""
    found = on_hand(caller, key)
    if form != "json":
        return export([found.paper], form, "paper")
    with caller.web.service.database.reading() as session:
        known = history(session, found)
    page = caller.web.service.links.paper(found.paper.id)
    return PaperInFull.known(found.paper, known, page)


@router.get("/similar/{key:path}", response_model=Papers, responses=documented(401, 404, 422, 429))
def list_similar_papers(
    caller: ACaller, key: AKey, limit: Annotated[int, Query(ge=1, le=30, description="At most so many")] = 5
) -> Papers:
    """Papers of the latest weeks that say what this one says, the nearest first, if any is near."""
    near = errands.similar(caller.web.service, on_hand(caller, key), at_most=limit)
    with caller.web.service.database.reading() as session:
        sourced = paper_store.sourced(session, {one.number: one for one in near})
    return Papers(papers=[PaperOut.of(one.paper) for one in sourced.values()], next=None)


def on_hand(caller: Caller, reference: str) -> Stored:
    """The paper of this key, id or link. Raises `ProblemError` where it is not on hand."""
    with caller.web.service.database.reading() as session:
        found = errands.paper(session, known_key(reference))
    if found is None:
        raise ProblemError(404, "This paper is not on hand here.")
    return found


def known_key(reference: str) -> str:
    """The canonical key of a reference; what is none stays as it is, and is on hand nowhere."""
    try:
        return paper_key(reference)
    except ValueError:
        return reference
