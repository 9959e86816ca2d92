"""What the pages share: the service, its settings, the clock and the templates."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse
from starlette.datastructures import FormData

from app.settings import Settings
from app.web.pages import Pages
from jobs.service import Service

_MOST_FIELDS = 100  # thirty, and boxes for one's own papers
_MOST_FILES = 4
GONE = "This subscription no longer exists. You can subscribe again at any time."


class NoPageError(Exception):
    """There is nothing here, or nothing any more; the message tells the reader why and what to do."""

    def __init__(self, message: str, *, status: int = 404) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Web:
    """What a page needs to answer."""

    service: Service
    settings: Settings
    clock: Callable[[], datetime]
    pages: Pages

    def page(self, template: str, /, status: int = 200, **values: object) -> HTMLResponse:
        """A rendered page."""
        return HTMLResponse(self.pages.render(template, **values), status)


async def _web(request: Request) -> Web:
    found: Web = request.app.state.web
    return found


async def _fields(request: Request) -> AsyncIterator[FormData]:
    """The form that came with the request, urlencoded or multipart; files in it are never kept."""
    async with request.form(max_files=_MOST_FILES, max_fields=_MOST_FIELDS) as fields:
        yield fields


def _visitor(request: Request) -> str:
    return request.client.host if request.client else "an unknown address"


AWeb = Annotated[Web, Depends(_web)]
AForm = Annotated[FormData, Depends(_fields)]
AVisitor = Annotated[str, Depends(_visitor)]
