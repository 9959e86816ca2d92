"""The caller: who they are, and their keys."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Response
from pydantic import Field

from app.web import errands
from app.web.api.access import MOST_ID, ACaller
from app.web.api.fields import Model
from app.web.api.problems import ProblemError, documented
from db import key_store, subscriber_store
from profiles.profile import Profile, Subscriber

router = APIRouter(tags=["you"])


class Me(Model):
    """The reader whom the key belongs to."""

    email: str
    state: Literal["unconfirmed", "confirmed", "unsubscribed", "suppressed"]
    since: datetime
    profiles: list[int]

    @classmethod
    def of(cls, person: Subscriber, profiles: Sequence[Profile]) -> Me:
        """A reader with these profiles."""
        numbers = [profile.id for profile in profiles]
        return cls(email=person.email, state=person.state, since=person.created_at, profiles=numbers)


class KeyOut(Model):
    """A key; what it is was shown once, when it was made."""

    id: int
    name: str
    made_at: datetime
    used_at: datetime | None = Field(description="When it was last used, to the hour; null: never")
    current: bool = Field(description="Whether it is the one that asks")


@router.get("/me", summary="Get yourself", response_model=Me, responses=documented(401, 429))
def get_me(caller: ACaller) -> Me:
    """Who the key belongs to."""
    with caller.web.service.database.reading() as session:
        found = subscriber_store.profiles_of(session, caller.person.id)
    return Me.of(caller.person, found)


@router.get("/me/export", summary="Export all that is kept of you", responses=documented(401, 429))
def export_me(caller: ACaller) -> dict[str, Any]:
    """All that is kept of you, as your page gives it."""
    return errands.everything(caller.web.service, caller.person, caller.web.clock())


@router.delete(
    "/me",
    summary="Erase yourself",
    status_code=204,
    response_class=Response,
    responses=documented(401, 422, 429),
)
def erase_me(
    caller: ACaller,
    sure: Annotated[Literal["yes"], Query(description="yes: it cannot be undone")],  # noqa: ARG001
) -> None:
    """Forget you, with all profiles, ratings, digests and keys."""
    errands.erase(caller.web, caller.person)


@router.get("/keys", response_model=list[KeyOut], responses=documented(401, 429))
def list_keys(caller: ACaller) -> list[KeyOut]:
    """Your keys that hold. New ones are made on your own page only: no key makes another."""
    with caller.web.service.database.reading() as session:
        found = key_store.keys_of(session, caller.person.id)
    return [
        KeyOut(
            id=key.id,
            name=key.name,
            made_at=key.made_at,
            used_at=key.used_at,
            current=key.id == caller.key.id,
        )
        for key in found
    ]


@router.delete(
    "/keys/{number}", status_code=204, response_class=Response, responses=documented(401, 404, 422, 429)
)
def revoke_key(
    caller: ACaller, number: Annotated[int, Path(ge=1, le=MOST_ID, description="The id of the key")]
) -> None:
    """End a key, the one that asks too if you like."""
    with caller.web.service.database.writing() as session:
        if not key_store.revoke(session, caller.person.id, number, caller.web.clock()):
            raise ProblemError(404, f"You have no key {number}.")
