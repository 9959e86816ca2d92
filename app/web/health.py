"""What a supervisor asks: is it alive, is it ready."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse

from app.web.context import AWeb
from db import migrate

router = APIRouter(include_in_schema=False)


@router.get("/healthz")
async def alive() -> PlainTextResponse:
    """The process answers."""
    return PlainTextResponse("ok\n")


@router.get("/readyz")
def ready(web: AWeb) -> PlainTextResponse:
    """The database answers, and its schema is that of this version."""
    try:
        current, newest = migrate.current(web.service.database), migrate.newest()
    except Exception as exc:  # whatever the driver raises: the answer is the same
        return PlainTextResponse(f"the database does not answer: {type(exc).__name__}\n", 503)
    if current != newest:
        return PlainTextResponse(f"the schema is at {current}, this version wants {newest}\n", 503)
    return PlainTextResponse("ready\n")
