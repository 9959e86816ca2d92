"""The front page: say what you work on, see what you would get, subscribe."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from fastapi import APIRouter, BackgroundTasks
from fastapi.responses import HTMLResponse, RedirectResponse

from app.web import errands
from app.web.context import AForm, AWeb, Web
from app.web.forms import DAYS, Typed, form_values, seen
from db import subscriber_store
from profiles.profile import Profile
from profiles.request import RequestError

router = APIRouter(include_in_schema=False)

EXAMPLES = (
    ("LLM serving", "KV cache and speculative decoding for LLM inference"),
    ("Robot learning", "Learning dexterous manipulation from human video"),
    ("Lattices", "Lattice-based cryptography and post-quantum signatures"),
)
_SHOWN_ON_THIS_MACHINE = 6


@router.get("/")
def home(web: AWeb, later: BackgroundTasks, statement: str = "") -> HTMLResponse:
    """The subscribe page; an address may bring a statement along."""
    # Whoever opens the form will type in it soon.
    later.add_task(errands.warm, web.service, DAYS)
    return _home(web, Typed(statement=statement[:5_000]), seek=bool(statement.strip()))


@router.post("/preview")
def show_preview(web: AWeb, fields: AForm) -> HTMLResponse:
    """What this form would have brought: a fragment for the script, else the page with the form as it was."""
    typed = Typed.of(fields)
    if "fragment" not in fields:
        return _home(web, typed, seek=True)
    found, error = seen(web.service, typed)
    return web.page("preview.html", typed=typed, found=found, error=error, days=DAYS)


@router.post("/subscribe", response_model=None)
def start(web: AWeb, fields: AForm, later: BackgroundTasks) -> HTMLResponse | RedirectResponse:
    """Subscribe. The answer is the same whether or not the address is known here."""
    typed = Typed.of(fields)
    now = web.clock()
    try:
        wanted = typed.request()
    except RequestError as exc:
        return _home(web, typed, seek=typed.says_something, error=exc, status=422)
    if not wanted.email:
        profile = errands.open_feed(web.service, wanted, now)
        return RedirectResponse(_own_page(web, profile, now) + "?done=subscribed", 303)
    # A known address may have a profile of this name. Saying so here would tell strangers who reads; the mail
    # below takes its owner to the profile.
    with suppress(RequestError):
        errands.subscribe(web.service, wanted, now)
    errands.write_to(web.service, wanted.email, now)
    if web.settings.outbox_is_shown:
        # On this machine mail only goes to a folder; nobody should wait for the scheduler to tick.
        later.add_task(errands.send_due, web.service, now)
    return RedirectResponse(f"{web.pages.prefix}/subscribed", 303, background=later)


@router.get("/subscribed")
def subscribed(web: AWeb) -> HTMLResponse:
    """Check your mail."""
    return web.page("check_mail.html", kind="confirmation")


def _home(
    web: Web, typed: Typed, *, seek: bool, error: RequestError | None = None, status: int = 200
) -> HTMLResponse:
    return web.page(
        "home.html", status, **form_values(web.service, typed, seek=seek, error=error), examples=EXAMPLES,
        here=_on_this_machine(web),
    )  # fmt: skip


def _own_page(web: Web, profile: Profile, now: datetime) -> str:
    return web.pages.local(web.service.links.preferences(profile.subscriber_id, now))


def _on_this_machine(web: Web) -> list[tuple[str, str, str]] | None:
    """Profiles on a machine of one's own, as (name, page, feed); None where others may be looking."""
    if not web.settings.outbox_is_shown:
        return None
    with web.service.database.reading() as session:
        profiles = [p for p, _ in subscriber_store.active_profiles(session, at_most=_SHOWN_ON_THIS_MACHINE)]
    now = web.clock()
    return [
        (
            p.name,
            f"{_own_page(web, p, now)}?profile={p.id}",
            web.pages.local(web.service.links.feed(p.feed_token)),
        )
        for p in profiles
    ]
