"""What readers take from my page into other programs: their feeds as a list, their saved papers."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from app.web import errands
from app.web.context import AWeb, NoPageError
from app.web.mine import mine
from jobs.alerts import exports, opml

router = APIRouter(prefix="/preferences/{token}", include_in_schema=False)


@router.get("/feeds.opml")
def feeds(web: AWeb, token: str) -> Response:
    """All my feeds for a feed reader: of each profile what is new and what was saved.

    It stands behind the private link and not behind a feed's token, which opens one feed only.
    """
    me = mine(web, token)
    made = opml.of_profiles(me.profiles, web.service.links, web.clock())
    return Response(
        made, media_type="text/x-opml; charset=utf-8",
        headers={"content-disposition": 'attachment; filename="paperwatch.opml"'},
    )  # fmt: skip


@router.get("/saved/{form}")
def saved(web: AWeb, token: str, form: str) -> Response:
    """What I saved in any profile, in a form of other programs."""
    me = mine(web, token)
    if form not in exports.FORMS:
        raise NoPageError(f"“{form}” is no form; there are {', '.join(exports.FORMS)}.")
    found = errands.taken_along(web.service, me.profiles, ["save"])
    chosen = exports.FORMS[form]
    return Response(
        chosen.render(found), media_type=chosen.content_type,
        headers={"content-disposition": f'attachment; filename="saved.{chosen.suffix}"'},
    )  # fmt: skip
