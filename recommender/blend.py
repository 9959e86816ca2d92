"""The default ranker: log-odds, a whitened mean and a logistic correction, blended on one scale."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recommender import leave_one_out
from recommender.background import Background, attached
from recommender.interest import Examples, Interests
from recommender.liked import Liked
from recommender.logistic import Other, logistic
from recommender.logodds import LogOdds, Sparse, Stated, added, length, masses, odds, unit
from recommender.vectors import Edition, Matrix
from recommender.weights import Weights

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_MOST_FITTED = 40_000
_MOST_SHARE = 0.99


@dataclass(frozen=True, slots=True)
class Blend:
    """Linear models of the likes on the reader's own terms, added after scaling each to spread one.

    *Log-odds* of each term against the corpus, to the power ``bent``, times the mean of (1 + ln tf)^q to the
    power ``often``, pairs counting ``pairs``: what is rare elsewhere. The *whitened mean*, (Σ + λI)⁻¹ (mean
    of the likes − mean of all papers), which is Fisher's discriminant with the covariance of all papers: what
    the likes share and most papers do not. It counts as much as the share of the papers' words whose
    covariance is known (`Background.covered`): nearly one where papers are bags of words, 0.4 with pairs. λ
    is ``noise`` over the number of likes, within bounds, so that more likes are taken at their word.

    What most papers of a field hold says little of somebody who reads only that field. The share ``near`` of
    the sample that both rank highest is taken for the field, and the log-odds are taken again, against shares
    between those of all papers and of the field: ``local`` of the way there, on a logarithmic scale, times
    the share of words whose covariance is not known, since that tells the same of the rest. Many likes say
    themselves what sets them apart: from ``few`` likes on it counts less, from twice as many not at all.

    From ``fit_from`` likes on, and for half of the whole at ``fit_fully``, a *logistic fit* (`logistic`)
    corrects that sum against a sample of papers.

    Each model's weights are divided by the standard deviation of its scores over the sample. All but the
    log-odds need a background (`background.attach`); without one they stand alone. What is stated, and
    people, is weighed by `LogOdds`. So are categories, institutions and tags; from
    ``named_from`` likes on they count as many times more or less as the likes show, each being scored by the
    others (`leave_one_out.ratio`).
    """

    name: str = "blend"
    pseudo: float = 1.0
    bent: float = 1.5
    often: float = 0.5
    shared: float = 0.05
    pairs: float = 0.5
    whitened: float = 1.0
    noise: float = 0.02
    least_noise: float = 1e-4
    most_noise: float = 1e-3
    against: float = 0.5
    near: float = 0.1
    local: float = 0.8
    few: float = 30.0
    fit_from: float = 100.0
    fit_fully: float = 300.0
    fitted: float = 1.0
    freedom: float = 300.0
    rounds: int = 20
    named_from: float = 60.0
    doubt: float = 2.0
    said: float = 1.0
    plain: LogOdds = field(default_factory=LogOdds)

    def learn(
        self, edition: Edition, interests: Interests, examples: Examples = (), X: Matrix | None = None
    ) -> Weights:
        """One row of weights, its words of length one: a millisecond once ten examples are vectors."""
        vectors = edition.remembered([example.paper for example in examples]) if X is None else X
        mass = masses(examples)
        if not (mass > 0).any():
            return replace(self.plain.learn(edition, interests, examples, vectors), ranker=self.name)
        liked = Liked.of(edition, vectors, mass)
        stated = Stated.of(edition, interests)
        support, plain = self.plain.weigh(edition, liked, stated)
        begin, end = np.searchsorted(support, (edition.text_columns.stop, edition.base_size))
        names = plain[begin:end]
        values, times = self._liked(edition, liked, names)
        words = [(liked.columns[: liked.words], unit(values))]
        if stated.terms:
            few = self.said / math.sqrt(1 + liked.count / 10)
            words.append(self._stated(edition, interests, few))
        # What is listed is added last: the likes say how much the categories of likes count, not those.
        listed, named = self.plain.listed(edition, interests)
        named.update(self.plain.named(interests, examples, stated, plain))
        columns, values = added(words)
        columns, values = added([(columns, unit(values)), (support[begin:end], times * names), listed])
        return Weights.single(edition, self.name, columns, values, named)

    def _stated(self, edition: Edition, interests: Interests, length: float) -> Sparse:
        """The words and pairs of what is stated, and of what goes with it, as log-odds weigh them."""
        row = self.plain.learn(edition, Interests(interests.statement, interests.terms)).rows
        end = int(np.searchsorted(row.indices, edition.text_columns.stop))
        return row.indices[:end].astype(np.int64), length * row.data[:end].astype(np.float64)

    def _liked(self, edition: Edition, liked: Liked, names: Floats) -> tuple[Floats, float]:
        """The blend's weights on the words of ``liked``, and how many times those of its ``names`` count.

        ``names`` are the weights of the categories, institutions and tags of ``liked``.
        """
        background = attached(edition)
        columns, shares = liked.columns[: liked.words], liked.shares[: liked.words]
        pairs = np.where(columns >= edition.fitting.pairs_start, self.pairs, 1.0)
        side = _Side.of(liked, 1)
        unwanted = self.against * pairs * self._odds(_Side.of(liked, -1), shares)
        closed = pairs * self._odds(side, shares) - unwanted
        if background is None:
            return closed, 1.0
        others = background.at(columns)
        unjudged = ~background.judged(liked)
        if not unjudged.any():
            # Every paper that is known says what a liked one says: there is nothing to measure against.
            return closed, 1.0
        mean = Whitened.of(background, liked, self._noise(side.total))
        beside = _scores(others, mean.weights)
        worth = self.whitened * background.covered / _deviation(beside[unjudged])
        first = _scores(others, closed)
        spread = _deviation(first[unjudged])
        # With 60 likes readers of a phrase lose 0.009 by it, those of a tag 0.033; with 12 and 30 nothing.
        way = self.local * (1 - background.covered) * min(1.0, 2 - side.total / self.few)
        if way > 0:
            near = np.where(unjudged, first / spread + worth * beside, -np.inf)
            shares = self._local(others, near, shares, way)
            closed = pairs * self._odds(side, shares) - unwanted
            spread = _deviation(_scores(others, closed)[unjudged])
        blend = closed / spread + worth * mean.weights
        if side.total < min(self.named_from, self.fit_from):
            return blend, 1.0
        X = liked.text()
        long, times = length(blend), 1.0
        # With ten likes it cost authors 0.004 and, where likes are a part of few papers, 0.04. With 50, an
        # update after a click is to take 5 ms, of which this would be one.
        if len(names) and side.total >= self.named_from:
            # Were a paper not liked, its terms would be held by one paper less.
            fewer = pairs * (self._odds(side.fewer(), shares) - self._odds(side, shares)) / spread
            alone = X @ (blend + fewer) + worth * mean.alone(liked, X)
            words = np.concatenate([alone, _scores(others, blend)[unjudged]])
            general = background.at(liked.columns[liked.words :])
            beside = np.concatenate([self._alone(liked, names), _scores(general, names)[unjudged]])
            times = self._times(liked, words, long * beside)
        share = self.fitted * min(1.0, (side.total - self.fit_from) / (self.fit_fully - self.fit_from))
        if share > 0:
            rest = others if unjudged.all() else sparse.csc_matrix(sparse.csr_matrix(others)[unjudged])
            blend = (blend + share * self._corrected(X, liked.mass, rest, blend)) / (1 + share)
        return blend, times * long / length(blend)

    def _corrected(self, X: Matrix, mass: Floats, others: Other, blend: Floats) -> Floats:
        """The blend as the logistic fit has it, as long as it was."""
        # Terms of a single paper help a little; beyond so many an update would take over 100 ms.
        papers = np.bincount(X.indices, minlength=X.shape[1])
        wanted = np.flatnonzero(papers > (len(papers) > _MOST_FITTED))
        both = others[:, wanted]
        fit = logistic(X[:, wanted], mass, both, blend[wanted], self.freedom, self.rounds)
        whole = np.zeros(len(blend))
        whole[wanted] = fit * _deviation(_scores(others, blend)) / _deviation(_scores(both, fit))
        return whole

    def _local(self, others: Other, scores: Floats, shares: Floats, way: float) -> Floats:
        """The shares of papers that hold the columns of ``others``, moved towards the reader's field.

        ``shares`` are those of all papers, ``scores`` how near each of the others is, ``way`` how far to go.
        Never less than all: what a field lacks is no surer sign of it.
        """
        count = max(1, round(self.near * len(scores)))
        field = np.zeros(len(scores), np.float32)
        field[np.argpartition(-scores, count - 1)[:count]] = 1.0
        # By column it is its own transpose by row; five times as fast as adding up stretches of an array.
        ones = np.ones(others.nnz, np.float32)
        held = sparse.csr_matrix((ones, others.indices, others.indptr), shape=others.shape[::-1]) @ field
        # A quarter of as many papers again are as all are: where few hold a term, chance decides.
        found = (held + count / 4 * shares) / (count * 5 / 4)
        moved = shares * np.maximum(found / shares, 1.0) ** way
        return np.asarray(moved).clip(max=_MOST_SHARE)

    def _odds(self, side: _Side, shares: Floats) -> Floats:
        """The bent log-odds of a side's words, against the ``shares`` of other papers that hold them."""
        if side.total <= 0:
            return np.zeros(len(shares))
        found = odds(side.held, side.total, shares, self.pseudo)
        often = side.repeats**self.often * (side.held / side.total) ** self.shared
        return np.asarray(found**self.bent * often)

    def _noise(self, likes: float) -> float:
        return min(max(self.noise / likes, self.least_noise), self.most_noise)

    def _alone(self, liked: Liked, names: Floats) -> Floats:
        """What the judged papers score by the weights of ``names``, each as the others weigh them."""
        shares, pseudo = liked.shares[liked.words :], self.plain.pseudo
        r = liked.total(liked.side(1))[liked.words :]
        whole = odds(r, liked.count, shares, pseudo)
        fewer = odds((r - 1.0).clip(min=0), liked.count - 1, shares, pseudo) - whole
        # `LogOdds` scales its weights by a length that it keeps to itself.
        scale = float(names @ whole) / (float(whole @ whole) or 1.0)
        inside = liked.where >= liked.words
        each = (names + scale * fewer)[liked.where[inside] - liked.words]
        return np.bincount(liked.owners[inside], each, minlength=len(liked.mass)).astype(np.float64)

    def _times(self, liked: Liked, words: Floats, names: Floats) -> float:
        """How many times names count beside words, by the scores that both give: first of the judged papers,
        then of others."""
        likes = liked.mass > 0
        both = np.column_stack([words, names]) / _deviation(words[len(likes) :])
        judged, rest = both[: len(likes)], both[len(likes) :]
        return leave_one_out.ratio(judged[likes], liked.mass[likes], rest, self.doubt)


