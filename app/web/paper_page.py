"""A paper's own page."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from app.web import errands
from app.web.context import AWeb, NoPageError, Web
from app.web.mine import mine, opinions_of
from app.web.pages import SHOWN_PARTS
from app.web.search import CACHED
from db.records import Stored
from jobs.alerts.digest import Item
from jobs.alerts.exports import FORMS
from jobs.history import history
from profiles.profile import Profile
from recommender import labels
from recommender.labels import Kind
from recommender.paper import Paper

router = APIRouter(include_in_schema=False)

_SIMILAR = 5


@router.get("/papers/{key:path}", response_model=None)
def paper(web: AWeb, key: str, form: Annotated[str, Query(alias="as")] = "") -> Response:
    """Everything that is known of a paper; another of its keys leads to the one that it goes by.

    With ``as`` the paper comes in one of the forms for other programs, such as bibtex.
    """
    found = _found(web, key)
    if form in FORMS:
        made = FORMS[form]
        headers = {"content-disposition": f'attachment; filename="paper.{made.suffix}"'} | CACHED
        return Response(made.render([found.paper]), media_type=made.content_type, headers=headers)
    if found.paper.id != key:
        return RedirectResponse(web.pages.paper_page(found.paper), 307)
    response = _page(web, found)
    # Nothing private stands here, so that going back and forth need not load it again.
    response.headers.update(CACHED)
    return response


@router.get("/preferences/{token}/papers/{key:path}")
def mine_of(web: AWeb, token: str, key: str, profile: int | None = None) -> HTMLResponse:
    """The same for a reader, with why it is, or is not, for one of their profiles."""
    me = mine(web, token)
    if not me.profiles:
        raise NoPageError("You have no profile yet, so there is nothing to explain.")
    chosen = me.profile(profile)
    found = _found(web, key)
    item = errands.explained(web.service, chosen, found, web.clock(), SHOWN_PARTS)
    return _page(web, found, item=item, profile=chosen, token=token, opinions=opinions_of(web, [chosen]))


def _found(web: Web, key: str) -> Stored:
    with web.service.database.reading() as session:
        found = errands.paper(session, key)
    if found is None:
        raise NoPageError("This paper is not on hand here. It may have been known under another id.")
    return found


def _page(
    web: Web, found: Stored, *, item: Item | None = None, profile: Profile | None = None, token: str = "",
    opinions: Mapping[tuple[int, str], str] = MappingProxyType({}),
) -> HTMLResponse:  # fmt: skip
    with web.service.database.reading() as session:
        known = history(session, found)
    similar = errands.similar(web.service, found, at_most=_SIMILAR)
    return web.page(
        "paper.html", paper=found.paper, changes=known.changes, shown=known.shown,
        guesses=known.guesses,
        similar=similar, filed=_filed(found.paper), item=item, profile=profile, token=token,
        opinions=opinions,
    )  # fmt: skip


def _filed(paper: Paper) -> dict[Kind, list[str]]:
    """What the paper is filed under by its sources."""
    found: dict[Kind, list[str]] = {}
    for label in labels.labels_of(paper):
        found.setdefault(label.kind, []).append(label.name)
    return found
