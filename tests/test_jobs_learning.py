"""Editions and weights: learned once, the same in every process, anew only when something changed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from benchmarks import synthetic
from db import model_store, paper_store, source_store, subscriber_store
from jobs import learning, subscribe
from jobs.service import Service
from profiles.profile import Profile
from profiles.request import request
from recommender import background
from recommender.paper import Paper
from tests.conftest import NOW


def _filled(service: Service, papers: int) -> Profile:
    found = synthetic.papers(papers)
    with service.database.writing() as session:
        source = source_store.add(session, name="s", kind="file", location="s", every_minutes=0, now=None)
        paper_store.merge(session, found, source.id, NOW)
    return subscribe.create(service, request(likes=[p.id for p in found[:9]], name="likes"), NOW)


def _weights(service: Service, profile: Profile) -> tuple[np.ndarray, bool]:
    """The profile's weights, and whether they had to be learned."""
    with service.database.reading() as session:
        shard = subscriber_store.with_revisions(session, [profile.id])
        found, learned = learning.weights(service, session, shard, NOW)
    with service.database.writing() as session:
        model_store.keep_models(session, learned, NOW)
    return found[profile.id].rows.toarray(), bool(learned)


def test_every_process_learns_the_same_weights_from_one_edition(service: Service) -> None:
    profile = _filled(service, background.FEWEST + 20)
    assert learning.refit(service, NOW)
    other = replace(service, edition=None, edition_kept_as="")
    with service.database.reading() as session:
        assert background.attached(learning.edition(service, session)) is not None
    first, learned = _weights(service, profile)
    assert learned
    with service.database.writing() as session:
        subscriber_store.change_profile(session, profile, NOW)
    again, learned_again = _weights(other, profile)
    assert learned_again
    np.testing.assert_allclose(first, again, atol=1e-6)


def test_weights_are_kept_until_the_profile_or_the_edition_changes(service: Service) -> None:
    profile = _filled(service, 40)
    learning.refit(service, NOW)
    assert _weights(service, profile)[1]
    assert not _weights(service, profile)[1]
    with service.database.writing() as session:
        subscriber_store.add_feedback(session, profile.id, 20, "like", NOW, "page")
    assert _weights(service, profile)[1]


def test_a_page_has_the_weights_as_they_are_now_and_learns_them_once(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile = _filled(service, 40)
    learning.refit(service, NOW)
    with service.database.writing() as session:
        subscriber_store.add_feedback(session, profile.id, 20, "like", NOW, "page")
    with service.database.reading() as session:
        first = learning.weights_of(service, session, profile, NOW)
        assert learning.weights_of(service, session, profile, NOW) is first
    with service.database.writing() as session:
        subscriber_store.add_feedback(session, profile.id, 30, "dislike", NOW, "page")
    with service.database.reading() as session:
        then = learning.weights_of(service, session, profile, NOW)
        assert (then.rows != first.rows).nnz
    np.testing.assert_array_equal(then.rows.toarray(), _weights(service, profile)[0])
    monkeypatch.setattr(learning, "_REMEMBERED", 1)
    other = subscribe.create(service, request(statement="speculative decoding", name="other"), NOW)
    with service.database.reading() as session:
        learning.weights_of(service, session, other, NOW)
    assert list(service.learned) == [other.id]


def test_a_new_edition_is_fitted_once_a_night_or_when_the_corpus_doubled(service: Service) -> None:
    assert not learning.refit(service, NOW)
    _filled(service, 30)
    assert learning.refit(service, NOW)
    assert not learning.refit(service, NOW + timedelta(hours=30))
    with service.database.writing() as session:
        source = source_store.add(session, name="s", kind="file", location="s", every_minutes=0, now=None)
        paper_store.merge(session, synthetic.papers(5, first=1_000), source.id, NOW)
    assert not learning.refit(service, NOW + timedelta(hours=1))
    assert learning.refit(service, NOW + timedelta(hours=30))


def test_papers_without_words_are_an_edition_too(service: Service) -> None:
    papers = [Paper(f"hash:{n}", "") for n in range(background.FEWEST)]
    with service.database.writing() as session:
        source = source_store.add(session, name="s", kind="file", location="s", every_minutes=0, now=None)
        paper_store.merge(session, papers, source.id, NOW)
    assert learning.refit(service, NOW)
    with service.database.reading() as session:
        assert background.attached(learning.edition(service, session)) is None
