"""Why a paper got its score: contributions that sum to it, and one readable line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby, pairwise
from operator import itemgetter
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from recommender import names, text
from recommender.apart import TakenApart
from recommender.features import Feature, Kind
from recommender.interest import Examples, Interests
from recommender.paper import Paper
from recommender.statement import asked
from recommender.vectors import Edition, Matrix
from recommender.weights import Weights

_REASON_TERMS = 3
_ENOUGH = 0.25  # a term is named where it brings a quarter of what the first one brings
_ALIKE = 0.3  # a liked paper is named where it brought in so much of the positive contributions

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Columns = NDArray[np.int32]


class Contribution(NamedTuple):
    """What one feature adds to a score, or takes off it.

    ``name`` is as a person writes it; ``via`` is the title of the liked paper that brought the feature in,
    empty where the reader stated it. The kind "rest" is the sum of all smaller ones, ``parts`` in number.
    """

    kind: Kind | Literal["rest"]
    name: str
    value: float
    via: str = ""
    parts: int = 1


@dataclass(frozen=True, slots=True)
class Explanation:
    """A score, the contributions that sum to it (strongest first, signs kept), and the reason in one line."""

    score: float
    contributions: tuple[Contribution, ...]
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class _ByColumn:
    """Some columns, ascending, each with a number."""

    columns: Columns
    numbers: NDArray[Any]

    def at(self, columns: Columns, otherwise: int) -> NDArray[Any]:
        """The numbers of these columns, ``otherwise`` for those that are not among them."""
        if not len(self.columns):
            return np.full(len(columns), otherwise)
        place = np.minimum(np.searchsorted(self.columns, columns), len(self.columns) - 1)
        return np.where(self.columns[place] == columns, self.numbers[place], otherwise)


@dataclass(frozen=True, slots=True, eq=False)
class _Weighed:
    """What of some papers weighs for a reader: paper by paper, the strongest first.

    ``rows`` are the papers' numbers among those taken apart. Of each feature there is the paper (``owner``, a
    place in ``rows``), the place in what was taken apart, the column and the value. ``gains`` is what each
    place of these papers adds, those of paper i beginning at ``starts[i]``.
    """

    apart: TakenApart
    rows: Sequence[int]
    owner: Ints
    places: Ints
    columns: Columns
    values: Floats
    gains: Floats
    starts: Ints
    scores: list[float]

    def paper(self, at: int) -> Paper:
        return self.apart.papers[self.rows[int(self.owner[at])]]

    def feature(self, at: int) -> Feature:
        return self.apart.feature(int(self.places[at]))

    def shown(self, at: int) -> str:
        """The feature as a person writes it, names as the paper does."""
        feature = self.feature(at)
        if feature.kind == "author":
            written = self.paper(at).authors
            return next((a for a in written if names.author(a) == feature.name), feature.name)
        if feature.kind in {"institution", "tag"}:
            paper = self.paper(at)
            own = (*paper.institutions, paper.area, *paper.topics, *paper.keywords)
            return next((name for name in own if names.label(name) == feature.name), feature.name)
        return self.apart.edition.written(int(self.columns[at]))

    def gaining(self, marked: NDArray[np.bool_]) -> Ints:
        """Those of the marked features that add to a score."""
        return np.flatnonzero((self.values > 0) & marked[self.places])

    def by_paper(self, which: Ints) -> list[list[int]]:
        """These features, which are in order, paper by paper."""
        bounds = np.searchsorted(self.owner[which], np.arange(len(self.rows) + 1)).tolist()
        held = which.tolist()
        return [held[start:end] for start, end in pairwise(bounds)]


class Explainer:
    """Explains papers to one reader; it holds the vectors of what the reader liked."""

    def __init__(
        self,
        edition: Edition,
        weights: Weights,
        examples: Examples = (),
        interests: Interests | None = None,
        X: Matrix | None = None,
    ) -> None:
        """``X`` holds the vectors of all examples' papers, in their order, where the caller has them."""
        self.edition = edition
        self.weights = weights
        # Of near a million columns a reader has a thousand: none of the others is touched.
        self._rows = [_row(weights.rows, row) for row in range(weights.rows.shape[0])]
        kept = [at for at, example in enumerate(examples) if example.opinion in {"like", "save", "seed"}]
        self._liked = [examples[at].paper for at in kept]
        self._rated: dict[str, set[int]] = {}
        for at, paper in enumerate(self._liked):
            self._rated.setdefault(paper.id, set()).add(at)
        self._vectors = edition.remembered(self._liked) if X is None else X[kept]
        interests = interests or Interests()
        stated = {t for words, strength in interests.terms if strength > 0 for t in text.terms(words)}
        stated.update(asked(interests.statement)[0])
        found = (edition.column(Feature("term", term)) for term in stated)
        self._stated = np.array(sorted(column for column in found if column is not None), np.int32)
        self._followed = {names.author(author) for author in interests.authors}

    def explain(self, x: Matrix, paper: Paper) -> Explanation:
        """Explain the score of ``paper``, whose vector is the one row of ``x``."""
        return self.explain_all(TakenApart(self.edition, x, [paper]), [0])[0]

    def explain_all(
        self, apart: TakenApart, rows: Sequence[int], at_most: int | None = None
    ) -> list[Explanation]:
        """Explain the scores of some of the papers that were taken apart on the edition of this explainer.

        Of more contributions than ``at_most`` and one the strongest are listed, then the sum of the rest.
        """
        if not rows:
            return []
        found = self._weighed(apart, rows)
        vias = self._vias(found)
        said = zip(self._terms(found), self._people(found, vias), self._like(found, vias), strict=True)
        reasons = ["; ".join(filter(None, parts)) for parts in said]
        everything = found.by_paper(np.arange(len(found.places)))
        return [
            Explanation(score, self._contributions(found, own, vias, at_most), reason or _listed(found, own))
            for score, own, reason in zip(found.scores, everything, reasons, strict=True)
        ]

    def _weighed(self, apart: TakenApart, rows: Sequence[int]) -> _Weighed:
        spans = [apart.spans[row] for row in rows]
        lengths = [span.stop - span.start for span in spans]
        owner = np.repeat(np.arange(len(rows)), lengths)
        starts = np.cumsum([0, *lengths[:-1]])
        columns = np.concatenate([apart.columns[span] for span in spans])
        held = np.concatenate([apart.values[span] for span in spans])
        gains = np.array([weights.at(columns, 0) * held for weights in self._rows])
        scores = np.array([np.bincount(owner, each, len(rows)) for each in gains])
        best = scores.argmax(axis=0)
        gained = gains[best[owner], np.arange(len(owner))]
        weighing = np.flatnonzero(gained)
        order = weighing[np.lexsort((-np.abs(gained[weighing]), owner[weighing]))]
        places = order - (starts - [span.start for span in spans])[owner[order]]
        return _Weighed(
            apart, rows, owner[order], places, columns[order], gained[order], gained, starts,
            scores.max(axis=0).tolist(),
        )  # fmt: skip

    def _contributions(
        self, found: _Weighed, own: list[int], vias: Ints, at_most: int | None
    ) -> tuple[Contribution, ...]:
        # One part more takes no more room than the line that would stand for it.
        shown = own if at_most is None or len(own) <= at_most + 1 else own[:at_most]
        whence = ["" if via < 0 else self._liked[via].title for via in vias[shown].tolist()]
        parts = [
            Contribution(found.feature(at).kind, found.shown(at), float(found.values[at]), via)
            for at, via in zip(shown, whence, strict=True)
        ]
        if rest := own[len(shown) :]:
            smaller = sum(found.values[rest[0] : rest[-1] + 1].tolist())
            parts.append(Contribution("rest", f"{len(rest)} smaller parts", smaller, parts=len(rest)))
        return tuple(parts)

    def _vias(self, found: _Weighed) -> Ints:
        """The liked paper that each feature came from, -1 for none.

        For a term that was not stated it is the one in which it weighs most, for a person who is not followed
        the first that they wrote. A paper that the reader rated is not explained by itself.
        """
        vias = np.full(len(found.places), -1)
        if not self._liked:
            return vias
        terms = found.gaining(found.apart.terms)
        columns = found.columns[terms]
        terms = terms[(columns < self.edition.base_size) & ~self._are_stated(columns)]
        vias[terms] = self._brought_in.at(found.columns[terms], -1)
        itself = [self._rated.get(found.apart.papers[row].id, set()) for row in found.rows]
        for place, own in enumerate(itself):
            if own:
                of_it = terms[found.owner[terms] == place]
                vias[of_it] = self._bringers(own).at(found.columns[of_it], -1)
        for at in found.gaining(found.apart.people).tolist():
            vias[at] = self._wrote_before(found.feature(at).name, itself[found.owner[at]])
        return vias

    @cached_property
    def _brought_in(self) -> _ByColumn:
        return self._bringers(set())

    def _bringers(self, without: set[int]) -> _ByColumn:
        """For each column the liked paper in which it weighs most; of several the first."""
        vectors = self._vectors
        columns, values = vectors.indices, vectors.data
        owner = np.repeat(np.arange(vectors.shape[0]), np.diff(vectors.indptr))
        if without:
            others = ~np.isin(owner, list(without))
            columns, values, owner = columns[others], values[others], owner[others]
        if not len(columns):
            return _ByColumn(columns, owner)
        order = np.argsort(columns, kind="stable")
        columns, values, owner = columns[order], values[order], owner[order]
        begins = np.flatnonzero(np.diff(columns, prepend=-1))
        most = np.repeat(np.maximum.reduceat(values, begins), np.diff(begins, append=len(columns)))
        heaviest = np.flatnonzero(values == most)
        first = heaviest[np.diff(columns[heaviest], prepend=-1) > 0]
        return _ByColumn(columns[first], owner[first])

    def _wrote_before(self, author: str, itself: set[int]) -> int:
        if self._follows(author):
            return -1
        for at, liked in enumerate(self._liked):
            if at not in itself and any(names.same_author(names.author(a), author) for a in liked.authors):
                return at
        return -1

    def _follows(self, author: str) -> bool:
        return any(names.same_author(author, followed) for followed in self._followed)

    def _are_stated(self, columns: Columns) -> NDArray[np.bool_]:
        if not len(self._stated):
            return np.zeros(len(columns), bool)
        place = np.minimum(np.searchsorted(self._stated, columns), len(self._stated) - 1)
        return np.asarray(self._stated[place] == columns)

    def _terms(self, found: _Weighed) -> Iterator[str]:
        """The phrases that bring most: a pair stands for its words, and no word is named twice."""
        apart = found.apart
        terms = found.gaining(apart.terms)
        terms = terms[apart.firm[found.places[terms]] | self._are_stated(found.columns[terms])]
        owner = found.owner[terms]
        phrases = found.values[terms]
        for place in (apart.first[found.places[terms]], apart.second[found.places[terms]]):
            worth = found.gains[found.starts[owner] + place].clip(min=0)
            phrases = np.add(phrases, np.where(place >= 0, worth, 0.0))
        order = np.lexsort((-phrases, owner))
        values = phrases[order].tolist()
        start = 0
        for own in found.by_paper(terms[order]):
            yield self._phrases(found, own, values[start : start + len(own)])
            start += len(own)

    @staticmethod
    def _phrases(found: _Weighed, terms: list[int], values: list[float]) -> str:
        """Of one paper's terms and what they bring, most first; equals in the order of letters."""
        chosen: list[int] = []
        used: set[str] = set()
        for value, equals in groupby(zip(terms, values, strict=True), itemgetter(1)):
            if len(chosen) == _REASON_TERMS or value < _ENOUGH * values[0]:
                break
            named = sorted((found.feature(at).name, at) for at, _ in equals)
            for name, at in named:
                words = name.split()
                if len(chosen) < _REASON_TERMS and not used.intersection(words):
                    chosen.append(at)
                    used.update(words)
        return ", ".join(map(found.shown, chosen))

    def _people(self, found: _Weighed, vias: Ints) -> Iterator[str]:
        for authors in found.by_paper(found.gaining(found.apart.people)):
            followed = [at for at in authors if self._follows(found.feature(at).name)]
            met = [at for at in authors if vias[at] >= 0]
            if followed:
                yield f"by an author you follow: {', '.join(map(found.shown, followed[:2]))}"
            elif met and not self._followed:
                yield f"by {found.shown(met[0])}, as a paper you liked"
            else:
                yield ""

    def _like(self, found: _Weighed, vias: Ints) -> Iterator[str]:
        papers, liked = len(found.rows), len(self._liked)
        known = vias >= 0
        at = found.owner[known] * liked + vias[known]
        brought = np.bincount(at, found.values[known], papers * liked).reshape(papers, liked)
        gained = np.bincount(found.owner, found.values.clip(min=0), papers)
        for of_it, all_of_it in zip(brought, gained, strict=True):
            best = int(of_it.argmax()) if liked else 0
            named = liked and of_it[best] > 0 and of_it[best] >= _ALIKE * all_of_it
            yield f'like "{self._liked[best].title}"' if named else ""


