"""Errors of the API as problem details (RFC 9457)."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from profiles.request import RequestError

MEDIA_TYPE = "application/problem+json"
SCHEMA: dict[str, Any] = {
    "title": "Problem",
    "description": "What went wrong, as RFC 9457 has it.",
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "description": "about:blank: the status says what kind it is"},
        "title": {"type": "string", "description": "The status in words"},
        "status": {"type": "integer", "description": "The status of the answer"},
        "detail": {"type": "string", "description": "What to do about it"},
        "field": {"type": "string", "description": "The field that is wrong, where one is"},
    },
}
WORDS = {
    401: "A key is needed: send 'Authorization: Bearer KEY'. Keys are made on your own page.",
    404: "There is nothing of yours here.",
    405: "This address takes no such request.",
    409: "This is not possible as things stand.",
    413: "The body is too large.",
    422: "Something in the request cannot be used.",
    429: "Too many requests; the answer says in Retry-After when the next one is allowed.",
}


class ProblemError(Exception):
    """An answer that is an error; ``detail`` tells the caller what to do."""

    def __init__(self, status: int, detail: str = "", *, field: str = "", **headers: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.field = field
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


class ProblemResponse(JSONResponse):
    """A problem as an answer."""

    media_type = MEDIA_TYPE

    def render(self, content: Any) -> bytes:
        """In ASCII: what callers sent may be no Unicode at all, and comes back in the detail."""
        return json.dumps(content, ensure_ascii=True).encode("ascii")


def answer(status: int, detail: str = "", field: str = "", headers: Any = None) -> ProblemResponse:
    """The answer to a request that cannot be done."""
    body: dict[str, Any] = {
        "type": "about:blank", "title": HTTPStatus(status).phrase, "status": status,
        "detail": detail or WORDS.get(status, HTTPStatus(status).description),
    }  # fmt: skip
    if field:
        body["field"] = field
    return ProblemResponse(body, status, headers)


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What an operation says of its errors in the schema."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": WORDS[status], "content": content} for status in statuses}


def explain(api: FastAPI) -> None:
    """Have every error of this app answered as a problem."""

    @api.exception_handler(ProblemError)
    async def _problem(_: Request, exc: ProblemError) -> ProblemResponse:
        return answer(exc.status, exc.detail, exc.field, exc.headers)

    @api.exception_handler(RequestError)
    async def _request(_: Request, exc: RequestError) -> ProblemResponse:
        return answer(422, str(exc), exc.field)

    @api.exception_handler(RequestValidationError)
    async def _invalid(_: Request, exc: RequestValidationError) -> ProblemResponse:
        first = exc.errors()[0]
        if first["type"] == "json_invalid":
            return answer(422, "The body is no JSON.")
        where = ".".join(str(part) for part in first["loc"][1:])
        return answer(422, f"{where or 'body'}: {first['msg']}", where)

    @api.exception_handler(HTTPException)
    async def _http(_: Request, exc: HTTPException) -> ProblemResponse:
        # FastAPI's 400 is a body that is no text at all.
        return answer(422 if exc.status_code == 400 else exc.status_code, headers=exc.headers)


async def refused(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request that the guard or a limit refused before it came to the API."""
    wait = scope.get("paperwatch.retry_after")
    headers = {"retry-after": str(wait)} if wait else None
    await answer(scope["paperwatch.refused"], headers=headers)(scope, receive, send)
