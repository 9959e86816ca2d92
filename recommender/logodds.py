"""The closed-form ranker: log-odds of each feature in what a reader wants against the corpus."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recommender import names, text
from recommender.features import Feature
from recommender.interest import Examples, Interests
from recommender.related import related
from recommender.statement import asked
from recommender.vectors import Edition, Matrix
from recommender.weights import Named, Weights

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MASS = {"like": 1.0, "save": 1.0, "seed": 1.0, "open": 0.2, "dislike": -1.0}
"""As how many papers of the reader's own an example counts; a dislike counts on the other side."""

_MANY = 20_000
_SHORT = 16
"""A statement of more terms than this (some eight words) says enough itself: related terms help it less."""


@dataclass(frozen=True, slots=True)
class LogOdds:
    """Relevance weights of Robertson and Spärck Jones (1976), shrunk towards the background.

    For a feature that ``r`` of the reader's ``R`` papers and a share ``p`` of the corpus hold, the weight is
    logit((r + a·p) / (R + a)) − logit(p), at least 0: the pseudo-count ``a`` are papers drawn from the
    corpus. What a reader states counts as ``stated`` papers that hold just those terms, or as the root of the
    number of likes times that many, so that likes do not drown it; a term's weight is then multiplied by its
    strength. What the reader rejects is weighed in the same way, and ``against`` times that is taken off.

    Terms that go with the stated ones (`related.related`) get weights too, ``related`` times as long as those
    of a short statement, and less the more the reader has stated and judged.

    The weights of words are then scaled to length one, so that a score is about a cosine whether there are
    few likes or many; those of categories, institutions and tags (``category`` times their log-odds), of
    people who are followed (``follow``) and of people met in liked papers (``met`` for each such paper) are
    on that scale.
    """

    name: str = "log-odds"
    pseudo: float = 10.0
    stated: float = 1.0
    against: float = 0.5
    related: float = 0.25
    category: float = 0.2
    listed_category: float = 0.05
    follow: float = 0.3
    met: float = 0.02

    def learn(
        self, edition: Edition, interests: Interests, examples: Examples = (), X: Matrix | None = None
    ) -> Weights:
        """One row of weights by the closed form: about a millisecond once the examples are vectors."""
        vectors = edition.remembered([example.paper for example in examples]) if X is None else X
        mass = np.array([MASS.get(example.opinion, 0.0) for example in examples])
        held = vectors[:, : edition.base_size]
        terms = stated_terms(interests)
        places, open_terms = _places(edition, list(terms))
        strengths = np.array(list(terms.values()))
        stated = np.sign(strengths) * self.stated * max(1.0, math.sqrt(mass.clip(min=0).sum()))
        support, where = distinct(np.concatenate([held.indices, places]))
        masses = np.concatenate([np.repeat(mass, np.diff(held.indptr)), stated])
        total = _total(mass, stated)
        values = self._odds(edition, support, where, masses.clip(min=0), total)
        values -= self.against * self._odds(
            edition, support, where, (-masses).clip(min=0), _total(-mass, -stated)
        )
        stated_at = np.searchsorted(support, places)
        values[stated_at] *= np.abs(strengths)
        words = (support < edition.text_columns.stop) | (support >= edition.base_size)
        length = math.sqrt(float((values[words] ** 2).sum())) or 1.0
        values /= length
        values[~words] *= self.category
        beside = (
            self.related * stated.max(initial=0.0) / (total or 1.0) * min(1.0, _SHORT / (len(terms) or 1))
        )
        extra = _beside(edition, terms, places, values[stated_at], beside)
        named = self._named(interests, examples)
        fitted = support < edition.base_size
        named.update(zip(open_terms, values[~fitted].tolist(), strict=True))
        for category in map(str.strip, interests.categories):
            column = edition.fitting.column(Feature("category", category))
            if column is None:
                named[Feature("category", category)] = self.listed_category
            else:
                extra[column] = self.listed_category
        row = _row(support[fitted], values[fitted], extra, edition.base_size)
        return Weights.made(edition, self.name, row, one_row(named))

    def _odds(self, edition: Edition, support: Ints, where: Ints, masses: Floats, total: float) -> Floats:
        """The weight of each feature of ``support`` that papers of ``masses`` hold, ``total`` in all."""
        if total <= 0:
            return np.zeros(len(support))
        r = np.bincount(where, masses, minlength=len(support))
        known = edition.fitting.shares.take(support, mode="clip")
        p = np.where(support < edition.base_size, known, edition.fitting.rare_share(pair=True))
        return odds(np.asarray(r, np.float64), total, p, self.pseudo)

    def _named(self, interests: Interests, examples: Examples) -> dict[Feature, float]:
        """The weights of people who are followed, and of those met in papers that the reader judged."""
        met: defaultdict[str, float] = defaultdict(float)
        for example in examples:
            for author in {names.author(author) for author in example.paper.authors}:
                met[author] += MASS.get(example.opinion, 0.0)
        # Among many papers a person met once says nothing; ten papers by one person say no more than five.
        floor = 1 if len(examples) <= 20 else 2
        named = {
            Feature("author", author): self.met * max(-5.0, min(count, 5.0))
            for author, count in met.items()
            if author and abs(count) >= floor
        }
        for author in interests.authors:
            feature = Feature.of("author", author)
            if feature.name:
                named[feature] = named.get(feature, 0.0) + self.follow
        return named


