"""What a reader would get: the latest days on hand, ranked for interests that need not be stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime

from scipy import sparse

from db import paper_store
from db.session import Session
from jobs import learning
from jobs.alerts.digest import Item
from jobs.service import Service
from profiles.edits import Wanted
from profiles.profile import Profile
from recommender import select, text
from recommender.apart import TakenApart
from recommender.dial import Recent
from recommender.explain import Explainer
from recommender.heard import heard
from recommender.interest import Examples, Interests, Judged
from recommender.ranking import DEFAULT, RANKERS, Weights
from recommender.ready import Ready
from recommender.vectors import Edition


@dataclass(frozen=True, slots=True)
class Preview:
    """The papers that would be chosen, best first, the near misses, and of how many of which days.

    Each has its score; whether it has its reason too is up to who asked. ``heard`` are the phrases that the
    statement was heard to say and that are no stated terms.
    """

    items: tuple[Item, ...]
    near: tuple[Item, ...]
    ranked: int
    first: date | None
    last: date | None
    heard: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Move:
    """A paper that both previews hold, with its place in each, from 1; ``places`` up are positive."""

    item: Item
    before: int
    after: int

    @property
    def places(self) -> int:
        """How far it rises; negative where it sinks."""
        return self.before - self.after


@dataclass(frozen=True, slots=True)
class WhatIf:
    """The same days before and after an edit: what comes in, what drops out, and what stays or moves.

    ``came`` and ``stayed`` are in the order of ``after``, ``left`` is in that of ``before``.
    """

    before: Preview
    after: Preview
    came: tuple[Item, ...]
    left: tuple[Item, ...]
    stayed: tuple[Move, ...]


def warm(service: Service, *, days: int = 7) -> None:
    """Read the latest days, so that the first preview need not wait for it.

    Previewing a word loads all else that is loaded once, such as the terms that go together.
    """
    with service.database.reading() as session:
        if service.shelf.is_fresh(session, learning.edition(service, session), days):
            return
    preview(service, Interests(statement="papers"), per_day=1, days=days)


def preview(
    service: Service,
    interests: Interests,
    *,
    per_day: int,
    days: int = 7,
    examples: Examples = (),
    reasons: int | None = None,
    parts: int | None = None,
) -> Preview:
    """Rank the papers of the latest ``days`` announcement days on hand; nothing is stored.

    ``examples`` are judged papers beside the seed papers that ``interests`` name. Only the first so many
    ``reasons`` are worked out, if a number is given, and of each score so many ``parts`` and their rest.
    """
    with service.database.reading() as session:
        asked = {Wanted(interests, per_day): None}
        return _previews(service, session, asked, days, examples, reasons, parts)[0]


def what_if(
    service: Service, profile: Profile, after: Wanted, now: datetime, *, days: int = 7,
    reasons: int | None = None,
) -> WhatIf:  # fmt: skip
    """What the latest ``days`` announcement days would have brought the profile as it is, and as ``after``.

    What its reader rated counts in both; rated papers are in neither. ``reasons`` are as in `preview`.
    """
    before = Wanted(profile.interests, profile.per_day)
    with service.database.reading() as session:
        rated = [j for j in learning.examples(session, [profile], now)[profile.id] if j.opinion != "seed"]
        known = learning.weights_of(service, session, profile, now)
        asked = dict.fromkeys((before, after)) | {before: known}
        found = _previews(service, session, asked, days, rated, reasons)
    return compared(found[0], found[-1])


def compared(before: Preview, after: Preview) -> WhatIf:
    """What differs between two previews of the same days."""
    was = {item.paper.id: place for place, item in enumerate(before.items, start=1)}
    now = {item.paper.id for item in after.items}
    return WhatIf(
        before,
        after,
        tuple(item for item in after.items if item.paper.id not in was),
        tuple(item for item in before.items if item.paper.id not in now),
        tuple(
            Move(item, was[item.paper.id], place)
            for place, item in enumerate(after.items, start=1)
            if item.paper.id in was
        ),
    )


def _previews(
    service: Service, session: Session, asked: Mapping[Wanted, Weights | None], days: int, rated: Examples,
    reasons: int | None, parts: int | None = None,
) -> list[Preview]:  # fmt: skip
    """One preview for each of the interests asked about, with their weights where they were learned before;
    the papers are read and made vectors once."""
    seeds = paper_store.by_keys(session, {key for wanted in asked for key in wanted.interests.seeds})
    fitted = learning.edition(service, session)
    week = service.shelf.latest(session, fitted, days)
    known = {j.paper.id for j in rated}
    found = []
    for wanted, weights in asked.items():
        named = [seeds[key].paper for key in wanted.interests.seeds if key in seeds]
        # In the order of `learning.examples`, so that the same interests are learned to the last digit.
        judged = [*(Judged(paper, "seed") for paper in named if paper.id not in known), *rated]
        found.append(_preview(week, fitted, wanted, judged, weights, reasons, parts))
    return found


def _preview(
    week: Ready, fitted: Edition, wanted: Wanted, judged: Examples, weights: Weights | None,
    reasons: int | None, parts: int | None,
) -> Preview:  # fmt: skip
    """What these interests would have brought. Nothing states or shows an interest: nothing comes."""
    interests = wanted.interests
    first, last = (week.dates[0], week.dates[-1]) if week.dates else (None, None)
    if not week.papers or not (interests or judged):
        return Preview((), (), len(week.papers), first, last)
    stated = {text.term(term) for term, _ in interests.terms}
    phrases = tuple(term for term in heard(fitted, interests.statement) if text.term(term) not in stated)
    view = week.to([interests])
    weights = (weights or RANKERS[DEFAULT].learn(fitted, interests, judged)).on(view.edition)
    scores = view.scores(weights)
    seen = frozenset(j.paper.id for j in judged)
    days = max(1, len(week.dates))
    # What was judged sets no mark: it is what the model was learned from.
    known = Recent.of(scores[[p.id not in seen for p in week.papers]], len(week.papers), days)
    chosen = select.choose(
        week.papers,
        scores,
        limit=wanted.per_day * days,
        mutes=interests.mutes,
        seen=seen,
        cut=known.cut(wanted.per_day),
        X=week.likeness,
        history=known.scores,
    )
    explainer = Explainer(view.edition, weights, judged, interests)
    shown = [*((c, c.strength) for c in chosen.chosen), *((c, "near") for c in chosen.near)]
    items = [
        Item(
            week.papers[choice.paper], float(scores[choice.paper]), strength, "",
            similar=tuple(week.papers[at] for at in choice.similar),
        )
        for choice, strength in shown
    ]  # fmt: skip
    if explained := [choice.paper for choice, _ in shown[:reasons]]:
        X = sparse.csr_matrix(sparse.vstack([view.row(at) for at in explained]))
        apart = TakenApart(view.edition, X, [week.papers[at] for at in explained])
        for at, why in enumerate(explainer.explain_all(apart, range(len(explained)), parts)):
            items[at] = replace(
                items[at], score=why.score, reason=why.reason, contributions=why.contributions
            )
    many = len(chosen.chosen)
    return Preview(tuple(items[:many]), tuple(items[many:]), len(week.papers), first, last, phrases)
