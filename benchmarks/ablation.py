"""What each part of the ranking brings: nDCG@10 with it and without, on the same papers and readers.

``python -m benchmarks.ablation [--readers 200] [--weeks 6] [--json]``. The readers are authors
(../shared/data/readers): a seeded sample of those with queries in the first ``--weeks`` weeks. The papers are
those weeks', the liked ones and one in ``--every`` others, which serve the document frequencies. Each line
differs from the first in one thing; beside the difference stands its standard error over queries.

Readers who state something instead of liking papers are made of the same authors: a statement is the title
of their latest paper or the first sentence of its abstract, terms are the five pairs of words that most of
their titles share, categories those of most of their papers, people the three they wrote most with.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import inf
from typing import Any
from unittest import mock

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from benchmarks import ranking
from benchmarks.recipes import Task
from recommender import background, evaluate, names, text, vectors
from recommender.background import Background
from recommender.blend import Blend
from recommender.counting import count
from recommender.fitting import Fitting
from recommender.interest import Interests, Judged
from recommender.logodds import LogOdds
from recommender.paper import Paper
from recommender.ranking import Ranker
from recommender.vectors import Edition

Patch = Callable[[], Any]


@dataclass(frozen=True, slots=True)
class World:
    """The papers as vectors of one edition."""

    task: Task
    edition: Edition
    X: vectors.Matrix


def smaller(weeks: int, readers: int, every: int, seed: int) -> Task:
    """The authors' task cut to its first weeks, a sample of readers, and one in ``every`` other papers."""
    task = ranking.load("authors", None, seed)
    kept_weeks = sorted(task.batches)[:weeks]
    asked = [r for r in task.readers if r.batches and set(kept_weeks) & r.batches]
    chosen = np.random.default_rng(seed).permutation(len(asked))[:readers]
    some = [
        replace(asked[at], batches=frozenset(asked[at].batches or ()) & set(kept_weeks))
        for at in sorted(chosen)
    ]
    liked = {key for reader in some for key in reader.liked}
    ranked = {int(row) for week in kept_weeks for row in task.batches[week]}
    known = set(task.known.tolist())
    wanted = [
        row
        for row, paper in enumerate(task.papers)
        if row in ranked or paper.id in liked or (row in known and row % every == 0)
    ]
    place = {row: at for at, row in enumerate(wanted)}
    queries = {f"{r.name}@{batch}" for r in some for batch in r.batches or ()}
    return Task(
        papers=[task.papers[row] for row in wanted],
        known=np.array([place[row] for row in task.known.tolist() if row in place]),
        batches={week: np.array([place[row] for row in task.batches[week].tolist()]) for week in kept_weeks},
        readers=some,
        qrels={query: grades for query, grades in task.qrels.items() if query in queries},
    )


def world(task: Task, *, base: Edition | None = None, pair_floor: float = 2, people: bool = False) -> World:
    """Fit an edition on the papers of ``task``; ``people`` gives their authors columns."""
    papers = task.papers if people else [replace(paper, authors=()) for paper in task.papers]
    edition = Edition.fit(papers, base, shapes=False)
    if pair_floor > 2:
        edition = Edition(Fitting(edition.fitting.frequencies.kept(0, pair_floor)))
    X = edition.transform(papers)
    background.attach(edition, Background.of(edition, X[task.known]))
    if people:
        wide = edition.extended([paper for week in task.batches.values() for paper in _at(papers, week)])
        return World(task, wide, wide.transform(papers))
    return World(task, edition, X)


def _at(papers: Sequence[Paper], rows: NDArray[np.int64]) -> list[Paper]:
    return [papers[row] for row in rows.tolist()]


def quality(
    where: World, ranker: Ranker, states: Callable[[list[Paper]], Interests] | None = None
) -> dict[str, float]:
    """nDCG@10 by query, of readers who like papers or, with ``states``, only say what that makes of them."""
    task = where.task
    row = {paper.id: at for at, paper in enumerate(task.papers)}
    ids = np.array([paper.id for paper in task.papers])
    nobody = Paper("", "")
    run: dict[str, dict[str, float]] = {}
    for reader in task.readers:
        liked = np.array([row[key] for key in reader.liked if key in row])
        if states is None:
            judged = [Judged(nobody, "like")] * len(liked)
            weights = ranker.learn(where.edition, Interests(), judged, where.X[liked])
        else:
            weights = ranker.learn(where.edition, states(_at(task.papers, liked))).on(where.edition)
        for week in sorted(reader.batches or ()):
            rows = np.setdiff1d(task.batches[week], liked)
            scores = weights.on(where.edition).scores(where.X[rows])
            best = np.argsort(-scores, kind="stable")[:10]
            run[f"{reader.name}@{week}"] = dict(
                zip(ids[rows[best]].tolist(), scores[best].tolist(), strict=True)
            )
    return dict(evaluate.evaluate(run, task.qrels).by_query["ndcg@10"])


# -- readers who state something ------------------------------------------------------------------------


def title(papers: list[Paper]) -> Interests:
    """The title of the latest paper."""
    return Interests(statement=papers[-1].title)


