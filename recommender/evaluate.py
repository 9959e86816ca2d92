"""How good a ranking is: nDCG, MRR, recall, MAP and AUC of a run, and whether two runs differ."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Run = Mapping[str, Mapping[str, float]]
"""Query id to paper id to score."""
Qrels = Mapping[str, Mapping[str, int]]
"""Query id to paper id to grade; grades above 0 are relevant."""


# -- of one ranking ------------------------------------------------------------------------------------------


def ndcg_at(gains: Sequence[int], all_gains: Iterable[int], k: int = 10) -> float:
    """nDCG@k of a ranking whose grades are ``gains``, best rank first; ``all_gains`` are those of the query.

    The gain is the grade and the discount log2(rank + 1), as Järvelin and Kekäläinen (2002) have it; 0 for a
    query without relevant papers.
    """
    ideal = sorted((g for g in all_gains if g > 0), reverse=True)[:k]
    best = sum(g / math.log2(rank + 2) for rank, g in enumerate(ideal))
    return sum(max(g, 0) / math.log2(rank + 2) for rank, g in enumerate(gains[:k])) / best if best else 0.0


def mrr(gains: Sequence[int]) -> float:
    """One over the rank of the first relevant paper, 0 if there is none."""
    return next((1 / (rank + 1) for rank, gain in enumerate(gains) if gain > 0), 0.0)


def recall_at(gains: Sequence[int], all_gains: Iterable[int], k: int) -> float:
    """The share of the query's relevant papers among the first ``k``; 0 for a query without any."""
    relevant = sum(g > 0 for g in all_gains)
    return sum(g > 0 for g in gains[:k]) / relevant if relevant else 0.0


def average_precision(gains: Sequence[int], all_gains: Iterable[int]) -> float:
    """The mean over the query's relevant papers of the precision at each one's rank, 0 for one missing."""
    relevant = sum(g > 0 for g in all_gains)
    found = 0
    total = 0.0
    for rank, gain in enumerate(gains, start=1):
        if gain > 0:
            found += 1
            total += found / rank
    return total / relevant if relevant else 0.0


def auc(scores: ArrayLike, relevant: ArrayLike) -> float:
    """The chance that a relevant paper scores above another, ties counting half (Mann-Whitney).

    ``scores`` and ``relevant`` (true or false) are of one length. nan where one of the two sides is empty.
    """
    values = np.asarray(scores, dtype=np.float64)
    wanted = np.asarray(relevant, dtype=bool)
    positives = int(wanted.sum())
    negatives = len(wanted) - positives
    if not positives or not negatives:
        return math.nan
    _, where, counts = np.unique(values, return_inverse=True, return_counts=True)
    # Equal scores share the mean of their ranks.
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[where]
    return float((ranks[wanted].sum() - positives * (positives + 1) / 2) / (positives * negatives))


# -- of a run ------------------------------------------------------------------------------------------------


