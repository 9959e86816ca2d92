"""The default ranker: log-odds, a whitened mean and a logistic correction, blended on one scale."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recommender import leave_one_out
from recommender.background import Background, attached
from recommender.interest import Examples, Interests
from recommender.liked import Liked
from recommender.logistic import Other, logistic
from recommender.logodds import LogOdds, Sparse, Stated, added, length, masses, odds, unit
from recommender.sample import Sample
from recommender.threads import one_thread
from recommender.vectors import Edition, Matrix
from recommender.weights import Weights
from recommender.whitened import Whitened

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.int64]

_MOST_FITTED = 40_000
_MOST_SHARE = 0.99
_TOGETHER = 64  # readers: with fewer, what all share is fetched anew more often; with 256 theirs is far away


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
        return self.learn_all(edition, [(interests, examples)], X)[0]

    def learn_all(
        self, edition: Edition, readers: Sequence[tuple[Interests, Examples]], X: Matrix | None = None
    ) -> list[Weights]:
        """The weights of many readers, each as `learn` finds them, in half the time.

        ``X`` holds the vectors of all examples' papers, reader by reader, where the caller has them at hand.
        """
        papers = [example.paper for _, examples in readers for example in examples]
        vectors = edition.remembered(papers) if X is None else X
        starts = list(accumulate((len(judged) for _, judged in readers), initial=0))
        found: dict[int, Weights] = {}
        blocks: list[list[int]] = []
        few: list[int] = []
        for at, (interests, examples) in enumerate(readers):
            likes = masses(examples).clip(min=0).sum()
            if not likes:
                alone = self.plain.learn(edition, interests, examples, vectors[starts[at] : starts[at + 1]])
                found[at] = replace(alone, ranker=self.name)
            elif likes >= self._many_from:
                blocks.append([at])
            else:
                few.append(at)
        blocks += [few[start : start + _TOGETHER] for start in range(0, len(few), _TOGETHER)]
        for block in blocks:
            places = [place for at in block for place in range(starts[at], starts[at + 1])]
            some = _rows(vectors, places)
            with one_thread():
                found.update(
                    zip(block, self._block(edition, [readers[at] for at in block], some), strict=True)
                )
        return [found[at] for at in range(len(readers))]

    def _block(
        self, edition: Edition, readers: Sequence[tuple[Interests, Examples]], X: Matrix
    ) -> Iterator[Weights]:
        """The weights of readers of few likes, or of one of many."""
        mass = np.concatenate([masses(examples) for _, examples in readers])
        liked = Liked.of(edition, X, mass, [len(examples) for _, examples in readers])
        blend, parts = self._closed(edition, liked)
        names = self.plain.names(liked)
        values = np.concatenate([blend, names])
        for at, ((interests, examples), spans) in enumerate(zip(readers, liked.spans(), strict=True)):
            yield self._whole(edition, interests, examples, liked, at, spans, values, parts)

    def _whole(
        self, edition: Edition, interests: Interests, examples: Examples, liked: Liked, at: int,
        spans: tuple[slice, slice], values: Floats, parts: _Parts | None,
    ) -> Weights:  # fmt: skip
        """The weights of the reader ``at``: ``values`` are those of the columns of ``liked``, of which the
        reader's are at ``spans``; what is stated and listed joins them."""
        stated = Stated.of(edition, interests)
        blend, names = values[spans[0]], values[spans[1]]
        times, likes = 1.0, float(liked.totals[0, at])
        beyond: Floats = np.empty(0)
        if stated.terms:
            support, plain = self.plain.weigh(edition, liked.counted(at, *spans), stated)
            begin, end = np.searchsorted(support, (edition.text_columns.stop, edition.base_size))
            names, beyond = plain[begin:end], plain[end:]
        if parts and likes >= self._many_from:
            blend, times = self._many(names, blend, parts)
        words = liked.columns[spans[0]], unit(blend)
        if stated.terms:
            said = self._stated(edition, interests, self.said / math.sqrt(1 + likes / 10))
            columns, values = added([words, said])
            words = columns, unit(values)
        # What is listed is added last: the likes say how much the categories of likes count, not those.
        listed, named = self.plain.listed(edition, interests)
        named.update(self.plain.named(interests, examples, stated, beyond))
        columns, values = added([words, (liked.columns[spans[1]], times * names), listed])
        return Weights.single(edition, self.name, columns, values, named)

    @property
    def _many_from(self) -> float:
        """From so many likes on they say more than the closed form takes from them."""
        return min(self.named_from, self.fit_from)

    def _stated(self, edition: Edition, interests: Interests, length: float) -> Sparse:
        """The words and pairs of what is stated, and of what goes with it, as log-odds weigh them."""
        row = self.plain.learn(edition, Interests(interests.statement, interests.terms)).rows
        end = int(np.searchsorted(row.indices, edition.text_columns.stop))
        return row.indices[:end].astype(np.int64), length * row.data[:end].astype(np.float64)

    def _closed(self, edition: Edition, liked: Liked) -> tuple[Floats, _Parts | None]:
        """The blend's closed form on the words of ``liked``, and with a background what it is made of."""
        background = attached(edition)
        words = slice(liked.words)
        columns, whose, shares = liked.columns[words], liked.whose[words], liked.shares[words]
        pairs = np.where(columns >= edition.fitting.pairs_start, np.float32(self.pairs), np.float32(1.0))
        side = _Side.of(liked, 0, whose)
        often = pairs * self._often(side)
        unwanted: Floats | float = 0.0
        if (liked.mass < 0).any():
            other = _Side.of(liked, 1, whose)
            unwanted = self.against * pairs * self._often(other) * self._odds(other, shares)
        closed = often * self._odds(side, shares) - unwanted
        if background is None:
            return closed, None
        sample = Sample.of(background.sample, liked)
        likes = liked.totals[0]
        noise = np.clip(self.noise / likes, self.least_noise, self.most_noise)
        mean = Whitened.of(background, liked, noise)
        beside = sample.scores(mean.weights)
        worth = self.whitened * background.covered / sample.deviation(beside)
        first = sample.scores(closed)
        spread = sample.deviation(first)
        # With 60 likes readers of a phrase lose 0.009 by it, those of a tag 0.033; with 12 and 30 nothing.
        way = self.local * (1 - background.covered) * np.clip(2 - likes / self.few, 0.0, 1.0)
        if way.any():
            near = first / spread[:, None] + worth[:, None] * beside
            shares = self._local(sample, near, shares, way[whose])
            closed = often * self._odds(side, shares) - unwanted
            spread = sample.deviation(sample.scores(closed))
        blend = closed / spread[whose] + worth[whose] * mean.weights
        # Where every known paper says what a liked one says, there is nothing to measure against.
        blend = np.where(np.asarray(sample.unjudged.any(axis=1))[whose], blend, closed)
        return blend, _Parts(liked, background, pairs, side, shares, sample, mean, worth, spread)

    def _many(self, names: Floats, blend: Floats, parts: _Parts) -> tuple[Floats, float]:
        """The blend as many likes correct it, and how many times those of its ``names`` count.

        ``names`` are the weights of the categories, institutions and tags of the only reader of ``parts``.
        """
        times, liked, background = 1.0, parts.liked, parts.background
        unjudged = parts.sample.unjudged[0]
        if not unjudged.any():
            return blend, times
        others = background.sample.at(liked.columns[: liked.words])
        X = liked.text()
        long = length(blend)
        # With ten likes it cost authors 0.004 and, where likes are a part of few papers, 0.04. With 50, an
        # update after a click is to take 5 ms, of which this would be one.
        if len(names) and liked.count >= self.named_from:
            # Were a paper not liked, its terms would be held by one paper less.
            side, less = parts.side, parts.side.fewer()
            before = self._often(side) * self._odds(side, parts.shares)
            fewer = parts.pairs * (self._often(less) * self._odds(less, parts.shares) - before)
            alone = X @ (blend + fewer / parts.spread[0]) + parts.worth[0] * parts.mean.alone(
                background, liked, X
            )
            words = np.concatenate([alone, _scores(others, blend)[unjudged]])
            general = background.sample.at(liked.columns[liked.words :])
            beside = np.concatenate([self._alone(liked, names), _scores(general, names)[unjudged]])
            times = self._times(liked, words, long * beside)
        share = self.fitted * min(1.0, (liked.count - self.fit_from) / (self.fit_fully - self.fit_from))
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

    def _local(self, sample: Sample, scores: Floats, shares: Floats, way: Floats) -> Floats:
        """The shares of papers that hold the words, moved towards the reader's field.

        ``shares`` are those of all papers, ``scores`` (readers × m) how near each of the sample is, ``way``
        how far to go. Never less than all: what a field lacks is no surer sign of it.
        """
        count = max(1, round(self.near * scores.shape[1]))
        held = sample.held(sample.best(scores, count))
        # A quarter of as many papers again are as all are: where few hold a term, chance decides.
        found = (held + count / 4 * shares) / (count * 5 / 4)
        moved = shares * np.maximum(found / shares, 1.0) ** way
        return np.asarray(np.minimum(moved, _MOST_SHARE))

    def _odds(self, side: _Side, shares: Floats) -> Floats:
        """The bent log-odds of a side's words, against the ``shares`` of other papers that hold them."""
        return np.asarray(odds(side.held, side.total, shares, self.pseudo) ** self.bent)

    def _often(self, side: _Side) -> Floats:
        """What those are to be multiplied by: more for a word that is often in a paper, or in many."""
        held = side.held / np.maximum(side.total, 1e-9)
        return np.asarray(side.repeats**self.often * held**self.shared)

    def _alone(self, liked: Liked, names: Floats) -> Floats:
        """What the judged papers score by the weights of ``names``, each as the others weigh them."""
        shares, pseudo = liked.shares[liked.words :], self.plain.pseudo
        r = liked.held[0, liked.words :]
        whole = odds(r, liked.count, shares, pseudo)
        fewer = odds((r - 1.0).clip(min=0), liked.count - 1, shares, pseudo) - whole
        # `LogOdds` scales its weights by a length that it keeps to itself.
        scale = float(names @ whole) / (float(whole @ whole) or 1.0)
        weights = np.zeros(len(liked.columns))
        weights[liked.words :] = names + scale * fewer
        return np.bincount(liked.owners, weights[liked.where], minlength=len(liked.mass)).astype(np.float64)

    def _times(self, liked: Liked, words: Floats, names: Floats) -> float:
        """How many times names count beside words, by the scores that both give: first of the judged papers,
        then of others."""
        likes = liked.mass > 0
        both = np.column_stack([words, names]) / _deviation(words[len(likes) :])
        judged, rest = both[: len(likes)], both[len(likes) :]
        return leave_one_out.ratio(judged[likes], liked.mass[likes], rest, self.doubt)


