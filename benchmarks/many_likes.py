"""Readers with hundreds of likes: ours beside log-odds, a centroid, an SVM and logistic regressions.

``python -m benchmarks.many_likes [--only libraries|phrases|digests] [--readers 40] [--half 0|1] [--json]``.
No real reader with hundreds of likes is among the data, so three kinds stand in:

- *libraries*: those of citeulike-t with 100 papers or more;
- *digests*: the papers of the weekly digests that carry a tag, taken week by week as the likes of one person;
  what the later week's digest tags is what they want among all papers of that week;
- *phrases*: made-up readers who follow three to six phrases of one field and take, by chance, six in ten of
  the papers that have one in the title.

``--half`` takes the readers of one half by a hash of their names: settings are chosen on half 0, and half 1
is what they are judged by. The peers learn on our own vectors of words and pairs, against 5,000 papers.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

import numpy as np
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC
from threadpoolctl import threadpool_limits

from benchmarks.tasks import DATA, Ints, in_half
from jobs import rank_input
from jobs.sources import weekly
from recommender import background, text
from recommender.background import Background
from recommender.blend import Blend
from recommender.evaluate import ndcg_at
from recommender.fitting import Fitting
from recommender.interest import Interests, Judged
from recommender.logodds import LogOdds
from recommender.paper import Paper
from recommender.vectors import Edition, Matrix

FEWEST = 100
NEGATIVES = 5_000
FROM, UNTIL = date(2025, 10, 1), date(2026, 5, 1)
TAGS = ("mlsys", "sys")


@dataclass(frozen=True, slots=True)
class Wish:
    """What a reader liked, and the papers that they want among the candidates, all by row."""

    name: str
    liked: Ints
    candidates: Ints
    wanted: Ints


@dataclass(frozen=True, slots=True)
class Corpus:
    """Papers with their batches, as vectors of one edition; ``known`` are those nobody is asked about."""

    papers: list[Paper]
    batches: dict[str, Ints]
    edition: Edition
    X: Matrix
    known: Ints

    @classmethod
    def read(cls, pattern: str, old: Callable[[rank_input.Candidate], bool]) -> Corpus:
        """Read the files of ``pattern`` in the data folder."""
        found = list(rank_input.papers(sorted(DATA.glob(pattern)), print))
        if not found:
            sys.exit(
                f"{DATA / pattern} is absent; this benchmark reads data that comes apart from the project"
            )
        papers = [candidate.paper for candidate in found]
        edition = Edition.fit(papers, shapes=False)
        if not background.ordered(edition.fitting):
            edition = Edition(Fitting(edition.fitting.frequencies.kept(0, np.inf)))
        X = edition.transform(papers)
        known = np.array([at for at, candidate in enumerate(found) if old(candidate)])
        background.attach(edition, Background.of(edition, X[known]))
        batches = defaultdict(list)
        for at, candidate in enumerate(found):
            batches[candidate.batch].append(at)
        return cls(papers, {b: np.array(rows) for b, rows in batches.items()}, edition, X, known)


def libraries(corpus: Corpus) -> Iterator[Wish]:
    """Large libraries of citeulike-t."""
    row = {paper.id: at for at, paper in enumerate(corpus.papers)}
    wanted = defaultdict(list)
    with (DATA / "citeulike" / "qrels").open(encoding="utf-8") as lines:
        for line in lines:
            query, _, paper, _ = line.split()
            wanted[query.partition("@")[0]].append(row[paper])
    for reader in rank_input.readers(DATA / "citeulike" / "readers.jsonl", print):
        liked = np.array([row[key] for key in reader.liked if key in row])
        if len(liked) >= FEWEST and wanted[reader.name]:
            yield Wish(reader.name, liked, corpus.batches["new"], np.array(wanted[reader.name]))


def digests(corpus: Corpus) -> Iterator[Wish]:
    """The tags of the weekly digests, each as a reader who has read all digests before."""
    row = {paper.id: at for at, paper in enumerate(corpus.papers)}
    week_of = {at: batch for batch, rows in corpus.batches.items() for at in rows.tolist()}
    tagged: dict[int, str] = {}
    for path in sorted((DATA / "digests" / "weekly").glob("*2*.md")):
        for paper in weekly.parse(path.read_bytes()).papers:
            at = row.get(paper.id.removeprefix("arxiv:"))
            if at is not None:
                tagged.setdefault(at, paper.area)
    weeks = sorted({week_of[at] for at in tagged})
    for tags in (TAGS, *((tag,) for tag in TAGS)):
        for _, week in pairwise(weeks):
            of = [at for at, tag in tagged.items() if tag in tags]
            liked = np.array(sorted(at for at in of if week_of[at] < week))
            wanted = np.array(sorted(at for at in of if week_of[at] == week))
            if len(liked) >= FEWEST and len(wanted) >= 10:
                yield Wish(f"{'+'.join(tags)}-{week}", liked, corpus.batches[week], wanted)


def phrases(corpus: Corpus, readers: int = 80, seed: int = 11) -> Iterator[Wish]:
    """Made-up readers, each of one field."""
    chance = np.random.default_rng(seed)
    week_of = {at: batch for batch, rows in corpus.batches.items() for at in rows.tolist()}
    fields: defaultdict[str, list[int]] = defaultdict(list)
    for at, paper in enumerate(corpus.papers):
        if paper.categories and paper.announced and paper.announced >= FROM:
            fields[paper.categories[0]].append(at)
    large = sorted(field for field, rows in fields.items() if len(rows) >= 1_500)
    before = np.array([bool(p.announced and p.announced < UNTIL) for p in corpus.papers])
    made = 0
    while made < readers:
        field = large[int(chance.integers(len(large)))]
        held = defaultdict(list)
        for at in fields[field]:
            for term in set(text.terms(corpus.papers[at].title)):
                held[term].append(at)
        common = sorted(
            term for term, rows in held.items()
            if 30 <= before[rows].sum() <= 250 and (" " in term or len(term) >= 7)
        )  # fmt: skip
        if len(common) < 8:
            continue
        chosen = [common[at] for at in chance.choice(len(common), int(chance.integers(3, 7)), replace=False)]
        rows = np.array(sorted({at for term in chosen for at in held[term]}))
        rows = rows[chance.random(len(rows)) < 0.6]
        liked, after = rows[before[rows]], rows[~before[rows]]
        weeks = sorted({week_of[at] for at in after.tolist()})
        weeks = [week for week in weeks if sum(week_of[at] == week for at in after.tolist()) >= 3]
        if len(liked) < FEWEST or not weeks:
            continue
        made += 1
        week = weeks[int(chance.integers(len(weeks)))]
        wanted = np.array([at for at in after.tolist() if week_of[at] == week])
        yield Wish(f"{field}: {', '.join(chosen)}", liked, corpus.batches[week], wanted)


KINDS: dict[str, tuple[str, Callable[[rank_input.Candidate], bool], Callable[[Corpus], Iterator[Wish]]]] = {
    "libraries": ("citeulike/papers.jsonl.xz", lambda c: c.batch == "old", libraries),
    "phrases": ("papers/*.jsonl.xz", lambda c: bool(c.paper.announced and c.paper.announced < FROM), phrases),
    "digests": ("papers/*.jsonl.xz", lambda c: bool(c.paper.announced and c.paper.announced < FROM), digests),
}


def peer(corpus: Corpus, liked: Ints, model: LogisticRegression | LinearSVC | None) -> Matrix:
    """One row of a peer's weights on all columns; without a model the centroid."""
    words = corpus.X[:, corpus.edition.text_columns]
    if model is None:
        return sparse.csr_matrix(words[liked].mean(axis=0))
    others = np.setdiff1d(np.random.default_rng(0).permutation(corpus.known)[:NEGATIVES], liked)
    both = sparse.csc_matrix(sparse.vstack([words[liked], words[others]]))
    columns = np.flatnonzero(np.diff(both.indptr))
    truth = np.r_[np.ones(len(liked)), np.zeros(len(others))]
    weights = model.fit(sparse.csr_matrix(both[:, columns]), truth).coef_[0]
    return sparse.csr_matrix((weights, columns, [0, len(columns)]), shape=(1, words.shape[1]))


