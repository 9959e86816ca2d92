"""Rankers side by side: the same papers, the same readers, nDCG@10 and CPU time per reader.

usage: python benchmarks/ranking.py --set authors|citeulike [--readers N] [--only NAME…] [--json]

Each peer's recipe is written as its authors describe it, on scikit-learn's own vectors: the TF-IDF centroid
(1-2-grams, cosine with the mean of the liked papers), BM25 (bm25s; the query is all words of the liked
papers), arxiv-sanity-lite (20,000 1-2-grams, sublinear, max_df 0.1, LinearSVC C=0.01 balanced, every other
known paper a negative) and Scholar Inbox (logistic regression C=0.1, 5,000 random negatives, 20,000
features). Ours learn on an edition of all papers. CPU time is that of learning one reader's model with
vectors at hand; for BM25, which learns nothing, that of the first batch's scores. The reader's own future
serves nobody: negatives are papers before the first batch asked for.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path

import bm25s
import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC
from threadpoolctl import threadpool_limits

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from jobs import rank_input  # noqa: E402
from recommender import background, evaluate  # noqa: E402
from recommender.background import Background  # noqa: E402
from recommender.fitting import Fitting  # noqa: E402
from recommender.interest import Interests, Judged  # noqa: E402
from recommender.paper import Paper  # noqa: E402
from recommender.ranking import RANKERS  # noqa: E402
from recommender.vectors import Edition  # noqa: E402

DATA = ROOT.parent / "shared" / "data"
SETS = {
    "authors": (DATA / "papers", "*.jsonl.xz", DATA / "readers" / "authors-dev"),
    "citeulike": (DATA / "citeulike", "papers.jsonl.xz", DATA / "citeulike"),
}
NEGATIVES = 5_000
Ints = NDArray[np.int64]
Scores = Callable[[Ints], NDArray[np.float64]]
"""The scores of candidates, given by their rows."""
Learn = Callable[[Ints], Scores]
"""A reader's scorer, of the rows that they like."""


@dataclass(frozen=True, slots=True)
class Task:
    """The papers, which of them were known before the readers' batches, the batches, readers and qrels."""

    papers: list[Paper]
    known: Ints
    batches: dict[str, Ints]
    readers: list[rank_input.Reader]
    qrels: evaluate.Qrels


