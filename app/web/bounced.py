"""Delivery reports by POST, for mail servers that hand them to a program or to a web address."""

from __future__ import annotations

import hmac
from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Header, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from app.web.context import AWeb, NoPageError
from jobs import bounces

router = APIRouter(prefix="/bounces", include_in_schema=False)

_NOT_A_MAIL = ("application/x-www-form-urlencoded", "multipart/form-data", "application/json")


@router.post("")
@router.post("/{key}")
async def take(
    web: AWeb, request: Request, key: str = "", authorization: Annotated[str, Header()] = ""
) -> Response:
    """Take one mail as it is, and say what it counted as; the same mail again is taken and counts as nothing.

    The key stands in the address or in ``Authorization: Bearer``; nothing is read before it is right.
    """
    wanted = web.settings.bounce_key
    if not wanted:
        raise NoPageError("There is no such page here.")
    given = key or authorization.removeprefix("Bearer ")
    if not hmac.compare_digest(given.encode(), wanted.encode()):
        words = "The key is wrong: it is what PAPERWATCH_BOUNCE_KEY is set to.\n"
        return PlainTextResponse(words, 401, {"www-authenticate": "Bearer"})
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in _NOT_A_MAIL:
        return PlainTextResponse(f"{kind} is no mail: send its bytes as message/rfc822.\n", 415)
    raw = await request.body()
    if not raw.strip():
        return PlainTextResponse("The body is empty: send the bytes of the mail.\n", 400)
    done = await run_in_threadpool(bounces.take, web.service, raw, web.clock())
    return JSONResponse({name: count for name, count in asdict(done).items() if name != "faults"})
