"""How peers rank, on scikit-learn's own vectors, and how this project does: one recipe a function.

The TF-IDF centroid (1-2-grams, cosine with the mean of the liked papers), BM25 (bm25s; the query is all words
of the liked papers), arxiv-sanity-lite (20,000 1-2-grams, sublinear, max_df 0.1, LinearSVC C=0.01 balanced,
every other known paper a negative), Scholar Inbox (logistic regression C=0.1, 5,000 random negatives,
20,000 features), each as its authors describe it, and MiniLM (`benchmarks.minilm`). Ours learn on an edition
of all papers. The reader's own future serves nobody: negatives are papers before the first batch asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, Protocol

import bm25s
import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

from benchmarks import minilm
from benchmarks.tasks import Ints, Task
from recommender import background
from recommender.background import Background
from recommender.fitting import Fitting
from recommender.interest import Interests, Judged
from recommender.paper import Paper
from recommender.ranking import DEFAULT, RANKERS, Weights
from recommender.vectors import Edition

NEGATIVES = 5_000
Floats = NDArray[Any]
Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""


def silent(_what: str, _done: int, _total: int) -> None:
    """Say nothing of what is being done."""


class Recipe(Protocol):
    """A way to rank, its vectors of all papers made."""

    @property
    def vectors(self) -> int:
        """Of so many papers there are vectors."""

    def learn(self, liked: Ints) -> Any:
        """What is learned of a reader who liked the papers of these rows."""

    def batch(self, rows: Ints) -> Any:
        """Papers to be ranked, made ready for any number of readers."""

    def scores(self, batch: Any, learned: Sequence[Any]) -> Floats:
        """The readers × papers scores."""


@dataclass(frozen=True, slots=True)
class Linear:
    """Sparse rows of weights, mostly one a reader: a batch is cut to the columns that it holds, then
    multiplied."""

    X: sparse.csr_matrix
    weigh: Callable[[Ints], sparse.csr_matrix]

    @property
    def vectors(self) -> int:
        """All papers."""
        return int(self.X.shape[0])

    def learn(self, liked: Ints) -> sparse.csr_matrix:
        """Rows × columns."""
        return self.weigh(liked)

    def batch(self, rows: Ints) -> tuple[Ints, sparse.csr_matrix]:
        """The columns held, and papers × columns."""
        chosen = self.X[rows]
        columns = np.unique(chosen.indices)
        return columns, sparse.csr_matrix(chosen[:, columns])

    def scores(self, batch: tuple[Ints, sparse.csr_matrix], learned: Sequence[sparse.csr_matrix]) -> Floats:
        """One product; of a reader's rows the best counts."""
        columns, papers = batch
        stacked = sparse.vstack(learned, format="csr")
        place = np.minimum(np.searchsorted(columns, stacked.indices), len(columns) - 1)
        owner = np.repeat(np.arange(stacked.shape[0]), np.diff(stacked.indptr))
        held = columns[place] == stacked.indices
        weights = np.zeros((len(columns), stacked.shape[0]), np.float32)
        weights[place[held], owner[held]] = stacked.data[held]
        begins = np.cumsum([0, *(one.shape[0] for one in learned)])[:-1]
        return np.maximum.reduceat(np.asarray(papers @ weights), begins, axis=1).T


@dataclass(frozen=True, slots=True)
class Ours(Linear):
    """A ranker of the project."""

    edition: Edition
    name: str

    def learn_all(self, likes: Sequence[Ints]) -> list[Weights]:
        """The weights of readers who liked these rows, learned together as the service does every night."""
        nobody = Paper("", "")
        readers = [(Interests(), [Judged(nobody, "like")] * len(liked)) for liked in likes]
        return RANKERS[self.name].learn_all(self.edition, readers, self.X[np.concatenate(likes)])


@dataclass(frozen=True, slots=True)
class Dense:
    """A score of every paper or an embedding of each: what is learned is a vector."""

    vectors: int
    learn: Callable[[Ints], Floats]
    batch: Callable[[Ints], Any]
    scores: Callable[[Any, Sequence[Floats]], Floats]


def text_of(paper: Paper) -> str:
    """What the peers read of a paper."""
    return f"{paper.title} {paper.abstract}"


