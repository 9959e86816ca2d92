"""Rankers side by side: the same papers, the same readers, nDCG@10 and CPU time per reader.

``python -m benchmarks.ranking [--set authors citeulike] [--readers N] [--only NAME…] [--out FOLDER]``
compares ours with what others do (`benchmarks.recipes`). By default, in about a quarter of an hour of CPU:
200 authors with the papers of three weeks and one in four of those before, and 300 libraries. For each ranker
the table has nDCG@10 with its standard error; the difference to ours with the middle 95 % of a paired
bootstrap over queries; and in CPU time what it takes to learn a reader with vectors at hand, to score one
batch for them, and to make the vectors of one paper. ``--out`` takes a folder for the tables as JSON and
plots of quality against cost.

``--cost`` is about cost alone: all papers are known, and readers are learned and papers scored by ours and by
arxiv-sanity-lite's recipe.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from threadpoolctl import threadpool_limits

from benchmarks import minilm, plots, tasks
from benchmarks.recipes import RECIPES, Progress, Recipe, arxiv_sanity, ours, silent
from benchmarks.tasks import Task
from recommender import evaluate
from recommender.batch import Batch
from recommender.ranking import DEFAULT
from recommender.ready import Ready

SIZES: dict[str, dict[str, Any]] = {
    "authors": {"readers": 200, "weeks": 3, "every": 4},
    "citeulike": {"readers": 300, "weeks": None, "every": 1},
}
MOST_SECONDS = 300
"""CPU seconds of learning after which a ranker gets no further readers; its row says how many it had."""

Row = dict[str, Any]
ByQuery = dict[str, float]


def measure(
    task: Task, name: str, progress: Progress = silent, most: float = MOST_SECONDS
) -> tuple[Row, ByQuery]:
    """One row of the table, and nDCG@10 by query. Times are of this thread, so that no bar counts."""
    start = time.thread_time()
    recipe = RECIPES[name](task, progress)
    prepared = time.thread_time()
    learned: list[Any] = []
    learning = 0.0
    for liked in task.likes():
        begun = time.thread_time()
        learned.append(recipe.learn(liked))
        learning += time.thread_time() - begun
        progress(f"{name}, readers", len(learned), len(task.readers))
        if learning > most:
            break
    run, scoring = ranked(task, recipe, learned)
    qrels = {query: grades for query, grades in task.qrels.items() if query in run}
    by_query = dict(evaluate.evaluate(run, qrels).by_query["ndcg@10"])
    values = np.array(list(by_query.values()))
    return {
        "ranker": name,
        "ndcg@10": round(float(values.mean()), 4),
        "standard_error": round(float(values.std() / np.sqrt(len(values))), 4),
        "queries": len(values),
        "readers": len(learned),
        "learn_ms": round(1_000 * learning / len(learned), 3),
        "score_ms": round(1_000 * scoring / len(run), 3),
        "vector_ms": round(1_000 * (prepared - start) / recipe.vectors, 3),
    }, by_query


def ranked(task: Task, recipe: Recipe, learned: Sequence[Any]) -> tuple[dict[str, dict[str, float]], float]:
    """The best hundred papers of each query, never a liked one, and the CPU seconds of all scores."""
    run: dict[str, dict[str, float]] = {}
    spent = 0.0
    likes = task.likes()
    for batch, rows in task.batches.items():
        asking = [at for at in range(len(learned)) if batch in (task.readers[at].batches or ())]
        candidates = recipe.batch(rows)
        for start in range(0, len(asking), 50):
            some = asking[start : start + 50]
            begun = time.thread_time()
            scores = recipe.scores(candidates, [learned[at] for at in some])
            spent += time.thread_time() - begun
            for at, values in zip(some, scores.astype(np.float64), strict=True):
                values[np.isin(rows, likes[at])] = -np.inf
                best = np.argsort(-values, kind="stable")[:100]
                run[f"{task.readers[at].name}@{batch}"] = {
                    task.papers[rows[place]].id: float(values[place])
                    for place in best.tolist()
                    if np.isfinite(values[place])
                }
    return run, spent


def compare(task: Task, names: Sequence[str], progress: Progress = silent, seed: int = 0) -> Iterator[Row]:
    """The rows of the table; the others' differences to ours are over the queries that both have."""
    measured: ByQuery = {}
    for name in names:
        row, by_query = measure(task, name, progress)
        if name == DEFAULT:
            measured = by_query
        elif measured:
            c = evaluate.paired_bootstrap(measured, by_query, np.random.default_rng(seed))
            row |= {"difference": round(c.difference, 4), "low": round(c.low, 4), "high": round(c.high, 4)}
        yield row


