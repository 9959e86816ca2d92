"""The closed-form ranker: log-odds of each feature in what a reader wants against the corpus."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommender import names, text
from recommender.features import Feature
from recommender.interest import Examples, Interests
from recommender.liked import Counted, Liked
from recommender.related import related
from recommender.statement import asked
from recommender.vectors import Edition, Matrix
from recommender.weights import Weights

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]
Sparse = tuple[Ints, Floats]

MASS = {"like": 1.0, "save": 1.0, "seed": 1.0, "open": 0.2, "dislike": -1.0}
"""As how many papers of the reader's own an example counts; a dislike counts on the other side."""

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
        """One row of weights by the closed form: half a millisecond once the examples are vectors."""
        vectors = edition.remembered([example.paper for example in examples]) if X is None else X
        liked = Liked.of(edition, vectors, masses(examples))
        counted = liked.counted(0, *liked.spans()[0])
        stated = Stated.of(edition, interests)
        support, values = self.weigh(edition, counted, stated)
        likes, places = float(counted.totals[0]), np.searchsorted(support, stated.places)
        known = self._related(edition, likes, stated, values[places])
        listed, named = self.listed(edition, interests)
        named.update(self.named(interests, examples, stated, values))
        end = int(np.searchsorted(support, edition.base_size))
        columns, values = added([(support[:end], values[:end]), known, listed])
        return Weights.single(edition, self.name, columns, values, named)

    def learn_all(
        self, edition: Edition, readers: Sequence[tuple[Interests, Examples]], X: Matrix | None = None
    ) -> list[Weights]:
        """The weights of many readers, each as `learn` finds them; ``X`` are the vectors of all examples."""
        starts = accumulate((len(examples) for _, examples in readers), initial=0)
        return [
            self.learn(edition, interests, examples, None if X is None else X[at : at + len(examples)])
            for at, (interests, examples) in zip(starts, readers, strict=False)
        ]

    def weigh(self, edition: Edition, counted: Counted, stated: Stated) -> Sparse:
        """The columns of what the judged papers hold and of what is ``stated``, ascending, and their weights.

        What is stated beyond the fitted columns comes last.
        """
        support = counted.columns
        shares: Floats = counted.shares
        own: slice | Ints = slice(None)
        also: Ints = np.empty(0, np.int64)
        worth = np.sign(stated.strengths) * self._worth(float(counted.totals[0]))
        if stated.terms:
            support = np.union1d(support, stated.places)
            shares = edition.fitting.shares.take(support, mode="clip")
            shares[support >= edition.base_size] = edition.fitting.rare_share(pair=True)
            own, also = (np.searchsorted(support, places) for places in (counted.columns, stated.places))
        said = np.maximum([worth, -worth], 0.0)
        held = np.zeros((2, len(support)))
        held[:, own] = counted.held
        held[:, also] += said
        values = self._odds(held, counted.totals + said.max(axis=1, initial=0.0), shares)
        values[also] *= np.abs(stated.strengths)
        words = (support < edition.text_columns.stop) | (support >= edition.base_size)
        values /= length(values[words])
        values[~words] *= self.category
        return support, values

    def names(self, liked: Liked) -> Floats:
        """The weights of what is no word, as `weigh` has them where nothing is stated."""
        values = self._odds(liked.held, liked.totals[:, liked.whose], liked.shares)
        words, whose = values[: liked.words], liked.whose[: liked.words]
        lengths = np.sqrt(np.bincount(whose, words**2, len(liked.papers)))
        lengths[lengths == 0] = 1.0
        return np.asarray(self.category * values[liked.words :] / lengths[liked.whose[liked.words :]])

    def _odds(self, held: Floats, totals: Floats, shares: Floats) -> Floats:
        """The log-odds in the liked papers, less those in the disliked ones; ``held`` and ``totals`` are of
        both, as `Liked` has them."""
        values = np.zeros_like(shares)
        for r, total, times in zip(held, totals, (1.0, -self.against), strict=True):
            if np.any(total):
                values += times * odds(r, total, shares, self.pseudo)
        return values

    def listed(self, edition: Edition, interests: Interests) -> tuple[Sparse, dict[Feature, float]]:
        """The weights of the categories that a reader lists, and of those that have no fitted column."""
        columns: set[int] = set()
        named: dict[Feature, float] = {}
        for category in map(str.strip, interests.categories):
            feature = Feature("category", category)
            column = edition.fitting.column(feature)
            if column is None:
                named[feature] = self.listed_category
            else:
                columns.add(column)
        return (np.array(sorted(columns), np.int64), np.full(len(columns), self.listed_category)), named

    def named(
        self, interests: Interests, examples: Examples, stated: Stated, values: Floats
    ) -> dict[Feature, float]:
        """The weights of what is stated beyond the fitted columns, the last of ``values``, and of people:
        those who are followed, and those met in papers that the reader judged."""
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
        named.update(zip(stated.beyond, values[len(values) - len(stated.beyond) :].tolist(), strict=True))
        return named

    def _worth(self, likes: float) -> float:
        """As how many papers that hold just a term its being stated counts."""
        return self.stated * max(1.0, math.sqrt(likes))

    def _related(self, edition: Edition, likes: float, stated: Stated, values: Floats) -> Sparse:
        """Weights on the columns of terms that go with the stated ones, as the ``values`` of those weigh."""
        found: defaultdict[int, float] = defaultdict(float)
        for term, value in zip(stated.terms, values.tolist(), strict=True):
            for other, weight in related(term) if value > 0 else ():
                column = edition.fitting.column(Feature("term", other))
                if column is not None:
                    found[column] += value * weight
        for place in stated.places.tolist():
            found.pop(place, None)
        said = self._worth(likes) if (stated.strengths > 0).any() else 0.0
        share = said / ((likes + said) or 1.0) * min(1.0, _SHORT / (len(stated.terms) or 1))
        columns = np.array(sorted(found), np.int64)
        weights = np.array([found[column] for column in columns.tolist()])
        return columns, self.related * share * unit(weights)


