"""What belongs to the caller over all profiles: mail, the digests that were mailed, what was kept, feeds."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Response
from pydantic import Field

from app.web import errands
from app.web.api.access import MOST_ID, ACaller, Caller
from app.web.api.fields import Model
from app.web.api.paper_models import PaperOut
from app.web.api.papers import AForm, export, exported
from app.web.api.problems import ProblemError, documented
from app.web.api.readers import Me
from app.web.context import AVisitor
from db import mine_store, subscriber_store
from db.records import DigestState
from jobs.alerts import opml
from profiles.profile import Profile

if TYPE_CHECKING:
    from jobs.mine import Kept as KeptPaper

router = APIRouter(tags=["you"])
_FARTHEST = 100_000
_NO_MAIL = {
    "": "You gave no address, so there is no mail; your feeds go on.",
    "unconfirmed": "Confirm your address first, by the link that was mailed to it.",
    "suppressed": "Mail to your address came back, so none is sent; your feeds go on.",
}
_OPML: dict[int | str, dict[str, Any]] = {
    200: {"description": "The feeds", "content": {"text/x-opml": {"schema": {"type": "string"}}}}
}


class MailPart(Model):
    """What a profile has in a mail."""

    profile: int = Field(description="Its id; it may have been deleted since")
    papers: int


class Mail(Model):
    """A digest that was put together for you."""

    id: int
    state: DigestState = Field(description="empty: there was nothing to send; suppressed: withheld")
    queued_at: datetime
    sent_at: datetime | None = Field(description="When the relay took it; null: it has not yet")
    parts: list[MailPart]

    @classmethod
    def of(cls, digest: mine_store.Digest) -> Mail:
        """A digest of the outbox."""
        parts = [MailPart(profile=number, papers=len(held)) for number, held in digest.sections]
        return cls(
            id=digest.number, state=digest.state, queued_at=digest.queued_at, sent_at=digest.sent_at,
            parts=parts,
        )  # fmt: skip


class Mails(Model):
    """Your digests, the latest first; ``next`` is what to give as ``before`` for older ones."""

    mails: list[Mail]
    next: int | None = Field(description="What to ask for to get those after these; null: there are no more")


class MailSection(Model):
    """The papers of a profile in a mail."""

    profile: int = Field(description="Its id; it may have been deleted since")
    papers: list[PaperOut]


class WholeMail(Model):
    """A digest that was put together for you, with its papers."""

    id: int
    state: DigestState
    queued_at: datetime
    sent_at: datetime | None = Field(description="When the relay took it; null: it has not yet")
    sections: list[MailSection]
    receipt: str = Field(description="What was checked for it")


class Kept(Model):
    """A paper that you liked or saved."""

    paper: PaperOut
    profile: int = Field(description="The id of the profile for which you did")
    opinion: Literal["like", "save"]
    at: datetime

    @classmethod
    def of(cls, kept: KeptPaper) -> Kept:
        """A kept paper."""
        opinion: Literal["like", "save"] = "save" if kept.opinion == "save" else "like"
        return cls(paper=PaperOut.of(kept.paper), profile=kept.profile.id, opinion=opinion, at=kept.at)


class KeptPapers(Model):
    """What you liked or saved, the latest first; ``next`` is what to give as ``start`` for more."""

    papers: list[Kept]
    total: int
    next: int | None = Field(description="What to ask for to get those after these; null: there are no more")


@router.put("/me/mail", response_model=Me, responses=documented(401, 409, 429))
def resume_mail(caller: ACaller, visitor: AVisitor) -> Me:
    """Mail again, after you had left."""
    person = caller.person
    if not person.email or person.state not in {"confirmed", "unsubscribed"}:
        raise ProblemError(409, _NO_MAIL.get(person.state, _NO_MAIL[""]))
    note = f"came back through the API from {visitor}"
    errands.confirm(caller.web.service, person, caller.web.clock(), note)
    return _me(caller)


@router.delete("/me/mail", response_model=Me, responses=documented(401, 409, 429))
def stop_mail(caller: ACaller, visitor: AVisitor) -> Me:
    """No more mail at all; feeds go on, and so does this key."""
    if not caller.person.email:
        raise ProblemError(409, _NO_MAIL[""])
    note = f"left through the API from {visitor}"
    errands.leave(caller.web.service, caller.person.id, None, caller.web.clock(), note)
    return _me(caller)


@router.get("/mails", response_model=Mails, responses=documented(401, 422, 429))
def list_mails(
    caller: ACaller,
    before: Annotated[int | None, Query(ge=1, le=MOST_ID, description="A page's `next`")] = None,
    limit: Annotated[int, Query(ge=1, le=100, description="Most digests in one answer")] = 30,
) -> Mails:
    """The digests that were put together for you, by all profiles, the latest first."""
    with caller.web.service.database.reading() as session:
        found = mine_store.digests(session, caller.person.id, at_most=limit + 1, before=before)
    more = found[limit - 1].number if len(found) > limit else None
    return Mails(mails=[Mail.of(digest) for digest in found[:limit]], next=more)


@router.get("/mails/{number}", response_model=WholeMail, responses=documented(401, 404, 422, 429))
def get_mail(
    caller: ACaller, number: Annotated[int, Path(ge=1, le=MOST_ID, description="The id of the digest")]
) -> WholeMail:
    """One digest, with what stood in it."""
    with caller.web.service.database.reading() as session:
        found = mine_store.digest(session, caller.person.id, number)
    if found is None:
        raise ProblemError(404, "You have no such digest.")
    papers = errands.digest_papers(caller.web.service, found)
    sections = [
        MailSection(profile=profile, papers=[PaperOut.of(papers[at]) for at in held if at in papers])
        for profile, held in found.sections
    ]
    return WholeMail(
        id=found.number, state=found.state, queued_at=found.queued_at, sent_at=found.sent_at,
        sections=sections, receipt=found.receipt,
    )  # fmt: skip


@router.get("/kept", response_model=KeptPapers, responses=exported("KeptPapers") | documented(401, 422, 429))
def list_kept_papers(
    caller: ACaller,
    opinion: Annotated[Literal["like", "save"] | None, Query(description="Only these")] = None,
    start: Annotated[int, Query(ge=0, le=_FARTHEST, description="A page's `next`")] = 0,
    limit: Annotated[int, Query(ge=1, le=200, description="Most papers in one answer")] = 20,
    form: AForm = "json",
) -> KeptPapers | Response:
    """The papers that you liked or saved, for whatever profile, the latest first. Any form but json holds all
    of them at once, each once."""
    service, mine = caller.web.service, _profiles(caller)
    opinions = ["like", "save"] if opinion is None else [opinion]
    if form != "json":
        return export(errands.taken_along(service, mine, opinions), form, "kept")
    found, total = errands.kept(service, mine, start=start, at_most=limit, opinions=opinions)
    more = start + limit if start + limit < min(total, _FARTHEST) else None
    return KeptPapers(papers=[Kept.of(one) for one in found], total=total, next=more)


@router.get("/feeds.opml", response_class=Response, responses=_OPML | documented(401, 429))
def export_feeds(caller: ACaller) -> Response:
    """The private feeds of all your profiles, for a feed reader."""
    made = opml.of_profiles(_profiles(caller), caller.web.service.links, caller.web.clock())
    return Response(
        made, media_type="text/x-opml; charset=utf-8",
        headers={"content-disposition": 'attachment; filename="paperwatch.opml"'},
    )  # fmt: skip


def _profiles(caller: Caller) -> list[Profile]:
    with caller.web.service.database.reading() as session:
        return subscriber_store.profiles_of(session, caller.person.id)


def _me(caller: Caller) -> Me:
    """The caller as they are now."""
    with caller.web.service.database.reading() as session:
        now = subscriber_store.subscriber(session, caller.person.id) or caller.person
    return Me.of(now, _profiles(caller))
