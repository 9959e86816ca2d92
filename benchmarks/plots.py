"""Growth as pictures: both axes logarithmic, beside the line of what grows exactly as its size."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot


def draw(path: Path, points: Sequence[tuple[int, float]], *, title: str, x: str, y: str) -> None:
    """Write one curve as PNG."""
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
