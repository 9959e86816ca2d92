"""``paperwatch evaluate``: a run file measured against qrels, and against a second run."""

from __future__ import annotations

import gzip
import json
import lzma
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import typer
from rich.table import Table

from app.commands.console import plain
from app.failures import CommandError
from recommender.evaluate import (
    Comparison,
    Evaluation,
    Qrels,
    Run,
    evaluate,
    paired_bootstrap,
    read_qrels,
    read_run,
)

_OPENERS: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".xz": lzma.open}
_MEASURES = {
    "ndcg@10": "nDCG@10", "mrr": "MRR", "map": "MAP", "auc": "AUC", "recall@10": "recall@10",
    "recall@20": "recall@20", "recall@50": "recall@50", "recall@100": "recall@100",
}  # fmt: skip
Read = TypeVar("Read")


def evaluate_files(runs: Sequence[Path], qrels: Path, seed: int, *, as_json: bool) -> None:
    """Print the measures of a run; of two, those of the second beside the first, and how sure each
    difference is."""
    if len(runs) > 2:
        raise CommandError(f"{len(runs)} runs; name one, or two to compare", status=2)
    wanted = _read(qrels, read_qrels)
    if not any(grade > 0 for grades in wanted.values() for grade in grades.values()):
        raise CommandError(f"{qrels}: holds no relevant paper, so that there is nothing to measure")
    *before, run = runs
    ranked = _read(run, read_run)
    found = _measured(ranked, wanted)
    against = before[0] if before else None
    other = _measured(_read(against, read_run), wanted) if against else None
    compared = _compared(other, found, seed) if other else {}
    if as_json:
        typer.echo(json.dumps(_as_object(found, other, compared), indent=2))
        return
    _print(found, other, compared, run, against)
    if found.missing == found.queries:
        names = f"{min(wanted)!r} in the qrels, {min(ranked)!r} in the run" if ranked else "the run is empty"
        typer.echo(f"None of the queries is in the run: {names}.")


def _measured(run: Run, qrels: Qrels) -> Evaluation:
    """The measures of a run; AUC only over the queries where it is defined.

    Where a run ranks only relevant papers of a query, or only others, there is no pair to order.
    """
    found = evaluate(run, qrels)
    defined = {
        query: area
        for query, area in found.by_query["auc"].items()
        if len({qrels[query].get(paper, 0) > 0 for paper in run.get(query, {})}) == 2
    }
    means = dict(found.means) | {"auc": sum(defined.values()) / len(defined) if defined else float("nan")}
    return Evaluation(dict(found.by_query) | {"auc": defined}, means, found.queries, found.missing)


def _compared(other: Evaluation, found: Evaluation, seed: int) -> dict[str, Comparison]:
    """Each measure of the run against that of the other, over the queries in which both have it."""
    return {
        name: paired_bootstrap(other.by_query[name], found.by_query[name], np.random.default_rng(seed))
        for name in _MEASURES
        if other.by_query[name].keys() & found.by_query[name].keys()
    }


def _as_object(
    found: Evaluation, other: Evaluation | None, compared: dict[str, Comparison]
) -> dict[str, Any]:
    held = _means(found)
    if other:
        held["against"] = _means(other)
        held["differences"] = {
            name: {
                "difference": round(c.difference, 4), "low": round(c.low, 4), "high": round(c.high, 4),
                "p": round(c.p, 4), "queries": c.queries,
            }
            for name, c in compared.items()
        }  # fmt: skip
    return held


def _means(found: Evaluation) -> dict[str, Any]:
    means = {name: _rounded(found.means[name]) for name in _MEASURES}
    return {
        "queries": found.queries, "missing": found.missing, **means, "auc_queries": len(found.by_query["auc"])
    }  # fmt: skip


def _rounded(value: float) -> float | None:
    return None if value != value else round(value, 4)  # noqa: PLR0124  (nan is unlike itself)


def _print(
    found: Evaluation, other: Evaluation | None, compared: dict[str, Comparison], run: Path,
    against: Path | None,
) -> None:  # fmt: skip
    out = plain()
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    names = [path.name for path in (against, run) if path]
    if len(set(names)) < len(names):
        names = [str(path) for path in (against, run) if path]
    for title in (*names, *(("difference", "95 % interval", "p") if other else ())):
        table.add_column(title, justify="right")
    for name, label in _MEASURES.items():
        row = [label, *([_shown(other.means[name])] if other else ()), _shown(found.means[name])]
        if c := compared.get(name):
            row += [f"{c.difference:+.4f}", f"{c.low:+.4f} to {c.high:+.4f}", f"{c.p:.4f}"]
        table.add_row(*row)
    out.print(table)
    if "ndcg@10" in compared:
        out.print(_verdict(compared["ndcg@10"], *names), soft_wrap=True)
    for name, measured in zip(names, (other, found) if other else (found,), strict=True):
        lacks = f"{name} lacks {measured.missing}, which count as 0" if measured.missing else "none missing"
        if measured.missing or measured is found:
            out.print(f"{measured.queries} queries; {lacks}.", soft_wrap=True)
    defined = len(found.by_query["auc"])
    if defined != found.queries:
        out.print(f"AUC is over the {defined} queries that rank relevant and other papers.", soft_wrap=True)


def _verdict(c: Comparison, first: str, second: str) -> str:
    """What the difference in nDCG@10 means, in words."""
    over = f"over {c.queries} queries drawn anew 10,000 times"
    if c.low == c.high == 0:
        return f"nDCG@10 is the same in every query: {first} and {second} rank alike."
    if c.low <= 0 <= c.high:
        return (
            f"nDCG@10 of {second} differs by {c.difference:+.4f}, which may be chance: "
            f"95 % of the differences {over} lie from {c.low:+.4f} to {c.high:+.4f}."
        )
    better, worse = (second, first) if c.difference > 0 else (first, second)
    low, high = sorted((abs(c.low), abs(c.high)))
    return (
        f"{better} is better than {worse} by {abs(c.difference):.4f} in nDCG@10, more than chance explains: "
        f"95 % of the differences {over} lie from {low:.4f} to {high:.4f}."
    )


def _shown(value: float) -> str:
    return "–" if value != value else f"{value:.4f}"  # noqa: PLR0124  (nan is unlike itself)


def _read(path: Path, reader: Callable[[Iterator[str], str], Read]) -> Read:
    """A file, plain or with gzip or xz, read line by line."""
    opener = _OPENERS.get(path.suffix, open)
    try:
        with opener(path, "rb") as file:
            return reader(_decoded(file, path), str(path))
    except ValueError as exc:
        raise CommandError(str(exc)) from exc
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as exc:
        why = getattr(exc, "strerror", None) or f"cannot be unpacked: {exc}"
        raise CommandError(f"{path}: {why}") from exc


def _decoded(lines: Iterator[bytes], path: Path) -> Iterator[str]:
    for number, line in enumerate(lines, start=1):
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as exc:
            raise ValueError(f"{path}, line {number}: no UTF-8 text") from exc
