"""Ten papers to say yes or no to, for somebody who would rather point than tell."""

from __future__ import annotations

import numpy as np

from db import paper_store
from jobs import learning
from jobs.service import Service
from profiles.answers import Answers
from recommender import active
from recommender.interest import Interests, Judged
from recommender.paper import Paper
from recommender.ranking import DEFAULT, RANKERS
from recommender.ready import Ready

AT_ONCE = 10
DAYS = 7


def ask(service: Service, answers: Answers) -> list[Paper]:
    """The papers of the latest days whose answers tell most, given those so far; none when all were asked.

    Without any answer they are the same ten for everybody until other papers are on hand, so they are chosen
    once.
    """
    with service.database.reading() as session:
        week = service.shelf.latest(session, learning.edition(service, session), DAYS)
        fitted = learning.edition(service, session)
        known = paper_store.by_keys(session, {*answers.liked, *answers.refused})
    if not week.papers:
        return []
    interests = Interests(statement=answers.statement)
    judged = [
        Judged(known[key].paper, opinion)
        for keys, opinion in ((answers.liked, "like"), (answers.refused, "dislike"))
        for key in keys
        if key in known
    ]
    said = {*answers.liked, *answers.refused, *answers.passed}
    if not interests and not judged and not said:
        return [week.papers[row] for row in service.shelf.opened(week, _opening)]
    scores = None
    if interests or any(j.opinion == "like" for j in judged):
        view = week.to([interests])
        scores = view.scores(RANKERS[DEFAULT].learn(fitted, interests, judged).on(view.edition))
    asked = [row for row, paper in enumerate(week.papers) if paper.id in said]
    rows = active.ask(
        week.X[:, week.edition.text_columns], AT_ONCE, chance=np.random.default_rng(len(asked)),
        scores=scores, asked=asked,
    )  # fmt: skip
    return [week.papers[row] for row in rows]


def _opening(week: Ready) -> list[int]:
    return active.ask(week.X[:, week.edition.text_columns], AT_ONCE, chance=np.random.default_rng(0))
