"""What a subscriber changes on their page: every change is a POST, and leads back to the page."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import date
from typing import cast

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.datastructures import FormData

from app.web import errands
from app.web.context import AForm, AVisitor, AWeb, NoPageError, Web
from app.web.draft import Draft, drafted
from app.web.forms import fragment
from app.web.mine import Mine, back, form, mine
from app.web.rating import RATINGS
from db import subscriber_store
from profiles.feedback import Opinion
from profiles.profile import Profile
from profiles.request import Request, RequestError

router = APIRouter(prefix="/preferences/{token}", include_in_schema=False)


@router.post("/rate")
def rate(web: AWeb, token: str, fields: AForm) -> RedirectResponse:
    """Record what the reader says about a paper."""
    me = mine(web, token)
    number, key, opinion = (str(fields.get(name, "")) for name in ("profile", "paper", "opinion"))
    profile = me.profile(int(number) if number.isdecimal() else 0)
    if opinion not in RATINGS:
        raise NoPageError(f"“{opinion}” is no rating.")
    if not errands.rate(web.service, profile.id, key, cast(Opinion, opinion), web.clock(), "page"):
        raise NoPageError("This paper is not on hand here.")
    return back(web, me, "rated", profile)


@router.post("/new", response_model=None)
def add(web: AWeb, token: str, fields: AForm) -> HTMLResponse | RedirectResponse:
    """A further profile for the same reader; they hold the private link, so nothing is to be confirmed."""
    me = mine(web, token)
    draft = drafted(web.service, fields)
    if _is_draft(fields):
        return form(web, me, None, replace(draft, typed=draft.typed.sorted()), seek=True)
    now = web.clock()
    try:
        wanted = _wanted(me, draft)
    except RequestError as exc:
        return form(web, me, None, replace(draft, error=exc), seek=True)
    with web.service.database.writing() as session:
        profile = subscriber_store.add_profile(
            session, me.person.id, wanted.name, wanted.interests, per_day=wanted.per_day,
            delivery=wanted.delivery, feed_token=secrets.token_urlsafe(24), now=now,
        )  # fmt: skip
    if me.person.state == "confirmed":
        errands.welcome(web.service, profile.id, now)
    return back(web, me, "added", profile)


@router.post("/new/read")
def bring_to_new(web: AWeb, token: str, fields: AForm) -> HTMLResponse:
    """The form of a new profile with a library read into it; nothing is stored."""
    return form(web, mine(web, token), None, drafted(web.service, fields, brings=True), seek=True)


@router.post("/profiles/{number}", response_model=None)
def save(web: AWeb, token: str, number: int, fields: AForm) -> HTMLResponse | RedirectResponse:
    """The profile as the form has it."""
    me = mine(web, token)
    profile = me.profile(number)
    draft = drafted(web.service, fields)
    if _is_draft(fields):
        return form(web, me, profile, replace(draft, typed=draft.typed.sorted()), seek=True)
    try:
        wanted = _wanted(me, draft, besides=profile)
    except RequestError as exc:
        return form(web, me, profile, replace(draft, error=exc), seek=True)
    _store(web, _changed(profile, wanted))
    return back(web, me, "saved", profile)


@router.post("/profiles/{number}/read")
def bring(web: AWeb, token: str, number: int, fields: AForm) -> HTMLResponse:
    """The form of a profile with a library read into it; nothing is stored."""
    me = mine(web, token)
    return form(web, me, me.profile(number), drafted(web.service, fields, brings=True), seek=True)


@router.post("/profiles/{number}/preview")
def what_if(web: AWeb, token: str, number: int, fields: AForm) -> HTMLResponse:
    """What the profile would bring by this form and its ratings so far, for the script; saves nothing."""
    profile = mine(web, token).profile(number)
    address = f"{web.pages.prefix}/preferences/{token}/profiles/{number}#interests"
    rated = errands.ratings(web.service, profile, web.clock())
    return fragment(web, drafted(web.service, fields), address, rated)


@router.post("/profiles/{number}/pause")
def pause(web: AWeb, token: str, number: int, fields: AForm) -> RedirectResponse:
    """No mail until a day; without one, mail goes out again."""
    me = mine(web, token)
    profile = me.profile(number)
    text = str(fields.get("until", "")).strip()
    try:
        until = date.fromisoformat(text) if text else None
    except ValueError as exc:
        raise NoPageError(
            f"“{text}” is no day. Go back and choose one, such as 2026-01-31.", status=422
        ) from exc
    _store(web, replace(profile, delivery=replace(profile.delivery, paused_until=until)))
    return back(web, me, "paused" if until else "resumed", profile, "/delivery")


@router.post("/profiles/{number}/renew")
def renew(web: AWeb, token: str, number: int) -> RedirectResponse:
    """A new feed address, for when the old one has got about."""
    me = mine(web, token)
    profile = me.profile(number)
    _store(web, replace(profile, feed_token=secrets.token_urlsafe(24)))
    return back(web, me, "renewed", profile, "/delivery")


@router.post("/profiles/{number}/delete")
def delete(web: AWeb, token: str, number: int) -> RedirectResponse:
    """Forget a profile with all that was learned for it."""
    me = mine(web, token)
    profile = me.profile(number)
    with web.service.database.writing() as session:
        subscriber_store.delete_profile(session, profile.id)
    return back(web, me, "deleted", None)


@router.post("/leave")
def leave(web: AWeb, token: str, visitor: AVisitor) -> RedirectResponse:
    """No more mail at all."""
    me = mine(web, token)
    errands.leave(web.service, me.person.id, None, web.clock(), f"left on their page from {visitor}")
    return back(web, me, "left", None, "/delivery")


@router.post("/return")
def come_back(web: AWeb, token: str, visitor: AVisitor) -> RedirectResponse:
    """Mail again after all: the private link was mailed to this address, so it needs no confirmation."""
    me = mine(web, token)
    errands.confirm(web.service, me.person, web.clock(), f"came back on their page from {visitor}")
    return back(web, me, "back", None, "/delivery")


def _changed(profile: Profile, wanted: Request) -> Profile:
    """The profile with what the form says; the form knows of no pause and no feed address."""
    delivery = replace(wanted.delivery, paused_until=profile.delivery.paused_until)
    return replace(
        profile, name=wanted.name, interests=wanted.interests, per_day=wanted.per_day, delivery=delivery
    )


def _is_draft(fields: FormData) -> bool:
    """Whether a button was pressed that changes or shows the form, and stores nothing."""
    return "preview" in fields or "edit" in fields


def _wanted(me: Mine, draft: Draft, besides: Profile | None = None) -> Request:
    if draft.error:
        raise draft.error
    wanted = draft.typed.change(me.person.email)
    if any(p.name == wanted.name and p is not besides for p in me.profiles):
        raise RequestError("name", f"You have a profile named “{wanted.name}” already; give another name.")
    return wanted


def _store(web: Web, profile: Profile) -> None:
    with web.service.database.writing() as session:
        subscriber_store.change_profile(session, profile, web.clock())
