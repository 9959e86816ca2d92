"""The link in the confirmation mail: a page with a button, which alone confirms."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from app.web import errands
from app.web.context import GONE, AVisitor, AWeb, NoPageError, Web
from app.web.pages import SHOWN_PARTS
from db import subscriber_store
from jobs.alerts.links import Claim
from profiles.profile import Profile, Subscriber

router = APIRouter(prefix="/confirm", include_in_schema=False)

_FIRST = 5


@router.get("/{token}")
def ask(web: AWeb, token: str) -> HTMLResponse:
    """Ask whether to confirm; mail scanners open every link, so opening it changes nothing."""
    claim = web.service.links.verify("confirm", token, web.clock())
    person, profiles = _claimed(web, claim)
    return web.page("confirm.html", token=token, person=person, profiles=profiles)


@router.post("/{token}")
def confirm(web: AWeb, token: str, visitor: AVisitor) -> HTMLResponse:
    """Confirm, and show the first papers, the feeds and the way to one's own page."""
    now = web.clock()
    claim = web.service.links.verify("confirm", token, now)
    person, _ = _claimed(web, claim)
    errands.confirm(web.service, person, now, f"confirmed by link from {visitor}")
    person, profiles = _claimed(web, claim)
    papers = [(p, errands.latest(web.service, p, now, at_most=_FIRST, parts=SHOWN_PARTS)) for p in profiles]
    mine = web.pages.local(web.service.links.preferences(person.id, now))
    feeds = {p.id: web.service.links.feed(p.feed_token) for p in profiles}
    return web.page("confirmed.html", person=person, papers=papers, feeds=feeds, mine=mine)


def _claimed(web: Web, claim: Claim) -> tuple[Subscriber, list[Profile]]:
    with web.service.database.reading() as session:
        person = subscriber_store.subscriber(session, claim.subscriber_id or 0)
        if person is None or person.email != claim.email.lower():
            raise NoPageError(GONE, status=410)
        return person, subscriber_store.profiles_of(session, person.id)
