"""How well topics are predicted: F1 of each label on weekly digests held out one by one.

usage: python benchmarks/topics.py [--digests GLOB] [--json]

Each digest is labelled by a model learned from the others (a paper that stands in both is left out of the
learning). Beside each label's F1 stands that of giving the label to every paper; labels that the model does
not find worth showing count with all their papers missed.
"""

from __future__ import annotations

import argparse
import glob
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from jobs.sources import weekly  # noqa: E402
from recommender import names, topics  # noqa: E402
from recommender.paper import Paper  # noqa: E402
from recommender.vectors import Edition  # noqa: E402


def held_out(weeks: list[list[Paper]]) -> dict[str, dict[str, float]]:
    """Per label: papers, precision, recall, F1, and the F1 of labelling all, over all held-out weeks."""
    edition = Edition.shipped()
    right: dict[topics.Key, list[int]] = {}
    total = 0
    for week in weeks:
        ids = {paper.id for paper in week}
        known = [paper for other in weeks if other is not week for paper in other if paper.id not in ids]
        model = topics.learn(edition, known)
        asked = [paper for paper in week if topics.labels_of(paper) and paper.text]
        total += len(asked)
        learned = {(label.kind, names.label(label.name)) for label in model.labels}
        for paper, found in zip(asked, model.predict(edition, asked), strict=True):
            given = topics.labels_of(paper)
            predicted = {(p.label.kind, names.label(p.label.name)) for p in found}
            for key in learned:
                hits, misses, false = right.setdefault(key, [0, 0, 0])
                right[key] = [
                    hits + (key in given and key in predicted),
                    misses + (key in given and key not in predicted),
                    false + (key not in given and key in predicted),
                ]
    return {
        f"{kind}: {name}": _figures(*counts, total)
        for (kind, name), counts in sorted(right.items(), key=lambda item: -item[1][0] - item[1][1])
    }


def _figures(hits: int, misses: int, false: int, total: int) -> dict[str, float]:
    papers = hits + misses
    return {
        "papers": papers,
        "precision": round(hits / max(hits + false, 1), 3),
        "recall": round(hits / max(papers, 1), 3),
        "f1": round(2 * hits / max(2 * hits + misses + false, 1), 3),
        "f1_of_labelling_all": round(2 * papers / max(total + papers, 1), 3),
    }


def main() -> None:
    """Hold out each digest in turn and print the figures."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--digests", default=str(ROOT / "../shared/data/digests/weekly/*.md"))
    options.add_argument("--json", action="store_true")
    chosen = options.parse_args()
    paths = sorted(glob.glob(chosen.digests))  # noqa: PTH207  (the pattern may be absolute)
    weeks = [list(weekly.parse(Path(path).read_bytes()).papers) for path in paths]
    weeks = [week for week in weeks if sum(bool(topics.labels_of(paper)) for paper in week) >= 10]
    if len(weeks) < 2:
        sys.exit(f"{chosen.digests} holds {len(weeks)} digests with topics; two are needed")
    figures = held_out(weeks)
    if chosen.json:
        print(json.dumps(figures, indent=1))
        return
    print(f"{len(weeks)} weeks held out one by one; {'label':37} papers  prec  recall  F1     all")
    for name, f in figures.items():
        print(
            f"{name:66} {f['papers']:6.0f}  {f['precision']:.3f}  {f['recall']:.3f}  {f['f1']:.3f}  "
            f"{f['f1_of_labelling_all']:.3f}"
        )


if __name__ == "__main__":
    main()