def ranking(scores: Mapping[str, float]) -> list[str]:
    """The papers of one query by falling score, ties by rising id (trec_eval breaks them by falling id)."""
    return sorted(scores, key=lambda paper: (-scores[paper], paper))


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A run's measures: ``by_query`` per measure and query of the qrels, ``means`` over all of them.

    ``missing`` counts the queries that the run lacks; they score 0.
    """

    by_query: Mapping[str, Mapping[str, float]]
    means: Mapping[str, float]
    queries: int
    missing: int


def evaluate(run: Run, qrels: Qrels, cuts: Sequence[int] = (10, 20, 50, 100)) -> Evaluation:
    """nDCG@10, MRR, MAP, AUC and recall at ``cuts`` of ``run``, by query and in the mean.

    Queries are those of ``qrels`` with a relevant paper. AUC is over the papers that the run ranks, and 0
    for a query of which it ranks only relevant or only other papers.
    """
    by_query: dict[str, dict[str, float]] = {}
    asked = [query for query in qrels if any(grade > 0 for grade in qrels[query].values())]
    for query in asked:
        grades = qrels[query]
        scores = run.get(query, {})
        gains = [grades.get(paper, 0) for paper in ranking(scores)]
        area = auc(list(scores.values()), [grades.get(paper, 0) > 0 for paper in scores])
        measures = {
            "ndcg@10": ndcg_at(gains, grades.values(), 10),
            "mrr": mrr(gains),
            "map": average_precision(gains, grades.values()),
            "auc": 0.0 if math.isnan(area) else area,
        } | {f"recall@{k}": recall_at(gains, grades.values(), k) for k in cuts}
        for name, value in measures.items():
            by_query.setdefault(name, {})[query] = value
    means = {name: sum(values.values()) / len(values) for name, values in by_query.items()}
    return Evaluation(by_query, means, len(asked), sum(not run.get(query) for query in asked))


@dataclass(frozen=True, slots=True)
class Comparison:
    """How run B differs from run A in one measure: the mean difference B − A, and how sure that is.

    ``low`` and ``high`` bound the middle 95 % of the bootstrap; ``p`` is the two-sided probability that
    the sign is chance.
    """

    first: float
    second: float
    difference: float
    low: float
    high: float
    p: float
    queries: int


def paired_bootstrap(
    first: Mapping[str, float], second: Mapping[str, float], chance: np.random.Generator, rounds: int = 10_000
) -> Comparison:
    """Compare two runs by one measure, resampling the queries that both have (Efron's paired bootstrap).

    Raises ValueError where they share no query.
    """
    shared = sorted(first.keys() & second.keys())
    if not shared:
        raise ValueError("the two runs share no query; were they made for the same qrels?")
    a = np.array([first[query] for query in shared])
    b = np.array([second[query] for query in shared])
    gain = b - a
    means = _resampled_means(gain, chance, rounds)
    low, high = np.quantile(means, [0.025, 0.975])
    beyond = min(float(np.mean(means <= 0)), float(np.mean(means >= 0)))
    return Comparison(
        first=float(a.mean()),
        second=float(b.mean()),
        difference=float(gain.mean()),
        low=float(low),
        high=float(high),
        p=min(1.0, 2 * beyond),
        queries=len(shared),
    )


def _resampled_means(
    values: NDArray[np.float64], chance: np.random.Generator, rounds: int
) -> NDArray[np.float64]:
    """The means of ``rounds`` samples drawn with replacement, in slices that stay under some 100 MB."""
    step = max(1, 10_000_000 // len(values))
    return np.concatenate(
        [
            values[chance.integers(0, len(values), (min(step, rounds - start), len(values)))].mean(axis=1)
            for start in range(0, rounds, step)
        ]
    )


# -- TREC files ----------------------------------------------------------------------------------------------


def read_run(lines: Iterable[str], where: str) -> dict[str, dict[str, float]]:
    """Read a TREC run, ``query Q0 paper rank score tag`` a line; the best score of a paper counts.

    ``where`` names the file in errors. Raises ValueError with file and line for a line of another form.
    """
    run: dict[str, dict[str, float]] = {}
    for number, fields in _fields(lines):
        if len(fields) != 6:
            raise ValueError(_wrong(where, number, fields, "query Q0 paper rank score tag"))
        query, _, paper, _, score, _ = fields
        try:
            value = float(score)
        except ValueError:
            raise ValueError(f"{where}, line {number}: score {score!r} is no number") from None
        if math.isnan(value):
            raise ValueError(f"{where}, line {number}: the score is not a number (nan)")
        held = run.setdefault(query, {})
        held[paper] = max(value, held.get(paper, -math.inf))
    return run


def read_qrels(lines: Iterable[str], where: str) -> dict[str, dict[str, int]]:
    """Read TREC qrels, ``query 0 paper grade`` a line; the highest grade of a paper counts.

    ``where`` names the file in errors. Raises ValueError with file and line for a line of another form.
    """
    qrels: dict[str, dict[str, int]] = {}
    for number, fields in _fields(lines):
        if len(fields) != 4:
            raise ValueError(_wrong(where, number, fields, "query 0 paper grade"))
        query, _, paper, grade = fields
        try:
            value = int(grade)
        except ValueError:
            raise ValueError(f"{where}, line {number}: grade {grade!r} is no whole number") from None
        held = qrels.setdefault(query, {})
        held[paper] = max(value, held.get(paper, value))
    return qrels


def _fields(lines: Iterable[str]) -> Iterable[tuple[int, list[str]]]:
    return ((number, line.split()) for number, line in enumerate(lines, start=1) if line.strip())


def _wrong(where: str, number: int, fields: Collection[str], form: str) -> str:
    return f"{where}, line {number}: {len(fields)} fields, expected {len(form.split())}: {form}"
