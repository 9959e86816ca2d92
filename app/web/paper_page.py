"""A paper's own page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from app.web import errands
from app.web.context import AWeb, NoPageError, Web
from app.web.mine import mine, opinions_of
from app.web.pages import SHOWN_PARTS
from app.web.search import CACHED
from db import label_store, paper_store
from db.records import Revision, Shown, Stored
from jobs.alerts.digest import Item
from jobs.alerts.exports import FORMS
from jobs.alerts.readable import readable
from jobs.revisions import Segment, diff
from profiles.profile import Profile
from recommender import labels
from recommender.labels import Kind
from recommender.paper import Paper

router = APIRouter(include_in_schema=False)

_SIMILAR = 5
# Words that are compared; a longer text is no abstract, and comparing takes the square of the time.
_COMPARED = 1_500


@dataclass(frozen=True, slots=True)
class Change:
    """What an earlier version said, and how the next one, ``to`` (None where it has no number), differs."""

    old: Revision
    to: int | None
    title: list[Segment]
    abstract: list[Segment]


@router.get("/papers/{key:path}", response_model=None)
def paper(web: AWeb, key: str, form: Annotated[str, Query(alias="as")] = "") -> Response:
    """Everything that is known of a paper; another of its keys leads to the one that it goes by.

    With ``as`` the paper comes in one of the forms for other programs, such as bibtex.
    """
    found = _found(web, key)
    if form in FORMS:
        made = FORMS[form]
        headers = {"content-disposition": f'attachment; filename="paper.{made.suffix}"'} | CACHED
        return Response(made.render([found.paper]), media_type=made.content_type, headers=headers)
    if found.paper.id != key:
        return RedirectResponse(web.pages.paper_page(found.paper), 307)
    response = _page(web, found)
    # Nothing private stands here, so that going back and forth need not load it again.
    response.headers.update(CACHED)
    return response


@router.get("/preferences/{token}/papers/{key:path}")
def mine_of(web: AWeb, token: str, key: str, profile: int | None = None) -> HTMLResponse:
    """The same for a reader, with why it is, or is not, for one of their profiles."""
    me = mine(web, token)
    if not me.profiles:
        raise NoPageError("You have no profile yet, so there is nothing to explain.")
    chosen = me.profile(profile)
    found = _found(web, key)
    item = errands.explained(web.service, chosen, found, web.clock(), SHOWN_PARTS)
    return _page(web, found, item=item, profile=chosen, token=token, opinions=opinions_of(web, [chosen]))


def _found(web: Web, key: str) -> Stored:
    with web.service.database.reading() as session:
        found = errands.paper(session, key)
    if found is None:
        raise NoPageError("This paper is not on hand here. It may have been known under another id.")
    return found


def _page(
    web: Web, found: Stored, *, item: Item | None = None, profile: Profile | None = None, token: str = "",
    opinions: Mapping[tuple[int, str], str] = MappingProxyType({}),
) -> HTMLResponse:  # fmt: skip
    with web.service.database.reading() as session:
        changes = _changes(found.paper, paper_store.revisions(session, found.number))
        shown = paper_store.shown_by(session, found.number)
        guesses = label_store.guesses(session, [found.number]).get(found.number, ())
    similar = errands.similar(web.service, found, at_most=_SIMILAR)
    return web.page(
        "paper.html", paper=found.paper, changes=changes, shown=_first_showings(shown), guesses=guesses,
        similar=similar, filed=_filed(found.paper), item=item, profile=profile, token=token,
        opinions=opinions,
    )  # fmt: skip


def _changes(paper: Paper, revisions: Sequence[Revision]) -> list[Change]:
    """What each version changed, the latest first."""
    if not revisions:
        return []
    later = [(r.version, r.title, r.abstract) for r in revisions[1:]]
    later.append((paper.version or 0, paper.title, paper.abstract))
    changes = [
        Change(old, version or None, _compared(old.title, title), _compared(old.abstract, abstract))
        for old, (version, title, abstract) in zip(revisions, later, strict=True)
    ]
    return changes[::-1]


def _compared(old: str, new: str) -> list[Segment]:
    old, new = readable(old), readable(new)
    if max(len(old.split()), len(new.split())) > _COMPARED:
        return [Segment("same", new)]
    return diff(old, new)


def _first_showings(shown: Sequence[Shown]) -> list[Shown]:
    """Each source once for each version: a cross-list of the same version says nothing new."""
    found: dict[tuple[str, int | None], Shown] = {}
    for one in shown:
        found.setdefault((one.source, one.version), one)
    return list(found.values())


def _filed(paper: Paper) -> dict[Kind, list[str]]:
    """What the paper is filed under by its sources."""
    found: dict[Kind, list[str]] = {}
    for label in labels.labels_of(paper):
        found.setdefault(label.kind, []).append(label.name)
    return found
