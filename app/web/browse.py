"""Browsing: the papers of a day, a topic, an area, a category, an institution or an author, newest first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from app.web.context import AWeb, NoPageError, Web
from app.web.search import CACHED
from db import label_store, search_store
from db.search_store import COUNTED_AT_MOST, Span
from db.session import Session
from jobs import finding
from jobs.alerts.readable import readable
from jobs.finding import Listed
from recommender import labels
from recommender.labels import Kind, Named
from recommender.query import Query

router = APIRouter(prefix="/papers", include_in_schema=False)

PER_PAGE = 25
_OF_A_DAY = 12  # labels of each kind that a day's page links to


@dataclass(frozen=True, slots=True)
class Shelf:
    """A page of a label's papers, how many there are in all, and the cursor of the next page."""

    label: Named
    papers: tuple[Listed, ...]
    total: int
    next: str


@router.get("/day/{day}")
def of_day(web: AWeb, day: str, after: str = "") -> HTMLResponse:
    """The papers that were announced on a day."""
    try:
        when = date.fromisoformat(day)
    except ValueError:
        raise NoPageError(f"“{day}” is no day; one looks like 2025-10-28.") from None
    with web.service.database.reading() as session:
        found = label_store.papers_of_days(
            session, when, when, at_most=PER_PAGE + 1, before=finding.before(after)
        )
        papers, following = finding.page(session, found, PER_PAGE)
        total = label_store.count_of_days(session, when, when, at_most=COUNTED_AT_MOST + 1)
        earlier, later = label_store.neighbours(session, when)
        parts = {
            kind: label_store.most_used(session, kind, when, when, at_most=_OF_A_DAY)
            for kind in ("topic", "category")
        }
    response = web.page(
        "day.html", when=when, papers=papers, total=total, next=following, earlier=earlier, later=later,
        parts=parts, first_page=not after, many=total > COUNTED_AT_MOST,
    )  # fmt: skip
    response.headers.update(CACHED)
    return response


def _pages_of(kind: Kind) -> Callable[[Web, str, str], HTMLResponse]:
    def of_label(web: AWeb, name: str, after: str = "") -> HTMLResponse:
        return _of_label(web, kind, name, after)

    return of_label


# An address of each kind, not one for all: a paper's own address may have two parts as well, as a DOI has.
for _kind in labels.KINDS:
    router.add_api_route(f"/{_kind}/{{name}}", _pages_of(_kind))


def _of_label(web: Web, kind: Kind, given: str, after: str) -> HTMLResponse:
    """The papers of a topic (guessed ones among them), area, category, institution or author."""
    short = labels.read_slug(kind, given)
    with web.service.database.reading() as session:
        seek = _by_author if kind == "author" else _labelled
        shelf = seek(session, kind, short, finding.before(after))
    if shelf is None:
        raise NoPageError(f"No paper on hand has this {kind}. The search may find it under another name.")
    response = web.page(
        "browse.html", kind=kind, shelf=shelf, label=shelf.label, first_page=not after,
        many=shelf.total > COUNTED_AT_MOST,
    )  # fmt: skip
    response.headers.update(CACHED)
    return response


def _labelled(session: Session, kind: Kind, short: str, before: int | None) -> Shelf | None:
    label = label_store.find(session, kind, short)
    if label is None:
        return None
    found = label_store.papers_of_label(session, kind, short, at_most=PER_PAGE + 1, before=before)
    papers, following = finding.page(session, found, PER_PAGE)
    total = label_store.count(session, kind, short, at_most=COUNTED_AT_MOST + 1)
    return Shelf(label, papers, total, following)


def _by_author(session: Session, kind: Kind, short: str, before: int | None) -> Shelf | None:
    """Authors are found by the search: they are too many to be labels."""
    asked = Query(labels=((kind, short),))
    found = finding.newest(session, asked, before, at_most=PER_PAGE + 1)
    if not found:
        return None
    papers, following = finding.page(session, found, PER_PAGE)
    names = (name for one in papers for name in one.stored.paper.authors)
    name = next((readable(name) for name in names if labels.slug(kind, name) == short), short)
    total = search_store.count(session, asked, Span())
    return Shelf(Named(kind, short, name), papers, total, following)
