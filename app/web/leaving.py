"""Leaving: one click from the mail program (RFC 8058), or one on a page."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from app.web import errands
from app.web.context import GONE, AForm, AVisitor, AWeb, NoPageError, Web
from db import subscriber_store
from jobs.alerts.links import Claim
from profiles.profile import Profile, Subscriber

router = APIRouter(prefix="/unsubscribe", include_in_schema=False)


@router.get("/{token}")
def ask(web: AWeb, token: str) -> HTMLResponse:
    """Ask; nothing changes, since mail scanners open every link."""
    claim = web.service.links.verify("unsubscribe", token, web.clock())
    person, profile = _claimed(web, claim)
    if person is None:
        raise NoPageError(GONE, status=410)
    return web.page("unsubscribe.html", token=token, person=person, profile=profile, left=False)


@router.post("/{token}")
def leave(web: AWeb, token: str, fields: AForm, visitor: AVisitor) -> HTMLResponse:
    """Leave at once, as often as it is asked, with no cookie and no redirect (RFC 8058, section 3.2).

    Whoever is forgotten already has left: that is an answer of 200 too, and no reason to try again.
    """
    now = web.clock()
    claim = web.service.links.verify("unsubscribe", token, now)
    person, profile = _claimed(web, claim)
    if person is not None and (claim.profile_id is None or profile is not None):
        how = "one click" if fields.get("List-Unsubscribe") == "One-Click" else "the page"
        errands.leave(web.service, person.id, claim.profile_id, now, f"left by {how} from {visitor}")
    return web.page("unsubscribe.html", token=token, person=person, profile=profile, left=True)


def _claimed(web: Web, claim: Claim) -> tuple[Subscriber | None, Profile | None]:
    """Who the link is about, and which profile; None for the profile where it is about everything."""
    with web.service.database.reading() as session:
        person = subscriber_store.subscriber(session, claim.subscriber_id or 0)
        profile = (
            subscriber_store.profile(session, claim.profile_id) if claim.profile_id is not None else None
        )
        if profile is not None and profile.subscriber_id != claim.subscriber_id:
            profile = None
        return person, profile
