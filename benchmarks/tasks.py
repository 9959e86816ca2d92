"""Real papers and readers to rank for: what was known, what each reader liked, and what they want next.

``authors`` are authors of arXiv papers as readers: what they published before May 2026 is what they like, and
what they published in each week after is what they want of that week's papers. ``citeulike`` are libraries
of citeulike-t, bags of words, a fifth of the articles being new. The data comes apart from the project.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from jobs import rank_input
from recommender import evaluate
from recommender.paper import Paper

Ints = NDArray[np.int64]

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
SETS = {
    "authors": (DATA / "papers", "*.jsonl.xz", DATA / "readers", "authors-dev.jsonl", "authors-dev.qrels"),
    "citeulike": (DATA / "citeulike", "papers.jsonl.xz", DATA / "citeulike", "readers.jsonl", "qrels"),
}


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """The papers, which of them were known before the readers' batches, the batches, readers and qrels."""

    papers: list[Paper]
    known: Ints
    batches: dict[str, Ints]
    readers: list[rank_input.Reader]
    qrels: evaluate.Qrels

    def likes(self) -> list[Ints]:
        """The rows that each reader liked, in the readers' order."""
        row = {paper.id: at for at, paper in enumerate(self.papers)}
        return [np.array([row[key] for key in r.liked if key in row], np.int64) for r in self.readers]

    def __str__(self) -> str:
        return f"{len(self.papers):,} papers, {len(self.readers):,} readers, {len(self.qrels):,} queries"


def load(
    name: str, *, readers: int | None = None, weeks: int | None = None, week: str | None = None,
    every: int = 1, half: int | None = None, seed: int = 0,
) -> Task:  # fmt: skip
    """One of `SETS`, or a part: the first ``weeks`` batches or the one of ``week``, and a sample of readers.

    Of the papers known before, those are kept that somebody of the sample likes, and one in ``every`` others.
    ``half`` takes the readers of one half only, see `in_half`.
    """
    folder, pattern, asked, people, wanted = SETS[name]
    if not (asked / people).exists():
        sys.exit(f"{asked / people} is absent; this benchmark reads data that comes apart from the project")
    found = list(rank_input.papers(sorted(folder.glob(pattern)), print))
    everybody = rank_input.readers(asked / people, print)
    with (asked / wanted).open(encoding="utf-8") as lines:
        qrels = evaluate.read_qrels(lines, wanted)
    if week is not None:
        everybody = [replace(r, batches=(r.batches or frozenset()) & {week}) for r in everybody]
    return part(found, everybody, qrels, readers=readers, weeks=weeks, every=every, half=half, seed=seed)


def part(
    found: Sequence[rank_input.Candidate], everybody: Sequence[rank_input.Reader], qrels: evaluate.Qrels, *,
    readers: int | None, weeks: int | None, every: int, half: int | None, seed: int,
) -> Task:  # fmt: skip
    """The task that `load` makes of what it has read."""
    batches = sorted({batch for reader in everybody for batch in reader.batches or ()})[:weeks]
    asked = [
        replace(reader, batches=(reader.batches or frozenset()) & frozenset(batches))
        for reader in everybody
        if (reader.batches or frozenset()) & frozenset(batches)
        and (half is None or in_half(reader.name, half))
    ]
    some = [asked[at] for at in np.random.default_rng(seed).permutation(len(asked))[:readers].tolist()]
    liked = {key for reader in some for key in reader.liked}
    # Batches named by week come in the order of time; others say nothing of it.
    first = next((batch for batch in batches if batch[:1].isdigit()), None)
    used = {batch for reader in some for batch in reader.batches or ()}
    papers: list[Paper] = []
    known: list[int] = []
    rows: dict[str, list[int]] = {batch: [] for batch in sorted(used)}
    for at, candidate in enumerate(found):
        new = candidate.batch in rows
        old = candidate.batch not in batches and (first is None or candidate.batch < first)
        if not (new or candidate.paper.id in liked or (old and at % every == 0)):
            continue
        if new:
            rows[candidate.batch].append(len(papers))
        elif old:
            known.append(len(papers))
        papers.append(candidate.paper)
    queries = {f"{reader.name}@{batch}" for reader in some for batch in reader.batches or ()}
    return Task(
        papers=papers,
        known=np.array(known, np.int64),
        batches={batch: np.array(held, np.int64) for batch, held in rows.items()},
        readers=some,
        qrels={query: grades for query, grades in qrels.items() if query in queries},
    )


def in_half(name: str, half: int) -> bool:
    """Whether a reader is in half 0 or 1 by a hash of the name: settings are chosen on 0 and judged on 1."""
    return hashlib.sha256(name.encode()).digest()[0] % 2 == half
