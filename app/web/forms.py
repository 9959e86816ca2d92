"""The profile form: what its pages need beside what was typed."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING
from zoneinfo import available_timezones

from fastapi.responses import HTMLResponse

from app.web import errands
from app.web.chips import chips
from app.web.context import Web
from app.web.draft import Draft
from app.web.typed import Typed
from jobs.service import Service
from profiles.request import RequestError
from recommender.interest import Examples

if TYPE_CHECKING:
    from jobs.preview import Preview

DAYS = 7  # that a preview looks back
PREVIEWED = 12  # papers that a preview shows with their reasons; of the others it says how many there are
_PARTS = 6  # of each score, beside the rest: a dozen papers and the form stay within 100 kB
_REGIONS = ("Africa", "America", "Antarctica", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific")
LABELS = {
    "statement": "What do you work on?",
    "terms": "Terms",
    "likes": "Papers you like",
    "authors": "People you follow",
    "categories": "Categories",
    "mutes": "Never show",
    "per_day": "About how many a day",
    "every": "How often",
    "hour": "At",
    "zone": "Time zone",
    "days": "On these days",
    "at_most": "At most in a mail",
    "name": "Name of this profile",
    "email": "E-mail address",
    "library": "A file from your reference manager",
    "byline": "Your name, as an author",
}


def seen(
    service: Service, typed: Typed, examples: Examples = ()
) -> tuple[Preview | None, RequestError | None]:
    """The preview of what was typed: none where nothing states an interest yet, or what is wrong with it."""
    if not typed.says_something:
        return None, None
    try:
        wanted, per_day = typed.interests(), typed.daily()
        found = errands.preview(
            service,
            wanted,
            per_day=per_day,
            days=DAYS,
            examples=examples,
            reasons=PREVIEWED,
            parts=_PARTS,
        )
        return found, None
    except RequestError as exc:
        return None, exc


def form_values(service: Service, draft: Draft, *, seek: bool, examples: Examples = ()) -> dict[str, object]:
    """What every page with the profile form needs; ``seek`` computes the preview with it."""
    typed = draft.typed
    found, fault = seen(service, typed, examples) if seek else (None, None)
    byline = {"byline": "Your name, as an author, or your ORCID iD"} if service.orcid.address else {}
    return {
        "typed": typed, "found": found, "error": draft.error or fault, "labels": LABELS | byline,
        "zones": time_zones(), "days": DAYS, "chips": chips(service, typed, found), "note": draft.note,
        "bylined": draft.bylined, "previewed": PREVIEWED,
    }  # fmt: skip


def fragment(web: Web, draft: Draft, address: str, examples: Examples = ()) -> HTMLResponse:
    """Chips and preview of a form for the script; chips send their drafts to ``address``."""
    found, fault = seen(web.service, draft.typed, examples)
    return web.page(
        "draft.html", typed=draft.typed, found=found, error=draft.error or fault, days=DAYS,
        chips=chips(web.service, draft.typed, found), draft=address, previewed=PREVIEWED,
    )  # fmt: skip


@cache
def time_zones() -> dict[str, list[tuple[str, str]]]:
    """Every time zone that a person would choose, as (name, shown) by region."""
    zones: dict[str, list[tuple[str, str]]] = {}
    for name in sorted(available_timezones()):
        region, _, city = name.partition("/")
        if city and region in _REGIONS:
            zones.setdefault(region, []).append((name, city.replace("_", " ").replace("/", " / ")))
    return zones