@dataclass(frozen=True, slots=True)
class Stated:
    """The terms that a reader states, with a column and a strength each.

    Those ``beyond`` the fitted columns are numbered on from their end.
    """

    terms: tuple[str, ...]
    places: Ints
    strengths: Floats
    beyond: tuple[Feature, ...]

    @classmethod
    def of(cls, edition: Edition, interests: Interests) -> Stated:
        """Read a statement, whose terms have strength 1 or, unwanted, -1, and terms that have their own."""
        wanted, unwanted = asked(interests.statement) if interests.statement else ((), ())
        found: defaultdict[str, float] = defaultdict(float)
        found.update(dict.fromkeys(wanted, 1.0) | dict.fromkeys(unwanted, -1.0))
        for written, strength in interests.terms:
            for term in text.terms(written):
                found[term] += strength
        terms = {term: strength for term, strength in found.items() if strength}
        places: list[int] = []
        beyond: list[Feature] = []
        for feature in (Feature("term", term) for term in terms):
            column = edition.fitting.column(feature)
            if column is None:
                column = edition.base_size + len(beyond)
                beyond.append(feature)
            places.append(column)
        return cls(tuple(terms), np.array(places, np.int64), np.array(list(terms.values())), tuple(beyond))


def masses(examples: Examples) -> NDArray[np.float64]:
    """As how many papers of the reader's own each example counts, negative where it counts against them."""
    return np.array([MASS.get(example.opinion, 0.0) for example in examples])


def odds(r: Floats, total: float | Floats, p: Floats, pseudo: float) -> Floats:
    """logit((r + a·p) / (R + a)) − logit(p), at least 0, for R of ``total`` and a of ``pseudo``."""
    inside = r + pseudo * p
    return np.asarray(np.log(np.maximum(inside * (1 - p) / ((total + pseudo - inside) * p), 1.0)))


def added(parts: Sequence[Sparse]) -> Sparse:
    """The sum of sparse vectors, each being columns, which ascend, and values."""
    parts = [part for part in parts if len(part[0])] or [parts[0]]
    if len(parts) == 1:
        return parts[0]
    columns = np.concatenate([columns for columns, _ in parts])
    values = np.concatenate([values for _, values in parts])
    if (columns[1:] > columns[:-1]).all():
        return columns, values
    found, where = np.unique(columns, return_inverse=True)
    return found, np.bincount(where, values, minlength=len(found)).astype(np.float64)


def length(values: Floats) -> float:
    """The l2 norm, 1 where it would be 0."""
    return math.sqrt(float(values @ values)) or 1.0


def unit(values: Floats) -> Floats:
    """The same, of length one."""
    return values / length(values)
