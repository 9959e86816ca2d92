"""The operator's page: what runs, what came in, what went out, what is stuck, and what comes next."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter, Depends
from fastapi.responses import HTMLResponse, RedirectResponse

from app.web import charts, errands
from app.web.context import AWeb, NoPageError, Web
from app.web.keeper import admit
from db import alert_store, source_store
from db.records import Receipt, Source
from jobs import overview, receipts
from jobs.alerts import wording
from jobs.overview import Month, Standing

router = APIRouter(prefix="/operator", include_in_schema=False, dependencies=[Depends(admit)])

_SHOWN_SOURCES = 40
_SHOWN_FINDINGS = 20
_WORDS = 240  # of what a server or a file said
_SHOWN_BY_HAND = 5
_NAMED = charts.COLOURS - 1  # series with a name of their own in a plot


@dataclass(frozen=True, slots=True)
class Row:
    """A source as the page shows it: ``state`` is well, failing, paused or new; ``said`` its last receipt."""

    source: Source
    state: str
    said: str
    last: Receipt | None


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
    month = overview.month(web.service.database, stands)
    watched = [source for source in stands.sources if source.kind != "file"]
    return web.page(
        "operator.html", stands=stands, trouble=trouble, now=now,
        rows=[_row(source, stands.latest) for source in watched[:_SHOWN_SOURCES]],
        more=max(0, len(watched) - _SHOWN_SOURCES), by_hand=_by_hand(stands),
        findings=trouble.findings[:_SHOWN_FINDINGS], short=wording.ellipsis,
        plots=list(_plots(stands, month)), waits=[overview.quantile(stands.waits, q) for q in (0.5, 0.95)],
        coming=_coming(stands, trouble.next_digest), span=charts.wait, said=_said(done, of),
    )  # fmt: skip


@router.get("/{kind}/{number}/{act}")
def ask(web: AWeb, kind: str, number: int, act: str) -> HTMLResponse:
    """Ask before something is done."""
    wanted = _wanted(kind, act)
    name = _name(web, kind, number)
    asked = wanted.asked.format(name=name)
    return web.page("operator_ask.html", act=wanted, asked=asked, address=f"/operator/{kind}/{number}/{act}")


@router.post("/{kind}/{number}/{act}")
def carry_out(web: AWeb, kind: str, number: int, act: str) -> RedirectResponse:
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


def _source_act(act: Callable[..., None]) -> Callable[[Web, int], str]:
    def carry_out(web: Web, number: int) -> str:
        with web.service.database.writing() as session:
            act(session, source_store.named(session, str(number)), web.clock())
        return str(number)

    return carry_out


_ACTS = {
    "retry": Act("Send it again", "Send mail {name} again at the next run?",
                 "Mail {of} goes out at the next run, within a minute if the scheduler runs.", _retry),
    "pause": Act("Pause it", "Ask {name} no more until you resume it?",
                 "Source {of} is paused.", _source_act(source_store.pause)),
    "resume": Act("Resume it", "Ask {name} again, beginning now?",
                  "Source {of} is asked again at the next run.", _source_act(source_store.resume)),
    "check": Act("Check it now", "Ask {name} at the next run, before its time?",
                 "Source {of} is asked at the next run, within a minute if the scheduler runs.",
                 _source_act(source_store.check_now)),
}  # fmt: skip
_OF_MAILS = frozenset({"retry"})


def _wanted(kind: str, act: str) -> Act:
    if act not in _ACTS or kind != ("mails" if act in _OF_MAILS else "sources"):
        raise NoPageError("There is no such page here.")
    return _ACTS[act]


def _name(web: Web, kind: str, number: int) -> str:
    with web.service.database.reading() as session:
        if kind == "mails":
            mail = alert_store.mail(session, number)
            if mail is not None:
                return f"{mail.id} ({mail.kind})"
        else:
            known = {source.id: source for source in source_store.watched(session)}
            if number in known:
                return known[number].name
    raise NoPageError(f"There is nothing with the number {number} here any more.")


def _row(source: Source, latest: Mapping[int, Receipt]) -> Row:
    last = latest.get(source.id)
    state = "paused" if source.paused else "failing" if source.failures else "well"
    if state == "well" and source.last_success_at is None:
        state = "new"
    said = receipts.result(last) if last else "not checked yet"
    return Row(source, state, wording.ellipsis(said, _WORDS), last)


def _by_hand(stands: Standing) -> list[Row]:
    """What was ingested by hand last."""
    given = [s for s in stands.sources if s.kind == "file" and s.id in stands.latest]
    given.sort(key=lambda source: stands.latest[source.id].at, reverse=True)
    return [_row(source, stands.latest) for source in given[:_SHOWN_BY_HAND]]


def _coming(stands: Standing, digest: datetime | None) -> list[tuple[datetime, str]]:
    """What happens next, soonest first."""
    due = [
        (source.next_check_at, f"{source.name} is asked")
        for source in stands.sources
        if source.next_check_at and not source.paused and source.kind != "file"
    ]
    coming = sorted(due)[:5]
    if digest is not None:
        coming.append((digest, "the next digest is written"))
    if stands.relay.resume_at and stands.relay.holds(stands.at):
        coming.append((stands.relay.resume_at, "mail is tried again"))
    return sorted(coming)


def _plots(stands: Standing, month: Month) -> Iterator[tuple[str, str, list[str]]]:
    """Each plot's name, its SVG and the names of its series, if there are several."""
    names = overview.names(stands.sources)
    ranked = sorted(month.papers.items(), key=lambda item: (-sum(item[1]), item[0]))
    series = {names.get(number, f"removed ({number})"): values for number, values in ranked[:_NAMED]}
    if rest := ranked[_NAMED:]:
        series["others"] = tuple(map(sum, zip(*(values for _, values in rest), strict=True)))
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
