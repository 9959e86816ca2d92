"""Keys to the API on my page: made, named and revoked."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, RedirectResponse

from app.web.context import AForm, AWeb, NoPageError, Web
from app.web.mine import Mine, mine
from db import key_store
from jobs import keys
from profiles.request import RequestError

router = APIRouter(prefix="/preferences/{token}/keys", include_in_schema=False)


@router.get("")
def show(web: AWeb, token: str) -> HTMLResponse:
    """The keys that hold."""
    return _page(web, mine(web, token))


@router.post("")
def make(web: AWeb, token: str, fields: AForm) -> HTMLResponse:
    """Make a key; the answer shows it, and nothing will show it again."""
    me = mine(web, token)
    name = str(fields.get("name", ""))
    try:
        key, _ = keys.make(web.service, me.person.id, name, web.clock())
    except RequestError as exc:
        return _page(web, me, name=name, error=str(exc))
    return _page(web, me, key=key)


@router.post("/{number}/revoke")
def revoke(web: AWeb, token: str, number: int) -> RedirectResponse:
    """End a key."""
    me = mine(web, token)
    with web.service.database.writing() as session:
        if not key_store.revoke(session, me.person.id, number, web.clock()):
            raise NoPageError("You have no such key; it may have been revoked.")
    return RedirectResponse(f"{web.pages.prefix}/preferences/{token}/keys", 303)


def _page(web: Web, me: Mine, *, key: str = "", name: str = "", error: str = "") -> HTMLResponse:
    with web.service.database.reading() as session:
        held = key_store.keys_of(session, me.person.id)
    return web.page(
        "keys.html", 422 if error else 200, me=me, tab="delivery", keys=held, key=key, name=name, error=error,
        home=web.service.links.home,
    )  # fmt: skip
