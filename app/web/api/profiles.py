"""The caller's profiles: what they ask for, what they brought, and what was said of it."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from app.web import errands
from app.web.api.access import MOST_ID, ACaller, AProfile, Caller
from app.web.api.paper_models import (
    AParts,
    Digest,
    Digests,
    FeedbackIn,
    FeedbackOut,
    PaperOut,
    Papers,
    Scored,
)
from app.web.api.papers import AForm, AKey, export, exported, known_key, on_hand
from app.web.api.problems import ProblemError, documented, made
from app.web.api.profile_models import Feeds, Pause, ProfileIn, ProfileOut
from app.web.pages import SHOWN_PARTS
from db import subscriber_store
from profiles.feedback import current
from profiles.profile import Profile
from profiles.request import Request

router = APIRouter(prefix="/profiles", tags=["profiles"])
_MOST_PROFILES = 50  # of one reader
_TEXT: dict[int | str, dict[str, Any]] = {
    200: {"description": "The profile", "content": {"text/plain": {"schema": {"type": "string"}}}}
}
_MINE = documented(401, 404, 422, 429)


@router.get("", response_model=list[ProfileOut], responses=documented(401, 429))
def list_profiles(caller: ACaller) -> list[ProfileOut]:
    """Your profiles, oldest first."""
    return [ProfileOut.of(profile, caller.web.service.links) for profile in _all(caller)]


@router.post(
    "", status_code=201, response_model=ProfileOut,
    responses=made("The profile, with the id that it has") | documented(401, 409, 422, 429),
)  # fmt: skip
def create_profile(caller: ACaller, wanted: ProfileIn, response: Response) -> ProfileOut:
    """A further profile; its first papers are there at once."""
    asked = _asked(caller, wanted)
    if len(_all(caller)) >= _MOST_PROFILES:
        raise ProblemError(409, f"You have {_MOST_PROFILES} profiles; delete one first.")
    check_name(caller, asked.name)
    now = caller.web.clock()
    with caller.web.service.database.writing() as session:
        profile = subscriber_store.add_profile(
            session, caller.person.id, asked.name, asked.interests, per_day=asked.per_day,
            delivery=asked.delivery, feed_token=secrets.token_urlsafe(24), now=now,
        )  # fmt: skip
    if caller.person.state == "confirmed":
        errands.welcome(caller.web.service, profile.id, now)
    response.headers["location"] = f"{caller.web.pages.prefix}/api/v1/profiles/{profile.id}"
    return ProfileOut.of(profile, caller.web.service.links)


@router.get("/{number}", response_model=ProfileOut, responses=_MINE)
def get_profile(caller: ACaller, profile: AProfile) -> ProfileOut:
    """One of your profiles."""
    return ProfileOut.of(profile, caller.web.service.links)


@router.put("/{number}", response_model=ProfileOut, responses=_MINE | documented(409))
def replace_profile(caller: ACaller, profile: AProfile, wanted: ProfileIn) -> ProfileOut:
    """The profile as it is to be from here on; what is left out is as in a new one."""
    asked = _asked(caller, wanted)
    check_name(caller, asked.name, besides=profile)
    changed = replace(
        profile, name=asked.name, interests=asked.interests, per_day=asked.per_day, delivery=asked.delivery
    )
    return _stored(caller, changed)


@router.delete("/{number}", status_code=204, response_class=Response, responses=_MINE)
def delete_profile(caller: ACaller, profile: AProfile) -> None:
    """Forget a profile with all that was learned for it."""
    with caller.web.service.database.writing() as session:
        subscriber_store.delete_profile(session, profile.id)


@router.put("/{number}/pause", response_model=ProfileOut, responses=_MINE)
def pause_profile(caller: ACaller, profile: AProfile, wanted: Pause) -> ProfileOut:
    """No mail before a day; the feed goes on."""
    return _stored(caller, replace(profile, delivery=replace(profile.delivery, paused_until=wanted.until)))


@router.delete("/{number}/pause", response_model=ProfileOut, responses=_MINE)
def resume_profile(caller: ACaller, profile: AProfile) -> ProfileOut:
    """Mail goes out again."""
    return _stored(caller, replace(profile, delivery=replace(profile.delivery, paused_until=None)))


@router.get("/{number}/feeds", response_model=Feeds, responses=_MINE)
def get_feeds(caller: ACaller, profile: AProfile) -> Feeds:
    """The private addresses of its feeds."""
    return Feeds.of(profile, caller.web.service.links)


@router.post("/{number}/feeds", response_model=Feeds, responses=_MINE)
def renew_feeds(caller: ACaller, profile: AProfile) -> Feeds:
    """New addresses for its feeds; the old ones stop at once."""
    return _stored(caller, replace(profile, feed_token=secrets.token_urlsafe(24))).feeds


@router.get("/{number}/digests", response_model=Digests, responses=_MINE)
def list_digests(
    caller: ACaller, profile: AProfile,
    before: Annotated[int | None, Query(ge=1, le=MOST_ID, description="A page's `next`")] = None,
    limit: Annotated[int, Query(ge=1, le=10, description="Most digests in one answer")] = 1,
    parts: AParts = SHOWN_PARTS,
) -> Digests:  # fmt: skip
    """What the latest batches brought it, with reasons; the first one is today's."""
    service, now = caller.web.service, caller.web.clock()
    found = errands.brought(service, profile, now, before=before, at_most=limit, parts=parts or None)
    return Digests(
        digests=[
            Digest(
                batch=one.batch, at=one.at, ranked=one.ranked, papers=[Scored.of(i) for i in one.items],
                near=[Scored.of(i) for i in one.near],
            )
            for one in found
        ],
        next=found[-1].batch if len(found) == limit else None,
    )  # fmt: skip


