"""What a reader would get: the latest days on hand, ranked for interests that need not be stored."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from db import paper_store
from jobs import learning
from jobs.alerts.digest import Item
from jobs.reasons import explained_items
from jobs.service import Service
from recommender import select
from recommender.interest import Examples, Interests, Judged
from recommender.ranking import DEFAULT, RANKERS

# As many papers as a busy week of all arXiv; what is older than the newest so many is not previewed.
_AT_MOST = 10_000


@dataclass(frozen=True, slots=True)
class Preview:
    """The papers that would be chosen, best first, the near misses, and of how many of which days."""

    items: tuple[Item, ...]
    near: tuple[Item, ...]
    ranked: int
    first: date | None
    last: date | None


def preview(
    service: Service,
    interests: Interests,
    *,
    per_day: int,
    days: int = 7,
    examples: Examples = (),
) -> Preview:
    """Rank the papers of the latest ``days`` announcement days on hand; nothing is stored.

    ``examples`` are judged papers beside the seed papers that ``interests`` name.
    """
    with service.database.reading() as session:
        found = paper_store.recent(session, days=days, at_most=_AT_MOST)
        seeds = paper_store.by_keys(session, interests.seeds)
        edition = learning.edition(service, session)
    judged = [*examples, *(Judged(seeds[key].paper, "seed") for key in interests.seeds if key in seeds)]
    papers = [s.paper for s in found]
    shown = sorted({p.announced for p in papers if p.announced})
    if not papers or not interests:
        return Preview((), (), len(papers), shown[0] if shown else None, shown[-1] if shown else None)
    wide = edition.extended(papers, [interests])
    X = wide.transform(papers)
    weights = RANKERS[DEFAULT].learn(edition, interests, judged)
    scores = weights.on(wide).scores(X)
    seen = frozenset(j.paper.id for j in judged)
    chosen = select.choose(
        papers,
        scores,
        limit=per_day * max(1, len(shown)),
        mutes=interests.mutes,
        seen=seen,
        X=X[:, wide.text_columns],
    )
    best = [papers[c.paper] for c in chosen.chosen]
    near = [papers[c.paper] for c in chosen.near]
    items = explained_items(edition, weights, best, interests, judged, [c.strength for c in chosen.chosen])
    close = explained_items(edition, weights, near, interests, judged, ["near"] * len(near))
    return Preview(
        tuple(items), tuple(close), len(papers), shown[0] if shown else None, shown[-1] if shown else None
    )