@dataclass(frozen=True, slots=True)
class _Side:
    """The liked papers of readers, or the disliked ones, by word: as how many all of the reader's count, as
    how many hold the word, and the mean of its (1 + ln tf)^q there."""

    total: Floats
    held: Floats
    repeats: Floats

    @classmethod
    def of(cls, liked: Liked, side: int, whose: Ints) -> _Side:
        held = liked.held[side, : liked.words]
        repeats = liked.total(liked.side(1 - 2 * side), liked.repeats())[: liked.words]
        return cls(liked.totals[side][whose], held, repeats / np.maximum(held, 1e-9))

    def fewer(self) -> _Side:
        """The same with one paper less that holds each word, and one less in all."""
        return _Side(self.total - 1, np.maximum(self.held - 1, 0.0), self.repeats)


@dataclass(frozen=True, slots=True)
class _Parts:
    """What the closed form of the blend is made of; ``worth`` and ``spread`` are by reader."""

    liked: Liked
    background: Background
    pairs: Floats
    side: _Side
    shares: Floats
    sample: Sample
    mean: Whitened
    worth: Floats
    spread: Floats


def _rows(X: Matrix, places: list[int]) -> Matrix:
    """The rows at these ``places``, which ascend; those that follow each other are not copied."""
    first, end = places[0], places[-1] + 1
    if end - first > len(places):
        return X[places]
    bounds = X.indptr[first : end + 1]
    values = slice(bounds[0], bounds[-1])
    held = (X.data[values], X.indices[values], bounds - bounds[0])
    return sparse.csr_matrix(held, shape=(len(places), X.shape[1]))


def _scores(others: Other, weights: Floats) -> Floats:
    """The scores of papers, in single precision, or scipy would copy all of them for a product."""
    return np.asarray(others @ weights.astype(np.float32), np.float64)


def _deviation(scores: Floats) -> float:
    """The standard deviation, 1 where they are all the same."""
    return float(np.std(scores)) or 1.0
