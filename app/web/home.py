"""The front page: say what you work on, see what you would get, subscribe."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from fastapi import APIRouter, BackgroundTasks
from fastapi.responses import HTMLResponse, RedirectResponse

from app.web import errands
from app.web.context import AForm, AWeb, Web
from app.web.draft import Draft, drafted
from app.web.forms import DAYS, form_values, fragment
from app.web.typed import Typed
from db import label_store, subscriber_store
from profiles.profile import Profile
from profiles.request import RequestError

router = APIRouter(include_in_schema=False)

EXAMPLES = (
    ("LLM serving", "KV cache and speculative decoding for LLM inference"),
    ("Robot learning", "Learning dexterous manipulation from human video"),
    ("Lattices", "Lattice-based cryptography and post-quantum signatures"),
)
_SHOWN_ON_THIS_MACHINE = 6
_TOPICS = 8
_TOPIC_DAYS = 30


@router.get("/")
def home(web: AWeb, later: BackgroundTasks, statement: str = "") -> HTMLResponse:
    """The subscribe page; an address may bring a statement along."""
    # Whoever opens the form will type in it soon.
    later.add_task(errands.warm, web.service, DAYS)
    return show_home(web, Draft(Typed(statement=statement[:5_000])), seek=bool(statement.strip()))


@router.post("/preview")
def show_preview(web: AWeb, fields: AForm) -> HTMLResponse:
    """What this form would have brought: a fragment for the script, else the page with the form as it was."""
    draft = drafted(web.service, fields)
    if "fragment" not in fields:
        return show_home(web, replace(draft, typed=draft.typed.sorted()), seek=True)
    return fragment(web, draft, f"{web.pages.prefix}/preview#interests")


@router.post("/read")
def bring(web: AWeb, fields: AForm) -> HTMLResponse:
    """The form with a library read into it, or with papers by an author to tick; nothing is stored."""
    draft = drafted(web.service, fields, brings=True)
    return show_home(web, draft, seek=True, status=422 if draft.error else 200)


@router.post("/subscribe", response_model=None)
def start(web: AWeb, fields: AForm, later: BackgroundTasks) -> HTMLResponse | RedirectResponse:
    """Subscribe. The answer is the same whether or not the address is known here."""
    draft = drafted(web.service, fields)
    typed = draft.typed
    now = web.clock()
    try:
        if draft.error:
            raise draft.error
        wanted = typed.request()
    except RequestError as exc:
        return show_home(web, replace(draft, error=exc), seek=typed.says_something, status=422)
    if not wanted.email:
        profile = errands.open_feed(web.service, wanted, now)
        return RedirectResponse(_own_page(web, profile, now) + "?done=subscribed", 303)
    errands.begin(web.service, wanted, now, later)
    errands.send_soon(web, later, now)
    return RedirectResponse(f"{web.pages.prefix}/subscribed", 303, background=later)


@router.get("/erased")
def erased(web: AWeb) -> HTMLResponse:
    """Everything is forgotten."""
    return web.page("erased.html")


@router.get("/subscribed")
def subscribed(web: AWeb) -> HTMLResponse:
    """Check your mail."""
    return web.page("check_mail.html", kind="confirmation")


def show_home(web: Web, draft: Draft, *, seek: bool, status: int = 200) -> HTMLResponse:
    """The subscribe page with the form as it stands; ``seek`` computes its preview."""
    return web.page(
        "home.html", status, **form_values(web.service, draft, seek=seek), examples=EXAMPLES,
        here=_on_this_machine(web), topics=_topics(web) if not seek else [],
    )  # fmt: skip


def _topics(web: Web) -> list[str]:
    """What many of the latest papers are about, to begin with."""
    since = (web.clock() - timedelta(days=_TOPIC_DAYS)).date()
    with web.service.database.reading() as session:
        found = label_store.most_used(session, "topic", since, at_most=_TOPICS)
    return [counted.label.name for counted in found]


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
