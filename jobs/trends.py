"""What rises: topics, categories and terms of a month against the three before, worked out at night."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from db import index_store, label_store, trend_store
from db.session import Session
from jobs import due, learning
from jobs.service import Service
from recommender import trends
from recommender.labels import Kind
from recommender.paper import Paper
from recommender.trends import Rise
from recommender.vectors import Edition

LATELY = 28
BEFORE = 91
WEEKS = (LATELY + BEFORE) // 7
# Under so many papers on either side nothing is said: a single digest would make its subject rise.
ENOUGH = (200, 500)
_AT_LEAST = {"topics": 5, "categories": 10, "terms": 8}
_SHOWN = {"topics": 12, "categories": 10, "phrases": 15, "words": 12}
_MOST_TITLES = 200_000
_CHUNK = 5_000
# Pairs of words that stand together no more often than chance would have it are no terms.
_TOGETHER = 2.0


@dataclass(frozen=True, slots=True)
class Window:
    """The days that are compared: the latest four weeks, to ``last``, and the thirteen before them."""

    last: date

    @property
    def first(self) -> date:
        """The first of the earlier days."""
        return self.last - timedelta(days=LATELY + BEFORE - 1)

    @property
    def split(self) -> date:
        """The first of the latest days."""
        return self.last - timedelta(days=LATELY - 1)

    def week(self, day: date) -> int:
        """Which week a day is in, the first being 0."""
        return WEEKS - 1 - (self.last - day).days // 7


def make(service: Service, now: datetime) -> bool:
    """Make a new report where the last one is a night old; whether one was made."""
    with service.database.reading() as session:
        kept = trend_store.latest(session)
        if kept is not None and now - kept[0] < due.TRENDS_AFTER:
            return False
        last = trend_store.last_day(session, now.date() + timedelta(days=1))
        # Labels are counted, so they are to be complete.
        if last is None or index_store.waits(session):
            return False
        report = _report(session, learning.edition(service, session), Window(last))
    with service.database.writing() as session:
        trend_store.keep(session, last, report, now)
    return True


def _report(session: Session, edition: Edition, window: Window) -> dict[str, Any]:
    days = trend_store.counts(session, window.first, window.last)
    weeks = _by_week(days, window)
    latest = sum(n for day, n in days.items() if day >= window.split)
    earlier = sum(days.values()) - latest
    report: dict[str, Any] = {
        "first": window.first.isoformat(), "split": window.split.isoformat(), "last": window.last.isoformat(),
        "latest": latest, "earlier": earlier, "weeks": weeks,
        "enough": latest >= ENOUGH[0] and earlier >= ENOUGH[1],
    }  # fmt: skip
    if not report["enough"]:
        return report
    parts: tuple[tuple[str, Kind], ...] = (("topics", "topic"), ("categories", "category"))
    for part, kind in parts:
        found = label_store.daily_counts(session, kind, window.first, window.last)
        named = {label.name: counts for label, counts in found.items()}
        report[part] = _of_labels(part, named, window, latest, earlier)
    titles = trend_store.titles(session, window.first, window.last, at_most=_MOST_TITLES)
    return report | _of_terms(titles, edition, window, latest, earlier)


def _of_labels(
    part: str, named: Mapping[str, Mapping[date, int]], window: Window, latest: int, earlier: int
) -> list[dict[str, Any]]:
    counts = []
    for name, days in named.items():
        lately = sum(n for day, n in days.items() if day >= window.split)
        counts.append((name, lately, sum(days.values()) - lately))
    rises = trends.rising(counts, latest, earlier, at_least=_AT_LEAST[part], at_most=_SHOWN[part])
    return [asdict(rise) | {"weeks": _by_week(named[rise.name], window)} for rise in rises]


def _of_terms(
    titles: Sequence[tuple[date, str, str]], edition: Edition, window: Window, latest: int, earlier: int
) -> dict[str, list[dict[str, Any]]]:
    """The phrases and words of titles that rise and are topics; no word that stands in a phrase shown."""
    if not titles:
        return {"phrases": [], "words": []}
    X = _held(edition, [title for _, title, _ in titles])
    weeks = np.array([window.week(day) for day, _, _ in titles])
    lately, whole = _sums(X[np.array([day >= window.split for day, _, _ in titles])]), _sums(X)
    columns = np.flatnonzero(lately >= _AT_LEAST["terms"]).tolist()
    named = {edition.written(c): c for c in columns if edition.togetherness(c) >= _TOGETHER}
    rises = trends.rising(
        ((name, int(lately[c]), int(whole[c] - lately[c])) for name, c in named.items()),
        latest, earlier, at_least=1, at_most=len(named),
    )  # fmt: skip
    by_column = sparse.csc_matrix(X)
    categories = [category for _, _, category in titles]
    general = _general(edition, {n: named[n] for n in (r.name for r in rises)}, by_column, categories)
    rises = [rise for rise in rises if rise.name not in general]
    pairs = [rise for rise in rises if " " in edition.feature(named[rise.name]).name]
    phrases = trends.apart(pairs, _SHOWN["phrases"])
    alone = [rise for rise in rises if rise not in pairs]

    def shown(found: Sequence[Rise]) -> list[dict[str, Any]]:
        rows = {rise.name: by_column[:, named[rise.name]].indices for rise in found}
        return [
            asdict(r) | {"weeks": np.bincount(weeks[rows[r.name]], minlength=WEEKS).tolist()} for r in found
        ]

    return {"phrases": shown(phrases), "words": shown(trends.apart(alone, _SHOWN["words"], phrases))}


def _general(
    edition: Edition,
    named: Mapping[str, int],
    titles: sparse.csc_matrix[np.float32],
    categories: Sequence[str],
) -> set[str]:
    """Those of these terms (by column) that are no topics: common in papers at large, and spread over all
    categories. ``titles`` says which title holds which column. A term is not judged where most of its papers
    have no category."""
    shipped = Edition.shipped()
    everywhere = Counter(filter(None, categories))
    found = set()
    for name, column in named.items():
        usual = shipped.column(edition.feature(column))
        if usual is None or shipped.shares[usual] < trends.COMMON:
            continue
        rows = titles[:, column].indices.tolist()
        fields = Counter(filter(None, (categories[row] for row in rows)))
        if 2 * fields.total() > len(rows) and trends.gathered(fields, everywhere) < trends.GATHERED:
            found.add(name)
    return found


def _held(edition: Edition, titles: Sequence[str]) -> sparse.csr_matrix[np.float32]:
    """Which words and pairs of the edition stand in each title, as ones."""
    blocks = []
    for start in range(0, len(titles), _CHUNK):
        papers = [Paper(id="", title=title) for title in titles[start : start + _CHUNK]]
        blocks.append(edition.transform(papers)[:, edition.text_columns])
    X = sparse.csr_matrix(sparse.vstack(blocks))
    X.data[:] = 1.0
    return X


def _sums(X: sparse.csr_matrix[np.float32]) -> NDArray[np.float64]:
    return np.asarray(X.sum(axis=0), np.float64).ravel()


def _by_week(days: Mapping[date, int] | Iterable[tuple[date, int]], window: Window) -> list[int]:
    weeks = [0] * WEEKS
    for day, papers in dict(days).items():
        weeks[window.week(day)] += papers
    return weeks
