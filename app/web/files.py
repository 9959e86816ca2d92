"""Files that browsers and crawlers ask for: style sheet, script, icon, robots.txt."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse, Response

from app.web.context import NoPageError
from app.web.pages import STATIC, static

router = APIRouter(include_in_schema=False)

# Everything with a token in its address is nobody's business but its reader's.
_ROBOTS = """User-agent: *
Disallow: /confirm/
Disallow: /feeds/
Disallow: /metrics
Disallow: /operator
Disallow: /outbox
Disallow: /preferences
Disallow: /rate/
Disallow: /unsubscribe/
"""


@router.get("/static/{name}")
async def file(name: str, v: str = "") -> Response:
    """A static file; its address with ``v`` changes when it does, so it may be kept for a year."""
    if name not in STATIC:
        raise NoPageError("There is no such file here.")
    age = "public, max-age=31536000, immutable" if v else "public, max-age=300"
    return Response(static(name), media_type=STATIC[name], headers={"cache-control": age})


@router.get("/favicon.ico")
async def favicon() -> Response:
    """The icon, for browsers that ask without being told where."""
    return await file("icon.svg")


@router.get("/robots.txt")
async def robots() -> PlainTextResponse:
    """What crawlers may not visit."""
    return PlainTextResponse(_ROBOTS)