def cost(task: Task, progress: Progress = silent, seed: int = 0) -> Row:
    """CPU milliseconds a reader, ours and arxiv-sanity-lite's recipe, vectors of all papers being at hand.

    A reader costs learning and scoring one batch of new papers, for many readers at once, as the service does
    each night; what learning one alone takes, and scoring every paper, stands beside. Ours are the means of
    five hundred readers, theirs of three.
    """
    every = np.arange(len(task.papers))
    whole = Task(task.papers, every, task.batches, task.readers, task.qrels)
    likes = whole.likes()
    order = np.random.default_rng(seed).permutation(len(likes)).tolist()
    some, few, week = order[:500], order[:3], task.batches[max(task.batches)]
    mean = float(np.mean([len(likes[at]) for at in some]))
    row: Row = {"papers": len(every), "new_papers": len(week), "likes": round(mean, 1)}
    own = ours(whole, DEFAULT)
    with _timed(row, "ours_learn_ms", len(some)):
        weights = own.learn_all([likes[at] for at in some])
    with _timed(row, "ours_learn_alone_ms", len(some)):
        for at in some:
            own.learn(likes[at])
    progress("theirs, readers", 0, len(few))
    new = Batch(Ready.of(own.edition, [task.papers[at] for at in week.tolist()]))
    blobs = [one.to_bytes() for one in weights]
    with _timed(row, "ours_score_new_ms", len(blobs)):
        new.scores(blobs)
    papers = own.batch(every)
    with _timed(row, "ours_score_all_ms", 20):  # more at once would take gigabytes
        own.scores(papers, [one.rows for one in weights[:20]])
    theirs, learned = arxiv_sanity(whole), []
    for at in few:
        with _timed(row, "theirs_learn_ms", len(few)):
            learned.append(theirs.learn(likes[at]))
        progress("theirs, readers", len(learned), len(few))
    for what, rows in (("new", week), ("all", every)):
        candidates = theirs.batch(rows)
        with _timed(row, f"theirs_score_{what}_ms", len(few)):
            theirs.scores(candidates, learned)
    return _with_ratios(row)


@contextmanager
def _timed(row: Row, what: str, readers: int) -> Iterator[None]:
    """Add the CPU milliseconds a reader that the block takes."""
    begun = time.thread_time()
    yield
    row[what] = row.get(what, 0.0) + 1_000 * (time.thread_time() - begun) / readers


def _with_ratios(row: Row) -> Row:
    """How many times cheaper ours is, to learn, and to learn and score the new papers or all."""
    for what, parts in (
        ("to_learn", ("learn_ms",)),
        ("to_learn_alone", ("learn_alone_ms",)),
        ("with_new_papers_scored", ("learn_ms", "score_new_ms")),
        ("with_all_papers_scored", ("learn_ms", "score_all_ms")),
    ):
        here = sum(row[f"ours_{part}"] for part in parts)
        theirs = sum(row[f"theirs_{part.replace('_alone', '')}"] for part in parts)
        row[f"times_cheaper_{what}"] = round(theirs / here)
    return {key: round(value, 3) if isinstance(value, float) else value for key, value in row.items()}


# -- what a person sees -------------------------------------------------------------------------------------


