"""Rank the papers of files for the readers of a file, without a database."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from random import Random
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from jobs import rank_input
from jobs.rank_input import Reader, Report
from recommender import background
from recommender.background import Background
from recommender.fitting import Fitting
from recommender.interest import Interests, Judged
from recommender.paper import Paper
from recommender.ranking import DEFAULT, RANKERS, score_all
from recommender.vectors import Edition
from recommender.weights import Weights

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is (0: not known)."""
_READERS_AT_ONCE = 500  # 3,000 papers × 500 readers of float32 are 6 MB
_TOGETHER = 50  # readers are learned at once


@dataclass(frozen=True, slots=True)
class Ranked:
    """How many papers were read, for how many readers and queries lines were written, and how many liked or
    disliked ids are not among the papers."""

    papers: int
    readers: int
    queries: int
    lines: int
    unknown: int


def rank_files(
    papers: Sequence[Path], readers: Path, top: int, out: Path, *, ranker: str = DEFAULT,
    report: Report = lambda _: None, progress: Progress = lambda *_: None,
) -> Ranked:  # fmt: skip
    """Write a TREC run: for each reader and batch the ``top`` papers of the batch, never a liked one.

    Only what the readers file says of a reader is used; author names count only for readers that follow
    some. Vocabulary and document frequencies are the shipped ones blended with those of the papers. Bad lines
    go to ``report`` as ``FILE:LINE: why``. Raises `InputError` for a file that cannot be read and
    ValueError for a ranker that does not exist.
    """
    if ranker not in RANKERS:
        raise ValueError(f"no ranker {ranker!r}; there are {', '.join(RANKERS)}")
    asking = rank_input.readers(readers, report)
    corpus = _Corpus.read(papers, asking, report, progress)
    profiles = _Profiles.learn(asking, corpus, ranker, progress)
    queries = lines = 0
    with out.open("w", encoding="utf-8") as run:
        for done, (batch, rows) in enumerate(sorted(corpus.batches.items()), start=1):
            wanted = [at for at, r in enumerate(asking) if r.batches is None or batch in r.batches]
            candidates = [corpus.kept[row] for row in rows]
            for names in (False, True):
                # Those who follow people need columns for the authors of the batch; the others go without.
                some = [at for at in wanted if bool(asking[at].interests.authors) == names]
                if some:
                    chosen = [asking[at] for at in some]
                    ranked = _rank_batch(candidates, chosen, profiles.of(some), corpus, top)
                    lines += sum(_write(run, batch, ranker, query) for query in ranked)
                    queries += len(some)
            progress("ranking", done, len(corpus.batches))
    return Ranked(corpus.read_papers, len(asking), queries, lines, profiles.unknown)


@dataclass(frozen=True, slots=True)
class _Corpus:
    """The papers that are ranked or judged, their rows by batch and by id, and the edition of all papers."""

    kept: list[Paper]
    batches: dict[str, list[int]]
    by_id: dict[str, int]
    edition: Edition
    read_papers: int

    @classmethod
    def read(
        cls, paths: Sequence[Path], asking: Sequence[Reader], report: Report, progress: Progress
    ) -> _Corpus:
        """Read every paper once; those that nobody asks about count in the document frequencies only."""
        judged = {key for reader in asking for key in (*reader.liked, *reader.disliked)}
        everything = any(reader.batches is None for reader in asking)
        wanted = {batch for reader in asking for batch in reader.batches or ()}
        kept: list[Paper] = []
        batches: dict[str, list[int]] = {}
        sample: list[Paper] = []
        dice = Random(0)  # noqa: S311 - chance, no secret
        count = met = 0

        def passing() -> Iterator[Paper]:
            nonlocal count, met
            for found in rank_input.papers(paths, report):
                count += 1
                ranked = bool(found.batch) and (everything or found.batch in wanted)
                if everything or not ranked:
                    # What is to be ranked is the readers' future, so it is no background unless all is;
                    # each paper that may be in the sample is so with the same chance (reservoir sampling).
                    met += 1
                    if len(sample) < background.SEEN:
                        sample.append(found.paper)
                    elif (place := dice.randrange(met)) < background.SEEN:
                        sample[place] = found.paper
                if ranked or found.paper.id in judged:
                    if ranked:
                        batches.setdefault(found.batch, []).append(len(kept))
                    kept.append(found.paper)
                if count % 1_000 == 0:
                    progress("reading", count, 0)
                yield found.paper

        edition = Edition.fit(passing(), shapes=False)
        if not background.ordered(edition.fitting):
            edition = Edition(Fitting(edition.fitting.frequencies.kept(0, inf)))
        with suppress(ValueError):  # too few papers for a background, or papers without words
            background.attach(edition, Background.of(edition, edition.transform(sample)))
        return cls(kept, batches, {paper.id: row for row, paper in enumerate(kept)}, edition, count)


