"""Topics learned from tagged papers, and given to papers without tags."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest

from jobs.sources import weekly
from recommender import topics
from recommender.paper import Paper
from recommender.vectors import Edition

DIGESTS = Path(__file__).resolve().parents[1] / "../shared/data/digests/weekly"
SUBJECTS = {
    "LLM serving": (
        "Serving language models",
        "Batching of requests, KV cache and decoding latency on GPUs.",
    ),
    "Exoplanets": ("Atmospheres of planets", "Transit spectra of exoplanets and their host stars."),
}


def tagged() -> list[Paper]:
    """Twenty papers of each subject, each with a word of its own and written in the order of days."""
    return [
        Paper(
            id=f"{subject}{n}",
            title=title,
            abstract=f"{text} Case {n} looks at scenario{n}.",
            area="space" if subject == "Exoplanets" else "systems",
            topics=(subject if n else subject.upper(),),
        )
        for n in range(20)
        for subject, (title, text) in SUBJECTS.items()
    ]


def test_papers_without_tags_get_the_labels_of_their_kind() -> None:
    edition = Edition.shipped()
    model = topics.learn(edition, tagged())
    new = [
        Paper(id="a", title="A KV cache for decoding", abstract="Requests are batched on GPUs."),
        Paper(id="b", title="A transit of an exoplanet", abstract="Spectra of the host star."),
    ]

    serving, planets = model.predict(edition, new)
    assert [(p.label.kind, p.label.name) for p in serving] == [("area", "systems"), ("topic", "LLM serving")]
    assert [(p.label.kind, p.label.name) for p in planets] == [("area", "space"), ("topic", "Exoplanets")]
    assert all(0.5 < p.share <= 1 and p.label.papers == 20 for p in (*serving, *planets))


def test_papers_that_nobody_tagged_teach_what_the_labels_are_not() -> None:
    rivers = [
        Paper(id=f"r{n}", title="Rivers", abstract=f"Gravel settles behind old dams. Case {n}.")
        for n in range(20)
    ]
    edition = Edition.shipped()
    new = Paper(id="c", title="Floods and dams", abstract="Gravel moves when old dams give way.")
    (alone,) = topics.learn(edition, tagged()).predict(edition, [new])
    (beside,) = topics.learn(edition, tagged(), rivers).predict(edition, [new])
    assert alone and not beside


def test_a_model_is_read_as_it_was_written() -> None:
    edition = Edition.shipped()
    model = topics.learn(edition, tagged())
    file = io.BytesIO()
    model.save(file)
    file.seek(0)
    again = topics.TopicModel.load(file)
    assert again.labels == model.labels
    assert again.predict(edition, tagged()) == model.predict(edition, tagged())


def test_tags_of_the_paper_itself_are_not_looked_at() -> None:
    edition = Edition.shipped()
    model = topics.learn(edition, tagged())
    paper = Paper(id="a", title="A KV cache for decoding", abstract="Requests are batched on GPUs.")
    misled = replace(paper, topics=("Exoplanets",), keywords=("transit spectra", "host stars"), area="space")

    assert model.predict(edition, [paper]) == model.predict(edition, [misled])


def test_labels_that_say_nothing_are_none() -> None:
    assert topics.labels_of(Paper(id="a", title="T", area="", topics=("Others", "TBD", "N/A"))) == frozenset()
    assert topics.labels_of(Paper(id="a", title="T", area="MLSys", topics=("LLM-inference",))) == {
        ("area", "mlsys"),
        ("topic", "llm inference"),
    }


def test_a_label_that_cannot_be_told_is_not_shown() -> None:
    papers = [replace(p, topics=(*p.topics, *(["coin flip"] * (n % 5 == 0)))) for n, p in enumerate(tagged())]
    edition = Edition.shipped()
    model = topics.learn(edition, papers)
    (coin,) = (label for label in model.labels if label.name == "coin flip")
    hopeless = replace(model, labels=tuple(replace(label, f1=0.1) for label in model.labels))

    assert coin.f1 < min(label.f1 for label in model.labels if label is not coin)
    assert set(hopeless.predict(edition, papers)) == {()}


def test_too_few_tagged_papers_are_refused() -> None:
    with pytest.raises(ValueError, match="2 papers with topics, too few to learn from"):
        topics.learn(Edition.shipped(), tagged()[:2])


def test_another_edition_is_refused() -> None:
    model = topics.learn(Edition.shipped(), tagged())
    with pytest.raises(ValueError, match="learn them anew"):
        model.predict(Edition.fit(tagged()), tagged())


@pytest.mark.skipif(not DIGESTS.exists(), reason="the digests in ../shared are absent")
def test_a_later_week_of_digests_is_labelled_well() -> None:
    edition = Edition.shipped()
    weeks = [weekly.parse(path.read_bytes()).papers for path in sorted(DIGESTS.glob("20*.md"))]
    *earlier, last = weeks
    model = topics.learn(edition, [paper for week in earlier for paper in week])
    asked = [paper for paper in last if ("area", "mlsys") in topics.labels_of(paper)]

    found = model.predict(edition, asked)
    right = sum(any(p.label.name == "mlsys" for p in labels) for labels in found)
    assert len(asked) > 30
    assert right / len(asked) > 0.7
