"""The default ranker: log-odds, a whitened mean and a logistic correction, blended on one scale."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recommender import leave_one_out
from recommender.background import Background, attached
from recommender.interest import Examples, Interests
from recommender.liked import Liked
from recommender.logistic import Other, logistic
from recommender.logodds import MASS, LogOdds, odds
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
        """One row of weights, its words of length one: some milliseconds once the examples are vectors."""
        vectors = edition.remembered([example.paper for example in examples]) if X is None else X
        held = vectors[:, : edition.base_size]
        mass = np.array([MASS.get(example.opinion, 0.0) for example in examples])
        if not (mass > 0).any():
            return replace(self.plain.learn(edition, interests, examples, held), ranker=self.name)
        liked = Liked.of(edition, held, mass)
        # What is listed is added last: the likes say how much the categories of likes count, not those.
        plain = self.plain.learn(edition, replace(interests, categories=()), examples, held)
        listed = replace(plain, rows=plain.rows[:0], named=())
        if interests.categories:
            listed = self.plain.learn(edition, Interests(categories=interests.categories))
        end = edition.text_columns.stop
        names, weights = _part(edition, plain, end)
        values, times = self._liked(edition, liked, held, (names, weights))
        words = [(liked.columns, _unit(values))]
        if interests.statement.strip() or interests.terms:
            stated = self.plain.learn(edition, Interests(interests.statement, interests.terms))
            few = self.said / math.sqrt(1 + liked.count / 10)
            columns, values = _part(edition, stated, 0, end)
            words.append((columns, few * values))
        columns, values = _added(words)
        parts = [(columns, _unit(values)), (names, times * weights), _part(edition, listed, end)]
        columns, values = _added(parts)
        row = sparse.csr_matrix(
            (values.astype(np.float32), columns.astype(np.int32), [0, len(columns)]),
            shape=(1, edition.base_size),
        )
        return Weights.made(edition, self.name, row, tuple(sorted((*plain.named, *listed.named))))

    def _liked(
        self, edition: Edition, liked: Liked, held: Matrix, names: tuple[Ints, Floats]
    ) -> tuple[Floats, float]:
        """The blend's weights on the columns of ``liked``, and how many times their ``names`` count.

        ``held`` are the judged papers on all fitted columns; ``names`` the columns of categories,
        institutions and tags that have weights, and those.
        """
        background = attached(edition)
        shares = edition.fitting.shares[liked.columns]
        unwanted = self.against * self._odds(edition, liked, -1, shares)
        wanted = self._odds(edition, liked, 1, shares)
        closed = wanted - unwanted
        if background is None:
            return closed, 1.0
        others = background.others[:, liked.columns]
        unjudged = ~liked.among(others)
        if not unjudged.any():
            # Every paper that is known says what a liked one says: there is nothing to measure against.
            return closed, 1.0
        mean = Whitened.of(background, liked, self._noise(liked))
        beside = np.asarray(others @ mean.weights)
        worth = self.whitened * background.covered / _deviation(beside[unjudged])
        first = np.asarray(others @ closed)
        spread = _deviation(first[unjudged])
        # With 60 likes readers of a phrase lose 0.009 by it, those of a tag 0.033; with 12 and 30 nothing.
        way = self.local * (1 - background.covered) * min(1.0, 2 - liked.count / self.few)
        if way > 0:
            near = np.where(unjudged, first / spread + worth * beside, -np.inf)
            shares = self._local(others, near, shares, way)
            wanted = self._odds(edition, liked, 1, shares)
            closed = wanted - unwanted
            spread = _deviation(np.asarray(others @ closed)[unjudged])
        blend = closed / spread + worth * mean.weights
        length = _length(blend)
        times = 1.0
        # With ten likes it cost authors 0.004 and, where likes are a part of few papers, 0.04. With 50, an
        # update after a click is to take 5 ms, of which this would be one.
        if len(names[0]) and liked.count >= self.named_from:
            # Were a paper not liked, its terms would be held by one paper less.
            fewer = (self._odds(edition, liked, 1, shares, less=1.0) - wanted) / spread
            alone = liked.X @ (blend + fewer) + worth * mean.alone(liked)
            words = np.concatenate([alone, np.asarray(others @ blend)[unjudged]])
            times = self._times(edition, liked, words, held, (background.others, unjudged), names, length)
        share = self.fitted * min(1.0, (liked.count - self.fit_from) / (self.fit_fully - self.fit_from))
        if share > 0:
            rest = others if unjudged.all() else sparse.csc_matrix(sparse.csr_matrix(others)[unjudged])
            blend = (blend + share * self._corrected(liked, rest, blend)) / (1 + share)
        return blend, times * length / _length(blend)

    def _corrected(self, liked: Liked, others: Other, blend: Floats) -> Floats:
        """The blend as the logistic fit has it, as long as it was."""
        # Terms of a single paper help a little; beyond so many an update would take over 100 ms.
        papers = np.bincount(liked.where, minlength=len(liked.columns))
        wanted = np.flatnonzero(papers > (len(papers) > _MOST_FITTED))
        both = others[:, wanted]
        fit = logistic(liked.X[:, wanted], liked.mass, both, blend[wanted], self.freedom, self.rounds)
        whole = np.zeros(len(blend))
        whole[wanted] = fit * _spread(others, blend) / _spread(both, fit)
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

    def _odds(self, edition: Edition, liked: Liked, sign: float, shares: Floats, less: float = 0.0) -> Floats:
        """The bent log-odds of the columns in the liked (1) or the disliked (-1) papers.

        ``shares`` of other papers hold the columns; ``less`` papers are taken off those of the reader's that
        hold a column, and off all.
        """
        masses = liked.side(sign)
        total = float(masses.sum()) - less
        if total <= 0:
            return np.zeros(len(liked.columns))
        r = liked.total(masses)
        tf = liked.total(masses, liked.tf) / np.maximum(r, 1e-9)
        held = (r - less).clip(min=0)
        found = odds(held, total, shares, self.pseudo)
        pair = np.where(liked.columns >= edition.fitting.pairs_start, self.pairs, 1.0)
        return np.asarray(pair * found**self.bent * tf**self.often * (held / total) ** self.shared)

    def _noise(self, liked: Liked) -> float:
        return min(max(self.noise / liked.count, self.least_noise), self.most_noise)

    def _times(
        self, edition: Edition, liked: Liked, words: Floats, held: Matrix,
        general: tuple[Other, NDArray[np.bool_]], names: tuple[Ints, Floats], length: float,
    ) -> float:  # fmt: skip
        """How many times the weights of ``names`` count beside words of length one.

        ``words`` are the scores that words of this ``length`` give the judged papers, then those papers of
        the ``general`` ones that were not judged.
        """
        columns, weights = names
        likes = liked.mass > 0
        total = liked.count
        inside = held.indices >= edition.text_columns.stop
        owner = np.repeat(np.arange(len(likes)), np.diff(held.indptr))[inside]
        at = np.searchsorted(columns, held.indices[inside])
        r = np.bincount(at, liked.side(1)[owner], minlength=len(columns)).astype(np.float64)
        shares, pseudo = edition.fitting.shares[columns], self.plain.pseudo
        whole = odds(r, total, shares, pseudo)
        fewer = odds((r - 1.0).clip(min=0), total - 1, shares, pseudo) - whole
        # `LogOdds` scales its weights by a length that it keeps to itself.
        scale = float(weights @ whole) / (float(whole @ whole) or 1.0)
        alone = np.bincount(owner, (weights + scale * fewer)[at], minlength=len(likes))
        others, unjudged = general
        beside = length * np.concatenate([alone, np.asarray(others[:, columns] @ weights)[unjudged]])
        both = np.column_stack([words, beside]) / _deviation(words[len(likes) :])
        judged, rest = both[: len(likes)], both[len(likes) :]
        return leave_one_out.ratio(judged[likes], liked.mass[likes], rest, self.doubt)


@dataclass(frozen=True, slots=True)
class Whitened:
    """λ (Σ + λI)⁻¹ (mean of the likes − mean of all papers) on the columns of the judged papers.

    ``unshifted`` are the weights without what the mean of all papers takes off; ``found`` and ``directions``
    (k × found) are where the covariance is known, and ``shrunk`` (k) how far each direction is shrunk.
    """

    weights: Floats
    unshifted: Floats
    found: Ints
    directions: NDArray[np.float32]
    shrunk: Floats

    @classmethod
    def of(cls, background: Background, liked: Liked, noise: float) -> Whitened:
        """Learn from ``liked``; λ is ``noise``."""
        own = liked.total(liked.side(1), liked.X.data.astype(np.float64)) / liked.count
        found, directions = background.within(liked.columns)
        shrunk = background.variances / (background.variances + noise)
        unshifted, mean = own.copy(), own - background.mean[liked.columns]
        # In float32 throughout: numpy would copy the directions to float64 for each product.
        along = directions @ own[found].astype(np.float32)
        unshifted[found] -= (shrunk * along).astype(np.float32) @ directions
        mean[found] -= (shrunk * (along - background.centre)).astype(np.float32) @ directions
        return cls(mean, unshifted, found, directions, shrunk)

    def alone(self, liked: Liked) -> Floats:
        """What each paper's score loses if it is taken out of the mean."""
        masses = liked.side(1)
        share = masses / np.maximum(liked.count - masses, 1e-9)
        squares = np.bincount(liked.owners, liked.X.data.astype(np.float64) ** 2, minlength=len(masses))
        along = np.asarray(liked.X[:, self.found] @ self.directions.T)
        own = squares - (along**2) @ self.shrunk
        return np.asarray(share * (liked.X @ self.unshifted - own))


def _spread(others: Other, weights: Floats) -> float:
    """The standard deviation of the scores of the other papers, 1 where they all score the same."""
    return _deviation(np.asarray(others @ weights))


def _deviation(scores: Floats) -> float:
    return float(np.std(scores)) or 1.0


def _part(edition: Edition, weights: Weights, start: int, stop: int | None = None) -> tuple[Ints, Floats]:
    """The fitted columns from ``start`` to before ``stop`` that have weights, and those."""
    row = weights.rows
    wanted = (row.indices >= start) & (row.indices < (edition.base_size if stop is None else stop))
    return row.indices[wanted].astype(np.int64), row.data[wanted].astype(np.float64)


def _added(parts: Sequence[tuple[Ints, Floats]]) -> tuple[Ints, Floats]:
    """The sum of sparse vectors: its columns, ascending, and its values."""
    columns, where = np.unique(np.concatenate([columns for columns, _ in parts]), return_inverse=True)
    values = np.bincount(where, np.concatenate([values for _, values in parts]), minlength=len(columns))
    return columns.astype(np.int64), values.astype(np.float64)


def _length(values: Floats) -> float:
    return math.sqrt(float((values**2).sum())) or 1.0


def _unit(values: Floats) -> Floats:
    return values / _length(values)
