"""The app under /api: its routes, its errors, its schema, and the page about them."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse

from app.version import VERSION
from app.web.api import papers, problems, profiles, readers
from app.web.api.reference import operations
from app.web.context import Web
from app.web.limits import Limits

_ABOUT = (
    "What the pages do, for programs. Send a key that you made on your own page as "
    "`Authorization: Bearer KEY`. Errors are problem details (RFC 9457)."
)


def create(web: Web, limits: Limits) -> FastAPI:
    """The API as an app of its own, to be mounted at /api."""
    api = FastAPI(
        title="Paperwatch", version=VERSION, description=_ABOUT, docs_url=None, redoc_url=None,
        openapi_url="/openapi.json",
    )  # fmt: skip
    api.state.web, api.state.limits = web, limits
    first = APIRouter(prefix="/v1")
    for router in (readers.router, profiles.router, papers.router):
        first.include_router(router)
    api.include_router(first)
    problems.explain(api)

    def schema() -> dict[str, Any]:
        if api.openapi_schema is None:
            found = get_openapi(
                title=api.title, version=api.version, description=_ABOUT, routes=api.routes,
                servers=[{"url": f"{web.pages.prefix}/api"}],
            )  # fmt: skip
            found["components"]["schemas"]["Problem"] = problems.SCHEMA
            api.openapi_schema = found
        return api.openapi_schema

    api.openapi = schema  # type: ignore[method-assign]  # FastAPI's own way of extending the schema

    @api.get("/docs", include_in_schema=False)
    def docs() -> HTMLResponse:
        return web.page("api.html", home=web.service.links.home, operations=operations(schema()))

    return api
