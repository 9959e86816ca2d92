"""Measures of a ranking, checked against two reference implementations and by hand."""

from __future__ import annotations

import math

import ir_measures
import numpy as np
import pytest
from ir_measures import AP, RR, R, nDCG
from sklearn.metrics import average_precision_score, ndcg_score, roc_auc_score

from recommender import evaluate


def random_run(seed: int) -> tuple[dict[str, dict[str, float]], dict[str, dict[str, int]]]:
    """Twenty queries over sixty papers, graded 0 to 2, some relevant papers not ranked."""
    chance = np.random.default_rng(seed)
    run: dict[str, dict[str, float]] = {}
    qrels: dict[str, dict[str, int]] = {}
    for query in range(20):
        papers = [f"p{n}" for n in range(60)]
        qrels[f"q{query}"] = {p: int(chance.choice([0, 0, 0, 1, 2])) for p in papers} | {"p0": 1}
        ranked = chance.choice(papers, 40, replace=False)
        run[f"q{query}"] = {str(p): float(s) for p, s in zip(ranked, chance.random(40), strict=True)}
    return run, qrels


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_measures_agree_with_ir_measures(seed: int) -> None:
    run, qrels = random_run(seed)
    ours = evaluate.evaluate(run, qrels, cuts=(10, 20)).means
    theirs = {
        str(k): v
        for k, v in ir_measures.calc_aggregate([nDCG @ 10, RR, AP, R @ 10, R @ 20], qrels, run).items()
    }

    assert ours["ndcg@10"] == pytest.approx(theirs["nDCG@10"])
    assert ours["mrr"] == pytest.approx(theirs["RR"])
    assert ours["map"] == pytest.approx(theirs["AP"])
    assert ours["recall@10"] == pytest.approx(theirs["R@10"])
    assert ours["recall@20"] == pytest.approx(theirs["R@20"])


def odd_run(seed: int) -> tuple[dict[str, dict[str, float]], dict[str, dict[str, int]]]:
    """Queries with many ties, papers that nobody judged, grades below 0, and queries that the run lacks."""
    chance = np.random.default_rng(seed)
    run: dict[str, dict[str, float]] = {"nobody asked": {"p1": 1.0}}
    qrels: dict[str, dict[str, int]] = {}
    for query in range(25):
        judged = chance.choice(50, 30, replace=False).tolist()
        grades = {f"p{n}": int(chance.choice([-1, 0, 0, 1, 3])) for n in judged}
        qrels[f"q{query}"] = grades | {f"p{judged[0]}": 2}
        if query % 5:
            ranked = chance.choice(70, 45, replace=False).tolist()
            run[f"q{query}"] = {f"p{n}": float(chance.integers(6)) / 4 - 0.5 for n in ranked}
    return run, qrels


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_ties_missing_queries_and_unjudged_papers_agree_with_ir_measures(seed: int) -> None:
    run, qrels = odd_run(seed)
    found = evaluate.evaluate(run, qrels, cuts=(5, 10, 100))
    # trec_eval breaks ties by falling id, we (and the project's scorer) by rising id: so give it the order.
    untied = {
        query: {paper: -float(rank) for rank, paper in enumerate(evaluate.ranking(scores))}
        for query, scores in run.items()
    }
    names = {
        nDCG @ 10: "ndcg@10", RR: "mrr", AP: "map", R @ 5: "recall@5", R @ 10: "recall@10",
        R @ 100: "recall@100",
    }  # fmt: skip
    theirs = {
        (names[m.measure], m.query_id): m.value for m in ir_measures.iter_calc(list(names), qrels, untied)
    }

    assert found.missing == 5
    assert len(theirs) == 25 * len(names)
    for (name, query), value in theirs.items():
        assert found.by_query[name][query] == pytest.approx(value), (name, query)


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_auc_of_a_run_agrees_with_scikit_learn(seed: int) -> None:
    run, qrels = odd_run(seed)
    found = evaluate.evaluate(run, qrels).by_query["auc"]

    for query, grades in qrels.items():
        scores = run.get(query, {})
        relevant = [grades.get(paper, 0) > 0 for paper in scores]
        expected = roc_auc_score(relevant, list(scores.values())) if len(set(relevant)) == 2 else 0
        assert found[query] == pytest.approx(expected)


def test_papers_listed_twice_count_once_as_in_the_reference() -> None:
    lines = ["q Q0 a 1 0.9 t", "q Q0 b 2 0.8 t", "q Q0 a 3 0.1 t", "q Q0 b 4 0.95 t", "q Q0 c 5 0.5 t"]
    run = evaluate.read_run(lines, "run")
    qrels = evaluate.read_qrels(["q 0 a 1", "q 0 a 0", "q 0 c 0", "q 0 c 1"], "qrels")

    assert run == {"q": {"a": 0.9, "b": 0.95, "c": 0.5}}
    assert qrels == {"q": {"a": 1, "c": 1}}
    means = evaluate.evaluate(run, qrels).means
    assert (means["mrr"], means["map"], means["auc"]) == (0.5, pytest.approx((1 / 2 + 2 / 3) / 2), 0)


