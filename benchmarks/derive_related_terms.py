"""Derive the related terms that ship with the package from a corpus of real abstracts.

usage: python benchmarks/derive_related_terms.py [--papers GLOB] [--out FILE]

For each term that enough papers of the corpus hold, the terms with the highest log-odds in (up to 400 of)
those papers against the corpus. Needs the shipped document frequencies, and is to be run again when they
change. Takes some five minutes and 3 GB.
"""

from __future__ import annotations

import argparse
import glob
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.derive_document_frequencies import read  # noqa: E402
from recommender.vectors import Edition, Matrix  # noqa: E402

EACH = 8
SAMPLE = 400
PSEUDO = 20.0
"""As many papers of the corpus shrink the log-odds."""
HEAD_WORD, HEAD_PAIR, HEAD_LIMIT = 20, 45, 30_000
"""A word needs 20 papers to have related terms and a pair 45; what more than 30,000 hold says too little."""
FIRMLY = 1.5
TAILS = 1 << 16
"""Related terms are among the 65,536 most frequent of the corpus, so that two bytes name one."""


def main() -> None:
    """Vectorise the corpus, find the related terms, write, and print the figures."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--papers", default=str(ROOT / "../shared/data/papers/*.jsonl.xz"))
    options.add_argument("--out", type=Path, default=ROOT / "recommender/data/related_terms.npz")
    chosen = options.parse_args()
    paths = sorted(glob.glob(chosen.papers))  # noqa: PTH207  (the pattern may be absolute)
    if not paths:
        sys.exit(f"no file matches {chosen.papers}; name the corpus with --papers")
    edition = Edition.shipped()
    papers = list(read(paths))
    parts = [edition.transform(papers[at : at + 20_000]) for at in range(0, len(papers), 20_000)]
    heads = _heads(edition)
    tails = np.sort(np.argsort(-edition.shares[edition.text_columns], kind="stable")[:TAILS])
    places, weights = _related(edition, parts, heads, tails)
    with chosen.out.open("wb") as file:
        np.savez_compressed(
            file,
            heads=np.diff(heads, prepend=0).astype(np.uint32),
            tails=np.diff(tails, prepend=0).astype(np.uint32),
            places=places,
            weights=weights,
            edition=np.array(edition.name),
        )
    print(f"{len(heads)} terms with {EACH} related ones each, {chosen.out.stat().st_size} bytes")


def _heads(edition: Edition) -> NDArray[np.int64]:
    """The columns of the terms that get related ones: frequent enough, and pairs that belong together."""
    fitted = edition.fitting.frequencies
    words = np.flatnonzero((fitted.word_counts >= HEAD_WORD) & (fitted.word_counts <= HEAD_LIMIT))
    words = words[~edition.fitting.light[words]]
    pairs = np.flatnonzero(fitted.pair_counts >= HEAD_PAIR) + edition.fitting.pairs_start
    firmly = [column for column in pairs.tolist() if edition.togetherness(column) >= FIRMLY]
    return np.concatenate([words, np.array(firmly, np.int64)])


def _related(
    edition: Edition, parts: list[Matrix], heads: NDArray[np.int64], tails: NDArray[np.int64]
) -> tuple[NDArray[np.uint16], NDArray[np.uint8]]:
    """For each head the places of its related terms in ``tails``, closest first, and their weights."""
    from scipy import sparse

    corpus = sparse.vstack(parts, format="csr")
    holders = corpus[:, heads].tocsc()
    corpus = corpus[:, tails].tocsr()
    shares = edition.shares[tails]
    prior = np.log(shares / (1 - shares))
    places = np.zeros((len(heads), EACH), np.uint16)
    weights = np.zeros((len(heads), EACH), np.uint8)
    for at, head in enumerate(heads.tolist()):
        start, end = holders.indptr[at : at + 2]
        rows, values = holders.indices[start:end], holders.data[start:end]
        if len(rows) > SAMPLE:  # those that are most about it
            rows = rows[np.lexsort((rows, -values))[:SAMPLE]]
        columns, counts = np.unique(corpus[np.sort(rows)].indices, return_counts=True)
        inside = (counts + PSEUDO * shares[columns]) / (len(rows) + PSEUDO)
        odds = (np.log(inside / (1 - inside)) - prior[columns]).clip(min=0) * np.sqrt(counts / len(rows))
        odds[tails[columns] == head] = 0
        best = np.lexsort((columns, -odds))[:EACH]
        places[at, : len(best)] = columns[best]
        weights[at, : len(best)] = np.round(255 * odds[best] / odds[best].max(initial=1e-9))
    return places, weights


if __name__ == "__main__":
    main()
