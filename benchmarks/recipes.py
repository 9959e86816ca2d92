"""How peers rank, on scikit-learn's own vectors, and how this project does: one recipe a function.

The TF-IDF centroid (1-2-grams, cosine with the mean of the liked papers), BM25 (bm25s; the query is all words
of the liked papers), arxiv-sanity-lite (20,000 1-2-grams, sublinear, max_df 0.1, LinearSVC C=0.01 balanced,
every other known paper a negative) and Scholar Inbox (logistic regression C=0.1, 5,000 random negatives,
20,000 features), each as its authors describe it. Ours learn on an edition of all papers. The reader's own
future serves nobody: negatives are papers before the first batch asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf

import bm25s
import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

from jobs import rank_input
from recommender import background, evaluate
from recommender.background import Background
from recommender.fitting import Fitting
from recommender.interest import Interests, Judged
from recommender.paper import Paper
from recommender.ranking import RANKERS
from recommender.vectors import Edition

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


def text_of(paper: Paper) -> str:
    """What the peers read of a paper."""
    return f"{paper.title} {paper.abstract}"


def ours(task: Task, name: str) -> Learn:
    """A ranker of the project on an edition of all papers, without people."""
    edition = Edition.fit(task.papers, shapes=False)
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
