"""Pointing instead of telling: ten papers to say yes or no to, and a profile from the answers."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from starlette.datastructures import FormData

from app.web import errands
from app.web.context import AForm, AWeb, Web
from app.web.draft import Draft
from app.web.home import show_home
from app.web.mine import form, mine
from app.web.typed import Typed
from profiles.answers import MOST, Answers
from profiles.request import LONGEST

router = APIRouter(include_in_schema=False)


@router.get("/pick")
def begin(web: AWeb, statement: str = "") -> HTMLResponse:
    """Ten papers of the last days, for somebody who is new here."""
    return _page(web, Answers(statement[: LONGEST["statement"]]), "/pick")


@router.post("/pick")
def go_on(web: AWeb, fields: AForm) -> HTMLResponse:
    """Ten more, chosen by the answers, or the subscribe form with what was liked."""
    answers = _answers(fields)
    if fields.get("act") == "more":
        return _page(web, answers, "/pick")
    if not answers.liked:
        return _page(web, answers, "/pick", fault=True)
    return show_home(web, _draft(answers), seek=True)


@router.get("/preferences/{token}/pick")
def begin_mine(web: AWeb, token: str) -> HTMLResponse:
    """Ten papers of the last days, for a further profile."""
    mine(web, token)
    return _page(web, Answers(), f"/preferences/{token}/pick")


@router.post("/preferences/{token}/pick")
def go_on_mine(web: AWeb, token: str, fields: AForm) -> HTMLResponse:
    """Ten more, or the form of a new profile with what was liked."""
    me = mine(web, token)
    answers = _answers(fields)
    if fields.get("act") == "more":
        return _page(web, answers, f"/preferences/{token}/pick")
    if not answers.liked:
        return _page(web, answers, f"/preferences/{token}/pick", fault=True)
    return form(web, me, None, _draft(answers), seek=True)


def _page(web: Web, answers: Answers, action: str, *, fault: bool = False) -> HTMLResponse:
    papers = errands.ask_ten(web.service, answers)
    return web.page(
        "pick.html", 422 if fault else 200, papers=papers, answers=answers, fault=fault,
        action=web.pages.prefix + action,
    )  # fmt: skip


def _answers(fields: FormData) -> Answers:
    """All answers so far: those that the form carries along, and those just given."""
    held = {name: str(fields.get(name, "")).split() for name in ("liked", "refused", "passed")}
    for at in range(20):
        key, said = str(fields.get(f"paper{at}", "")).strip(), str(fields.get(f"say{at}", ""))
        if key and not key.isspace():
            held[{"like": "liked", "no": "refused"}.get(said, "passed")].append(key)
    liked, refused, passed = (tuple(dict.fromkeys(keys))[:MOST] for keys in held.values())
    return Answers(str(fields.get("statement", ""))[: LONGEST["statement"]], liked, refused, passed)


def _draft(answers: Answers) -> Draft:
    likes = "\n".join(key.removeprefix("arxiv:").removeprefix("doi:") for key in answers.liked)
    many = len(answers.liked)
    papers = "One paper that you like stands" if many == 1 else f"{many} papers that you like stand"
    note = f"{papers} in this form. Add words if you wish, and choose how it reaches you."
    return Draft(Typed(statement=answers.statement, likes=likes), note)