def regression(freedom: float) -> LogisticRegression:
    """A balanced one."""
    return LogisticRegression(C=freedom, class_weight="balanced", max_iter=200)


def rankers(corpus: Corpus) -> dict[str, Callable[[Ints], Matrix]]:
    """The weights that each ranker makes of the rows that a reader liked."""
    nobody = Paper("", "")

    def ours(ranker: Blend | LogOdds) -> Callable[[Ints], Matrix]:
        def learn(liked: Ints) -> Matrix:
            judged = [Judged(nobody, "like")] * len(liked)
            return ranker.learn(corpus.edition, Interests(), judged, corpus.X[liked]).rows

        return learn

    return {
        "blend": ours(Blend()),
        "blend, no fit": ours(Blend(fitted=0.0)),
        "log-odds": ours(LogOdds()),
        "centroid": lambda liked: peer(corpus, liked, None),
        "SVM, C=0.01": lambda liked: peer(corpus, liked, LinearSVC(C=0.01, class_weight="balanced")),
        "LR, C=10": lambda liked: peer(corpus, liked, regression(10)),
        "LR, C=100": lambda liked: peer(corpus, liked, regression(100)),
    }


def measure(corpus: Corpus, wishes: Sequence[Wish]) -> Iterator[dict[str, float | str]]:
    """One row of the table for each ranker."""
    for name, learn in rankers(corpus).items():
        values, spent = [], 0.0
        for wish in wishes:
            start = time.process_time()
            weights = learn(wish.liked)
            spent += time.process_time() - start
            rows = np.setdiff1d(wish.candidates, wish.liked)
            scores = np.asarray((corpus.X[rows][:, : weights.shape[1]] @ weights.T).todense()).ravel()
            best = rows[np.argsort(-scores, kind="stable")[:10]]
            gains = np.isin(best, wish.wanted).astype(int).tolist()
            values.append(ndcg_at(gains, [1] * len(wish.wanted), 10))
        yield {
            "ranker": name,
            "ndcg@10": round(float(np.mean(values)), 4),
            "standard_error": round(float(np.std(values) / np.sqrt(len(values))), 4),
            "ms_per_reader": round(1_000 * spent / len(wishes), 1),
        }


def main(arguments: Sequence[str]) -> None:
    """Read the command line, print a row as soon as it is known."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=list(KINDS), default=list(KINDS))
    parser.add_argument("--readers", type=int, default=40, help="at most so many of a kind")
    parser.add_argument("--half", type=int, choices=(0, 1))
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args(arguments)
    corpora: dict[str, Corpus] = {}
    for kind in asked.only:
        pattern, old, make = KINDS[kind]
        corpus = corpora[pattern] = corpora.get(pattern) or Corpus.read(pattern, old)
        wishes = [
            wish for wish in make(corpus)
            if asked.half is None or in_half(wish.name, asked.half)
        ][: asked.readers]  # fmt: skip
        likes = int(np.median([len(wish.liked) for wish in wishes]))
        if not asked.json:
            print(f"{kind}: {len(wishes)} readers, {likes} likes in the middle")
        with threadpool_limits(1):
            for row in measure(corpus, wishes):
                line = {"kind": kind, "readers": len(wishes), "likes": likes, **row}
                shown = "{ranker:14} nDCG@10 {ndcg@10:.4f} ± {standard_error:.4f} {ms_per_reader:8.1f} ms"
                print(json.dumps(line) if asked.json else shown.format_map(row), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
