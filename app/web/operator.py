"""The operator's page: what runs, what came in, what went out, what is stuck, and what comes next."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Depends, Path
from fastapi.responses import HTMLResponse, RedirectResponse

from app.web import charts, errands
from app.web.context import AWeb, NoPageError, Web
from app.web.keeper import admit
from db import alert_store
from jobs import days, overview, upkeep
from jobs.alerts import wording
from jobs.overview import Month, Standing

router = APIRouter(prefix="/operator", include_in_schema=False, dependencies=[Depends(admit)])

_SHOWN_SOURCES = 40
_SHOWN_FINDINGS = 20
_SHOWN_BY_HAND = 5
ANumber = Annotated[int, Path(ge=1, le=2**53)]
_NAMED = charts.COLOURS - 1  # series with a name of their own in a plot


@dataclass(frozen=True, slots=True)
class Act:
    """Something that the operator may do: the question that is asked before, and what is said after it."""

    button: str
    asked: str
    done: str
    carry_out: Callable[[Web, int], str]


@router.get("")
def page(web: AWeb, done: str = "", of: str = "") -> HTMLResponse:
    """Everything on one screen."""
    now = web.clock()
    stands = overview.standing(web.service.database, now)
    trouble = overview.trouble(web.service.database, stands)
    month = overview.month(web.service.database, now)
    watched = overview.watched(stands)
    return web.page(
        "operator.html", stands=stands, trouble=trouble, now=now,
        rows=watched[:_SHOWN_SOURCES], more=max(0, len(watched) - _SHOWN_SOURCES),
        by_hand=overview.by_hand(stands)[:_SHOWN_BY_HAND],
        findings=trouble.findings[:_SHOWN_FINDINGS], short=wording.ellipsis,
        plots=list(_plots(stands, month)), waits=[days.quantile(stands.waits, q) for q in (0.5, 0.95)],
        coming=overview.coming(stands, trouble.next_digest), span=charts.wait, said=_said(done, of),
    )  # fmt: skip


@router.get("/{kind}/{number}/{act}")
def ask(web: AWeb, kind: str, number: ANumber, act: str) -> HTMLResponse:
    """Ask before something is done."""
    wanted = _wanted(kind, act)
    name = _name(web, kind, number)
    asked = wanted.asked.format(name=name)
    return web.page("operator_ask.html", act=wanted, asked=asked, address=f"/operator/{kind}/{number}/{act}")


@router.post("/{kind}/{number}/{act}")
def carry_out(web: AWeb, kind: str, number: ANumber, act: str) -> RedirectResponse:
    """Do it, and show the page with what was done."""
    wanted = _wanted(kind, act)
    _name(web, kind, number)
    of = wanted.carry_out(web, number)
    return RedirectResponse(f"{web.pages.prefix}/operator?done={act}&of={of}", 303)


def _said(done: str, of: str) -> str:
    """What the operator did just now, as the address tells; numbers only, since anybody can write one."""
    return _ACTS[done].done.format(of=of) if done in _ACTS and of.isdecimal() else ""


def _retry(web: Web, number: int) -> str:
    if not errands.send_again(web.service, number, web.clock()):
        raise NoPageError("This mail was sent meanwhile, so nothing was done.", status=409)
    return str(number)


def _source_act(act: upkeep.Act) -> Callable[[Web, int], str]:
    def carry_out(web: Web, number: int) -> str:
        if upkeep.carry_out(web.service.database, act, number, web.clock()) is None:
            raise _gone(number)
        return str(number)

    return carry_out


_ACTS = {
    "retry": Act("Send it again", "Send mail {name} again at the next run?",
                 "Mail {of} goes out at the next run, within a minute if the scheduler runs.", _retry),
    "pause": Act("Pause it", "Ask {name} no more until you resume it?",
                 "Source {of} is paused.", _source_act("pause")),
    "resume": Act("Resume it", "Ask {name} again, beginning now?",
                  "Source {of} is asked again at the next run.", _source_act("resume")),
    "check": Act("Check it now", "Ask {name} at the next run, before its time?",
                 "Source {of} is asked at the next run, within a minute if the scheduler runs.",
                 _source_act("check")),
}  # fmt: skip
_OF_MAILS = frozenset({"retry"})


def _wanted(kind: str, act: str) -> Act:
    if act not in _ACTS or kind != ("mails" if act in _OF_MAILS else "sources"):
        raise NoPageError("There is no such page here.")
    return _ACTS[act]


def _name(web: Web, kind: str, number: int) -> str:
    if kind == "mails":
        with web.service.database.reading() as session:
            mail = alert_store.mail(session, number)
        found = f"{mail.id} ({mail.kind})" if mail else ""
    else:
        source = upkeep.source(web.service.database, number)
        found = source.name if source else ""
    if not found:
        raise _gone(number)
    return found


def _gone(number: int) -> NoPageError:
    return NoPageError(f"There is nothing with the number {number} here any more.")


def _plots(stands: Standing, month: Month) -> Iterator[tuple[str, str, list[str]]]:
    """Each plot's name, its SVG and the names of its series, if there are several."""
    found = overview.by_source(month, overview.names(stands.sources))
    series = {name: values for _, name, values in found[:_NAMED]}
    if rest := found[_NAMED:]:
        series["others"] = tuple(map(sum, zip(*(values for _, _, values in rest), strict=True)))
    yield "New papers by source", charts.bars(month.days, series, "new papers"), list(series)
    yield "Digests sent", charts.bars(month.days, {"digests": month.digests}, "digests"), []
    title = "From announcement to mail"
    yield title, charts.ranges(month.days, month.waits, title), ["median", "95th percentile"]
    yield "Bounces", charts.bars(month.days, {"bounces": month.bounces}, "bounces"), []
    per_digest = [
        round(likes / digests, 2) if digests else 0.0
        for likes, digests in zip(month.likes, month.digests, strict=True)
    ]
    yield "Likes per digest", charts.bars(month.days, {"likes": per_digest}, "likes per digest"), []
