"""The app under /api: its routes, its errors, its schema, and the pages about them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from app.version import VERSION
from app.web.api import (
    docs,
    interests,
    mine,
    operator,
    papers,
    problems,
    profiles,
    readers,
    searching,
    starting,
    tuning,
)
from app.web.context import Web
from app.web.keeper import Keeper
from app.web.limits import Limits

_ABOUT = (
    "What the pages do, for programs. Send a key that you made on your own page as "
    "`Authorization: Bearer KEY`. Errors are problem details (RFC 9457)."
)
TAGS = {
    "start": "Without a key: subscribing, and the way to one's own page, where keys are made.",
    "papers": "The papers on hand, for whatever interest.",
    "search": "Finding papers by what they say, by day and by label, and what rises.",
    "interests": "Before a profile: what you bring is read, and what you would get is shown.",
    "profiles": "What you want to read about, what it brought, and what you said of that.",
    "you": "The reader whom the key belongs to, and the keys themselves.",
    "operator": "How the service is doing, and the acts of whoever runs it; with the operator's key.",
}
"""The groups of operations, in the order in which they are told."""


def create(web: Web, limits: Limits, keeper: Keeper) -> FastAPI:
    """The API as an app of its own, to be mounted at /api."""
    api = FastAPI(
        title="Paperwatch", version=VERSION, description=_ABOUT, docs_url=None, redoc_url=None,
        openapi_url="/openapi.json", generate_unique_id_function=_called,
    )  # fmt: skip
    api.state.web, api.state.limits, api.state.keeper = web, limits, keeper
    first = APIRouter(prefix="/v1")
    for part in (starting, readers, mine, profiles, tuning, papers, searching, interests, operator):
        first.include_router(part.router)
    api.include_router(first)
    problems.explain(api)

    def schema() -> dict[str, Any]:
        if api.openapi_schema is None:
            found = get_openapi(
                title=api.title, version=api.version, description=_ABOUT, routes=api.routes,
                servers=[{"url": f"{web.pages.prefix}/api"}],
                tags=[{"name": name, "description": words} for name, words in TAGS.items()],
            )  # fmt: skip
            for operation in _operations(found):
                operation["summary"] = _titled(operation["summary"])
            found["components"]["schemas"]["Problem"] = problems.SCHEMA
            api.openapi_schema = found
        return api.openapi_schema

    api.openapi = schema  # type: ignore[method-assign]  # FastAPI's own way of extending the schema
    api.include_router(docs.router(api, web))
    return api


def _called(route: APIRoute) -> str:
    """What generated clients call an operation: as its function here is named, such as list_profiles."""
    return route.name


def _operations(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in schema["paths"].values():
        yield from path.values()


def _titled(summary: str) -> str:
    """FastAPI makes "List Saved Papers" of a function's name; a title here is "List saved papers"."""
    if not summary.istitle():
        return summary
    return summary.capitalize().replace("orcid", "ORCID").replace("opml", "OPML")
