"""All benchmarks as one suite: a table, ``benchmarks.json``, and how costs grow as pictures, in one folder.

``python -m benchmarks`` takes some minutes, and so does ``--growth``: only the pictures, up to 100,000 papers
and profiles. ``--full`` takes hours: papers up to 3 million, profiles up to a million, workers up to four.
Sizes can be given one by one.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import feed, growth, idle, ingest, learn, mail, match, plots, workers

Figure = dict[str, Any]

_SHARED = 32_768  # eight shards: four workers have two each
_QUICK = {"papers": "10000,30000", "profiles": "1000,3000,10000", "workers": "1,2"}
_GROWTH = {"papers": "10000,30000,100000", "profiles": "1000,10000,100000", "workers": "1,2"}
_FULL = {
    "papers": "10000,100000,1000000,3000000", "profiles": "1000,10000,100000,1000000", "workers": "1,2,4",
}  # fmt: skip


def _figures(workers_at: list[int], full: bool) -> list[Callable[[], Figure]]:
    """Each figure beside its reference; the sizes of the quick run or of the full one."""
    many = 10 if full else 1
    return [
        lambda: ingest.measure(20_000 * many),
        lambda: learn.measure(50),
        lambda: learn.measure(1_000),
        lambda: match.measure(2_000 * many, 1_500),
        lambda: workers.measure(10_000 * many, 1_500, workers_at),
        lambda: mail.measure(1_000 * many, 4),
        lambda: feed.measure(9.0),
        lambda: idle.measure(3_000 * many),
    ]


def main() -> None:
    """Run the suite, print it, keep it."""
    chosen = _options()
    console = Console()
    chosen.out.mkdir(parents=True, exist_ok=True)
    found = [
        _measured(console, measure) for measure in _figures(chosen.workers, chosen.full) if not chosen.growth
    ]
    if found:
        console.print(_table(found))
    machine = {"cores": os.cpu_count(), "python": platform.python_version(), "load": os.getloadavg()[0]}
    held: dict[str, Any] = {"machine": machine, "figures": found, "growth": {}}
    for curve in _curves(chosen):
        with console.status(f"measuring growth with {curve.name}"):
            points = held["growth"][curve.name] = curve.measure()
        # Written as soon as it is known: the next curve may take long, or fail.
        plots.draw(chosen.out / f"growth-{curve.name}.png", points, title=curve.title, x=curve.x, y=curve.y)
        (chosen.out / "benchmarks.json").write_text(json.dumps(held, indent=2), encoding="utf-8")
        told = ", ".join(f"{size:,} {curve.x}: {value:,.2f} {curve.y}" for size, value in points)
        console.print(f"{curve.title}: {told}")
    console.print(f"written to {chosen.out}")


@dataclass(frozen=True, slots=True)
class _Curve:
    """How one cost grows: what is measured, and what its picture says."""

    name: str
    measure: Callable[[], list[growth.Point]]
    title: str
    x: str
    y: str


def _curves(chosen: argparse.Namespace) -> list[_Curve]:
    return [
        _Curve(
            "papers", lambda: growth.by_papers(chosen.papers),
            "1,000 new papers stored and matched with 500 profiles", "papers on hand", "seconds",
        ),
        _Curve(
            "profiles", lambda: growth.by_profiles(chosen.profiles, 1_500),
            "a batch of 1,500 papers matched", "profiles", "seconds",
        ),
        _Curve(
            "workers", lambda: growth.by_workers(chosen.workers, _SHARED, 1_500),
            "profiles matched a second on one machine", "workers", "profiles/s",
        ),
    ]  # fmt: skip


def _measured(console: Console, measure: Callable[[], Figure]) -> Figure:
    with console.status("measuring"):
        return measure()


def _table(found: list[Figure]) -> Table:
    table = Table("what", "value", "reference", "ratio", "peak MB", "the reference is")
    for figure in found:
        params = ", ".join(f"{k} {v}" for k, v in figure["params"].items())
        table.add_row(
            f"{figure['name']} ({params})", f"{figure['value']:,} {figure['unit']}",
            f"{figure['reference']:,}",
            str(figure["ratio"]), str(figure["peak_mb"]), str(figure["reference_what"]),
        )  # fmt: skip
    return table


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--full", action="store_true", help="sizes that take hours")
    parser.add_argument("--growth", action="store_true", help="only how costs grow, in some ten minutes")
    parser.add_argument("--out", type=Path, default=Path("var/bench"), help="the folder to write to")
    for name, quick in _QUICK.items():
        parser.add_argument(f"--{name}", help=f"sizes, as {quick}")
    chosen = parser.parse_args()
    for name, quick in _QUICK.items():
        usual = _FULL[name] if chosen.full else _GROWTH[name] if chosen.growth else quick
        given = getattr(chosen, name) or usual
        setattr(chosen, name, [int(size) for size in given.split(",")])
    return chosen


if __name__ == "__main__":
    main()
