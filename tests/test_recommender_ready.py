"""Papers kept as vectors: another reader is ranked as if the papers were read anew."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recommender.interest import Interests, Judged
from recommender.paper import Paper
from recommender.ranking import DEFAULT, RANKERS
from recommender.ready import Ready
from recommender.vectors import Edition

TEXTS = (
    ("KV caches for zyxophone serving", "A quokkatron pools memory. Zyxophone schedulers wait."),
    ("Zyxophone schedulers", "We schedule a k 5 step plan, with quokkatron zyxophone pairs and KV caches."),
    ("Melting glaciers", "Ice feeds the valleys; the zyxophone melts."),
    ("", ""),
    ("The of and", "is a the"),
    ("Speculative decoding", "Drafts of language models. Language drafts, models of drafts."),
)
WORDS = (
    "zyxophone", "quokkatron", "scheduler", "KV", "caches", "k", "5", "step", "plan", "the", "of",
    "melting", "glaciers", "ice", "language", "models", "drafts", "unheardofword", "serving", "pools",
)  # fmt: skip


def papers() -> list[Paper]:
    return [
        Paper(
            id=f"arxiv:2511.{n:05d}", title=title, abstract=abstract, announced=date(2025, 11, 10 + n),
            authors=("Ada Lovelace", f"Author Number{n}"), categories=("cs.DC",),
            keywords=("edge quokkatron",),
        )
        for n, (title, abstract) in enumerate(TEXTS)
    ]  # fmt: skip


@pytest.fixture(scope="module")
def ready() -> Ready:
    return Ready.of(Edition.shipped(), papers())


STATED = st.builds(
    Interests,
    statement=st.lists(st.sampled_from(WORDS), max_size=8).map(" ".join),
    terms=st.lists(
        st.tuples(st.lists(st.sampled_from(WORDS), min_size=1, max_size=3).map(" ".join), st.just(2.0)),
        max_size=3,
    ).map(tuple),
    authors=st.sampled_from([(), ("Ada Lovelace",), ("A. Lovelace", "Nobody Here")]),
    categories=st.sampled_from([(), ("cs.DC",), ("math.AG",)]),
)


@settings(max_examples=60, deadline=None)
@given(interests=STATED)
def test_scores_are_those_of_papers_read_anew(ready: Ready, interests: Interests) -> None:
    fitted, held = Edition.shipped(), papers()
    weights = RANKERS[DEFAULT].learn(fitted, interests, [Judged(held[2], "dislike")])
    wide = fitted.extended(held, [interests])
    expected = weights.on(wide).scores(wide.transform(held))
    view = ready.to([interests])
    own = weights.on(view.edition)
    np.testing.assert_allclose(view.scores(own), expected, rtol=1e-5, atol=1e-6)
    row = view.row(1)
    assert float(own.scores(row)[0]) == pytest.approx(float(expected[1]), rel=1e-5, abs=1e-6)


def test_the_kept_vectors_stay_as_they_are(ready: Ready) -> None:
    before = ready.X.shape, ready.X.nnz, ready.edition.size
    view = ready.to([Interests(terms=(("unheardofword zyxophone", 1.0), ("quokkatron", 2.0)))])
    assert view.edition.size > ready.edition.size
    assert before == (ready.X.shape, ready.X.nnz, ready.edition.size)
    assert ready.dates == tuple(p.announced for p in papers())
