"""What each part of the ranking brings: nDCG@10 with it and without, on the same papers and readers.

``python -m benchmarks.ablation [--set authors citeulike] [--readers N] [--half 0|1] [--json]``. By default
200 authors with the papers of six weeks and one in four of those before, and 300 libraries
(`benchmarks.tasks`). Each line differs from the one that it stands beside in one thing; the difference has
its standard error over queries.

Readers who state something instead of liking papers are made of the same authors: a statement is the title
of their latest paper or the first sentence of its abstract, terms are the five pairs of words that most of
their titles share, categories those of most of their papers, people the three they wrote most with.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks import tasks
from benchmarks.ranking import ranked
from benchmarks.recipes import Linear
from benchmarks.tasks import Ints, Task
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

SIZES: dict[str, dict[str, Any]] = {
    "authors": {"readers": 200, "weeks": 6, "every": 4},
    "citeulike": {"readers": 300, "weeks": None, "every": 1},
}
ByQuery = dict[str, float]
Line = tuple[str, str, ByQuery]
"""What it stands beside (empty: nothing), what is left out or put in, and nDCG@10 by query."""


@dataclass(frozen=True, slots=True)
class World:
    """The papers as vectors of one edition."""

    task: Task
    edition: Edition
    X: vectors.Matrix


def world(
    task: Task, *, base: Edition | None = None, pair_floor: float | None = None, people: bool = False
) -> World:
    """Fit an edition on the papers of ``task``; ``people`` gives their authors columns.

    Pairs are kept that ``pair_floor`` papers hold; left out: as the service does, none in bags of words.
    """
    papers = task.papers if people else [replace(paper, authors=()) for paper in task.papers]
    edition = Edition.fit(papers, base, shapes=False)
    if pair_floor is None and not background.ordered(edition.fitting):
        pair_floor = inf
    if pair_floor is not None and pair_floor > 2:
        edition = Edition(Fitting(edition.fitting.frequencies.kept(0, pair_floor)))
    X = edition.transform(papers)
    background.attach(edition, Background.of(edition, X[task.known]))
    if people:
        wide = edition.extended([paper for rows in task.batches.values() for paper in _at(papers, rows)])
        return World(task, wide, wide.transform(papers))
    return World(task, edition, X)


def _at(papers: Sequence[Paper], rows: Ints) -> list[Paper]:
    return [papers[row] for row in rows.tolist()]


def quality(
    where: World, ranker: Ranker, states: Callable[[list[Paper]], Interests] | None = None
) -> ByQuery:
    """nDCG@10 by query, of readers who like papers or, with ``states``, only say what that makes of them."""
    nobody = Paper("", "")

    def weigh(liked: Ints) -> vectors.Matrix:
        if states is None:
            judged = [Judged(nobody, "like")] * len(liked)
            return ranker.learn(where.edition, Interests(), judged, where.X[liked]).on(where.edition).rows
        return ranker.learn(where.edition, states(_at(where.task.papers, liked))).on(where.edition).rows

    recipe = Linear(where.X, weigh)
    run, _ = ranked(where.task, recipe, [recipe.learn(liked) for liked in where.task.likes()])
    return dict(evaluate.evaluate(run, where.task.qrels).by_query["ndcg@10"])


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


# -- what is put in ------------------------------------------------------------------------------------------

_DEFINED = re.compile(r"((?:[\w-]+ ){1,8})\(([A-Z][A-Za-z]*[A-Z])s?\)")


def with_acronyms(task: Task, at_least: int = 3) -> Task:
    """The papers with what their acronyms stand for written out beside them, once each.

    An acronym is one that so many papers define, as in "mixture of experts (MoE)", and stands for what most
    of them say.
    """
    meanings: dict[str, Counter[str]] = {}
    for paper in task.papers:
        for said, short in set(_DEFINED.findall(paper.abstract)):
            if full := _spelled(said.split(), short):
                meanings.setdefault(short, Counter())[full] += 1
    known = {
        short: full
        for short, held in meanings.items()
        for full, times in held.most_common(1)
        if times >= at_least
    }

    def written(paper: Paper) -> Paper:
        words = {word.strip("().,;:").removesuffix("s") for word in paper.text.split()}
        added = " . ".join(known[word] for word in sorted(words & known.keys()))
        return replace(paper, abstract=f"{paper.abstract} . {added}") if added else paper

    return replace(task, papers=[written(paper) for paper in task.papers])


def _spelled(words: list[str], short: str) -> str:
    """The last words of those, if their first letters are the acronym's capitals; else nothing."""
    capitals = "".join(letter for letter in short if letter.isupper()).lower()
    last = [part.lower() for word in words for part in word.split("-") if part][-len(capitals) :]
    return " ".join(last) if "".join(word[0] for word in last) == capitals else ""


# -- the lines -----------------------------------------------------------------------------------------------


def lines(task: Task, name: str) -> Iterator[Line]:
    """What is measured on a set; libraries are bags of words without titles, categories and people."""
    whole = world(task)
    blend = Blend()
    yield "", "as it is", quality(whole, blend)
    prose = name == "authors"
    yield from _models(whole, blend, prose)
    if prose:
        yield from _stated(whole, blend)
    yield from _texts(task, blend, prose)
    if prose:
        yield "", "people followed", quality(world(task, people=True), blend, people)


