"""A paper's own page."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, RedirectResponse

from app.web import errands
from app.web.context import AWeb, NoPageError
from db import paper_store

router = APIRouter(prefix="/papers", include_in_schema=False)


@router.get("/{key:path}", response_model=None)
def paper(web: AWeb, key: str) -> HTMLResponse | RedirectResponse:
    """Everything that is known of a paper; another of its keys leads to the one that it goes by."""
    with web.service.database.reading() as session:
        found = errands.paper(session, key)
        revisions = paper_store.revisions(session, found.number) if found else []
    if found is None:
        raise NoPageError("This paper is not on hand here. It may have been known under another id.")
    if found.paper.id != key:
        return RedirectResponse(web.pages.paper_page(found.paper), 307)
    response = web.page("paper.html", paper=found.paper, revisions=revisions)
    # Nothing private stands here, so that going back and forth need not load it again.
    response.headers["cache-control"] = "public, max-age=60"
    return response
