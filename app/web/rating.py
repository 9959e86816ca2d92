"""Rating from mail and feed: the link opens a page, its button records."""

from __future__ import annotations

from typing import cast

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from app.web import errands
from app.web.context import AForm, AWeb, NoPageError, Web
from app.web.pages import SHOWN_PARTS
from db import subscriber_store
from db.records import Stored
from profiles.feedback import Opinion
from profiles.profile import Profile

router = APIRouter(prefix="/rate", include_in_schema=False)

RATINGS: dict[str, str] = {
    "like": "More like this",
    "dislike": "Less like this",
    "save": "Save for later",
    "clear": "Take it back",
}
VIAS = ("mail", "feed", "page")


@router.get("/{token}/{opinion}")
def ask(web: AWeb, token: str, opinion: str, via: str = "mail") -> HTMLResponse:
    """Say what would be recorded; opening the link records nothing."""
    profile, held = _claimed(web, token, opinion)
    return web.page(
        "rate.html", token=token, opinion=opinion, via=via if via in VIAS else "mail", profile=profile,
        paper=held.paper, ratings=RATINGS, before=None, after=None, done=False,
    )  # fmt: skip


@router.post("/{token}/{opinion}")
def rate(web: AWeb, token: str, opinion: str, fields: AForm) -> HTMLResponse:
    """Record the opinion, and show how the paper's score moved with it."""
    now = web.clock()
    profile, held = _claimed(web, token, opinion)
    paper, via = held.paper, fields.get("via")
    before = errands.explained(web.service, profile, held, now, SHOWN_PARTS, anew=True)
    channel = str(via) if via in VIAS else "mail"
    errands.rate(web.service, profile.id, paper.id, cast(Opinion, opinion), now, channel)
    after = errands.explained(web.service, profile, held, now, SHOWN_PARTS, anew=True)
    return web.page(
        "rate.html", token=token, opinion=opinion, via=via, profile=profile, paper=paper, ratings=RATINGS,
        before=before, after=after, done=True,
    )  # fmt: skip


def _claimed(web: Web, token: str, opinion: str) -> tuple[Profile, Stored]:
    claim = web.service.links.verify("rate", token, web.clock())
    if opinion not in RATINGS:
        raise NoPageError(f"“{opinion}” is no rating; the links in the mail offer like, dislike and save.")
    with web.service.database.reading() as session:
        profile = subscriber_store.profile(session, claim.profile_id or 0)
        found = errands.paper(session, claim.paper_id)
    if profile is None or found is None:
        raise NoPageError(
            "This paper or this profile is no longer here, so there is nothing to rate.", status=410
        )
    return profile, found
