"""Pictures of what was measured: how costs grow, and how good rankers are beside what they cost."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot


def draw(path: Path, points: Sequence[tuple[int, float]], *, title: str, x: str, y: str) -> None:
    """Write one curve as PNG, both axes logarithmic, beside the line of what grows exactly as its size."""
    figure, axes = pyplot.subplots(figsize=(6, 4), dpi=120)
    sizes, values = [size for size, _ in points], [value for _, value in points]
    axes.plot(sizes, values, "o-", label="measured")
    if len(points) > 1:
        linear = [values[0] * size / sizes[0] for size in sizes]
        axes.plot(sizes, linear, "--", color="0.6", label="in proportion")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set(title=title, xlabel=x, ylabel=y)
    axes.grid(visible=True, which="both", alpha=0.3)
    axes.legend()
    figure.tight_layout()
    figure.savefig(path)
    pyplot.close(figure)


def quality(path: Path, rows: Sequence[dict[str, Any]], *, title: str) -> None:
    """Write nDCG@10 with its standard error against what it costs to learn a reader, a point a ranker.

    One that had time for some of the readers only stands where its difference to the first row's on the same
    queries puts it.
    """
    figure, axes = pyplot.subplots(figsize=(6.4, 3.8), dpi=100, layout="constrained")
    costs = [max(float(row["learn_ms"]), 0.01) for row in rows]
    for row, cost in zip(rows, costs, strict=True):
        value, name = row["ndcg@10"], row["ranker"]
        if row["readers"] < rows[0]["readers"] and "difference" in row:
            value, name = rows[0]["ndcg@10"] + row["difference"], f"{name}\n({row['readers']} readers)"
        axes.errorbar(cost, value, row["standard_error"], fmt="o", capsize=3)
        axes.annotate(name, (cost, value), xytext=(6, 5), textcoords="offset points")
    axes.set(xscale="log", xlabel="CPU time to learn a reader (ms)", ylabel="nDCG@10", title=title)
    axes.grid(visible=True, alpha=0.3)
    axes.set_xlim(min(costs) / 2, 12 * max(costs))  # room for the last one's name
    figure.savefig(path)
    pyplot.close(figure)
