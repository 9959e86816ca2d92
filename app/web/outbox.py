"""The local outbox in the browser: what was mailed while no relay is set."""

from __future__ import annotations

import re

from fastapi import APIRouter, Depends
from fastapi.responses import HTMLResponse, Response

from app.web.context import AWeb, NoPageError, Web
from db import alert_store
from jobs.alerts.outbox_folder import LetterError, OpenLetter, OutboxFolder

# A mail is a stranger's page: it may show its own styles and lead somewhere on a click, and nothing else.
_MAIL_POLICY = (
    "sandbox allow-top-navigation-by-user-activation; default-src 'none'; style-src 'unsafe-inline'; "
    "img-src data:; frame-ancestors 'self'"
)


def _is_shown(web: AWeb) -> None:
    if not web.settings.outbox_is_shown:
        raise NoPageError("There is no such page here.")


router = APIRouter(prefix="/outbox", include_in_schema=False, dependencies=[Depends(_is_shown)])


@router.get("")
def letters(web: AWeb) -> HTMLResponse:
    """The mails in the outbox, newest first, and how many are still to come."""
    with web.service.database.reading() as session:
        states = alert_store.outbox_states(session)
    waiting = states.get("queued", 0) + states.get("sending", 0)
    return web.page("outbox.html", letters=_folder(web).letters(), waiting=waiting)


@router.get("/{name}")
def letter(web: AWeb, name: str) -> HTMLResponse:
    """One mail: what it looks like, its text part and its headers."""
    return web.page("letter.html", mail=_read(web, name))


@router.get("/{name}/html")
def html_part(web: AWeb, name: str) -> HTMLResponse:
    """The HTML part alone, for the frame that shows it; its links open in the whole window."""
    source = re.sub(r"(?i)(<head[^>]*>)", r'\1<base target="_top">', _read(web, name).html, count=1)
    headers = {"content-security-policy": _MAIL_POLICY, "x-frame-options": "SAMEORIGIN"}
    return HTMLResponse(source, headers=headers)


@router.get("/{name}/raw")
def raw(web: AWeb, name: str) -> Response:
    """The mail's own bytes, to open in a mail program."""
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(_read(web, name).raw, media_type="message/rfc822", headers=headers)


def _folder(web: Web) -> OutboxFolder:
    return OutboxFolder(web.settings.outbox_folder)


def _read(web: Web, name: str) -> OpenLetter:
    try:
        return _folder(web).read(name)
    except LetterError as exc:
        raise NoPageError("This mail is not in the outbox.") from exc
