"""Area and topics of papers that came without: learned at night from those that digests tagged."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from db import label_store, topic_store
from db.label_store import Guess
from jobs.service import Service
from recommender import topics
from recommender.labels import Named, slug
from recommender.paper import Paper
from recommender.topics import TopicModel
from recommender.vectors import Edition

# Learning takes some seconds; a tenth more tagged papers teach it something, at most once a night.
_LEARN_AFTER = timedelta(hours=20)
_MORE = 1.1

Guesser = Callable[[Sequence[Paper]], list[tuple[Guess, ...]]]


def learn(service: Service, now: datetime) -> bool:
    """Learn a model anew where a tenth more papers are tagged than it knows; whether one was learned.

    It stands on the edition that ships with the package, so that it outlives the nightly ones.
    """
    with service.database.reading() as session:
        kept = topic_store.latest(session)
        if kept and now - kept.made_at < _LEARN_AFTER:
            return False
        papers = topic_store.count_tagged(session)
        if papers < topics.AT_LEAST or (kept and papers < _MORE * kept.papers):
            return False
        tagged = topic_store.tagged(session, at_most=topics.MOST_TAGGED)
        others = topic_store.untagged(session, at_most=topics.OTHERS)
    try:
        model = topics.learn(Edition.shipped(), tagged, others)
    except ValueError:  # fewer than two labels are frequent enough; more digests will come
        return False
    data = io.BytesIO()
    model.save(data)
    name = hashlib.sha256(data.getvalue()).hexdigest()[:16]
    with service.database.writing() as session:
        topic_store.keep(session, name, data.getvalue(), papers, now)
        # The model knows how most sources write a label; the store, how the first one did.
        label_store.write_as(
            session, [Named(one.kind, slug(one.kind, one.name), one.name) for one in model.labels]
        )
    return True


def guesser(service: Service) -> Guesser:
    """What guesses the labels of papers by the model in force; before the first one it guesses nothing."""
    with service.database.reading() as session:
        kept = topic_store.latest(session)
        held = topic_store.data(session, kept.name) if kept else None
    if held is None:
        return lambda papers: [()] * len(papers)
    model = TopicModel.load(io.BytesIO(held))
    return lambda papers: _guess(model, papers)


def _guess(model: TopicModel, papers: Sequence[Paper]) -> list[tuple[Guess, ...]]:
    bare = [paper for paper in papers if not topics.labels_of(paper)]
    found = iter(model.predict(Edition.shipped(), bare) if bare else ())
    return [
        () if topics.labels_of(paper) else tuple(
            Guess(p.label.kind, p.label.name, round(p.share, 2)) for p in next(found)
        )
        for paper in papers
    ]  # fmt: skip
