"""Errors of the API as problem details (RFC 9457)."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.routing import Match
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
    503: "What this asks elsewhere is not to be had just now; try again in a minute.",
}


_SEE = "All that there is: /api/docs."
# What pydantic finds, as something that can be done.
_ASKED = {
    "bool_parsing": "is to be true or false",
    "date_from_datetime_parsing": "is to be a date such as 2025-10-28",
    "date_parsing": "is to be a date such as 2025-10-28",
    "dict_type": "is to be an object",
    "extra_forbidden": "is no field here; /api/docs has those there are",
    "float_parsing": "is to be a number",
    "float_type": "is to be a number",
    "greater_than_equal": "is to be {ge} or more",
    "int_parsing": "is to be a whole number",
    "int_type": "is to be a whole number",
    "less_than_equal": "is to be {le} or less",
    "list_type": "is to be a list",
    "literal_error": "is to be {expected}",
    "missing": "is missing",
    "model_attributes_type": "is to be an object",
    "string_too_long": "is to have at most {max_length} characters",
    "string_type": "is to be text",
    "string_pattern_mismatch": "is not written as it is to be; /api/docs has an example",
    "too_long": "is to have at most {max_length} entries",
    "too_short": "is to have at least {min_length} entries",
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


def made(what: str) -> dict[int | str, dict[str, Any]]:
    """What an operation says of its answer where it makes something that has an address."""
    address = {"description": "The address of what was made", "schema": {"type": "string"}}
    return {201: {"description": what, "headers": {"Location": address}}}


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
        return _unusable(exc.errors()[0])

    @api.exception_handler(HTTPException)
    async def _http(request: Request, exc: HTTPException) -> ProblemResponse:
        if exc.status_code == 404:
            return answer(404, f"There is nothing at this address. {_SEE}")
        if exc.status_code == 405:
            return answer(405, headers={"allow": ", ".join(_methods(api, request.scope))})
        # FastAPI's 400 is a body that is no text at all.
        return answer(422 if exc.status_code == 400 else exc.status_code, headers=exc.headers)


def _unusable(error: dict[str, Any]) -> ProblemResponse:
    """A problem of what pydantic found first, in words that say what to do."""
    place = [str(part) for part in error["loc"]]
    where = ".".join(place[1:])
    words = _ASKED.get(error["type"])
    if error["type"] == "json_invalid" or (words is not None and not where):
        return answer(422, f"Send a JSON object as the body, as application/json. {_SEE}")
    if words is None:
        return answer(422, f"{where or 'body'}: {error['msg']}", where)
    return answer(422, f"{where} {words.format(**error.get('ctx', {}))}.", where)


def _methods(api: FastAPI, scope: Scope) -> list[str]:
    """What may be asked of an address; the router itself names only what the first route there takes."""
    found = {
        method
        for route in iter_route_contexts(api.routes)
        if route.matches(scope)[0] is not Match.NONE
        for method in route.methods or ()
    }
    return sorted(found | {"HEAD"} if "GET" in found else found)


async def refused(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request that the guard or a limit refused before it came to the API."""
    wait = scope.get("paperwatch.retry_after")
    headers = {"retry-after": str(wait)} if wait else None
    await answer(scope["paperwatch.refused"], headers=headers)(scope, receive, send)
