"""The web process: pages, private feeds and the links of mails."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from urllib.parse import urlsplit

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app.settings import Settings, operator_key
from app.version import VERSION
from app.web import (
    api_keys,
    bounced,
    browse,
    confirming,
    feeds,
    files,
    health,
    home,
    leaving,
    metrics,
    mine,
    mine_changes,
    mine_tabs,
    operator,
    outbox,
    paper_page,
    picking,
    rating,
    search,
    takeaway,
    trends,
    tuning,
)
from app.web.api import app as api
from app.web.api import problems
from app.web.context import NoPageError, Web
from app.web.feed_maker import FeedMaker
from app.web.guard import HEADERS, Guard
from app.web.keeper import Keeper
from app.web.limits import Limited, Limits
from app.web.pages import Pages
from jobs.alerts import wording
from jobs.alerts.links import LinkError
from jobs.service import Service

ROUTERS = (
    api_keys.router, takeaway.router,
    bounced.router,
    home.router, confirming.router, leaving.router, mine.router, mine_changes.router, mine_tabs.router,
    picking.router, tuning.router, rating.router,
    search.router, browse.router, paper_page.router, outbox.router, health.router, files.router,
    operator.router, metrics.router, trends.router,
)  # fmt: skip
_WORDS = {
    400: "That request could not be understood.",
    401: "This page is the operator's: any name, and as password the key that `paperwatch operator` prints.",
    403: "This form was sent from another site, so nothing was done. Open the page here and send it again.",
    404: "There is no page at this address.",
    405: "This address takes no such request.",
    413: "That is more text than this form takes. Shorten it, and send it again.",
    422: "That request could not be understood.",
    429: "Too many requests came from your connection, so there is a short break.",
}


def create_app(service: Service, settings: Settings, clock: Callable[[], datetime]) -> FastAPI:
    """The application; ``clock`` gives the present moment, aware."""
    pages = Pages(service.links, outbox=settings.outbox_is_shown, orcid=bool(service.orcid.address))
    web = Web(service, settings, clock, pages)
    app = FastAPI(
        title="Paperwatch", version=VERSION, docs_url=None, redoc_url=None, openapi_url=None,
        # Asking whether somebody collects these takes a sixth of what a feed takes.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )  # fmt: skip
    app.state.web = web
    for router in ROUTERS:
        app.include_router(router)
    _explain_errors(app, web)
    app.state.keeper = Keeper(operator_key(settings))
    app.state.metrics = metrics.Metrics(service.database, clock)
    # The last one added is the outermost.
    app.add_middleware(metrics.Routed)
    app.add_middleware(GZipMiddleware, minimum_size=600, compresslevel=6)
    own = urlsplit(settings.base_url).netloc
    limits = Limits(settings)
    app.mount("/api", api.create(web, limits, app.state.keeper), name="api")
    app.add_middleware(Limited, limits=limits, refusal=_refusal(web))
    app.add_middleware(Guard, own_host=own, refusal=_refusal(web))
    app.state.feed_maker = FeedMaker(service)
    app.add_middleware(feeds.Feeds, web=web, maker=app.state.feed_maker)
    app.add_middleware(metrics.Counted, metrics=app.state.metrics, feeds="/feeds/")
    return app


def _explain_errors(app: FastAPI, web: Web) -> None:
    """Every error has a page that says what happened and what to do."""

    @app.exception_handler(NoPageError)
    async def _no_page(_: Request, exc: NoPageError) -> HTMLResponse:
        return _page(web, exc.status, str(exc))

    @app.exception_handler(LinkError)
    async def _bad_link(_: Request, exc: LinkError) -> HTMLResponse:
        name = "This link has expired" if exc.expired else "This link does not work"
        return _page(web, 410 if exc.expired else 404, str(exc), name, ask=True)

    @app.exception_handler(HTTPException)
    async def _http(request: Request, exc: HTTPException) -> Response:
        if request.scope["path"].startswith("/api/"):  # with a line break in it, which leads to no app
            return problems.answer(exc.status_code)
        page = _page(web, exc.status_code, _WORDS.get(exc.status_code, str(exc.detail)))
        page.headers.update(exc.headers or {})
        return page

    @app.exception_handler(RequestValidationError)
    async def _invalid(_: Request, __: RequestValidationError) -> HTMLResponse:
        return _page(web, 404, _WORDS[404])

    @app.exception_handler(Exception)
    async def _fault(_: Request, __: Exception) -> HTMLResponse:
        page = _page(web, 500, "Something failed here, and it is not your doing. Try again in a minute.")
        # This answer is made outside the guard, which would have set them.
        page.headers.update(HEADERS)
        return page


def _page(
    web: Web, status: int, words: str, name: str = "", *, ask: bool = False, wait: str = ""
) -> HTMLResponse:  # fmt: skip
    """An error page, its title by the status unless ``name`` is given; with ``ask`` it offers to send a fresh
    link, with ``wait`` it says how long to."""
    return web.page(
        "error.html", status, code=status, name=name or _title(status), words=words, ask=ask, wait=wait
    )  # fmt: skip


def _title(status: int) -> str:
    titles = {
        403: "Not from this site", 404: "Not found", 410: "No longer here", 413: "Too long",
        429: "Too much at once", 500: "Something failed",
    }  # fmt: skip
    return titles.get(status) or HTTPStatus(status).phrase.capitalize()


def _span(seconds: int) -> str:
    """A time to wait as people say it, never too short."""
    return wording.count(seconds, "second") if seconds < 90 else wording.count(-(-seconds // 60), "minute")


def _refusal(web: Web) -> ASGIApp:
    async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
        status = scope["paperwatch.refused"]
        if scope["path"].startswith("/api/"):
            await problems.refused(scope, receive, send)
            return
        seconds = scope.get("paperwatch.retry_after", 0)
        page = _page(web, status, _WORDS[status], wait=_span(seconds) if seconds else "")
        if seconds:
            page.headers["retry-after"] = str(seconds)
        await page(scope, receive, send)

    return refuse
