"""Without a key: to subscribe, and to be mailed the way to one's own page, where keys are made."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, BackgroundTasks
from fastapi.responses import JSONResponse
from pydantic import Field

from app.web import errands
from app.web.api.access import AMailer
from app.web.api.fields import Model, Text
from app.web.api.problems import documented
from app.web.api.profile_models import ProfileIn, ProfileOut
from profiles.request import request

router = APIRouter(tags=["start"])

Address = Annotated[Text, Field(max_length=254, json_schema_extra={"format": "email"})]
_MAILED = "Check the mail of this address: what it says there leads on."


class Subscription(ProfileIn):
    """A profile for somebody who has no key: with an address for mail, or without one for a feed only."""

    email: Address | None = Field(
        None, description="Where mail goes; left out, or with delivery.every as feed, it is a feed only"
    )


class LinkWanted(Model):
    """Whose page it is."""

    email: Address = Field(description="The address of the subscription")


class Told(Model):
    """What happens next. It is the same for every address, so that nobody learns who reads here."""

    detail: str


class Begun(Model):
    """A feed that has begun."""

    profile: ProfileOut
    page: str = Field(description="The private address of your page, good for 30 days; keys are made there")


@router.post(
    "/subscriptions",
    status_code=202,
    response_model=Told,
    responses=documented(422, 429)
    | {201: {"model": Begun, "description": "Without an address: the feed, which begins at once"}},
)
def create_subscription(web: AMailer, wanted: Subscription, later: BackgroundTasks) -> Told | JSONResponse:
    """Subscribe. To an address a link is mailed that confirms it, and nothing else until then; the answer is
    the same whether or not it is known here. Without an address the feed begins at once."""
    now = web.clock()
    email = "" if wanted.delivery.every == "feed" else wanted.email or ""
    asked = wanted.request(email, wanted.name, wanted.delivery)
    if not asked.email:
        profile = errands.open_feed(web.service, asked, now)
        links = web.service.links
        begun = Begun(
            profile=ProfileOut.of(profile, links), page=links.preferences(profile.subscriber_id, now)
        )
        where = {"location": f"{web.pages.prefix}/api/v1/profiles/{profile.id}"}
        return JSONResponse(begun.model_dump(mode="json"), 201, where)
    errands.begin(web.service, asked, now, later)
    errands.send_soon(web, later, now)
    return Told(detail=_MAILED)


@router.post("/links", status_code=202, response_model=Told, responses=documented(422, 429))
def send_link(web: AMailer, wanted: LinkWanted, later: BackgroundTasks) -> Told:
    """Mail somebody the link to their page, if the address is known; the answer is the same if it is not."""
    email = request(email=wanted.email, statement="any").email
    now = web.clock()
    errands.write_to(web.service, email, now, only="access")
    errands.send_soon(web, later, now)
    return Told(detail=_MAILED)