@dataclass(frozen=True, slots=True)
class _Profiles:
    """The readers' weights, in their order."""

    weights: list[Weights]
    unknown: int

    @classmethod
    def learn(cls, asking: Sequence[Reader], corpus: _Corpus, ranker: str, progress: Progress) -> _Profiles:
        judged = sorted({
            corpus.by_id[key] for r in asking for key in (*r.liked, *r.disliked) if key in corpus.by_id
        })  # fmt: skip
        X = corpus.edition.transform([corpus.kept[row] for row in judged])
        place = {row: at for at, row in enumerate(judged)}
        weights: list[Weights] = []
        unknown = 0
        for start in range(0, len(asking), _TOGETHER):
            readers: list[tuple[Interests, list[Judged]]] = []
            places: list[int] = []
            for reader in asking[start : start + _TOGETHER]:
                said = [(key, "like") for key in reader.liked] + [(key, "dislike") for key in reader.disliked]
                rows = [(corpus.by_id[key], opinion) for key, opinion in said if key in corpus.by_id]
                unknown += len(said) - len(rows)
                follows = bool(reader.interests.authors)
                examples = [Judged(_seen(corpus.kept[row], follows), opinion) for row, opinion in rows]
                readers.append((reader.interests, examples))
                places += [place[row] for row, _ in rows]
            weights += RANKERS[ranker].learn_all(corpus.edition, readers, X[np.array(places, np.int64)])
            progress("learning", len(weights), len(asking))
        return cls(weights, unknown)

    def of(self, readers: Sequence[int]) -> list[Weights]:
        """The weights of these readers."""
        return [self.weights[at] for at in readers]


def _seen(paper: Paper, follows: bool) -> Paper:
    return paper if follows else replace(paper, authors=())


@dataclass(frozen=True, slots=True)
class _Query:
    """The best papers of a batch for one reader, best first."""

    reader: str
    papers: list[str]
    scores: list[float]


def _rank_batch(
    candidates: Sequence[Paper], readers: Sequence[Reader], weights: Sequence[Weights], corpus: _Corpus,
    top: int,
) -> Iterator[_Query]:  # fmt: skip
    """The rankings of one batch, the readers all following people or none of them."""
    follows = bool(readers[0].interests.authors)
    papers = [_seen(paper, follows) for paper in candidates]
    wide = corpus.edition.extended(papers, [r.interests for r in readers])
    X = wide.transform(papers)
    ids = np.array([paper.id for paper in papers])
    place = {key: at for at, key in enumerate(ids.tolist())}
    for start in range(0, len(readers), _READERS_AT_ONCE):
        some = readers[start : start + _READERS_AT_ONCE]
        scores = score_all(X, [w.on(wide) for w in weights[start : start + _READERS_AT_ONCE]])
        for column, reader in enumerate(some):
            values = scores[:, column].astype(np.float64)
            values[[place[key] for key in reader.liked if key in place]] = -np.inf
            best = _best(values, ids, top)
            yield _Query(reader.name, ids[best].tolist(), values[best].tolist())


def _best(values: NDArray[np.float64], ids: NDArray[np.str_], top: int) -> NDArray[np.intp]:
    """The places of the ``top`` highest values that are not minus infinity, ties by id."""
    if top < len(values):
        mark = np.partition(values, len(values) - top)[len(values) - top]
        places = np.flatnonzero(values >= mark)
    else:
        places = np.arange(len(values))
    places = places[np.isfinite(values[places])]
    return places[np.lexsort((ids[places], -values[places]))][:top]


def _write(run: TextIO, batch: str, tag: str, query: _Query) -> int:
    for rank, (paper, score) in enumerate(zip(query.papers, query.scores, strict=True), start=1):
        run.write(f"{query.reader}@{batch} Q0 {paper} {rank} {score:.9g} {tag}\n")
    return len(query.papers)
