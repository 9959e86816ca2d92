"""Ten well-chosen questions against ten random ones: how good is a newcomer's ranking after the answers?

usage: python -m benchmarks.active_learning [--readers N] [--seed S] [--json]

Readers are authors of ../shared/data/readers; their true interests are the papers they wrote (``liked``), the
qrels are the papers they wrote later. A newcomer starts with nothing, with the category of most of those
papers, or with the title of one of them as the statement. They are asked about ten papers of the two weeks
before the first test week, 2,000 of them drawn by chance, and the ranking is then learned from the answers.

The answers are simulated: "more of this" to the three in a hundred papers that come closest (cosine of
scikit-learn's TF-IDF of single words) to one of the reader's own and share a category with them, "not for me"
to the further half, no answer between. So a person who answers "more of this" to a paper in the same field
stands in for one who means it; and since own next papers do not follow closely from that, nDCG@10 is low for
every way of asking and recall@100 and AUC say more. The title of one's own paper as a statement is a
better start than most newcomers give.
"""

from __future__ import annotations

import argparse
import json
import lzma
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer

from recommender.active import ask
from recommender.evaluate import auc, ndcg_at, paired_bootstrap, recall_at
from recommender.interest import Interests, Judged
from recommender.paper import Paper
from recommender.ranking import DEFAULT, RANKERS
from recommender.vectors import Edition, Matrix

SHARED = Path(__file__).parent.parent.parent / "shared" / "data"
ASKED_WEEKS = ("2026-W17", "2026-W18")
POOL, QUESTIONS = 2_000, 10
MORE, NOT_FOR_ME = 0.97, 0.5
MEASURES = ("ndcg@10", "recall@100", "auc")


@dataclass(frozen=True)
class Author:
    """A reader of the data set: the papers they wrote, and those to be found by query id."""

    name: str
    liked: tuple[str, ...]
    wanted: dict[str, set[str]]


@dataclass(frozen=True)
class Field:
    """All papers that take part, those of each test week as vectors, and those to be asked about."""

    papers: dict[str, Paper]
    weeks: dict[str, tuple[list[str], Matrix]]
    pool: list[Paper]
    X: Matrix


