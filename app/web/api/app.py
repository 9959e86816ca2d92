"""The app under /api: its routes, its errors, its schema, and the page about them."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute

from app.version import VERSION
from app.web.api import operator, papers, problems, profiles, readers
from app.web.api.reference import operations
from app.web.context import Web
from app.web.keeper import Keeper
from app.web.limits import Limits

_ABOUT = (
    "What the pages do, for programs. Send a key that you made on your own page as "
    "`Authorization: Bearer KEY`. Errors are problem details (RFC 9457)."
)
TAGS = {
    "you": "The reader whom the key belongs to, and the keys themselves.",
    "profiles": "What you want to read about, what it brought, and what you said of that.",
    "papers": "The papers on hand, for whatever interest.",
    "operator": "How the service is doing, and the acts of whoever runs it.",
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
    for router in (readers.router, profiles.router, papers.router, operator.router):
        first.include_router(router)
    api.include_router(first)
    problems.explain(api)

    def schema() -> dict[str, Any]:
        if api.openapi_schema is None:
            found = get_openapi(
                title=api.title, version=api.version, description=_ABOUT, routes=api.routes,
                servers=[{"url": f"{web.pages.prefix}/api"}],
                tags=[{"name": name, "description": words} for name, words in TAGS.items()],
            )  # fmt: skip
            found["components"]["schemas"]["Problem"] = problems.SCHEMA
            api.openapi_schema = found
        return api.openapi_schema

    api.openapi = schema  # type: ignore[method-assign]  # FastAPI's own way of extending the schema

    @api.get("/docs", include_in_schema=False)
    def docs() -> HTMLResponse:
        return web.page("api.html", home=web.service.links.home, operations=operations(schema()))

    return api


def _called(route: APIRoute) -> str:
    """What generated clients call an operation: as its function here is named, such as list_profiles."""
    return route.name
