"""My page: papers, profiles, feeds and delivery of one subscriber, opened by a private link."""

from __future__ import annotations

from dataclasses import dataclass, replace

from fastapi import APIRouter, BackgroundTasks
from fastapi.responses import HTMLResponse, RedirectResponse

from app.web import errands
from app.web.context import GONE, AForm, AWeb, NoPageError, Web
from app.web.draft import Draft
from app.web.forms import form_values
from app.web.pages import SHOWN_PARTS
from app.web.typed import Typed
from db import subscriber_store
from jobs.alerts.feed import CONTENT_TYPES
from profiles.edits import Wanted
from profiles.feedback import current
from profiles.profile import Profile, Subscriber
from profiles.request import RequestError

router = APIRouter(prefix="/preferences", include_in_schema=False)

_SHOWN = 8
_PAGES = 30
NOTES = {
    "subscribed": "You are subscribed. This page is yours: keep its address, it works without a password.",
    "added": "The profile is added.",
    "saved": "Saved. The next papers are chosen by it.",
    "rated": "Noted. The next papers are chosen with it in mind.",
    "paused": "Paused. The feed goes on.",
    "resumed": "Mail goes out again.",
    "renewed": "The feed has a new address; the old one no longer works.",
    "deleted": "The profile is deleted, with all that was learned for it.",
    "left": "You have left: no more mail will come. Feeds go on.",
    "back": "Welcome back: mail goes out again.",
}


@dataclass(frozen=True, slots=True)
class Mine:
    """Whose page it is, by a token that holds: the person and their profiles, oldest first."""

    token: str
    person: Subscriber
    profiles: list[Profile]

    def profile(self, number: int | None) -> Profile:
        """One of the profiles; the first where no number is given. Raises `NoPageError`."""
        found = next((p for p in self.profiles if number in {None, p.id}), None)
        if found is None:
            raise NoPageError("You have no such profile; it may have been deleted.")
        return found


def mine(web: Web, token: str) -> Mine:
    """The subscriber that a private link belongs to. Raises `LinkError` or `NoPageError`."""
    claim = web.service.links.verify("preferences", token, web.clock())
    with web.service.database.reading() as session:
        person = subscriber_store.subscriber(session, claim.subscriber_id or 0)
        if person is None:
            raise NoPageError(GONE, status=410)
        return Mine(token, person, subscriber_store.profiles_of(session, person.id))


@router.get("")
def ask(web: AWeb) -> HTMLResponse:
    """Ask for a fresh private link by mail."""
    return web.page("ask_link.html", email="", error=None)


@router.post("", response_model=None)
def send_link(web: AWeb, fields: AForm, later: BackgroundTasks) -> HTMLResponse | RedirectResponse:
    """Mail the link to the address if it is known; the answer is the same if it is not."""
    typed = Typed.of(fields)
    try:
        email = typed.address()
    except RequestError as exc:
        return web.page("ask_link.html", 422, email=typed.email, error=exc)
    now = web.clock()
    errands.write_to(web.service, email, now, only="access")
    errands.send_soon(web, later, now)
    return RedirectResponse(f"{web.pages.prefix}/preferences/sent", 303, background=later)


@router.get("/sent")
def sent(web: AWeb) -> HTMLResponse:
    """Check your mail."""
    return web.page("check_mail.html", kind="access")


@router.get("/{token}")
def page(web: AWeb, token: str, profile: int | None = None, page: int = 1, done: str = "") -> HTMLResponse:
    """Today: the papers of one profile, a few at a time, and what belongs to it."""
    me = mine(web, token)
    now = web.clock()
    if not me.profiles:
        return web.page("no_profile.html", me=me, note=NOTES.get(done, ""))
    chosen = me.profile(profile)
    page = max(1, min(page, _PAGES))
    entries = errands.latest(
        web.service, chosen, now, at_most=_SHOWN + 1, start=_SHOWN * (page - 1), parts=SHOWN_PARTS
    )
    feeds = {form: web.service.links.feed(chosen.feed_token, form) for form in CONTENT_TYPES}
    return web.page(
        "mine.html", me=me, tab="today", chosen=chosen, entries=entries[:_SHOWN],
        opinions=opinions_of(web, [chosen]), feeds=feeds, note=NOTES.get(done, ""), page=page,
        more=len(entries) > _SHOWN, zone=chosen.delivery.zone, today=now,
    )  # fmt: skip


def opinions_of(web: Web, profiles: list[Profile]) -> dict[tuple[int, str], str]:
    """The reader's current opinions, by profile and paper."""
    with web.service.database.reading() as session:
        events = subscriber_store.feedback(session, [p.id for p in profiles])
    return {
        (number, key): event.opinion
        for number, held in events.items()
        for key, event in current(held).items()
    }


def store(web: Web, profile: Profile, wanted: Wanted) -> None:
    """Keep a profile's interests and dial as they are wanted."""
    changed = replace(profile, interests=wanted.interests, per_day=wanted.per_day)
    with web.service.database.writing() as session:
        subscriber_store.change_profile(session, changed, web.clock())


def back(web: Web, me: Mine, done: str, profile: Profile | None, tab: str = "") -> RedirectResponse:
    """Back to my page, which says what was done."""
    about = f"&profile={profile.id}" if profile else ""
    return RedirectResponse(f"{web.pages.prefix}/preferences/{me.token}{tab}?done={done}{about}", 303)


@router.get("/{token}/new")
def new(web: AWeb, token: str) -> HTMLResponse:
    """The form of a further profile."""
    me = mine(web, token)
    first = me.profiles[0].delivery if me.profiles else None
    typed = Typed(every=first.frequency, hour=str(first.hour), zone=first.zone) if first else Typed()
    return form(web, me, None, Draft(typed), seek=False)


@router.get("/{token}/profiles/{number}")
def edit(web: AWeb, token: str, number: int) -> HTMLResponse:
    """The form of a profile as it stands."""
    me = mine(web, token)
    profile = me.profile(number)
    return form(web, me, profile, Draft(Typed.from_profile(profile, me.person.email)), seek=True)


def form(web: Web, me: Mine, profile: Profile | None, draft: Draft, *, seek: bool) -> HTMLResponse:
    """The page with the form of a profile, or of a new one; ``seek`` computes its preview."""
    rated = errands.ratings(web.service, profile, web.clock()) if profile and seek else ()
    values = form_values(web.service, draft, seek=seek, examples=rated)
    return web.page("edit.html", 422 if draft.error else 200, me=me, profile=profile, **values)