@dataclass(frozen=True)
class Newcomer:
    """What a newcomer states, and what they would answer about each paper of the pool: 1, -1 or 0."""

    interests: Interests
    answers: NDArray[np.int64]

    def judged(self, pool: list[Paper], rows: list[int]) -> list[Judged]:
        """The answers to these questions."""
        words = {1: "like", -1: "dislike"}
        return [Judged(pool[r], words[a]) for r in rows if (a := int(self.answers[r]))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--readers", type=int, default=150)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    authors = read_authors(given.readers, given.seed)
    edition = Edition.shipped()
    field = read_field(authors, edition, given.seed)
    found = measure(authors, field, edition, given.seed)
    if given.json:
        print(json.dumps({"readers": len(authors), "starts": found}, indent=2))
        return
    print(
        f"{len(authors)} readers, {sum(len(a.wanted) for a in authors)} queries, {QUESTIONS} questions each"
    )
    for start, ways in found.items():
        print(f"\nstarting with {start}:")
        print(f"  {'asked about':<18} likes " + " ".join(f"{name:>10}" for name in MEASURES))
        for way, values in ways.items():
            figures = " ".join(f"{values[name]:>10.4f}" for name in MEASURES)
            sure = f"   recall@100 against random: {values['sure']}" if values.get("sure") else ""
            print(f"  {way:<18} {values['likes']:>5.2f} {figures}{sure}")


def read_authors(number: int, seed: int) -> list[Author]:
    """A sample of the readers, with what is to be found for each."""
    wanted: dict[str, dict[str, set[str]]] = {}
    for line in (SHARED / "readers" / "authors-dev.qrels").read_text().splitlines():
        query, _, paper, grade = line.split()
        if int(grade) > 0:
            wanted.setdefault(query.partition("@")[0], {}).setdefault(query, set()).add(paper)
    lines = (SHARED / "readers" / "authors-dev.jsonl").read_text().splitlines()
    every = [json.loads(line) for line in lines]
    chosen = random.Random(seed).sample(every, min(number, len(every)))
    return [Author(r["reader"], tuple(r["liked"]), wanted.get(r["reader"], {})) for r in chosen]


def read_field(authors: list[Author], edition: Edition, seed: int) -> Field:
    """The papers of the weeks that are tested and asked about, and those that the readers wrote."""
    own = {paper for author in authors for paper in author.liked}
    tested = {query.partition("@")[2] for author in authors for query in author.wanted}
    papers: dict[str, Paper] = {}
    weeks: dict[str, list[str]] = {}
    for paper, week in _read_papers():
        if week in tested or week in ASKED_WEEKS or paper.id in own:
            papers[paper.id] = paper
            weeks.setdefault(week, []).append(paper.id)
    pool = [papers[key] for week in ASKED_WEEKS for key in weeks[week]]
    pool = random.Random(seed).sample(pool, min(POOL, len(pool)))
    vectors = {w: (weeks[w], edition.transform([papers[key] for key in weeks[w]])) for w in sorted(tested)}
    return Field(papers, vectors, pool, edition.transform(pool))


def _read_papers() -> Iterator[tuple[Paper, str]]:
    for path in sorted((SHARED / "papers").glob("*.jsonl.xz")):
        with lzma.open(path, "rt", encoding="utf-8") as file:
            for line in file:
                held = json.loads(line)
                year, week, _ = date.fromisoformat(held["date"]).isocalendar()
                yield (
                    Paper(
                        held["id"],
                        held["title"],
                        abstract=held["abstract"],
                        categories=tuple(held["categories"]),
                    ),
                    f"{year}-W{week:02d}",
                )


def newcomers(
    author: Author, field: Field, alike: Callable[[list[Paper]], NDArray[np.float64]]
) -> dict[str, Newcomer]:
    """The author as a newcomer, by what they begin with."""
    own = [field.papers[key] for key in author.liked if key in field.papers]
    categories = {c for paper in own for c in paper.categories}
    near = alike(own) * [bool(categories.intersection(paper.categories)) for paper in field.pool]
    answers = (near >= np.quantile(near, MORE)).astype(int) - (near < np.quantile(near, NOT_FOR_ME))
    first = Counter(c for paper in own for c in paper.categories[:1]).most_common(1)
    return {
        "nothing": Newcomer(Interests(), answers),
        "a category": Newcomer(Interests(categories=tuple(c for c, _ in first)), answers),
        "a statement": Newcomer(Interests(statement=own[0].title), answers),
    }


def ways_of_asking(newcomer: Newcomer, field: Field, edition: Edition, seed: int) -> dict[str, list[int]]:
    """The rows of the pool that each way of asking asks about."""
    words = field.X[:, edition.text_columns]
    learn = RANKERS[DEFAULT].learn
    scores = learn(edition, newcomer.interests).scores(field.X)
    one_by_one: list[int] = []
    current = scores
    for _ in range(QUESTIONS):
        chance = np.random.default_rng(seed)
        one_by_one += ask(words, 1, chance=chance, scores=current, asked=one_by_one)
        answered = newcomer.judged(field.pool, one_by_one)
        current = learn(edition, newcomer.interests, answered).scores(field.X)
    return {
        "none": [],
        "random": np.random.default_rng(seed).permutation(len(field.pool))[:QUESTIONS].tolist(),
        "the best scored": np.argsort(-scores, kind="stable")[:QUESTIONS].tolist(),
        "ask, all at once": ask(words, QUESTIONS, chance=np.random.default_rng(seed), scores=scores),
        "ask, one by one": one_by_one,
    }


def measure(
    authors: list[Author], field: Field, edition: Edition, seed: int
) -> dict[str, dict[str, dict[str, float | str]]]:
    """The mean of each measure by start and way of asking, and the gain in recall@100 over random asking."""
    vectorizer = TfidfVectorizer(sublinear_tf=True, stop_words="english", min_df=2)
    pool = vectorizer.fit_transform([f"{paper.title} {paper.abstract}" for paper in field.pool])

    def alike(own: list[Paper]) -> NDArray[np.float64]:
        theirs = vectorizer.transform([f"{paper.title} {paper.abstract}" for paper in own])
        return np.asarray((pool @ theirs.T).toarray().max(axis=1), dtype=np.float64)

    by_query: dict[tuple[str, str], dict[str, tuple[float, ...]]] = {}
    likes: dict[tuple[str, str], list[int]] = {}
    for at, author in enumerate(authors):
        for start, newcomer in newcomers(author, field, alike).items():
            for way, rows in ways_of_asking(newcomer, field, edition, seed + at).items():
                judged = newcomer.judged(field.pool, rows)
                likes.setdefault((start, way), []).append(sum(j.opinion == "like" for j in judged))
                weights = RANKERS[DEFAULT].learn(edition, newcomer.interests, judged)
                for query, wanted in author.wanted.items():
                    ids, X = field.weeks[query.partition("@")[2]]
                    by_query.setdefault((start, way), {})[query] = _quality(weights.scores(X), ids, wanted)
    return _summed(by_query, likes, seed)


def _quality(scores: NDArray[np.float64], ids: list[str], wanted: set[str]) -> tuple[float, ...]:
    """nDCG@10, recall@100 and AUC of one week; what scores nothing is not shown."""
    order = np.lexsort((np.array(ids), -scores))[:100]
    gains = [int(ids[row] in wanted and scores[row] > 0) for row in order.tolist()]
    every = [1] * len(wanted)
    area = auc(scores, [key in wanted for key in ids])
    return ndcg_at(gains, every, 10), recall_at(gains, every, 100), area


def _summed(
    by_query: dict[tuple[str, str], dict[str, tuple[float, ...]]], likes: dict[tuple[str, str], list[int]],
    seed: int,
) -> dict[str, dict[str, dict[str, float | str]]]:  # fmt: skip
    found: dict[str, dict[str, dict[str, float | str]]] = {}
    for (start, way), values in by_query.items():
        means = np.mean(list(values.values()), axis=0)
        row: dict[str, float | str] = {name: float(m) for name, m in zip(MEASURES, means, strict=True)}
        row["likes"] = float(np.mean(likes[start, way]))
        if way.startswith("ask"):
            random_ones = {query: figures[1] for query, figures in by_query[start, "random"].items()}
            ours = {query: figures[1] for query, figures in values.items()}
            c = paired_bootstrap(random_ones, ours, np.random.default_rng(seed))
            row["sure"] = f"{c.difference:+.3f} ({c.low:+.3f} to {c.high:+.3f})"
        found.setdefault(start, {})[way] = row
    return found


if __name__ == "__main__":
    main()