def _models(whole: World, blend: Blend, prose: bool) -> Iterator[Line]:
    """Without parts of the model."""
    named = [
        ("categories at one weight for all", replace(blend, doubt=1e9)),
        ("without categories", replace(blend, doubt=1e9, plain=replace(LogOdds(), category=0.0))),
        ("pairs count as words do", replace(blend, pairs=1.0)),
    ]
    for what, ranker in (
        ("without the whitened mean", replace(blend, whitened=0.0)),
        ("log-odds not bent", replace(blend, bent=1.0)),
        ("without the logistic fit", replace(blend, fitted=0.0)),
        *(named if prose else ()),
        ("log-odds alone (--ranker log-odds)", LogOdds()),
    ):
        yield "as it is", what, quality(whole, ranker)


def _stated(whole: World, blend: Blend) -> Iterator[Line]:
    """Readers who like nothing yet."""
    alone = replace(blend, plain=replace(LogOdds(), related=0.0))
    for kind, states in (("title", title), ("sentence", sentence), ("terms", terms)):
        yield "", f"{kind} stated", quality(whole, blend, states)
        yield f"{kind} stated", f"{kind} stated, without related terms", quality(whole, alone, states)
    yield "", "categories listed", quality(whole, blend, categories)


def _texts(task: Task, blend: Blend, prose: bool) -> Iterator[Line]:
    """Papers read in other ways."""
    options: list[tuple[str, dict[str, Any]]] = [
        ("without the shipped frequencies", {"base": Edition(Fitting(count([])))})
    ]
    patches: list[tuple[str, Callable[[], Any]]] = [("plurals kept", without_plurals)]
    if prose:
        options += [
            ("pairs of three papers and more", {"pair_floor": 3}),
            ("words alone, no pairs", {"pair_floor": inf}),
        ]
        patches += [
            ("title counts 1", lambda: title_weight(1.0)),
            ("title counts 3", lambda: title_weight(3.0)),
            ("LaTeX not read", without_latex),
            ("hyphens join words", without_hyphens),
        ]
    else:
        options.append(("with pairs of neighbours", {"pair_floor": 2}))
    for what, chosen in options:
        yield "as it is", what, quality(world(task, **chosen), blend)
    for what, patch in patches:
        with patch():
            yield "as it is", what, quality(world(task), blend)
    if prose:
        yield "as it is", "acronyms written out", quality(world(with_acronyms(task)), blend)


def told(beside: str, what: str, found: ByQuery, known: dict[str, ByQuery]) -> dict[str, Any]:
    """A line with the mean, and the difference to what it stands beside with its standard error."""
    values = np.array([found[query] for query in sorted(found)])
    line: dict[str, Any] = {"what": what, "ndcg@10": round(float(values.mean()), 4)}
    if beside:
        gain = values - np.array([known[beside][query] for query in sorted(found)])
        error = float(gain.std() / np.sqrt(len(gain)))
        line |= {
            "beside": beside, "difference": round(float(gain.mean()), 4), "error": round(error, 4),
            "changed": int(np.count_nonzero(gain)),
        }  # fmt: skip
    return line


def main(arguments: Sequence[str]) -> None:
    """Read the command line, print a line as soon as it is known."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--set", nargs="+", choices=sorted(SIZES), default=sorted(SIZES), dest="sets")
    parser.add_argument("--readers", type=int)
    parser.add_argument("--weeks", type=int, help="only the first so many weeks (authors)")
    parser.add_argument("--every", type=int, help="keep one in so many of the papers that nobody liked")
    parser.add_argument("--half", type=int, choices=(0, 1), help="only readers of one half")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="one object a line")
    parser.add_argument("--out", type=Path, help="a file for all lines as JSON")
    asked = parser.parse_args(arguments)
    held: dict[str, Any] = {}
    with threadpool_limits(1):
        for name in asked.sets:
            given = {key: getattr(asked, key) for key in SIZES[name] if getattr(asked, key) is not None}
            task = tasks.load(name, **SIZES[name] | given, half=asked.half, seed=asked.seed)
            if not asked.json:
                print(f"{name}: {task}")
            held[name] = _shown(name, task, asked.json)
    if asked.out:
        asked.out.parent.mkdir(parents=True, exist_ok=True)
        asked.out.write_text(json.dumps(held, indent=1) + "\n", encoding="utf-8")


def _shown(name: str, task: Task, as_json: bool) -> list[dict[str, Any]]:
    known: dict[str, ByQuery] = {}
    found = []
    for beside, what, by_query in lines(task, name):
        known[what] = by_query
        line = told(beside, what, by_query, known)
        found.append(line)
        if as_json:
            print(json.dumps({"set": name, **line}), flush=True)
            continue
        shown = f"{line['difference']:+.4f} ± {line['error']:.4f}" if beside else ""
        print(f"{what:42} {line['ndcg@10']:.4f}  {shown}", flush=True)
    return found


if __name__ == "__main__":
    main(sys.argv[1:])
