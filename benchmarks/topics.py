"""How well topics are predicted: F1 of each label on weekly digests held out one by one.

``python -m benchmarks.topics [--digests GLOB] [--json]``. Each digest is labelled by a model learned as the
service learns it: from the tagged papers of the other digests (a paper that stands in both is left out),
against papers of arXiv that no digest shows. Other such papers, never seen by the model, are labelled too:
what it calls any of these counts as wrong in the last column, though some are what it says.

Beside each label's F1 stands that of giving the label to every paper of the digests; labels that the model
does not find worth showing count with all their papers missed.
"""

from __future__ import annotations

import argparse
import glob
import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from benchmarks.tasks import DATA
from jobs import rank_input
from jobs.sources import weekly
from recommender import names, topics
from recommender.paper import Paper
from recommender.vectors import Edition

Figures = dict[str, float]


@dataclass(frozen=True, slots=True)
class Counts:
    """By label: papers that have it and got it, that have it and did not, and that got it without."""

    hits: Counter[topics.Key] = field(default_factory=Counter)
    misses: Counter[topics.Key] = field(default_factory=Counter)
    false: Counter[topics.Key] = field(default_factory=Counter)

    def add(self, given: frozenset[topics.Key], predicted: frozenset[topics.Key]) -> None:
        """Count one paper."""
        self.hits.update(given & predicted)
        self.misses.update(given - predicted)
        self.false.update(predicted - given)


def held_out(weeks: Sequence[Sequence[Paper]], untagged: Sequence[Paper]) -> dict[str, Any]:
    """Per label the figures over all held-out weeks, and how many of the unseen untagged papers got one."""
    edition = Edition.shipped()
    others, unseen = untagged[::2], untagged[1::2]
    digests, strangers = Counts(), Counts()
    learned: set[topics.Key] = set()
    total = labelled = 0
    for at, week in enumerate(weeks):
        model = topics.learn(edition, _tagged_elsewhere(weeks, week), others[: topics.OTHERS])
        learned |= {(label.kind, names.label(label.name)) for label in model.labels}
        asked = [paper for paper in week if topics.labels_of(paper) and paper.text]
        total += len(asked)
        for paper, predicted in zip(asked, _predicted(model, edition, asked), strict=True):
            digests.add(topics.labels_of(paper), predicted)
        for predicted in _predicted(model, edition, unseen[at :: len(weeks)]):
            labelled += bool(predicted)
            strangers.add(frozenset(), predicted)
    keys = sorted(learned, key=lambda key: -digests.hits[key] - digests.misses[key])
    return {
        "weeks": len(weeks),
        "untagged": len(unseen),
        "untagged_with_a_label": labelled,
        "labels": {
            f"{kind}: {name}": _figures(digests, strangers, (kind, name), total) for kind, name in keys
        },
    }


def _tagged_elsewhere(weeks: Sequence[Sequence[Paper]], week: Sequence[Paper]) -> list[Paper]:
    """The tagged papers of the other weeks, each once, the oldest first."""
    ids = {paper.id for paper in week}
    found: dict[str, Paper] = {}
    for other in weeks:
        for paper in other:
            if other is not week and paper.id not in ids and topics.labels_of(paper):
                found.setdefault(paper.id, paper)
    return sorted(found.values(), key=lambda p: (p.announced or date.min, p.id))[-topics.MOST_TAGGED :]


def _predicted(
    model: topics.TopicModel, edition: Edition, papers: Sequence[Paper]
) -> list[frozenset[topics.Key]]:
    return [
        frozenset((p.label.kind, names.label(p.label.name)) for p in found)
        for found in (model.predict(edition, papers) if papers else [])
    ]


def _figures(digests: Counts, strangers: Counts, key: topics.Key, total: int) -> Figures:
    hits, misses, false = digests.hits[key], digests.misses[key], digests.false[key]
    papers = hits + misses
    return {
        "papers": papers,
        "precision": round(hits / max(hits + false, 1), 3),
        "recall": round(hits / max(papers, 1), 3),
        "f1": round(2 * hits / max(2 * hits + misses + false, 1), 3),
        "f1_of_labelling_all": round(2 * papers / max(total + papers, 1), 3),
        "f1_with_untagged": round(2 * hits / max(2 * hits + misses + false + strangers.false[key], 1), 3),
    }


def arxiv_papers(apart_from: set[str], about: int) -> list[Paper]:
    """Papers of arXiv that are in no digest, spread evenly over time; none where the data is absent."""
    found = [
        candidate.paper
        for candidate in rank_input.papers(sorted((DATA / "papers").glob("*.jsonl.xz")), print)
        if f"arxiv:{candidate.paper.id}" not in apart_from
    ]
    return found[:: max(1, -(-len(found) // about))]


def main(arguments: Sequence[str]) -> None:
    """Hold out each digest in turn and print the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--digests", default=str(DATA / "digests" / "weekly" / "*.md"), metavar="GLOB")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args(arguments)
    paths = sorted(glob.glob(chosen.digests))  # noqa: PTH207  (the pattern may be absolute)
    read = [list(weekly.parse(Path(path).read_bytes()).papers) for path in paths]
    weeks = [week for week in read if sum(bool(topics.labels_of(paper)) for paper in week) >= 10]
    if len(weeks) < 2:
        sys.exit(f"{chosen.digests} holds {len(weeks)} digests with topics; two are needed")
    untagged = arxiv_papers({paper.id for week in read for paper in week}, 2 * topics.OTHERS)
    with threadpool_limits(1):
        figures = held_out(weeks, untagged)
    if chosen.json:
        print(json.dumps(figures, indent=1))
        return
    print(
        f"{figures['weeks']} digests held out one by one; of {figures['untagged']:,} papers that no digest "
        f"shows {figures['untagged_with_a_label']:,} get a label\n"
        f"{'label':50} papers  prec  recall  F1     all    F1 among untagged"
    )
    for name, f in figures["labels"].items():
        print(
            f"{name:50} {f['papers']:6.0f}  {f['precision']:.3f}  {f['recall']:.3f}  {f['f1']:.3f}  "
            f"{f['f1_of_labelling_all']:.3f}  {f['f1_with_untagged']:.3f}"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
