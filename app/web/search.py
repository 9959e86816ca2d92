"""Search over papers; without a question, the way into browsing."""

from __future__ import annotations

from datetime import date
from typing import Final
from urllib.parse import urlencode

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, RedirectResponse

from app.web.context import AWeb, Web
from db import index_store, label_store
from jobs import finding
from jobs.finding import Asked
from recommender.labels import Kind

router = APIRouter(prefix="/papers", include_in_schema=False)

FILTERS: Final[tuple[tuple[Kind, str, str], ...]] = (
    ("category", "Category", "cs.LG"),
    ("topic", "Topic", "LLM inference"),
    ("author", "Author", "Ada Lovelace"),
    ("institution", "Institution", "ETH Zürich"),
)
_LONGEST = 500
_DAYS = 14
LABEL_DAYS = 30  # over which a label's papers are counted
_SHOWN: Final[dict[Kind, int]] = {"topic": 24, "category": 40, "area": 12, "institution": 24}
# What the page may be kept for: nothing private stands on it.
CACHED = {"cache-control": "public, max-age=60"}


@router.get("", response_model=None)
def search(
    web: AWeb, q: str = "", category: str = "", topic: str = "", area: str = "", author: str = "",
    institution: str = "", first: str = "", last: str = "", sort: str = "", after: str = "",
) -> HTMLResponse | RedirectResponse:  # fmt: skip
    """Papers that hold what was typed, best first; the id of a paper on hand leads to its page."""
    given = {
        "q": q, "category": category, "topic": topic, "area": area, "author": author,
        "institution": institution, "first": first, "last": last, "sort": sort,
    }  # fmt: skip
    typed = {name: value.strip()[:_LONGEST] for name, value in given.items() if value.strip()}
    if not typed.keys() - {"sort"}:
        return _index(web)
    days = {name: _day(typed.get(name, "")) for name in ("first", "last")}
    chosen = tuple((kind, typed[kind]) for kind in (*_kinds(), "area") if kind in typed)
    asked = Asked(typed.get("q", ""), chosen, days["first"], days["last"], sort == "newest")
    with web.service.database.reading() as session:
        if known := finding.named(session, q):
            return RedirectResponse(web.pages.paper_page(known.paper), 303)
        found = finding.find(session, asked, after)
        waiting = 0 if found.papers else index_store.count_waiting(session)
    wrong = [name for name, day in days.items() if day is None and name in typed]
    response = web.page(
        "search.html", typed=typed, filters=FILTERS, found=found, asks=asked.query.asks, waiting=waiting,
        address=_address(web, typed), first_page=not after, wrong=wrong,
    )  # fmt: skip
    response.headers.update(CACHED)
    return response


def _index(web: Web) -> HTMLResponse:
    """The latest days, topics, areas, categories and institutions, with how many papers each has."""
    with web.service.database.reading() as session:
        days = label_store.days(session, at_most=_DAYS)
        first = finding.first_of(session, LABEL_DAYS, None, web.clock().date())
        labels = {
            kind: label_store.most_used(session, kind, first, at_most=most) for kind, most in _SHOWN.items()
        }
        waiting = index_store.count_waiting(session)
    response = web.page(
        "papers.html", typed={}, filters=FILTERS, days=days, most=max((n for _, n in days), default=1),
        labels=labels, waiting=waiting,
    )  # fmt: skip
    response.headers.update(CACHED)
    return response


def _kinds() -> tuple[Kind, ...]:
    return tuple(kind for kind, _, _ in FILTERS)


def _day(typed: str) -> date | None:
    try:
        return date.fromisoformat(typed)
    except ValueError:
        return None


def _address(web: Web, typed: dict[str, str]) -> dict[str, str]:
    """Where the same search is found in other orders: best first, newest first; and its next pages."""
    plain = {name: value for name, value in typed.items() if name != "sort"}
    base = f"{web.pages.prefix}/papers?"
    return {
        "best": base + urlencode(plain),
        "newest": base + urlencode(plain | {"sort": "newest"}),
        "self": base + urlencode(typed),
    }
