"""The tabs of my page beside today's papers: saved, history, profiles, delivery; and the way out."""

from __future__ import annotations

import json

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from app.web import errands
from app.web.context import AForm, AWeb, NoPageError
from app.web.mine import NOTES, mine, opinions_of
from db import mine_store
from jobs.alerts.feed import CONTENT_TYPES

router = APIRouter(prefix="/preferences/{token}", include_in_schema=False)

_SAVED = 20
_DIGESTS = 30


@router.get("/saved")
def saved(web: AWeb, token: str, start: int = 0) -> HTMLResponse:
    """Papers that the reader liked or saved, the latest first."""
    me = mine(web, token)
    start = max(0, min(start, 100_000))
    entries, total = errands.kept(web.service, me.profiles, start=start, at_most=_SAVED)
    opinions = opinions_of(web, me.profiles)
    more = start + _SAVED if start + _SAVED < total else None
    return web.page(
        "saved.html", me=me, tab="saved", entries=entries, total=total, start=start, more=more,
        opinions=opinions, few=max(0, start - _SAVED),
    )  # fmt: skip


@router.get("/history")
def history(web: AWeb, token: str, before: int | None = None) -> HTMLResponse:
    """The digests that were sent, the latest first."""
    me = mine(web, token)
    with web.service.database.reading() as session:
        found = mine_store.digests(session, me.person.id, at_most=_DIGESTS + 1, before=before)
    more = found[_DIGESTS - 1].number if len(found) > _DIGESTS else None
    zone = me.profiles[0].delivery.zone if me.profiles else "UTC"
    return web.page(
        "history.html", me=me, tab="history", digests=found[:_DIGESTS], more=more, zone=zone,
        names={p.id: p.name for p in me.profiles},
    )  # fmt: skip


@router.get("/history/{number}")
def digest(web: AWeb, token: str, number: int) -> HTMLResponse:
    """One digest: what stood in it."""
    me = mine(web, token)
    with web.service.database.reading() as session:
        found = mine_store.digest(session, me.person.id, number)
    if found is None:
        raise NoPageError("You have no such digest.")
    zone = me.profiles[0].delivery.zone if me.profiles else "UTC"
    return web.page(
        "digest.html", me=me, tab="history", digest=found, zone=zone,
        papers=errands.digest_papers(web.service, found), names={p.id: p.name for p in me.profiles},
    )  # fmt: skip


@router.get("/profiles")
def profiles(web: AWeb, token: str) -> HTMLResponse:
    """All profiles side by side, each with its volume."""
    me = mine(web, token)
    volumes = errands.volumes(web.service, me.profiles, web.clock())
    return web.page("profiles.html", me=me, tab="profiles", volumes=volumes)


@router.get("/delivery")
def delivery(web: AWeb, token: str, done: str = "") -> HTMLResponse:
    """How each profile arrives: mail, pause, feeds; and the way out."""
    me = mine(web, token)
    links = web.service.links
    feeds = {
        p.id: [("Atom" if form == "atom" else form.upper(), form, links.feed(p.feed_token, form))
               for form in CONTENT_TYPES]
        for p in me.profiles
    }  # fmt: skip
    kept = {p.id: links.saved_feed(p.feed_token) for p in me.profiles}
    return web.page(
        "delivery.html", me=me, tab="delivery", feeds=feeds, saved_feeds=kept, note=NOTES.get(done, ""),
        today=web.clock(),
    )  # fmt: skip


@router.get("/export.json")
def export(web: AWeb, token: str) -> Response:
    """Everything that is kept of the reader, as a file."""
    me = mine(web, token)
    found = errands.everything(web.service, me.person, web.clock())
    return Response(
        json.dumps(found, ensure_ascii=False, indent=2), media_type="application/json",
        headers={"content-disposition": 'attachment; filename="paperwatch.json"'},
    )  # fmt: skip


@router.get("/profiles/{number}/export.txt")
def export_profile(web: AWeb, token: str, number: int) -> Response:
    """One profile as the text file that every Paperwatch reads."""
    profile = mine(web, token).profile(number)
    return PlainTextResponse(
        errands.portable(web.service, profile, web.clock()),
        headers={"content-disposition": 'attachment; filename="profile.txt"'},
    )


@router.get("/erase")
def ask(web: AWeb, token: str) -> HTMLResponse:
    """Ask whether to forget everything; nothing happens yet."""
    return web.page("erase.html", me=mine(web, token), tab="delivery", error=False)


@router.post("/erase", response_model=None)
def erase(web: AWeb, token: str, fields: AForm) -> HTMLResponse | RedirectResponse:
    """Forget the reader with all profiles, ratings and digests, once they ticked that they mean it."""
    me = mine(web, token)
    if fields.get("sure") != "yes":
        return web.page("erase.html", 422, me=me, tab="delivery", error=True)
    errands.erase(web, me.person)
    return RedirectResponse(f"{web.pages.prefix}/erased", 303)