def ours(task: Task, name: str) -> Ours:
    """A ranker of the project on an edition of all papers, without people."""
    edition = Edition.fit(task.papers, shapes=False)
    if not background.ordered(edition.fitting):
        edition = Edition(Fitting(edition.fitting.frequencies.kept(0, inf)))
    X = edition.transform(task.papers)
    if len(task.known) >= background.FEWEST:
        background.attach(edition, Background.of(edition, X[task.known]))
    nobody = Paper("", "")

    def weigh(liked: Ints) -> sparse.csr_matrix:
        judged = [Judged(nobody, "like")] * len(liked)
        return RANKERS[name].learn(edition, Interests(), judged, X[liked]).rows

    return Ours(X, weigh, edition, name)


def _tfidf(**options: Any) -> TfidfVectorizer:
    return TfidfVectorizer(
        ngram_range=(1, 2), min_df=5, stop_words="english", sublinear_tf=True, dtype=np.float32, **options
    )


def centroid(task: Task) -> Recipe:
    """Cosine with the mean of the liked papers."""
    X = sparse.csr_matrix(_tfidf().fit_transform(map(text_of, task.papers)))
    return Linear(X, lambda liked: sparse.csr_matrix(X[liked].mean(axis=0)))


def _small(task: Task) -> sparse.csr_matrix:
    return sparse.csr_matrix(_tfidf(max_features=20_000, max_df=0.1).fit_transform(map(text_of, task.papers)))


def arxiv_sanity(task: Task) -> Recipe:
    """A linear SVM with every other known paper as a negative."""
    X = _small(task)
    held = np.union1d(task.known, np.concatenate(task.likes()))
    known = X if len(held) == X.shape[0] else X[held]

    def weigh(liked: Ints) -> sparse.csr_matrix:
        model = LinearSVC(class_weight="balanced", max_iter=10_000, tol=1e-6, C=0.01)
        return sparse.csr_matrix(model.fit(known, np.isin(held, liked)).coef_)

    return Linear(X, weigh)


def scholar_inbox(task: Task) -> Recipe:
    """A weighted logistic regression with 5,000 random negatives."""
    X = _small(task)
    chance = np.random.default_rng(0)
    drawn = chance.choice(task.known, min(NEGATIVES, len(task.known)), replace=False)

    def weigh(liked: Ints) -> sparse.csr_matrix:
        others = np.setdiff1d(drawn, liked)
        truth = np.r_[np.ones(len(liked)), np.zeros(len(others))]
        model = LogisticRegression(class_weight="balanced", C=0.1, solver="liblinear")
        return sparse.csr_matrix(model.fit(X[np.r_[liked, others]], truth).coef_)

    return Linear(X, weigh)


def bm25(task: Task) -> Recipe:
    """BM25 (k1 1.5, b 0.75) with all words of the liked papers as the query; "learning" scores all papers."""
    tokens = bm25s.tokenize([text_of(paper) for paper in task.papers], stopwords="en", show_progress=False)
    index = bm25s.BM25()
    index.index(tokens, show_progress=False)

    def learn(liked: Ints) -> Floats:
        return np.asarray(index.get_scores_from_ids([word for at in liked for word in tokens.ids[at]]))

    return Dense(
        len(task.papers), learn, lambda rows: rows,
        lambda rows, learned: np.array([scores[rows] for scores in learned]),
    )  # fmt: skip


def embeddings(task: Task, progress: Progress) -> Recipe:
    """Cosine with the mean of the liked papers' MiniLM vectors; only papers liked or ranked have any."""
    wanted = np.unique(np.concatenate([*task.likes(), *task.batches.values()]))
    texts = [f"{task.papers[row].title}. {task.papers[row].abstract}" for row in wanted.tolist()]
    vectors = np.zeros((len(task.papers), minilm.WIDTH), np.float32)
    vectors[wanted] = minilm.embed(texts, lambda done: progress("minilm, papers", done, len(texts)))
    return Dense(
        len(wanted), lambda liked: vectors[liked].mean(axis=0), lambda rows: vectors[rows],
        lambda papers, learned: np.array(learned) @ papers.T,
    )  # fmt: skip


RECIPES: dict[str, Callable[[Task, Progress], Recipe]] = {
    DEFAULT: lambda task, _: ours(task, DEFAULT),
    "log-odds": lambda task, _: ours(task, "log-odds"),
    "centroid": lambda task, _: centroid(task),
    "bm25": lambda task, _: bm25(task),
    "scholar-inbox": lambda task, _: scholar_inbox(task),
    "arxiv-sanity-lite": lambda task, _: arxiv_sanity(task),
    "minilm": embeddings,
}
