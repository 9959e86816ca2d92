"""Why a paper is shown: scores taken apart when somebody looks, never stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import cast

from numpy.typing import ArrayLike

from db.records import Pick, Stored
from db.session import Session
from jobs import learning
from jobs.alerts.digest import Item
from jobs.service import Service
from profiles.profile import Profile
from recommender.apart import TakenApart
from recommender.choosing import Strength
from recommender.explain import Explainer
from recommender.interest import Examples, Interests
from recommender.paper import Paper
from recommender.select import strength
from recommender.vectors import Edition
from recommender.weights import Weights


class Reasons:
    """Explains papers for one profile as its model stands now, each score in so many ``parts`` and the sum of
    the rest, or in all its parts."""

    def __init__(
        self, service: Service, session: Session, profile: Profile, now: datetime, parts: int | None = None
    ) -> None:
        self._parts = parts
        self._edition = learning.edition(service, session)
        self._weights = learning.weights_of(service, session, profile, now)
        self._interests = profile.interests
        self._examples = learning.examples(session, [profile], now)[profile.id]

    def items(self, picks: Sequence[Pick], papers: Mapping[int, Stored]) -> list[Item]:
        """The picked papers as readers see them, in their order; each with the reason and its parts."""
        chosen = [papers[p.paper].paper for p in picks]
        explained = explained_items(
            self._edition,
            self._weights,
            chosen,
            self._interests,
            self._examples,
            [cast(Strength, p.strength) for p in picks],
            self._parts,
        )
        return [
            replace(
                item,
                similar=tuple(papers[n].paper for n in pick.similar if n in papers),
                explore=pick.explore,
            )
            for item, pick in zip(explained, picks, strict=True)
        ]

    def item(self, paper: Paper, history: ArrayLike) -> Item:
        """Any paper, chosen or not, its strength measured against the profile's recent scores."""
        (item,) = explained_items(
            self._edition, self._weights, [paper], self._interests, self._examples, ["weak"], self._parts
        )
        return replace(item, strength=strength(item.score, history))


def explained_items(
    edition: Edition, weights: Weights, papers: Sequence[Paper], interests: Interests, examples: Examples,
    strengths: Sequence[Strength], parts: int | None = None,
) -> list[Item]:  # fmt: skip
    """These papers with score, reason and contributions (of more than ``parts`` the strongest and the sum of
    the rest); the strengths are as given."""
    if not papers:
        return []
    wide = edition.extended(papers, [interests])
    X = wide.transform(papers)
    explainer = Explainer(wide, weights.on(wide), examples, interests)
    found = explainer.explain_all(TakenApart(wide, X, papers), range(len(papers)), parts)
    return [
        Item(paper, why.score, word, why.reason, why.contributions)
        for paper, word, why in zip(papers, strengths, found, strict=True)
    ]
