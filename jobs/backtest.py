"""Would the papers that a reader liked have been found? Each is ranked by what was known before it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from db import paper_store, subscriber_store, week_store
from db.session import Session
from jobs import learning
from jobs.service import Service
from profiles.feedback import Feedback, current
from profiles.profile import Profile
from recommender.interest import Interests, Judged
from recommender.mutes import Filter
from recommender.paper import Paper
from recommender.ranking import DEFAULT, RANKERS
from recommender.vectors import Edition, Matrix

CUT = 20
FEW = 5
"""With fewer papers than this a back-test says little."""
_AT_MOST = 10_000  # papers of one week


@dataclass(frozen=True, slots=True)
class Trial:
    """A liked or saved paper and the ``rank`` (from 1) that it would have had among the ``of`` papers of its
    week on hand, learned from ``known`` judged papers and what the profile states."""

    paper: Paper
    opinion: str
    rank: int
    of: int
    known: int


@dataclass(frozen=True, slots=True)
class Backtest:
    """The trials of one profile, newest paper first, and how many liked papers were not tried, by reason."""

    trials: tuple[Trial, ...]
    untried: Mapping[str, int] = field(default_factory=dict)

    def within(self, cut: int = CUT) -> int:
        """How many would have been among the first ``cut`` of their week."""
        return sum(trial.rank <= cut for trial in self.trials)

    def by_chance(self, cut: int = CUT) -> float:
        """How many would be expected there if papers were shuffled."""
        return sum(min(1.0, cut / trial.of) for trial in self.trials)


def backtest(service: Service, profile: Profile, *, at_most: int = 50) -> Backtest:
    """Try the newest ``at_most`` papers that the profile's reader liked or saved.

    For each of them the model is learned from what the reader had said by then about papers of earlier
    days; then the paper is ranked among all papers of its ISO week that are on hand. Statement, terms and
    other stated interests count as they are today, since edits are not dated, and so do the document
    frequencies.
    """
    with service.database.reading() as session:
        events = subscriber_store.feedback(session, [profile.id]).get(profile.id, [])
        liked = {k: e for k, e in current(events).items() if e.opinion in {"like", "save"}}
        keys = {event.paper_id for event in events} | set(profile.interests.seeds)
        papers = {key: s.paper for key, s in paper_store.by_keys(session, keys).items()}
        past = _Past(profile.interests, events, papers)
        fitted = learning.edition(service, session)
        dated = [key for key in liked if key in papers and papers[key].announced]
        dated.sort(key=lambda key: (papers[key].announced or date.min, key), reverse=True)
        untried = Counter({"no announcement day is known": len(liked) - len(dated)})
        untried["older than those tried"] = max(0, len(dated) - at_most)
        trials = []
        weeks = _Weeks(session, fitted, profile.interests)
        for key in dated[:at_most]:
            trial = _trial(weeks, past, papers[key], liked[key])
            if isinstance(trial, Trial):
                trials.append(trial)
            else:
                untried[trial] += 1
    return Backtest(tuple(trials), {why: n for why, n in sorted(untried.items()) if n})


def sentence(found: Backtest, cut: int = CUT) -> str:
    """What the back-test says, in one sentence; where it says little, why."""
    tried = len(found.trials)
    if not tried:
        why = "; ".join(f"{n} {_papers(n)}: {reason}" for reason, n in found.untried.items())
        return "No liked or saved paper can be tried yet" + (
            f" ({why})." if why else ": rate papers, and look again after a few weeks."
        )
    opinions = {trial.opinion for trial in found.trials}
    kind = "saved" if opinions == {"save"} else "liked" if opinions == {"like"} else "liked and saved"
    hits = found.within(cut)
    text = (
        f"{hits} of your {tried} {kind} {_papers(tried)} would have been in the top {cut} of "
        f"{'its' if tried == 1 else 'their'} week; by chance it would be {found.by_chance(cut):.1f}."
    )
    return text + (" That is too few to say much." if tried < FEW else "")


def _papers(number: int) -> str:
    return "paper" if number == 1 else "papers"


@dataclass(frozen=True, slots=True)
class _Past:
    """What the reader said, to be looked at as of any paper."""

    interests: Interests
    events: Sequence[Feedback]
    papers: Mapping[str, Paper]

    def before(self, paper: Paper, event: Feedback) -> tuple[Interests, list[Judged]]:
        """The interests and the judged papers as they were before ``paper`` came and was rated."""
        day = paper.announced or event.at.date()
        earlier = [
            e for e in self.events if e.at <= event.at and e.paper_id in self.papers and self._day(e) < day
        ]
        rated = current(earlier)
        seeds = [
            key
            for key in self.interests.seeds
            if key in self.papers and (self.papers[key].announced or date.min) < day
        ]
        judged = [Judged(self.papers[key], "seed") for key in seeds if self.papers[key].id not in rated]
        judged += [
            Judged(self.papers[key], e.opinion, (event.at - e.at).total_seconds() / 86_400)
            for key, e in rated.items()
        ]
        return replace(self.interests, seeds=tuple(seeds)), judged

    def _day(self, event: Feedback) -> date:
        return self.papers[event.paper_id].announced or event.at.date()


@dataclass(frozen=True, slots=True)
class _Week:
    """The papers of one week that the profile does not mute, as vectors of ``edition``."""

    papers: Sequence[Paper]
    edition: Edition
    X: Matrix


@dataclass(slots=True)
class _Weeks:
    """Weeks of papers, read and made vectors when first asked for; the latest one is kept."""

    session: Session
    fitted: Edition
    interests: Interests
    monday: date | None = None
    held: _Week | None = None

    def of(self, day: date) -> _Week:
        """The week of ``day``; asked for day by day in order, so that one at a time is enough."""
        monday = day - timedelta(days=day.weekday())
        if self.held is None or monday != self.monday:
            found = week_store.announced(self.session, monday, monday + timedelta(days=6), at_most=_AT_MOST)
            muted = Filter.of(self.interests.mutes)
            papers = [s.paper for s in found]
            if self.interests.mutes:
                papers = [paper for paper in papers if not muted.reason(paper)]
            wide = self.fitted.extended(papers, [self.interests])
            self.monday, self.held = monday, _Week(papers, wide, wide.transform(papers))
        return self.held


def _trial(weeks: _Weeks, past: _Past, paper: Paper, event: Feedback) -> Trial | str:
    """The trial of one paper, or why there can be none."""
    interests, judged = past.before(paper, event)
    if not interests and not any(j.opinion in {"like", "save", "seed"} for j in judged):
        return "nothing was known before"
    week = weeks.of(paper.announced or event.at.date())
    at = next((row for row, other in enumerate(week.papers) if other.id == paper.id), None)
    if at is None:
        return "it is muted, withdrawn or a replacement"
    if len(week.papers) == 1:
        return "alone in its week"
    weights = RANKERS[DEFAULT].learn(weeks.fitted, interests, judged)
    scores = weights.on(week.edition).scores(week.X)
    seen = {j.paper.id for j in judged}
    others = np.array([row != at and other.id not in seen for row, other in enumerate(week.papers)])
    rank = _rank(scores, at, others, [other.id for other in week.papers])
    return Trial(paper, event.opinion, rank, int(others.sum()) + 1, len(judged))


def _rank(scores: NDArray[np.float64], at: int, others: NDArray[np.bool_], ids: Sequence[str]) -> int:
    """The rank of the paper at ``at`` among ``others``, ties by id; the last where it scores nothing, since
    what scores nothing is never shown."""
    if scores[at] <= 0:
        return int(others.sum()) + 1
    tied = sum(ids[row] < ids[at] for row in np.flatnonzero(others & (scores == scores[at])).tolist())
    return 1 + int((others & (scores > scores[at])).sum()) + tied
