"""The pages about the API, made from its schema: one for all, and one for each chapter."""

from __future__ import annotations

from functools import cache

from fastapi import APIRouter, FastAPI
from fastapi.responses import HTMLResponse, RedirectResponse

from app.web.api import problems
from app.web.api.reference import Reference, read
from app.web.context import Web


def router(api: FastAPI, web: Web) -> APIRouter:
    """The routes of the pages. What they show changes with the release only, so each is rendered once."""
    found = APIRouter(include_in_schema=False)

    @cache
    def reference() -> Reference:
        return read(api.openapi(), web.service.links.home)

    @cache
    def page(name: str) -> str:
        known = {
            "home": web.service.links.home,
            "reference": reference(),
            "chapter": reference().chapter(name),
        }
        if name:
            return web.pages.render("api_chapter.html", **known)
        example = problems.answer(422, "per_day is to be 100 or less.", "per_day")
        return web.pages.render(
            "api.html", words=problems.WORDS, problem=bytes(example.body).decode(), **known
        )

    @found.get("/")
    @found.get("/v1")
    def index() -> RedirectResponse:
        return RedirectResponse(f"{web.pages.prefix}/api/docs")

    @found.get("/docs")
    def start() -> HTMLResponse:
        return HTMLResponse(page(""))

    @found.get("/docs/{name}")
    def chapter(name: str) -> HTMLResponse:
        if reference().chapter(name) is None:
            return web.page(
                "error.html", 404, code=404, name="Not found", ask=False, wait="",
                words="The reference of the API has no such chapter.",
            )  # fmt: skip
        return HTMLResponse(page(name))

    return found
