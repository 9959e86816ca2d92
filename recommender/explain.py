"""Why a paper got its score: contributions that sum to it, and one readable line."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommender import names, text
from recommender.features import Feature, Kind
from recommender.interest import Examples, Interests
from recommender.paper import Paper
from recommender.statement import asked
from recommender.vectors import Edition, Matrix
from recommender.weights import Weights

_REASON_TERMS = 3
_TOGETHER = 1.5  # a pair of words is named as a phrase where it stands e^1.5 times as often as by chance
_ENOUGH = 0.25  # a term is named where it brings a quarter of what the first one brings
_ALIKE = 0.3  # a liked paper is named where it brought in so much of the positive contributions


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one feature adds to a score, or takes off it.

    ``name`` is as a person writes it; ``via`` is the title of the liked paper that brought the feature in,
    empty where the reader stated it.
    """

    kind: Kind
    name: str
    value: float
    via: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """A score, the contributions that sum to it (strongest first, signs kept), and the reason in one line."""

    score: float
    contributions: tuple[Contribution, ...]
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class _ByColumn:
    """The values of a sparse matrix by column, and the places where they stood."""

    columns: NDArray[np.int32]
    values: NDArray[np.float32]
    order: NDArray[np.int64]

    def at(self, columns: NDArray[np.int32]) -> NDArray[np.float64]:
        """The values of a matrix of one row in these columns, 0 where it has none."""
        if not len(self.columns):
            return np.zeros(len(columns))
        place = np.minimum(np.searchsorted(self.columns, columns), len(self.columns) - 1)
        return np.where(self.columns[place] == columns, self.values[place], 0.0).astype(np.float64)


def _by_column(rows: Matrix) -> _ByColumn:
    order = np.argsort(rows.indices, kind="stable")
    return _ByColumn(rows.indices[order], rows.data[order], order)


