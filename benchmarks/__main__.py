"""All benchmarks at a size that takes a few minutes: a table, and ``var/benchmarks.json``."""

from __future__ import annotations

import json
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import feed, ingest, learn, mail, match

_SUITE = (
    lambda: ingest.measure(20_000),
    lambda: learn.measure(50),
    lambda: learn.measure(1_000),
    lambda: match.measure(2_000, 1_500),
    lambda: mail.measure(1_000, 4),
    lambda: feed.measure(9.0),
)


def main() -> None:
    """Run the suite, print it, keep it."""
    console = Console()
    table = Table("what", "value", "reference", "ratio", "peak MB", "the reference is")
    found = []
    for measure in _SUITE:
        with console.status("measuring"):
            figure = measure()
        found.append(figure)
        params = ", ".join(f"{k} {v}" for k, v in figure["params"].items())
        table.add_row(
            f"{figure['name']} ({params})", f"{figure['value']:,} {figure['unit']}",
            f"{figure['reference']:,}",
            str(figure["ratio"]), str(figure["peak_mb"]), str(figure["reference_what"]),
        )  # fmt: skip
    console.print(table)
    path = Path("var") / "benchmarks.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(found, indent=2), encoding="utf-8")
    console.print(f"written to {path}")


if __name__ == "__main__":
    main()
