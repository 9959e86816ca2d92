"""Derive the document frequencies that ship with the package from a corpus of real abstracts.

usage: python benchmarks/derive_document_frequencies.py [--papers GLOB] [--out FILE]

The corpus is JSONL (plain or .xz), one paper a line with title, abstract and categories. The same corpus
gives the same bytes. Only counts of words and word pairs leave it, of those that FLOORS papers hold.
"""

from __future__ import annotations

import argparse
import glob
import json
import lzma
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from recommender.counting import count  # noqa: E402
from recommender.frequency_file import save  # noqa: E402
from recommender.paper import Paper  # noqa: E402

FLOORS = (4, 5)
"""A word must be in 4 papers, a pair in 5: 798,000 pairs, and the file stays under 4 MB."""
LIMIT = 4_000_000


def read(paths: list[str]) -> Iterator[Paper]:
    """The papers of the files, as far as counting needs them."""
    for path in paths:
        with lzma.open(path, "rt") if path.endswith(".xz") else Path(path).open() as lines:  # type: ignore[union-attr]
            for line in lines:
                row = json.loads(line)
                yield Paper(
                    id=row["id"],
                    title=row["title"],
                    abstract=row["abstract"],
                    categories=tuple(row["categories"]),
                )


def main() -> None:
    """Count, cut, write, and print the figures."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--papers", default=str(ROOT / "../shared/data/papers/*.jsonl.xz"))
    options.add_argument("--out", type=Path, default=ROOT / "recommender/data/document_frequencies.npz")
    chosen = options.parse_args()
    paths = sorted(glob.glob(chosen.papers))  # noqa: PTH207  (the pattern may be absolute)
    if not paths:
        sys.exit(f"no file matches {chosen.papers}; name the corpus with --papers")
    whole = count(read(paths))
    kept = whole.kept(*FLOORS)
    figures = {
        "papers": int(whole.documents),
        "files": f"{Path(paths[0]).name} to {Path(paths[-1]).name}",
        "words": len(kept.words),
        "words_before_cut": len(whole.words),
        "word_floor": FLOORS[0],
        "pairs": len(kept.pairs),
        "pairs_before_cut": len(whole.pairs),
        "pair_floor": FLOORS[1],
    }
    with chosen.out.open("wb") as file:
        save(kept, file, figures)
    size = chosen.out.stat().st_size
    print(json.dumps(figures | {"bytes": size}, indent=1))
    if size > LIMIT:
        sys.exit(f"{size} bytes are more than {LIMIT}; raise the floors")


if __name__ == "__main__":
    main()
