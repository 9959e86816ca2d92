"""How often two arXiv papers would be taken for one if their ids were not known.

usage: python -m benchmarks.same_work

Every paper in ../shared/data/papers is a different one; each is looked at as if it came from a source
without ids. Prints one JSON object: false merges per 100,000 papers, beside title and first author alone.
"""

from __future__ import annotations

import json
import lzma
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

from recommender.merging import same_work, title_key
from recommender.paper import Paper

PAPERS = Path(__file__).parent.parent.parent / "shared" / "data" / "papers"


def main() -> None:
    """Measure and print."""
    if not PAPERS.is_dir():
        sys.exit(f"no papers at {PAPERS}: this is measured on real ones")
    by_title: dict[str, list[Paper]] = {}
    papers = titles = merged = bare = 0
    for path in sorted(PAPERS.glob("*.jsonl.xz")):
        with lzma.open(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                paper = _nameless(json.loads(line))
                papers += 1
                label = title_key(paper)
                if label is None:
                    continue
                others = by_title.setdefault(label, [])
                titles += bool(others)
                merged += any(same_work(other, paper) for other in others)
                bare += any(same_work(_bare(other), _bare(paper)) for other in others)
                others.append(paper)
    print(
        json.dumps(
            {
                "name": "false merges",
                "params": {"papers": papers, "without_abstracts": round(1e5 * bare / papers, 2)},
                "value": round(1e5 * merged / papers, 2),
                "unit": "per 100,000 papers",
                "reference": round(1e5 * titles / papers, 2),
                "reference_what": "equal title and first author alone",
                "ratio": round(merged / titles, 3) if titles else 0.0,
                "peak_mb": 0,
            }
        )
    )


def _nameless(record: dict[str, object]) -> Paper:
    authors = record["authors"]
    assert isinstance(authors, list)
    return Paper(
        id=f"hash:{record['id']}",
        title=str(record["title"]),
        abstract=str(record["abstract"]),
        authors=tuple(authors),
        announced=date.fromisoformat(str(record["date"])),
    )


def _bare(paper: Paper) -> Paper:
    return replace(paper, abstract="")


if __name__ == "__main__":
    main()