def _row(rows: Matrix, number: int) -> _ByColumn:
    """One row of weights; a column that it has twice, for two people who may be one, holds their sum."""
    span = slice(rows.indptr[number], rows.indptr[number + 1])
    columns, values = rows.indices[span], rows.data[span].astype(np.float64)
    if (np.diff(columns) <= 0).any():
        columns, place = np.unique(columns, return_inverse=True)
        return _ByColumn(columns, np.bincount(place, values))
    return _ByColumn(columns, values)


def _listed(found: _Weighed, own: list[int]) -> str:
    """The categories that speak for a paper of which nothing else does."""
    gaining = (found.feature(at) for at in own if found.values[at] > 0)
    categories = [feature.name for feature in gaining if feature.kind == "category"]
    return f"in {', '.join(categories)}" if categories else ""


def explain(
    edition: Edition,
    weights: Weights,
    x_row: Matrix,
    paper: Paper,
    examples: Examples = (),
    interests: Interests | None = None,
) -> Explanation:
    """Explain one paper's score; use an `Explainer` for many papers of one reader.

    ``weights`` and ``x_row`` (1 × size) must be on ``edition``. The contributions sum to the score that
    ``weights.scores`` gives to within 1e-6.
    """
    return Explainer(edition, weights, examples, interests).explain(x_row, paper)
