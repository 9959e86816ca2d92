"""A profile taken apart: what it learned, what other weights would bring, whether it would have worked."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.datastructures import FormData

from app.web import errands
from app.web.context import AForm, AWeb, Web
from app.web.forms import DAYS
from app.web.mine import Mine, back, mine, store
from profiles.edits import Wanted, changed, strengths
from profiles.profile import Profile
from profiles.request import RequestError, interests_of
from recommender import text

router = APIRouter(prefix="/preferences/{token}/profiles/{number}", include_in_schema=False)

TERMS = 24  # with a slider each


@router.get("/weights")
def show(web: AWeb, token: str, number: int) -> HTMLResponse:
    """The strongest terms of a profile as bars, each with a slider for the reader's own word on it."""
    me = mine(web, token)
    return _page(web, me, me.profile(number), {}, None)


@router.post("/weights", response_model=None)
def change(web: AWeb, token: str, number: int, fields: AForm) -> HTMLResponse | RedirectResponse:
    """Show what these weights would change, or save them if that button was pressed."""
    me = mine(web, token)
    profile = me.profile(number)
    weights = _weights(fields)
    try:
        wanted = _wanted(profile, weights)
    except RequestError as exc:
        return _page(web, me, profile, weights, None, exc)
    if fields.get("act") == "save":
        store(web, profile, wanted)
        return back(web, me, "saved", profile)
    return _page(web, me, profile, weights, wanted, fragment="fragment" in fields)


@router.get("/backtest")
def test(web: AWeb, token: str, number: int) -> HTMLResponse:
    """Whether the papers that the reader liked would have been found: computed when somebody looks."""
    me = mine(web, token)
    profile = me.profile(number)
    tested = errands.backtest(web.service, profile)
    return web.page(
        "backtest.html", me=me, tab="profiles", profile=profile, sentence=tested.sentence, plot=tested.plot
    )


def _page(
    web: Web, me: Mine, profile: Profile, weights: dict[str, float], wanted: Wanted | None,
    error: RequestError | None = None, *, fragment: bool = False,
) -> HTMLResponse:  # fmt: skip
    now = web.clock()
    found = errands.what_if(web.service, profile, wanted, now, days=DAYS) if wanted else None
    if fragment:
        return web.page("what_if.html", found=found, days=DAYS, error=error)
    rows = errands.strongest(web.service, profile, now, at_most=TERMS)
    stated = strengths(profile.interests)
    most = max((abs(weight) for _, weight in rows), default=1.0)
    shown = [
        (term, 100 * weight / most, weights.get(term, stated.get(text.term(term), 0.0)))
        for term, weight in rows
    ]
    return web.page(
        "weights.html", 422 if error else 200, me=me, tab="profiles", profile=profile, rows=shown,
        found=found, days=DAYS, error=error,
    )  # fmt: skip


def _weights(fields: FormData) -> dict[str, float]:
    """The sliders that were sent; what is no number in their range is passed over."""
    found = {}
    for at in range(TERMS):
        term, number = (str(fields.get(f"{name}{at}", "")) for name in ("term", "weight"))
        try:
            weight = float(number)
        except ValueError:
            continue
        if term.strip() and -3 <= weight <= 3:
            found[term] = weight
    return found


def _wanted(profile: Profile, weights: dict[str, float]) -> Wanted:
    """The profile with every slider that was moved; one at 0 leaves the term to what was learned."""
    stated = strengths(profile.interests)
    moved = [
        f"{term}={weight:.4f}"
        for term, weight in weights.items()
        if weight != stated.get(text.term(term), 0.0)
    ]
    return changed(Wanted(profile.interests, profile.per_day), more=interests_of(terms=moved))