def distinct(columns: NDArray[np.integer[Any]]) -> tuple[Ints, Ints]:
    """The different ones of ``columns`` (0 or more, few millions at most), ascending, and where each is."""
    if len(columns) < _MANY:
        found, where = np.unique(columns, return_inverse=True)
        return found.astype(np.int64), where
    # Beyond some ten papers' columns a mark for each one there could be is faster than sorting.
    marks = np.zeros(int(columns.max()) + 1, np.int32)
    marks[columns] = 1
    found = np.flatnonzero(marks)
    marks[found] = np.arange(len(found), dtype=np.int32)
    return found, marks[columns].astype(np.int64)


def odds(r: Floats, total: float | Floats, p: Floats, pseudo: float) -> Floats:
    """logit((r + a·p) / (R + a)) − logit(p), at least 0, for R of ``total`` and a of ``pseudo``."""
    inside = (r + pseudo * p) / (total + pseudo)
    return np.asarray((np.log(inside / (1 - inside)) - np.log(p / (1 - p))).clip(min=0))


def stated_terms(interests: Interests) -> dict[str, float]:
    """The terms that a reader states with their strengths, those of a statement being 1 or, unwanted, -1."""
    wanted, unwanted = asked(interests.statement)
    found: defaultdict[str, float] = defaultdict(float)
    found.update(dict.fromkeys(wanted, 1.0) | dict.fromkeys(unwanted, -1.0))
    for written, strength in interests.terms:
        for term in text.terms(written):
            found[term] += strength
    return {term: strength for term, strength in found.items() if strength}


def _beside(
    edition: Edition, terms: dict[str, float], places: Ints, values: Floats, length: float
) -> dict[int, float]:
    """Weights of this ``length`` on the columns of terms that go with the stated ones, as those weigh."""
    found: defaultdict[int, float] = defaultdict(float)
    for term, value in zip(terms, values.tolist(), strict=True):
        for other, weight in related(term) if value > 0 else ():
            column = edition.fitting.column(Feature("term", other))
            if column is not None:
                found[column] += value * weight
    for place in places.tolist():
        found.pop(place, None)
    norm = math.sqrt(sum(weight * weight for weight in found.values())) or 1.0
    return {column: length * weight / norm for column, weight in found.items()}


def _row(columns: Ints, values: Floats, extra: dict[int, float], size: int) -> Matrix:
    """One row of ``size`` columns: ``values`` at ``columns``, ``extra`` added."""
    more = np.array(list(extra), np.int64)
    found, at = np.unique(np.concatenate([columns, more]), return_inverse=True)
    data = np.bincount(at, np.concatenate([values, np.array(list(extra.values()))]), minlength=len(found))
    return sparse.csr_matrix(
        (data.astype(np.float32), found.astype(np.int32), [0, len(found)]), shape=(1, size)
    )


def one_row(values: dict[Feature, float]) -> Named:
    """Weights by name for a single row, in the order of the names."""
    return tuple((feature, (value,)) for feature, value in sorted(values.items()) if value)


def _places(edition: Edition, terms: list[str]) -> tuple[Ints, list[Feature]]:
    """A column for each term; those outside the fitted columns are numbered on from their end, and listed."""
    columns: list[int] = []
    beyond: list[Feature] = []
    for term in terms:
        feature = Feature("term", term)
        column = edition.column(feature)
        if column is None or column >= edition.base_size:
            column = edition.base_size + len(beyond)
            beyond.append(feature)
        columns.append(column)
    return np.array(columns, np.int64), beyond


def _total(mass: Floats, stated: Floats) -> float:
    """As how many papers the reader's side counts: the examples, and what states most."""
    return float(mass.clip(min=0).sum() + stated.max(initial=0.0))
