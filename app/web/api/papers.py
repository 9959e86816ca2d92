"""Papers on hand: listed, searched, exported, one by one, and ranked for an interest that is not stored."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Response

from app.web import errands
from app.web.api.access import ACaller, Caller
from app.web.api.fields import Short
from app.web.api.paper_models import PaperOut, Papers, PreviewOut, Scored
from app.web.api.problems import ProblemError, documented
from app.web.api.profile_models import Wanted
from db import label_store, paper_store, search_store
from db.label_store import Found
from db.records import Stored
from db.search_store import Span
from db.session import Session
from jobs.alerts import exports
from recommender import labels, query
from recommender.paper import Paper, paper_key

router = APIRouter(tags=["papers"])

Form = Literal["json", "bibtex", "ris", "csl", "digest"]
AForm = Annotated[Form, Query(alias="format", description="json, or a form for other programs")]
AKey = Annotated[Short, Path(description="A paper: arxiv:2510.21419, an arXiv id or link, or a DOI")]
_MOST_NUMBER = date.max.toordinal() << 40


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
    category: Annotated[Short, Query(description="Such as cs.DC")] = "",
    topic: Annotated[Short, Query(description="A topic by its name, such as LLM inference")] = "",
    area: Annotated[Short, Query(description="An area that digests name, such as systems")] = "",
    institution: Annotated[Short, Query(description="Where an author works, such as Huawei")] = "",
    since: Annotated[date | None, Query(description="Announced on this day or later")] = None,
    until: Annotated[date | None, Query(description="Announced on this day or earlier")] = None,
    before: Annotated[int | None, Query(ge=1 << 40, le=_MOST_NUMBER, description="A page's `next`")] = None,
    limit: Annotated[int, Query(ge=1, le=200, description="Most papers in one answer")] = 50,
    form: AForm = "json",
) -> Papers | Response:
    """The latest papers on hand, with words and labels if any are given."""
    asked = query.read(q)
    given: dict[labels.Kind, str] = {
        "category": category, "topic": topic, "area": area, "institution": institution,
    }  # fmt: skip
    named = tuple((kind, labels.read_slug(kind, name)) for kind, name in given.items() if name.strip())
    asked = query.Query(asked.parts, asked.without, named, asked.any_part)
    if q.strip() and not asked.asks:
        raise ProblemError(422, "q: nothing in it can be looked for; give words or numbers.", field="q")
    with caller.web.service.database.reading() as session:
        if asked.asks:
            found = _searched(session, asked, Span(since, until), limit, before)
        else:
            found = label_store.papers_of_days(session, since, until, at_most=limit, before=before)
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


@router.get(
    "/papers/{key:path}",
    response_model=PaperOut,
    responses=exported("PaperOut") | documented(401, 404, 422, 429),
)
def get_paper(
    caller: ACaller,
    key: AKey,
    form: AForm = "json",
) -> PaperOut | Response:
    """One paper, by any of its names."""
    found = on_hand(caller, key).paper
    return PaperOut.of(found) if form == "json" else export([found], form, "paper")


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


@router.post("/preview", response_model=PreviewOut, responses=documented(401, 422, 429))
def preview_interest(
    caller: ACaller,
    wanted: Wanted,
    days: Annotated[int, Query(ge=1, le=31, description="So many days back")] = 7,
) -> PreviewOut:
    """What this interest would have brought in the latest days; nothing is stored."""
    caller.count("preview")
    asked = wanted.request()
    found = errands.preview(caller.web.service, asked.interests, per_day=asked.per_day, days=days)
    return PreviewOut(
        papers=[Scored.of(item) for item in found.items], near=[Scored.of(item) for item in found.near],
        ranked=found.ranked, first=found.first, last=found.last,
    )  # fmt: skip
