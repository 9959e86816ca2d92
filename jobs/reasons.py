"""Why a paper is shown: scores taken apart when somebody looks, never stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from db import subscriber_store
from db.records import Pick, Stored
from db.session import Session
from jobs import learning
from jobs.alerts.digest import Item
from jobs.service import Service
from profiles.profile import Profile
from recommender.explain import explain
from recommender.interest import Examples, Interests
from recommender.paper import Paper
from recommender.select import Strength, strength
from recommender.vectors import Edition
from recommender.weights import Weights


class Explainer:
    """Explains papers for one profile as its model stands now."""

    def __init__(self, service: Service, session: Session, profile: Profile, now: datetime) -> None:
        shard = subscriber_store.with_revisions(session, [profile.id])
        found, _ = learning.weights(service, session, shard, now)
        self._edition = learning.edition(service, session)
        self._weights = found[profile.id]
        self._interests = profile.interests
        self._examples = learning.examples(session, [profile], now)[profile.id]

    def items(self, picks: Sequence[Pick], papers: Mapping[int, Stored]) -> list[Item]:
        """The picked papers as readers see them, in their order; each with the reason and its parts."""
        chosen = [papers[p.paper].paper for p in picks]
        explained = explained_items(
            self._edition, self._weights, chosen, self._interests, self._examples, [p.strength for p in picks]
        )
        return [
            Item(
                item.paper, item.score, item.strength, item.reason, item.contributions,
                tuple(papers[n].paper for n in pick.similar if n in papers), pick.explore,
            )
            for item, pick in zip(explained, picks, strict=True)
        ]  # fmt: skip

    def item(self, paper: Paper, history: Sequence[float]) -> Item:
        """Any paper, chosen or not, its strength measured against the profile's recent scores."""
        (item,) = explained_items(self._edition, self._weights, [paper], self._interests, self._examples, ["weak"])
        word = strength(item.score, history)
        return Item(paper, item.score, word, item.reason, item.contributions)


def explained_items(
    edition: Edition, weights: Weights, papers: Sequence[Paper], interests: Interests, examples: Examples,
    strengths: Sequence[Strength],
) -> list[Item]:  # fmt: skip
    """These papers with score, reason and contributions; the strengths are as given."""
    if not papers:
        return []
    wide = edition.extended(papers, [interests])
    X = wide.transform(papers)
    here = weights.on(wide)
    items = []
    for row, (paper, word) in enumerate(zip(papers, strengths, strict=True)):
        found = explain(wide, here, X[row], paper, examples)
        items.append(Item(paper, found.score, word, found.reason, found.contributions))
    return items