def test_measures_of_a_full_ranking_agree_with_scikit_learn() -> None:
    chance = np.random.default_rng(4)
    scores = np.round(chance.random(200), 2)  # with ties
    relevant = chance.random(200) < 0.2
    distinct = scores + np.arange(200) * 1e-6
    order = np.argsort(-distinct)
    gains = relevant[order].astype(int).tolist()

    assert evaluate.auc(scores, relevant) == pytest.approx(roc_auc_score(relevant, scores))
    assert evaluate.average_precision(gains, gains) == pytest.approx(
        average_precision_score(relevant, distinct)
    )
    assert evaluate.ndcg_at(gains, gains, 10) == pytest.approx(ndcg_score([relevant], [distinct], k=10))


def test_ndcg_of_a_known_case() -> None:
    # Relevant at ranks 1 and 3 of three relevant papers: (1 + 1/2) / (1 + 1/log2(3) + 1/2).
    assert evaluate.ndcg_at([1, 0, 1], [1, 1, 1], 10) == pytest.approx(1.5 / (1.5 + 1 / math.log2(3)))


def test_nothing_relevant_and_nothing_ranked_are_zero_not_errors() -> None:
    assert evaluate.ndcg_at([0, 0], [0], 10) == 0
    assert evaluate.mrr([]) == 0
    assert evaluate.recall_at([], [], 10) == 0
    assert evaluate.average_precision([0], []) == 0
    assert math.isnan(evaluate.auc([1.0, 2.0], [True, True]))


def test_a_query_that_the_run_lacks_counts_as_zero() -> None:
    found = evaluate.evaluate({"a": {"p": 1.0}}, {"a": {"p": 1}, "b": {"q": 1}, "none": {"r": 0}})

    assert found.queries == 2
    assert found.missing == 1
    assert found.means["ndcg@10"] == 0.5


def test_ties_break_by_paper_id() -> None:
    assert evaluate.ranking({"b": 1.0, "a": 1.0, "c": 2.0}) == ["c", "a", "b"]


def test_run_and_qrels_are_read_and_the_best_score_of_a_paper_counts() -> None:
    run = evaluate.read_run(["r@w Q0 p1 1 0.5 tag\n", "\n", "r@w Q0 p1 2 0.7 tag\n"], "run.txt")
    qrels = evaluate.read_qrels(["r@w 0 p1 1\n"], "qrels")

    assert run == {"r@w": {"p1": 0.7}}
    assert qrels == {"r@w": {"p1": 1}}


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("r Q0 p1 1 0.5", "run.txt, line 2: 5 fields, expected 6"),
        ("r Q0 p1 1 high tag", "run.txt, line 2: score 'high' is no number"),
        ("r Q0 p1 1 nan tag", "run.txt, line 2: the score is not a number"),
    ],
)
def test_a_bad_run_line_is_named(line: str, why: str) -> None:
    with pytest.raises(ValueError, match=r"run\.txt, line 2") as error:
        evaluate.read_run(["r Q0 p0 1 0.5 tag", line], "run.txt")
    assert why in str(error.value)


@pytest.mark.parametrize(("line", "why"), [("r 0 p", "3 fields"), ("r 0 p yes", "grade 'yes'")])
def test_a_bad_qrels_line_is_named(line: str, why: str) -> None:
    with pytest.raises(ValueError, match="qrels, line 1") as error:
        evaluate.read_qrels([line], "qrels")
    assert why in str(error.value)


def test_the_bootstrap_tells_a_better_run_from_chance() -> None:
    chance = np.random.default_rng(5)
    base = {f"q{n}": float(v) for n, v in enumerate(chance.random(200))}
    better = {q: v + 0.05 + float(chance.normal(0, 0.1)) for q, v in base.items()}
    shuffled = {q: v + float(chance.normal(0, 0.1)) for q, v in base.items()}

    gain = evaluate.paired_bootstrap(base, better, np.random.default_rng(0), 2_000)
    nothing = evaluate.paired_bootstrap(base, shuffled, np.random.default_rng(0), 2_000)

    assert gain.p < 0.01
    assert gain.low < gain.difference < gain.high
    assert gain.low > 0
    assert nothing.low < 0 < nothing.high
    assert nothing.p > 0.05


def test_the_bootstrap_interval_has_the_width_of_the_normal_one() -> None:
    values = np.random.default_rng(6).normal(0, 1, 400)
    first = {str(n): 0.0 for n in range(400)}
    second = {str(n): float(v) for n, v in enumerate(values)}

    found = evaluate.paired_bootstrap(first, second, np.random.default_rng(0), 4_000)

    assert found.high - found.low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.1)


def test_runs_that_share_no_query_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="share no query"):
        evaluate.paired_bootstrap({"a": 1.0}, {"b": 1.0}, np.random.default_rng(0))
