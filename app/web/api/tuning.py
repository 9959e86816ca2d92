"""A profile changed by single things, and taken apart: what weighs in it, what other words would bring, and
whether it would have worked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import Field

from app.web import errands
from app.web.api.access import ACaller, AProfile
from app.web.api.edit_models import Edits, ProfileEdits
from app.web.api.fields import Model
from app.web.api.interests import previewed
from app.web.api.paper_models import ADays, AParts, PaperOut, PreviewOut
from app.web.api.problems import ProblemError, documented
from app.web.api.profile_models import ProfileOut, Wanted
from app.web.api.profiles import check_name
from app.web.pages import SHOWN_PARTS
from db import subscriber_store
from profiles import edits
from profiles.request import RequestError
from recommender import text

if TYPE_CHECKING:
    from jobs.alerts.digest import Item
    from jobs.backtest import Trial
    from jobs.preview import WhatIf as Compared

router = APIRouter(prefix="/profiles/{number}", tags=["profiles"])
_MINE = documented(401, 404, 422, 429)
_CHANGE = documented(401, 404, 409, 422, 429)
_BACKTEST: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "What was found, in numbers or as a plot",
        "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/Backtest"}},
            "image/svg+xml": {"schema": {"type": "string"}},
        },
    }
}


class Weight(Model):
    """A term that counts for a profile."""

    term: str
    weight: float = Field(description="What words and ratings made of it; below 0 it speaks against a paper")
    stated: float | None = Field(description="The weight that you stated; null: it is as learned")


class Placed(Model):
    """A paper that a change concerns."""

    paper: PaperOut
    score: float = Field(description="By the profile that brings it")
    strength: Literal["strong", "good", "near", "weak"]
    before: int | None = Field(description="Its place without the change, from 1; null: it is new")

    @classmethod
    def of(cls, item: Item, before: int | None) -> Placed:
        """An item of a preview."""
        return cls(paper=PaperOut.of(item.paper), score=item.score, strength=item.strength, before=before)


class WhatIf(Model):
    """What the latest days would bring with a change, and what they would no longer."""

    papers: list[Placed] = Field(description="Those that would come, best first")
    left: list[Placed] = Field(description="Those that would drop out")
    ranked: int = Field(description="How many papers were ranked")
    first: date | None = Field(
        description="The first day of announcements that was ranked; null: there is none"
    )
    last: date | None = Field(description="The last such day")

    @classmethod
    def of(cls, found: Compared) -> WhatIf:
        """Two previews compared."""
        before = {item.paper.id: place for place, item in enumerate(found.before.items, start=1)}
        after = found.after
        return cls(
            papers=[Placed.of(item, before.get(item.paper.id)) for item in after.items],
            left=[Placed.of(item, before[item.paper.id]) for item in found.left],
            ranked=after.ranked, first=after.first, last=after.last,
        )  # fmt: skip


class Tried(Model):
    """A paper that you liked or saved, ranked among those of its week by what was known of you before."""

    paper: str = Field(description="Its id")
    title: str
    opinion: Literal["like", "save"]
    rank: int = Field(description="From 1")
    of: int = Field(description="How many papers of its week were ranked")
    known: int = Field(description="From how many of your ratings and examples it was learned")

    @classmethod
    def tried(cls, trial: Trial) -> Tried:
        """A trial of a back-test."""
        opinion: Literal["like", "save"] = "save" if trial.opinion == "save" else "like"
        return cls(
            paper=trial.paper.id, title=trial.paper.title, opinion=opinion, rank=trial.rank, of=trial.of,
            known=trial.known,
        )  # fmt: skip


class Untried(Model):
    """Papers that could not be tried."""

    why: str
    papers: int


class Backtest(Model):
    """Whether the latest papers that you liked or saved would have been found."""

    sentence: str = Field(description="What it says")
    cut: int = Field(description="The first so many papers of a week count as found")
    within: int = Field(description="How many of those tried would have been found")
    by_chance: float = Field(description="How many chance would find")
    trials: list[Tried] = Field(description="The latest paper first")
    untried: list[Untried]


class Volume(Model):
    """How much a profile got lately, and what you said of it."""

    days: list[int] = Field(description="Papers in each of the last 30 spans of 24 hours, the latest last")
    liked: int = Field(description="Papers that you like")
    saved: int = Field(description="Papers that you keep")


@router.patch("", response_model=ProfileOut, responses=_CHANGE)
def change_profile(caller: ACaller, profile: AProfile, wanted: ProfileEdits) -> ProfileOut:
    """Change single things of a profile: what you leave out stays as it is."""
    web = caller.web
    with web.service.database.writing() as session:
        # Read again where nobody else can change it, so that two such changes at once are both made.
        held = subscriber_store.profile(session, profile.id, held=True)
        if held is None:
            raise ProblemError(404, f"You have no profile {profile.id}.")
        with _possible():
            changed = wanted.changed(held, caller.person.email)
        if changed.name != held.name:
            check_name(caller, changed.name, besides=held)
        if changed != held:
            subscriber_store.change_profile(session, changed, web.clock())
    return ProfileOut.of(changed, web.service.links)


@router.get("/weights", response_model=list[Weight], responses=_MINE)
def list_weights(
    caller: ACaller, profile: AProfile,
    limit: Annotated[int, Query(ge=1, le=200, description="Most terms in the answer")] = 24,
) -> list[Weight]:  # fmt: skip
    """The terms that weigh most in a profile, stated or learned, the strongest first."""
    stated = edits.strengths(profile.interests)
    found = errands.strongest(caller.web.service, profile, caller.web.clock(), at_most=limit)
    return [Weight(term=term, weight=weight, stated=stated.get(text.term(term))) for term, weight in found]


@router.post("/what-if", response_model=WhatIf, responses=_CHANGE)
def compare_profile(caller: ACaller, profile: AProfile, wanted: Edits, days: ADays = 7) -> WhatIf:
    """What the latest days would bring with these changes, beside what they bring now; nothing is stored."""
    caller.count("preview")
    web = caller.web
    with _possible():
        after = wanted.made(edits.Wanted(profile.interests, profile.per_day))
    return WhatIf.of(errands.what_if(web.service, profile, after, web.clock(), days=days))


@router.post("/preview", response_model=PreviewOut, responses=_MINE)
def preview_profile(
    caller: ACaller, profile: AProfile, wanted: Wanted, days: ADays = 7,
    parts: AParts = SHOWN_PARTS,
) -> PreviewOut:  # fmt: skip
    """What the profile would bring by this interest and its ratings so far; nothing is stored."""
    caller.count("preview")
    rated = errands.ratings(caller.web.service, profile, caller.web.clock())
    return previewed(caller, wanted.request(), days, parts, rated)


@router.get("/backtest", response_model=Backtest, responses=_BACKTEST | _MINE)
def backtest_profile(
    caller: ACaller, profile: AProfile,
    form: Annotated[Literal["json", "svg"], Query(alias="format", description="svg: a plot")] = "json",
) -> Backtest | Response:  # fmt: skip
    """Whether the papers that you liked or saved would have been found. It takes seconds, is computed when it
    is asked for, and one at a time."""
    caller.count("read")
    tested = errands.backtest(caller.web.service, profile)
    if form == "svg":
        if not tested.plot:
            raise ProblemError(404, tested.sentence)
        return Response(tested.plot, media_type="image/svg+xml")
    found = tested.found
    return Backtest(
        sentence=tested.sentence, cut=tested.cut, within=found.within(tested.cut),
        by_chance=found.by_chance(tested.cut), trials=[Tried.tried(trial) for trial in found.trials],
        untried=[Untried(why=why, papers=papers) for why, papers in found.untried.items()],
    )  # fmt: skip


@router.get("/volume", response_model=Volume, responses=_MINE)
def get_volume(caller: ACaller, profile: AProfile) -> Volume:
    """How much a profile brought lately."""
    found = errands.volumes(caller.web.service, [profile], caller.web.clock())[profile.id]
    return Volume(days=list(found.days), liked=found.liked, saved=found.saved)


@contextmanager
def _possible() -> Iterator[None]:
    """What cannot be made of the profile as it stands is a conflict; what is no edit at all stays a fault of
    the request."""
    try:
        yield
    except RequestError as exc:
        if exc.field not in {"add", "drop"}:
            raise
        raise ProblemError(409, str(exc), field=exc.field) from exc
