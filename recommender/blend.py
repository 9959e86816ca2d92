"""The default ranker: log-odds, a whitened mean and a logistic fit, blended on one scale."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recommender.background import Background, attached
from recommender.interest import Examples, Interests
from recommender.logistic import Other, logistic
from recommender.logodds import MASS, LogOdds
from recommender.vectors import Edition, Matrix
from recommender.weights import Weights

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_MOST_FITTED = 40_000


@dataclass(frozen=True, slots=True)
class Liked:
    """The words and pairs of a reader's judged papers: n papers, on the ``columns`` that any of them holds.

    ``X`` is n × columns; ``where`` gives the place among ``columns`` of each of its values, ``tf`` their
    (1 + ln tf), and ``mass`` as how many papers each paper counts, negative where it was disliked.
    """

    columns: Ints
    X: Matrix
    where: Ints
    tf: Floats
    mass: Floats

    @classmethod
    def of(cls, edition: Edition, X: Matrix, mass: Floats) -> Liked:
        """Read the judged papers ``X``, whose columns begin with those of ``edition``."""
        text = X[:, edition.text_columns]
        columns, where = np.unique(text.indices, return_inverse=True)
        shape = (text.shape[0], len(columns))
        own = sparse.csr_matrix((text.data, where.astype(np.int32), text.indptr), shape=shape)
        # A row is (1 + ln tf) · √idf over its length, and every paper has words that it uses once.
        raw = text.data / np.sqrt(-np.log(edition.fitting.shares[text.indices]))
        sizes = np.diff(text.indptr)
        once = np.ones(len(sizes))
        if len(raw):
            filled = sizes > 0
            once[filled] = np.minimum.reduceat(raw, text.indptr[:-1][filled])
        return cls(columns.astype(np.int64), own, where, raw / np.repeat(once, sizes), mass)

    @property
    def count(self) -> float:
        """As how many papers the liked ones count."""
        return float(self.side(1).sum())

    def side(self, sign: float) -> Floats:
        """As how many papers each paper counts among the liked (1) or the disliked (-1)."""
        return (sign * self.mass).clip(min=0)

    def total(self, masses: Floats, values: Floats | None = None) -> Floats:
        """The sum over papers of ``masses``, times ``values`` of their entries, for each column."""
        spread = np.repeat(masses, np.diff(self.X.indptr))
        each = spread if values is None else spread * values
        return np.bincount(self.where, each, minlength=len(self.columns)).astype(np.float64)


@dataclass(frozen=True, slots=True)
class Blend:
    """Three linear models of the likes on the reader's own terms, added after scaling each to spread one.

    *Log-odds* of each term against the corpus, to the power ``bent``, times (mean of 1 + ln tf) to the power
    ``often``, pairs counting ``pairs``: the best with few likes. The *whitened mean*, (Σ + λI)⁻¹ (mean of
    the likes − mean of all papers), which is Fisher's discriminant with the covariance of all papers: it
    counts what the likes share and most papers do not; λ is ``noise`` over the number of likes, within
    bounds, so that more likes are taken at their word. The *logistic fit* (`logistic`) against a
    sample of papers, from ``fit_from`` likes on and fully at ``fit_fully``: the best with hundreds.

    Each model's weights are divided by the standard deviation of its scores over the sample. The last two
    need a background (`background.attach`); without one the log-odds stand alone. What is stated, and
    categories and people, is weighed by `LogOdds`.
    """

    name: str = "blend"
    pseudo: float = 1.0
    bent: float = 1.5
    often: float = 0.5
    shared: float = 0.05
    pairs: float = 0.5
    whitened: float = 0.6
    noise: float = 0.02
    least_noise: float = 1e-4
    most_noise: float = 1e-3
    against: float = 0.5
    fit_from: float = 50.0
    fit_fully: float = 300.0
    fitted: float = 1.0
    freedom: float = 100.0
    rounds: int = 12
    said: float = 1.0
    plain: LogOdds = field(default_factory=LogOdds)

    def learn(
        self, edition: Edition, interests: Interests, examples: Examples = (), X: Matrix | None = None
    ) -> Weights:
        """One row of weights, its words of length one: some milliseconds once the examples are vectors."""
        vectors = edition.remembered([example.paper for example in examples]) if X is None else X
        held = vectors[:, : edition.base_size]
        whole = self.plain.learn(edition, interests, examples, held)
        mass = np.array([MASS.get(example.opinion, 0.0) for example in examples])
        if not (mass > 0).any():
            return replace(whole, ranker=self.name)
        liked = Liked.of(edition, held, mass)
        words = edition.text_columns.stop
        parts = [(liked.columns, _unit(self._liked(edition, liked)))]
        if interests.statement.strip() or interests.terms:
            stated = self.plain.learn(edition, interests).rows[:, :words]
            few = self.said / math.sqrt(1 + liked.count / 10)
            parts.append((stated.indices.astype(np.int64), few * stated.data.astype(np.float64)))
        columns, values = _added(parts)
        fitted = whole.rows[:, : edition.base_size]
        names = fitted.indices >= words
        row = sparse.csr_matrix(
            (
                np.concatenate([_unit(values), fitted.data[names]]).astype(np.float32),
                np.concatenate([columns, fitted.indices[names]]).astype(np.int32),
                [0, len(columns) + int(names.sum())],
            ),
            shape=(1, edition.base_size),
        )
        row.sort_indices()
        return Weights.made(edition, self.name, row, whole.named)

    def _liked(self, edition: Edition, liked: Liked) -> Floats:
        """The blend's weights on the columns of ``liked``."""
        background = attached(edition)
        closed = self._odds(edition, liked, 1) - self.against * self._odds(edition, liked, -1)
        if background is None:
            return closed
        others = background.others[:, liked.columns]
        blend = closed / _spread(others, closed)
        mean = self._whitened(background, liked)
        blend += self.whitened * mean / _spread(others, mean)
        count = liked.count
        share = self.fitted * min(1.0, (count - self.fit_from) / (self.fit_fully - self.fit_from))
        if share > 0:
            # Terms of a single paper help a little; beyond so many an update would take over 100 ms.
            papers = np.bincount(liked.where, minlength=len(liked.columns))
            wanted = np.flatnonzero(papers > (len(papers) > _MOST_FITTED))
            both = others[:, wanted]
            fit = logistic(liked.X[:, wanted], liked.mass, both, self.freedom, self.rounds)
            blend[wanted] += share * fit / _spread(both, fit)
        return blend

    def _odds(self, edition: Edition, liked: Liked, sign: float) -> Floats:
        """The bent log-odds of the columns in the liked (1) or the disliked (-1) papers."""
        masses = liked.side(sign)
        total = float(masses.sum())
        if not total:
            return np.zeros(len(liked.columns))
        r = liked.total(masses)
        p = edition.fitting.shares[liked.columns]
        inside = (r + self.pseudo * p) / (total + self.pseudo)
        odds = (np.log(inside / (1 - inside)) - np.log(p / (1 - p))).clip(min=0)
        tf = liked.total(masses, liked.tf) / np.maximum(r, 1e-9)
        pair = liked.columns >= edition.fitting.pairs_start
        weighed = odds**self.bent * tf**self.often * (r / total) ** self.shared
        return np.asarray(np.where(pair, self.pairs, 1.0) * weighed)

    def _whitened(self, background: Background, liked: Liked) -> Floats:
        """λ (Σ + λI)⁻¹ (mean of likes − mean of all) on the columns of ``liked``."""
        own = liked.total(liked.side(1), liked.X.data.astype(np.float64)) / liked.count
        noise = min(max(self.noise / liked.count, self.least_noise), self.most_noise)
        found, directions = background.within(liked.columns)
        along = directions @ own[found] - background.centre
        shrunk = along * background.variances / (background.variances + noise)
        mean = own - background.mean[liked.columns]
        mean[found] -= shrunk @ directions
        return mean


def _spread(others: Other, weights: Floats) -> float:
    """The standard deviation of the scores of the other papers, 1 where they all score the same."""
    return float(np.std(np.asarray(others @ weights))) or 1.0


def _added(parts: Sequence[tuple[Ints, Floats]]) -> tuple[Ints, Floats]:
    """The sum of sparse vectors: its columns, ascending, and its values."""
    columns, where = np.unique(np.concatenate([columns for columns, _ in parts]), return_inverse=True)
    values = np.bincount(where, np.concatenate([values for _, values in parts]))
    return columns.astype(np.int64), values.astype(np.float64)


def _unit(values: Floats) -> Floats:
    return values / (math.sqrt(float((values**2).sum())) or 1.0)
