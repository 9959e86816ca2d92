"""``paperwatch evaluate``: a run file measured against qrels, and against a second run."""

from __future__ import annotations

import gzip
import json
import lzma
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

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


def evaluate_files(run: Path, qrels: Path, against: Path | None, seed: int, *, as_json: bool) -> None:
    """Print the measures of a run, and with a second run how sure each difference is."""
    wanted = _read(qrels, read_qrels)
    if not any(grade > 0 for grades in wanted.values() for grade in grades.values()):
        raise CommandError(f"{qrels}: holds no relevant paper, so that there is nothing to measure")
    found = _measured(_read(run, read_run), wanted)
    other = _measured(_read(against, read_run), wanted) if against else None
    compared = _compared(other, found, seed) if other else {}
    if as_json:
        typer.echo(json.dumps(_as_object(found, other, compared), indent=2))
        return
    _print(found, other, compared, run, against)


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
    out = Console(highlight=False, markup=False)
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    table.add_column(run.name, justify="right")
    if other and against:
        for title in (against.name, "difference", "95 % interval", "p"):
            table.add_column(title, justify="right")
    for name, label in _MEASURES.items():
        row = [label, _shown(found.means[name])]
        if other:
            row.append(_shown(other.means[name]))
        if c := compared.get(name):
            row += [f"{c.difference:+.4f}", f"{c.low:+.4f} to {c.high:+.4f}", f"{c.p:.4f}"]
        table.add_row(*row)
    out.print(table)
    out.print(f"{found.queries} queries; the run lacks {found.missing}, which count as 0.", soft_wrap=True)
    defined = len(found.by_query["auc"])
    if defined != found.queries:
        out.print(f"AUC is over the {defined} queries that rank relevant and other papers.", soft_wrap=True)


def _shown(value: float) -> str:
    return "–" if value != value else f"{value:.4f}"  # noqa: PLR0124  (nan is unlike itself)


def _read(path: Path, reader: Callable[[Iterator[str], str], Read]) -> Read:
    """A file, plain or with gzip or xz, read line by line."""
    opener = _OPENERS.get(path.suffix, open)
    try:
        with opener(path, "rt", encoding="utf-8") as file:
            return reader(iter(file), str(path))
    except OSError as exc:
        raise CommandError(f"{path}: {exc.strerror or exc}") from exc
    except (EOFError, lzma.LZMAError, UnicodeDecodeError) as exc:
        raise CommandError(f"{path}: cannot be read as text: {exc}") from exc
    except ValueError as exc:
        raise CommandError(str(exc)) from exc