@router.get("/{number}/papers/{key:path}", response_model=Scored, responses=_MINE)
def explain_paper(caller: ACaller, profile: AProfile, key: AKey, parts: AParts = SHOWN_PARTS) -> Scored:
    """Any paper on hand as the profile sees it."""
    found = on_hand(caller, key)
    return Scored.of(errands.explained(caller.web.service, profile, found, caller.web.clock(), parts or None))


@router.get("/{number}/feedback", response_model=list[FeedbackOut], responses=_MINE)
def list_feedback(caller: ACaller, profile: AProfile) -> list[FeedbackOut]:
    """What counts now of what you said about papers, the latest first."""
    with caller.web.service.database.reading() as session:
        events = subscriber_store.feedback(session, [profile.id]).get(profile.id, [])
    found = sorted(current(events).values(), key=lambda event: (event.at, event.paper_id), reverse=True)
    return [FeedbackOut(paper=e.paper_id, opinion=e.opinion, at=e.at, via=e.via) for e in found]


@router.post("/{number}/feedback", status_code=204, response_class=Response, responses=_MINE)
def rate_paper(caller: ACaller, profile: AProfile, said: FeedbackIn) -> None:
    """Say something about a paper; the next papers are chosen with it in mind."""
    key = known_key(said.paper)
    if not errands.rate(caller.web.service, profile.id, key, said.opinion, caller.web.clock(), "api"):
        raise ProblemError(404, "This paper is not on hand here.")


@router.get("/{number}/saved", response_model=Papers, responses=exported("Papers") | _MINE)
def list_saved_papers(caller: ACaller, profile: AProfile, form: AForm = "json") -> Papers | Response:
    """The papers that you saved, the latest first."""
    found = errands.saved(caller.web.service, profile)
    if form != "json":
        return export(found, form, "saved")
    return Papers(papers=[PaperOut.of(paper) for paper in found], next=None)


@router.get(
    "/{number}/export",
    response_class=Response,
    responses=_TEXT | _MINE,
)
def export_profile(caller: ACaller, profile: AProfile) -> Response:
    """The profile as a text file that a person can read, and that `paperwatch profile import` takes."""
    text = errands.portable(caller.web.service, profile, caller.web.clock())
    return Response(text, media_type="text/plain; charset=utf-8")


def _all(caller: Caller) -> list[Profile]:
    with caller.web.service.database.reading() as session:
        return subscriber_store.profiles_of(session, caller.person.id)


def _asked(caller: Caller, wanted: ProfileIn) -> Request:
    return wanted.request(caller.person.email, wanted.name, wanted.delivery)


def check_name(caller: Caller, name: str, besides: Profile | None = None) -> None:
    """Refuse a name that another profile of the caller has. Raises `ProblemError` (409)."""
    if any(p.name == name and (besides is None or p.id != besides.id) for p in _all(caller)):
        raise ProblemError(
            409, f"You have a profile named “{name}” already; give another name.", field="name"
        )


def _stored(caller: Caller, profile: Profile) -> ProfileOut:
    with caller.web.service.database.writing() as session:
        subscriber_store.change_profile(session, profile, caller.web.clock())
    return ProfileOut.of(profile, caller.web.service.links)
