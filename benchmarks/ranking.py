"""Rankers side by side: the same papers, the same readers, nDCG@10 and CPU time per reader.

``python -m benchmarks.ranking --set authors|citeulike [--readers N] [--only NAME…] [--out FOLDER]``.
`benchmarks.recipes` tells what each ranker is. CPU time is that of learning one reader's model with
vectors at hand; for BM25, which learns nothing, that of the scores of all papers. ``--out`` takes a folder
for the table as JSON and a plot of quality against cost. With ``--cost`` every paper of the set is known, a
hundred readers are learned and all papers scored by ours, three readers by arxiv-sanity-lite's recipe, and
the ratio of CPU time per reader is printed.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.recipes import RECIPES, Learn, Task, arxiv_sanity, ours
from jobs import rank_input
from recommender import evaluate

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
SETS = {
    "authors": (DATA / "papers", "*.jsonl.xz", DATA / "readers" / "authors-dev"),
    "citeulike": (DATA / "citeulike", "papers.jsonl.xz", DATA / "citeulike"),
}


def load(name: str, at_most: int | None, seed: int = 0) -> Task:
    """One of `SETS`; of the readers a sample of ``at_most``."""
    folder, pattern, asked = SETS[name]
    where = (asked / "readers.jsonl", asked / "qrels") if asked.is_dir() else _with_suffixes(asked)
    if not where[0].exists():
        sys.exit(
            f"{where[0]} is absent; this benchmark reads ../shared/data, which comes apart from the project"
        )
    found = list(rank_input.papers(sorted(folder.glob(pattern)), print))
    readers = rank_input.readers(where[0], print)
    chosen = np.random.default_rng(seed).permutation(len(readers))[:at_most]
    readers = [readers[at] for at in sorted(chosen.tolist())]
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


def cost(task: Task, seed: int) -> dict[str, float | str]:
    """CPU time of learning a reader and scoring all papers, ours and arxiv-sanity-lite's, and their ratio."""
    whole = replace(task, known=np.arange(len(task.papers)))
    row = {paper.id: at for at, paper in enumerate(task.papers)}
    likes = [np.array([row[key] for key in reader.liked if key in row]) for reader in task.readers]
    order = np.random.default_rng(seed).permutation(len(likes))
    every = np.arange(len(task.papers))
    spent = {}
    for name, learn, some in (
        ("blend", ours(whole, "blend"), order[:100]),
        ("arxiv-sanity-lite", arxiv_sanity(whole), order[:3]),
    ):
        start = time.process_time()
        learned = [learn(likes[at]) for at in some]
        middle = time.process_time()
        for score in learned[:3]:
            score(every)
        scoring = (time.process_time() - middle) / min(3, len(learned))
        spent[name] = (1_000 * (middle - start) / len(some), 1_000 * scoring)
    (learning, scoring), (their_learning, their_scoring) = spent["blend"], spent["arxiv-sanity-lite"]
    return {
        "papers": len(task.papers),
        "ours_learn_ms": round(learning, 2),
        "ours_score_all_ms": round(scoring, 2),
        "theirs_learn_ms": round(their_learning, 1),
        "theirs_score_all_ms": round(their_scoring, 1),
        "times_cheaper_to_learn": round(their_learning / learning),
    }


def plot(rows: Sequence[dict[str, Any]], name: str, file: Path) -> None:
    """Quality against the cost of learning a reader, one point a ranker, with standard errors."""
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(6, 3.6), layout="constrained")
    for row in rows:
        cost_ms = max(float(row["ms_per_reader"]), 0.01)
        axes.errorbar(cost_ms, row["ndcg@10"], row["standard_error"], fmt="o", capsize=3)
        axes.annotate(
            str(row["ranker"]), (cost_ms, row["ndcg@10"]), xytext=(6, 5), textcoords="offset points"
        )
    axes.set(xscale="log", xlabel="CPU time to learn a reader (ms)", ylabel="nDCG@10", title=name)
    axes.margins(x=0.25)
    figure.savefig(file, dpi=90)
    plt.close(figure)


def main(arguments: Sequence[str]) -> None:
    """Read the command line, print a row as soon as it is known."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--set", choices=sorted(SETS), default="citeulike", dest="name")
    parser.add_argument("--readers", type=int, help="so many, drawn at random (the SVM takes seconds each)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", choices=list(RECIPES), default=list(RECIPES))
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--out", type=Path, help="a folder for the table (JSON) and the plot (PNG)")
    parser.add_argument("--cost", action="store_true", help="only the cost of a reader beside the SVM's")
    asked = parser.parse_args(arguments)
    task = load(asked.name, asked.readers, asked.seed)
    if not asked.json:
        counts = f"{len(task.papers):,} papers, {len(task.readers):,} readers, {len(task.qrels):,} queries"
        print(f"{asked.name}: {counts}")
    rows = []
    with threadpool_limits(1):
        if asked.cost:
            print(json.dumps(cost(task, asked.seed)))
            return
        for name in asked.only:
            row = measure(task, name)
            rows.append({"set": asked.name, **row})
            shown = (
                "{ranker:18} nDCG@10 {ndcg@10:.4f} ± {standard_error:.4f} {ms_per_reader:10.2f} ms a reader"
            )
            print(json.dumps(rows[-1]) if asked.json else shown.format_map(row), flush=True)
    if asked.out:
        asked.out.mkdir(parents=True, exist_ok=True)
        table = json.dumps({"seed": asked.seed, "queries": len(task.qrels), "rows": rows}, indent=1)
        (asked.out / f"ranking-{asked.name}.json").write_text(table + "\n", encoding="utf-8")
        plot(rows, f"{asked.name}: {len(task.readers):,} readers", asked.out / f"ranking-{asked.name}.png")


if __name__ == "__main__":
    main(sys.argv[1:])
