"""The operator's page for programs: how everything stands, and what the operator may do about it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query

from app.web import errands
from app.web.api.access import MOST_ID, NEEDS_OPERATOR, AnOperator
from app.web.api.operator_models import (
    Check,
    Checks,
    MonthOut,
    OutboxMail,
    OutboxMails,
    SourceOut,
    Sources,
    StandingOut,
)
from app.web.api.problems import ProblemError, documented
from app.web.context import Web
from db import alert_store, source_store
from db.records import DigestState, Queued, Source
from jobs import overview, upkeep

router = APIRouter(prefix="/operator", tags=["operator"])

_MOST_MAIL = 2**53 - 1  # what any program reads from JSON as it was written
ASource = Annotated[int, Path(ge=1, le=MOST_ID, description="The number of a source")]
AMail = Annotated[int, Path(ge=1, le=_MOST_MAIL, description="The number of a mail")]


def _documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    found = documented(401, 429, *statuses)
    return found | {401: found[401] | {"description": NEEDS_OPERATOR}}


@router.get("", response_model=StandingOut, responses=_documented())
def get_standing(web: AnOperator) -> StandingOut:
    """How everything stands: what is stuck and its cure, what went out, what waits, and what comes next."""
    stands = overview.standing(web.service.database, web.clock())
    return StandingOut.of(stands, overview.trouble(web.service.database, stands))


@router.get("/month", response_model=MonthOut, responses=_documented())
def get_month(web: AnOperator) -> MonthOut:
    """The last 30 days, one by one: new papers by source, digests, waits, bounces and likes."""
    found = overview.month(web.service.database, web.clock())
    with web.service.database.reading() as session:
        names = overview.names(source_store.every(session))
    return MonthOut.of(found, names)


@router.get("/sources", response_model=Sources, responses=_documented(422))
def list_sources(
    web: AnOperator,
    by_hand: Annotated[bool, Query(description="What was ingested by hand instead")] = False,
    after: Annotated[int | None, Query(ge=1, le=MOST_ID, description="A page's `next`")] = None,
    limit: Annotated[int, Query(ge=1, le=200, description="At most so many")] = 50,
) -> Sources:
    """The sources that are checked by themselves, by number, with what the last check of each came to."""
    with web.service.database.reading() as session:
        every = source_store.every(session)
        latest = source_store.latest_receipts(session)
    wanted = [s for s in every if (s.kind == "file") is by_hand and s.id > (after or 0)]
    wanted.sort(key=lambda source: source.id)
    shown = wanted[:limit]
    return Sources(
        sources=[SourceOut.of(overview.stand(source, latest)) for source in shown],
        next=shown[-1].id if len(wanted) > limit else None,
    )


@router.get("/sources/{number}", response_model=SourceOut, responses=_documented(404, 422))
def get_source(web: AnOperator, number: ASource) -> SourceOut:
    """One source that is checked by itself, with what its last check came to."""
    return _told(web, number, upkeep.source(web.service.database, number))


@router.get("/sources/{number}/checks", response_model=Checks, responses=_documented(404, 422))
def list_checks(
    web: AnOperator, number: ASource,
    limit: Annotated[int, Query(ge=1, le=100, description="At most so many")] = 20,
) -> Checks:  # fmt: skip
    """What the latest checks of a source came to, the last one first."""
    get_source(web, number)
    with web.service.database.reading() as session:
        found = source_store.receipts(session, source_id=number, at_most=limit)
    return Checks(checks=[Check.of(receipt) for receipt in found])


@router.post("/sources/{number}/pause", response_model=SourceOut, responses=_documented(404, 422))
def pause_source(web: AnOperator, number: ASource) -> SourceOut:
    """Ask a source no more until it is resumed."""
    return _acted(web, "pause", number)


@router.post("/sources/{number}/resume", response_model=SourceOut, responses=_documented(404, 422))
def resume_source(web: AnOperator, number: ASource) -> SourceOut:
    """Ask a source again, beginning with the next run."""
    return _acted(web, "resume", number)


@router.post("/sources/{number}/check", response_model=SourceOut, responses=_documented(404, 422))
def check_source(web: AnOperator, number: ASource) -> SourceOut:
    """Ask a source at the next run, before its time; one that is paused stays so."""
    return _acted(web, "check", number)


@router.get("/mails", response_model=OutboxMails, responses=_documented(422))
def list_outbox(
    web: AnOperator,
    state: Annotated[DigestState | None, Query(description="Only those in this state")] = None,
    before: Annotated[int | None, Query(ge=1, le=_MOST_MAIL, description="A page's `next`")] = None,
    limit: Annotated[int, Query(ge=1, le=100, description="At most so many")] = 20,
) -> OutboxMails:
    """The mails of the outbox, the latest first, without their addresses and what is in them."""
    with web.service.database.reading() as session:
        found = alert_store.outbox(
            session, states=[state] if state else (), before=before, at_most=limit + 1
        )  # fmt: skip
    shown = found[:limit]
    return OutboxMails(
        mails=[OutboxMail.of(each) for each in shown], next=shown[-1].id if len(found) > limit else None
    )


@router.post("/mails/{number}/retry", response_model=OutboxMail, responses=_documented(404, 409, 422))
def retry_mail(web: AnOperator, number: AMail) -> OutboxMail:
    """Send a mail again at the next run; one that was sent, or is just being sent, is left alone (409)."""
    _mail(web, number)
    if not errands.send_again(web.service, number, web.clock()):
        raise ProblemError(409, "This mail was sent, or is being sent, so nothing was done.")
    return OutboxMail.of(_mail(web, number))


def _acted(web: Web, act: upkeep.Act, number: int) -> SourceOut:
    return _told(web, number, upkeep.carry_out(web.service.database, act, number, web.clock()))


def _told(web: Web, number: int, found: Source | None) -> SourceOut:
    if found is None:
        raise ProblemError(404, f"There is no source {number}; GET the list of sources for their numbers.")
    with web.service.database.reading() as session:
        return SourceOut.of(overview.stand(found, source_store.latest_receipts(session)))


def _mail(web: Web, number: int) -> Queued:
    with web.service.database.reading() as session:
        found = alert_store.mail(session, number)
    if found is None:
        raise ProblemError(404, f"There is no mail {number} in the outbox.")
    return found
