"""A batch ready for many profiles: the same scores as each profile alone, from its stored weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks import synthetic
from recommender.batch import Batch
from recommender.interest import Interests, Judged
from recommender.paper import Paper
from recommender.ranking import DEFAULT, RANKERS, Weights
from recommender.ready import Ready
from recommender.vectors import Edition

PAPERS = [
    Paper(
        id="c",
        title="Speculative decoding on frobnicated GPUs",
        abstract="Draft tokens are verified in parallel; a zkrollup ledger keeps the zkrollup receipts.",
        authors=("J. Smith", "Ada Lovelace"),
        categories=("cs.LG",),
    ),
    Paper(id="a", title="Exoplanets around red dwarfs", abstract="We find planets.", authors=("John Smith",)),
    Paper(id="b", title="Decoding proteins", abstract="Mass spectra of draft tokens.", categories=("q-bio",)),
]
OTHERS = [Paper(id="o", title="A zkrollup of speculative planets", abstract="Ledgers and GPUs.")]
READERS = [
    Interests(statement="speculative decoding on GPUs"),
    Interests(terms=(("zkrollup", 2.0), ("zkrollup ledger", 1.0), ("quux gizmo", 1.0))),
    Interests(authors=("John Smith",), categories=("cs.LG",)),
    Interests(statement="planets", terms=(("draft tokens", -1.0),)),
    Interests(),
]


def learn(interests: Interests) -> Weights:
    return RANKERS[DEFAULT].learn(Edition.shipped(), interests, [Judged(PAPERS[1], "like")])


def alone(weights: Weights, interests: Interests, papers: list[Paper]) -> list[float]:
    wide = Edition.shipped().extended(papers, [interests])
    return weights.on(wide).scores(wide.transform(papers)).tolist()


def test_stored_weights_score_a_batch_as_each_profile_would_alone() -> None:
    batch = Batch(Ready.of(Edition.shipped(), PAPERS), OTHERS)
    in_order = [PAPERS[at] for at in batch.order]
    assert [paper.id for paper in in_order] == ["a", "b", "c"]

    learned = [learn(interests) for interests in READERS]
    found = batch.scores([w.to_bytes() for w in learned])

    assert found.shape == (5, 4)
    for row, (weights, interests) in enumerate(zip(learned, READERS, strict=True)):
        expected = alone(weights, interests, [*in_order, *OTHERS])
        assert found[row] == pytest.approx(expected, abs=1e-6)
    assert found[1, 2] > 0.1  # the word that no edition knows counts


def test_a_second_shard_with_new_words_leaves_the_first_as_it_was() -> None:
    batch = Batch(Ready.of(Edition.shipped(), PAPERS))
    blobs = [learn(interests).to_bytes() for interests in READERS]

    each = np.concatenate([batch.scores([blob]) for blob in blobs])
    assert each == pytest.approx(Batch(Ready.of(Edition.shipped(), PAPERS)).scores(blobs), abs=1e-7)


def test_of_several_rows_of_weights_the_best_counts() -> None:
    batch = Batch(Ready.of(Edition.shipped(), PAPERS))
    one, other = learn(READERS[0]), learn(READERS[3])
    both = replace(one, rows=one._fitted_rows()[[0, 0]].tolil(), named=())
    both.rows[1] = other._fitted_rows()[0]
    two = replace(both, rows=both.rows.tocsr())

    plain = [replace(w, named=()) for w in (one, other)]
    found = batch.scores([plain[0].to_bytes(), two.to_bytes(), plain[1].to_bytes()])
    assert found[1] == pytest.approx(np.maximum(found[0], found[2]), abs=1e-7)


def test_weights_of_another_fitting_are_refused() -> None:
    batch = Batch(Ready.of(Edition.fit(PAPERS), PAPERS))
    with pytest.raises(ValueError, match="learn them anew"):
        batch.scores([learn(READERS[0]).to_bytes()])


def test_no_papers_and_no_profiles_give_no_scores() -> None:
    assert Batch(Ready.of(Edition.shipped(), [])).scores([learn(READERS[0]).to_bytes()]).shape == (1, 0)
    assert Batch(Ready.of(Edition.shipped(), PAPERS)).scores([]).shape == (0, 3)


def test_common_and_rare_words_add_up_to_the_score_of_each_profile_alone() -> None:
    edition = Edition.shipped()
    batch = Batch(Ready.of(edition, synthetic.papers(300)))
    liked = synthetic.papers(60, first=5_000)
    learned = [
        RANKERS[DEFAULT].learn(edition, Interests(), [Judged(p, "like") for p in liked[at : at + 10]])
        for at in range(0, 60, 10)
    ]
    assert 100 < batch._common < batch._held.shape[0] // 2

    found = batch.scores([weights.to_bytes() for weights in learned])
    X = batch.ready.X[batch.order]
    expected = np.array([weights.on(batch.edition).scores(X) for weights in learned])
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-7)