@contextmanager
def shown_progress() -> Iterator[Progress]:
    """A bar on a terminal, nothing elsewhere."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Bars(
        *columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()
    ) as bars:
        known: dict[str, TaskID] = {}

        def progress(what: str, done: int, total: int) -> None:
            if what not in known:
                known[what] = bars.add_task(what, total=total)
            bars.update(known[what], completed=done, visible=done < total)

        yield progress


def line(row: Row) -> str:
    """A row of the table as text."""
    differs = ""
    if "difference" in row:
        differs = f"{row['difference']:+.4f} ({row['low']:+.4f} to {row['high']:+.4f})"
    return (
        f"{row['ranker']:18} {row['ndcg@10']:.4f} ± {row['standard_error']:.4f}  {differs:29} "
        f"{row['learn_ms']:10,.2f} {row['score_ms']:8.2f} {row['vector_ms']:8.2f} {row['queries']:8}"
    )


HEAD = (
    f"{'':18} {'nDCG@10':15}  {'beside ours (95 %)':29} "
    f"{'learn ms':>10} {'score ms':>8} {'paper ms':>8} {'queries':>8}"
)


def main(arguments: Sequence[str]) -> None:
    """Read the command line, print a row as soon as it is known."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--set", nargs="+", choices=sorted(SIZES), default=sorted(SIZES), dest="sets")
    parser.add_argument("--readers", type=int, help="so many, drawn by chance")
    parser.add_argument("--weeks", type=int, help="only the first so many weeks (authors)")
    parser.add_argument("--week", help="only this one, such as 2026-W29 (authors)")
    parser.add_argument("--every", type=int, help="keep one in so many of the papers that nobody liked")
    parser.add_argument("--half", type=int, choices=(0, 1), help="only readers of one half")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", choices=list(RECIPES), default=list(RECIPES))
    parser.add_argument("--json", action="store_true", help="one object a line")
    parser.add_argument("--out", type=Path, help="a folder for the tables (JSON) and the plots (PNG)")
    parser.add_argument("--cost", action="store_true", help="only the cost of a reader beside the SVM's")
    asked = parser.parse_args(arguments)
    if asked.cost:
        task = tasks.load("authors", readers=asked.readers, seed=asked.seed)
        with threadpool_limits(1), shown_progress() as progress:
            print(json.dumps(cost(task, progress, asked.seed), indent=None if asked.json else 1))
        return
    names = list(asked.only)
    if "minilm" in names and not minilm.installed():
        print(f"without MiniLM, which is not installed: {minilm.INSTALL}", file=sys.stderr)
        names.remove("minilm")
    for name in asked.sets:
        _table(name, names, asked)


def _table(name: str, names: Sequence[str], asked: argparse.Namespace) -> None:
    given = {key: getattr(asked, key) for key in SIZES[name] if getattr(asked, key) is not None}
    size = SIZES[name] | given | {"week": asked.week, "half": asked.half, "seed": asked.seed}
    task = tasks.load(name, **size)
    if not asked.json:
        print(f"{name}: {task}\n{HEAD}")
    rows = []
    with threadpool_limits(1), shown_progress() as progress:
        for row in compare(task, names, progress, asked.seed):
            rows.append(row)
            print(json.dumps({"set": name, **row}) if asked.json else line(row), flush=True)
    if asked.out:
        asked.out.mkdir(parents=True, exist_ok=True)
        held = {
            "set": name,
            "size": size,
            "papers": len(task.papers),
            "queries": len(task.qrels),
            "rows": rows,
        }
        (asked.out / f"ranking-{name}.json").write_text(json.dumps(held, indent=1) + "\n", encoding="utf-8")
        title = f"{name}: {len(task.readers):,} readers, {len(task.qrels):,} queries"
        plots.quality(asked.out / f"ranking-{name}.png", rows, title=title)


if __name__ == "__main__":
    main(sys.argv[1:])