class Explainer:
    """Explains the papers of one batch to one reader; it holds the vectors of what the reader liked."""

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
        self._rows = [_by_column(weights.rows[row]) for row in range(weights.rows.shape[0])]
        kept = [at for at, example in enumerate(examples) if example.opinion in {"like", "save", "seed"}]
        self._liked = [examples[at].paper for at in kept]
        vectors = edition.remembered(self._liked) if X is None else X[kept]
        held = _by_column(vectors)
        self._held, self._values = held.columns, held.values.tolist()
        self._owner = np.repeat(np.arange(len(kept)), np.diff(vectors.indptr))[held.order].tolist()
        interests = interests or Interests()
        stated = {t for words, strength in interests.terms if strength > 0 for t in text.terms(words)}
        self._stated = stated.union(asked(interests.statement)[0])
        self._followed = {names.author(author) for author in interests.authors}
        self._categories = {category.strip() for category in interests.categories}

    def explain(self, x: Matrix, paper: Paper) -> Explanation:
        """Explain the score of ``paper``, whose vector is the one row of ``x``."""
        values = x.data.astype(np.float64)
        rows = np.array([row.at(x.indices) for row in self._rows]) * values
        best = rows[int(rows.sum(axis=1).argmax())]
        weighing = np.flatnonzero(best)
        order = weighing[np.argsort(-np.abs(best[weighing]), kind="stable")]
        parts = [
            (self.edition.feature(int(x.indices[at])), int(x.indices[at]), float(best[at])) for at in order
        ]
        # A paper that the reader rated is not explained by itself.
        itself = {at for at, liked in enumerate(self._liked) if liked.id == paper.id}
        columns = [column for _, column, _ in parts]
        begins, ends = (np.searchsorted(self._held, columns, side).tolist() for side in ("left", "right"))
        vias = [
            self._via(part, slice(begin, end), itself)
            for part, begin, end in zip(parts, begins, ends, strict=True)
        ]
        contributions = tuple(
            Contribution(
                feature.kind,
                self._shown(feature, column, paper),
                value,
                "" if via is None else self._liked[via].title,
            )
            for (feature, column, value), via in zip(parts, vias, strict=True)
        )
        score = float(best.sum())
        reason = "; ".join(
            filter(None, (self._terms(parts), self._people(parts, vias, paper), self._like(parts, vias)))
        )
        return Explanation(score, contributions, reason or self._listed(parts))

    def _via(self, part: tuple[Feature, int, float], held: slice, itself: set[int]) -> int | None:
        """The liked paper that a feature came from: the one in which it weighs most, ``itself`` left out.

        ``held`` are the places of the feature's column among the values of all liked papers.
        """
        feature, column, value = part
        if value <= 0 or not self._liked:
            return None
        if feature.kind == "term" and column < self.edition.base_size and feature.name not in self._stated:
            found = zip(self._values[held], self._owner[held], strict=True)
            others: list[tuple[float, int]] = [(weight, at) for weight, at in found if at not in itself]
            if others:
                return max(others, key=lambda other: (other[0], -other[1]))[1]
        if feature.kind == "author" and not self._follows(feature.name):
            for at, liked in enumerate(self._liked):
                if at not in itself and any(
                    names.same_author(names.author(a), feature.name) for a in liked.authors
                ):
                    return at
        return None

    def _follows(self, author: str) -> bool:
        return any(names.same_author(author, followed) for followed in self._followed)

    def _shown(self, feature: Feature, column: int, paper: Paper) -> str:
        if feature.kind == "author":
            return next((a for a in paper.authors if names.author(a) == feature.name), feature.name)
        if feature.kind in {"institution", "tag"}:
            own = (*paper.institutions, paper.area, *paper.topics, *paper.keywords)
            return next((name for name in own if names.label(name) == feature.name), feature.name)
        return self.edition.written(column)

    def _terms(self, parts: list[tuple[Feature, int, float]]) -> str:
        """The phrases that bring most: a pair stands for its words, and no word is named twice."""
        worth = {f.name: value for f, _, value in parts if f.kind == "term" and value > 0}
        columns = {f.name: column for f, column, _ in parts if f.kind == "term"}
        phrases = {
            term: value + sum(worth.get(word, 0.0) for word in term.split() if word != term)
            for term, value in worth.items()
            if term in self._stated or self.edition.togetherness(columns[term]) >= _TOGETHER
        }
        chosen: list[str] = []
        used: set[str] = set()
        for term in sorted(phrases, key=lambda t: (-phrases[t], t)):
            enough = not chosen or phrases[term] >= _ENOUGH * phrases[chosen[0]]
            if len(chosen) == _REASON_TERMS or not enough:
                break
            if not used.intersection(term.split()):
                chosen.append(term)
                used.update(term.split())
        return ", ".join(self.edition.written(columns[term]) for term in chosen)

    def _people(self, parts: list[tuple[Feature, int, float]], vias: list[int | None], paper: Paper) -> str:
        authors = [f for f, _, value in parts if f.kind == "author" and value > 0]
        followed = [f for f in authors if self._follows(f.name)]
        if followed:
            return f"by an author you follow: {', '.join(self._shown(f, 0, paper) for f in followed[:2])}"
        met = [
            f for (f, _, _), via in zip(parts, vias, strict=True) if f.kind == "author" and via is not None
        ]
        if met and self._followed == set():
            return f"by {self._shown(met[0], 0, paper)}, as a paper you liked"
        return ""

    def _like(self, parts: list[tuple[Feature, int, float]], vias: list[int | None]) -> str:
        brought = np.zeros(len(self._liked))
        for (_, _, value), via in zip(parts, vias, strict=True):
            if via is not None:
                brought[via] += value
        if not brought.any():
            return ""
        best = int(brought.argmax())
        gained = sum(value for _, _, value in parts if value > 0)
        return f'like "{self._liked[best].title}"' if brought[best] >= _ALIKE * gained else ""

    def _listed(self, parts: list[tuple[Feature, int, float]]) -> str:
        found = [f.name for f, _, value in parts if f.kind == "category" and value > 0]
        return f"in {', '.join(found)}" if found else ""


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
