"""The benchmark of topic labels: what is held out is not learned, and strangers' labels count as wrong."""

from __future__ import annotations

from datetime import date, timedelta

from benchmarks import topics
from recommender.paper import Paper

SUBJECTS = {
    "serving": "Batching of requests, KV cache and decoding latency on GPUs",
    "planets": "Transit spectra of exoplanets and their host stars",
}


def digest(week: int) -> list[Paper]:
    """Twelve papers of each subject, each with a word of its own; the first stands in the next digest too."""
    day = date(2026, 1, 5) + timedelta(weeks=week)
    found = [
        Paper(f"{name}{week}.{n}", name, abstract=f"{text} case{week}x{n}", area=name, announced=day)
        for n in range(12)
        for name, text in SUBJECTS.items()
    ]
    return [*found, Paper(f"serving{week - 1}.0", "serving", abstract=SUBJECTS["serving"], area="planets")]


def test_labels_are_found_and_strangers_count_against_them() -> None:
    rivers = [Paper(f"r{n}", "Rivers", abstract=f"Gravel settles behind dam{n}") for n in range(40)]
    odd = [Paper(f"o{n}", "Serving", abstract=f"KV cache and decoding latency {n}") for n in range(6)]
    weeks = [digest(week) for week in range(3)]
    quiet = topics.held_out(weeks, rivers)
    # Every second one is labelled, the others are learned from.
    found = topics.held_out(weeks, [*rivers, *(paper for one in odd for paper in (rivers[0], one))])

    assert quiet["untagged_with_a_label"] == 0
    assert quiet["labels"]["area: planets"]["f1_with_untagged"] == quiet["labels"]["area: planets"]["f1"]
    assert found["untagged_with_a_label"] == 6
    serving = found["labels"]["area: serving"]
    assert serving["papers"] == 36
    assert serving["recall"] == 1
    assert serving["f1_with_untagged"] < serving["f1"]


def test_a_paper_of_the_held_out_digest_is_not_learned_from_another() -> None:
    weeks = [digest(week) for week in range(3)]
    known = topics._tagged_elsewhere(weeks, weeks[1])

    assert not {paper.id for paper in known} & {paper.id for paper in weeks[1]}
    assert len({paper.id for paper in known}) == len(known)
    assert [paper.announced or date.min for paper in known] == sorted(p.announced or date.min for p in known)