def load(name: str, at_most: int | None) -> Task:
    """One of `SETS`; of the readers an even sample of ``at_most``."""
    folder, pattern, asked = SETS[name]
    where = (asked / "readers.jsonl", asked / "qrels") if asked.is_dir() else _with_suffixes(asked)
    if not where[0].exists():
        sys.exit(
            f"{where[0]} is absent; this benchmark reads ../shared/data, which comes apart from the project"
        )
    found = list(rank_input.papers(sorted(folder.glob(pattern)), print))
    readers = rank_input.readers(where[0], print)
    readers = readers[:: max(1, len(readers) // (at_most or len(readers)))][:at_most]
    wanted = {batch for reader in readers for batch in reader.batches or ()}
    with where[1].open(encoding="utf-8") as lines:
        qrels = evaluate.read_qrels(lines, str(where[1]))
    asked_for = {f"{r.name}@{batch}" for r in readers for batch in r.batches or ()}
    first = min(wanted)
    return Task(
        papers=[candidate.paper for candidate in found],
        known=np.array([
            at for at, c in enumerate(found)
            if c.batch not in wanted and (c.batch < first or not c.batch[:1].isdigit())
        ]),
        batches={b: np.array([at for at, c in enumerate(found) if c.batch == b]) for b in sorted(wanted)},
        readers=readers,
        qrels={query: grades for query, grades in qrels.items() if query in asked_for},
    )  # fmt: skip


def _with_suffixes(path: Path) -> tuple[Path, Path]:
    return path.with_name(f"{path.name}.jsonl"), path.with_name(f"{path.name}.qrels")


def text_of(paper: Paper) -> str:
    """What the peers read of a paper."""
    return f"{paper.title} {paper.abstract}"


def ours(task: Task, name: str) -> Learn:
    """A ranker of the project on an edition of all papers, without people."""
    edition = Edition.fit(task.papers, shapes=False, pair_floor=2)
    if not background.ordered(edition.fitting):
        edition = Edition(Fitting(edition.fitting.frequencies.kept(0, inf)))
    X = edition.transform(task.papers)
    background.attach(edition, Background.of(edition, X[task.known]))
    nobody = Paper("", "")

    def learn(liked: Ints) -> Scores:
        weights = RANKERS[name].learn(edition, Interests(), [Judged(nobody, "like")] * len(liked), X[liked])
        return lambda rows: weights.scores(X[rows])

    return learn


def linear(vectors: TfidfVectorizer, task: Task, weigh: Callable[..., NDArray[np.float64]]) -> Learn:
    """A recipe that makes one vector of weights: ``weigh(X, liked, known)``."""
    X = sparse.csr_matrix(vectors.fit_transform(map(text_of, task.papers)))

    def learn(liked: Ints) -> Scores:
        weights = weigh(X, liked, task.known)
        return lambda rows: np.asarray(X[rows] @ weights)

    return learn


def centroid(task: Task) -> Learn:
    """Cosine with the mean of the liked papers."""
    vectors = TfidfVectorizer(
        ngram_range=(1, 2), min_df=5, stop_words="english", sublinear_tf=True, dtype=np.float32
    )
    return linear(vectors, task, lambda X, liked, _: np.asarray(X[liked].mean(axis=0)).ravel())


def _small_tfidf() -> TfidfVectorizer:
    return TfidfVectorizer(
        ngram_range=(1, 2), max_features=20_000, sublinear_tf=True, max_df=0.1, min_df=5,
        stop_words="english", dtype=np.float32,
    )  # fmt: skip


def arxiv_sanity(task: Task) -> Learn:
    """A linear SVM with every other known paper as a negative."""

    def weigh(X: sparse.csr_matrix, liked: Ints, known: Ints) -> NDArray[np.float64]:
        others = np.setdiff1d(known, liked)
        truth = np.r_[np.ones(len(liked)), np.zeros(len(others))]
        model = LinearSVC(class_weight="balanced", max_iter=10_000, tol=1e-6, C=0.01)
        return np.asarray(model.fit(X[np.r_[liked, others]], truth).coef_[0])

    return linear(_small_tfidf(), task, weigh)


def scholar_inbox(task: Task) -> Learn:
    """A weighted logistic regression with 5,000 random negatives."""
    chance = np.random.default_rng(0)
    drawn = chance.choice(task.known, min(NEGATIVES, len(task.known)), replace=False)

    def weigh(X: sparse.csr_matrix, liked: Ints, _: Ints) -> NDArray[np.float64]:
        others = np.setdiff1d(drawn, liked)
        truth = np.r_[np.ones(len(liked)), np.zeros(len(others))]
        model = LogisticRegression(class_weight="balanced", C=0.1, solver="liblinear")
        return np.asarray(model.fit(X[np.r_[liked, others]], truth).coef_[0])

    return linear(_small_tfidf(), task, weigh)


def bm25(task: Task) -> Learn:
    """BM25 (k1 1.5, b 0.75) with all words of the liked papers as the query."""
    texts = [text_of(paper) for paper in task.papers]
    tokens = bm25s.tokenize(texts, stopwords="en", show_progress=False)
    index = bm25s.BM25()
    index.index(tokens, show_progress=False)

    def learn(liked: Ints) -> Scores:
        words = [word for at in liked for word in tokens.ids[at]]
        scores = index.get_scores_from_ids(words)
        return lambda rows: np.asarray(scores[rows], np.float64)

    return learn


RECIPES: dict[str, Callable[[Task], Learn]] = {
    "blend": lambda task: ours(task, "blend"),
    "log-odds": lambda task: ours(task, "log-odds"),
    "centroid": centroid,
    "bm25": bm25,
    "scholar-inbox": scholar_inbox,
    "arxiv-sanity-lite": arxiv_sanity,
}


def runs(task: Task, learn: Learn) -> Iterator[tuple[float, dict[str, dict[str, float]]]]:
    """For each reader the CPU seconds of learning, and the scores of each query's best hundred papers."""
    row = {paper.id: at for at, paper in enumerate(task.papers)}
    ids = np.array([paper.id for paper in task.papers])
    for reader in task.readers:
        liked = np.array([row[key] for key in reader.liked if key in row])
        start = time.process_time()
        score = learn(liked)
        spent = time.process_time() - start
        found = {}
        for batch in sorted(reader.batches or ()):
            rows = np.setdiff1d(task.batches[batch], liked)
            scores = score(rows)
            best = np.argsort(-scores, kind="stable")[:100]
            found[f"{reader.name}@{batch}"] = dict(
                zip(ids[rows[best]].tolist(), scores[best].tolist(), strict=True)
            )
        yield spent, found


def measure(task: Task, name: str) -> dict[str, float | str]:
    """One row of the table."""
    learn = RECIPES[name](task)
    run: dict[str, dict[str, float]] = {}
    spent = []
    for seconds, found in runs(task, learn):
        spent.append(seconds)
        run |= found
    query_scores = evaluate.evaluate(run, task.qrels).by_query["ndcg@10"]
    values = np.array(list(query_scores.values()))
    return {
        "ranker": name,
        "ndcg@10": round(float(values.mean()), 4),
        "standard_error": round(float(values.std() / np.sqrt(len(values))), 4),
        "queries": len(values),
        "ms_per_reader": round(1_000 * float(np.mean(spent)), 2),
    }


def main(arguments: Sequence[str]) -> None:
    """Read the command line, print a row as soon as it is known."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--set", choices=sorted(SETS), default="citeulike", dest="name")
    parser.add_argument(
        "--readers", type=int, help="so many readers, evenly drawn (the SVM takes seconds each)"
    )
    parser.add_argument("--only", nargs="+", choices=list(RECIPES), default=list(RECIPES))
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args(arguments)
    task = load(asked.name, asked.readers)
    if not asked.json:
        counts = f"{len(task.papers):,} papers, {len(task.readers):,} readers, {len(task.qrels):,} queries"
        print(f"{asked.name}: {counts}")
    with threadpool_limits(1):
        for name in asked.only:
            row = measure(task, name)
            shown = (
                "{ranker:18} nDCG@10 {ndcg@10:.4f} ± {standard_error:.4f} {ms_per_reader:10.2f} ms a reader"
            )
            print(json.dumps({"set": asked.name, **row}) if asked.json else shown.format_map(row), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