@dataclass(frozen=True, slots=True)
class _Side:
    """The liked papers, or the disliked ones: as how many they count in all, in as many as how many each word
    is ``held``, and the mean of its (1 + ln tf)^q there."""

    total: float
    held: Floats
    repeats: Floats

    @classmethod
    def of(cls, liked: Liked, sign: float) -> _Side:
        masses = liked.side(sign)
        total = float(masses.sum())
        if total <= 0:
            return cls(0.0, np.zeros(liked.words), np.zeros(liked.words))
        held = liked.total(masses)[: liked.words]
        repeats = liked.total(masses, liked.repeats())[: liked.words]
        return cls(total, held, repeats / np.maximum(held, 1e-9))

    def fewer(self) -> _Side:
        """The same with one paper less that holds each word, and one less in all."""
        return _Side(self.total - 1, np.maximum(self.held - 1, 0.0), self.repeats)


@dataclass(frozen=True, slots=True)
class Whitened:
    """λ (Σ + λI)⁻¹ (mean of the likes − mean of all papers) on the words of the judged papers.

    ``own`` is the mean of the likes, ``found`` and ``directions`` (found × k) are where the covariance is
    known, and ``shrunk`` (k) how far each direction is shrunk.
    """

    weights: Floats
    own: Floats
    found: Ints
    directions: NDArray[np.float32]
    shrunk: NDArray[np.float32]

    @classmethod
    def of(cls, background: Background, liked: Liked, noise: float) -> Whitened:
        """Learn from ``liked``; λ is ``noise``."""
        own = liked.total(liked.side(1), liked.values)[: liked.words] / liked.count
        columns = liked.columns[: liked.words]
        found, directions = background.within(columns)
        # In float32 throughout: numpy would copy the directions to float64 for each product.
        shrunk = (background.variances / (background.variances + noise)).astype(np.float32)
        along = own[found].astype(np.float32) @ directions - background.centre
        weights = own - background.mean[columns]
        weights[found] -= directions @ (shrunk * along).astype(np.float32)
        return cls(weights, own, found, directions, shrunk)

    def alone(self, liked: Liked, X: Matrix) -> Floats:
        """What each of the judged papers ``X`` loses of its score if it is taken out of the mean."""
        masses = liked.side(1)
        share = masses / np.maximum(liked.count - masses, 1e-9)
        along = np.asarray(X[:, self.found] @ self.directions)
        rest, mean = self.own.copy(), self.own[self.found].astype(np.float32) @ self.directions
        rest[self.found] -= self.directions @ (self.shrunk * mean)
        own = np.asarray(X.power(2) @ np.ones(X.shape[1])) - (along**2) @ self.shrunk
        return np.asarray(share * (X @ rest - own))


def _scores(others: Other, weights: Floats) -> Floats:
    """The scores of the other papers, in single precision, or scipy would copy all of them for a product."""
    return np.asarray(others @ weights.astype(np.float32), np.float64)


def _deviation(scores: Floats) -> float:
    """The standard deviation, 1 where they are all the same."""
    apart = scores - scores.mean()
    return math.sqrt(float(apart @ apart) / len(scores)) or 1.0
