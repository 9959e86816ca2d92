"""Who calls: a reader's key in the Authorization header, counted against its limit, or the operator's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Path, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from app.web.api.problems import ProblemError
from app.web.context import Web
from app.web.keeper import Keeper
from app.web.limits import Limits, visitor
from db import key_store, subscriber_store
from db.key_store import ApiKey
from profiles.profile import Profile, Subscriber

MOST_ID = 2**31 - 1
NEEDS_OPERATOR = (
    "The operator's key is needed: send 'Authorization: Bearer KEY' with what `paperwatch operator` prints."
)
_bearer = HTTPBearer(
    scheme_name="ReaderKey", auto_error=False, description="A key that you made on your own page."
)
_operator_bearer = HTTPBearer(
    scheme_name="OperatorKey", auto_error=False, description="The key that `paperwatch operator` prints."
)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, and through what."""

    web: Web
    person: Subscriber
    key: ApiKey
    limits: Limits

    def count(self, what: str) -> None:
        """Count one of what costs more than a read ("preview", "read"). Raises `ProblemError` (429)."""
        _limited(self.limits.hit(what, f"key {self.key.id}"))

    def profile(self, number: int) -> Profile:
        """One of the caller's profiles. Raises `ProblemError` (404), also for somebody else's."""
        with self.web.service.database.reading() as session:
            found = subscriber_store.profile(session, number)
        if found is None or found.subscriber_id != self.person.id:
            raise ProblemError(404, f"You have no profile {number}.")
        return found


def _caller(
    request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Caller:
    web: Web = request.app.state.web
    limits: Limits = request.app.state.limits
    if given is None:
        raise ProblemError(401, www_authenticate="Bearer")
    with web.service.database.reading() as session:
        found = key_store.owner(session, given.credentials)
    if found is None:
        # A key that holds works whoever guesses beside it, from the same address.
        _limited(limits.hit("wrong key", visitor(request.scope)))
        raise ProblemError(
            401, "This key is unknown or was revoked.", www_authenticate='Bearer error="invalid_token"'
        )
    key, person = found
    _limited(limits.hit("key", str(key.id)))
    now = web.clock()
    if key_store.needs_mark(key, now):
        with web.service.database.writing() as session:
            key_store.used(session, key.id, now)
    return Caller(web, person, key, limits)


def _operator(
    request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Depends(_operator_bearer)]
) -> Web:
    """The service, for whoever shows the operator's key. As a bearer token only: a browser that once got the
    key for the page sends it as HTTP Basic with whatever another site has it ask for."""
    keeper: Keeper = request.app.state.keeper
    if given is None or not keeper.holds(given.credentials.encode(), visitor(request.scope)):
        raise ProblemError(401, NEEDS_OPERATOR, www_authenticate="Bearer")
    web: Web = request.app.state.web
    return web


def _mailer(request: Request) -> Web:
    """The service, for whoever asks for a mail without a key: counted by address, together with the pages."""
    limits: Limits = request.app.state.limits
    _limited(limits.hit("mail", visitor(request.scope)))
    web: Web = request.app.state.web
    return web


def _limited(wait: int) -> None:
    if wait:
        raise ProblemError(429, retry_after=str(wait))


def _profile(
    caller: ACaller, number: Annotated[int, Path(ge=1, le=MOST_ID, description="The id of the profile")]
) -> Profile:
    return caller.profile(number)


ACaller = Annotated[Caller, Depends(_caller)]
AMailer = Annotated[Web, Depends(_mailer)]
AnOperator = Annotated[Web, Depends(_operator)]
AProfile = Annotated[Profile, Depends(_profile)]