def sentence(papers: list[Paper]) -> Interests:
    """The first sentence of the latest paper's abstract."""
    return Interests(statement=papers[-1].abstract.partition(". ")[0])


def terms(papers: list[Paper]) -> Interests:
    """The five pairs of words that most titles hold."""
    held = Counter(term for paper in papers for term in set(text.terms(paper.title)) if " " in term)
    return Interests(terms=tuple((term, 1.0) for term, _ in held.most_common(5)))


def categories(papers: list[Paper]) -> Interests:
    """The categories of at least half of the papers."""
    held = Counter(category for paper in papers for category in paper.categories)
    return Interests(categories=tuple(c for c, n in held.items() if 2 * n >= len(papers)))


def people(papers: list[Paper]) -> Interests:
    """The three met most beside the one met most, who is the reader."""
    met = Counter(author for paper in papers for author in {names.author(a) for a in paper.authors})
    return Interests(authors=tuple(author for author, _ in met.most_common(4)[1:]))


# -- what is left out --------------------------------------------------------------------------------------


@contextmanager
def without_plurals() -> Iterator[None]:
    """Words count as they are written."""
    with mock.patch.object(text, "_singular", lambda word: word), _forgetting():
        yield


@contextmanager
def without_latex() -> Iterator[None]:
    """Commands and dollars stay in the text."""
    with mock.patch.object(text, "_read_latex", lambda words: words), _forgetting():
        yield


@contextmanager
def without_hyphens() -> Iterator[None]:
    """A hyphenated word is one word."""
    read = text.words
    with mock.patch.object(text, "words", lambda words: read(words.replace("-", "qq"))), _forgetting():
        yield


@contextmanager
def _forgetting() -> Iterator[None]:
    text.normal.cache_clear()
    yield
    text.normal.cache_clear()


def title_weight(weight: float) -> Any:
    """A title's words count so many times."""
    return mock.patch.object(vectors, "TITLE_WEIGHT", weight)


def lines(task: Task) -> Iterator[tuple[str, str, dict[str, float]]]:
    """(what it is compared with, what is left out or put in, nDCG@10 by query)."""
    whole = world(task)
    blend = Blend()
    yield "", "as it is", quality(whole, blend)
    for what, ranker in (
        ("without the whitened mean", replace(blend, whitened=0.0)),
        ("log-odds not bent", replace(blend, bent=1.0)),
        ("pairs count as words do", replace(blend, pairs=1.0)),
        ("categories at one weight for all", replace(blend, doubt=1e9)),
        ("without categories", replace(blend, doubt=1e9, plain=replace(LogOdds(), category=0.0))),
        ("log-odds alone (--ranker log-odds)", LogOdds()),
    ):
        yield "as it is", what, quality(whole, ranker)
    for kind, states in (("title", title), ("sentence", sentence), ("terms", terms)):
        yield "", f"{kind} stated", quality(whole, blend, states)
        alone = replace(blend, plain=replace(LogOdds(), related=0.0))
        yield f"{kind} stated", f"{kind} stated, without related terms", quality(whole, alone, states)
    yield "", "categories listed", quality(whole, blend, categories)
    empty = Edition(Fitting(count([])))
    for what, options in (
        ("pairs of three papers and more", {"pair_floor": 3}),
        ("words alone, no pairs", {"pair_floor": inf}),
        ("without the shipped frequencies", {"base": empty}),
    ):
        yield "as it is", what, quality(world(task, **options), blend)
    for what, patch in (
        ("title counts 1", lambda: title_weight(1.0)),
        ("title counts 3", lambda: title_weight(3.0)),
        ("LaTeX not read", without_latex),
        ("hyphens join words", without_hyphens),
        ("plurals kept", without_plurals),
    ):
        with patch():
            yield "as it is", what, quality(world(task), blend)
    yield "", "people followed", quality(world(task, people=True), blend, people)


def main(arguments: Sequence[str]) -> None:
    """Read the command line, print a line as soon as it is known."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--readers", type=int, default=200)
    parser.add_argument("--weeks", type=int, default=6)
    parser.add_argument("--every", type=int, default=4, help="one in so many other papers is counted")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args(arguments)
    task = smaller(asked.weeks, asked.readers, asked.every, asked.seed)
    if not asked.json:
        print(f"{len(task.papers):,} papers, {len(task.readers)} readers, {len(task.qrels)} queries")
    known: dict[str, dict[str, float]] = {}
    with threadpool_limits(1):
        for beside, what, found in lines(task):
            known[what] = found
            values = np.array([found[query] for query in sorted(found)])
            line: dict[str, Any] = {"what": what, "ndcg@10": round(float(values.mean()), 4)}
            if beside:
                gain = values - np.array([known[beside][query] for query in sorted(found)])
                error = float(gain.std() / np.sqrt(len(gain)))
                line |= {
                    "beside": beside, "difference": round(float(gain.mean()), 4), "error": round(error, 4),
                }  # fmt: skip
            if asked.json:
                print(json.dumps(line), flush=True)
            else:
                shown = f"{line['difference']:+.4f} ± {line['error']:.4f}" if beside else ""
                print(f"{what:42} {line['ndcg@10']:.4f}  {shown}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
