"""Papers into search and labels: each once, and again when its words or its guessed topics change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from db import index_store, label_store, search_store, topic_store
from db.index_store import Shelf
from db.session import Session
from jobs import topic_labels
from jobs.service import Service
from jobs.topic_labels import Guesser
from recommender import labels, names
from recommender.paper import Paper
from recommender.query import indexed

# What one run takes in: seconds of work, so that an archive of millions keeps no digest waiting.
AT_MOST = 20_000
# So many are looked at again in one run with a new model of topics.
LOOKED_AT = 10_000
# One transaction: a tenth of a second, for which other writers wait.
_CHUNK = 400
# A collaboration lists thousands of authors; nobody looks for the paper by the last ones.
_MOST_AUTHORS = 300
# Stands between authors, so that no phrase reaches from one into the next.
_APART = " qxq "


def index(service: Service, now: datetime, *, at_most: int = AT_MOST) -> int:
    """Take in up to ``at_most`` papers that are new or have new words, the latest first; how many it were."""
    _begin_anew_after_a_copy(service)
    with service.database.reading() as session:
        if not index_store.waits(session):
            return 0
    done = 0
    guess = topic_labels.guesser(service)
    while done < at_most:
        with service.database.writing() as session:
            waiting = index_store.waiting(session, at_most=min(_CHUNK, at_most - done))
            if not waiting:
                break
            found = guess([one.stored.paper for one in waiting])
            shelves = [replace(one, guesses=g) for one, g in zip(waiting, found, strict=True)]
            put(session, shelves, now)
        done += len(waiting)
    return done


def guess_again(service: Service, now: datetime, *, at_most: int = LOOKED_AT) -> int:
    """Look at papers that an earlier model looked at, the latest first; how many got other labels.

    What has the same labels as before is left alone. How far it came is remembered from run to run.
    """
    with service.database.reading() as session:
        kept = topic_store.latest(session)
    if kept is None or kept.guessed_down_to == 0:
        return 0
    guess, down_to, looked, changed = topic_labels.guesser(service), kept.guessed_down_to, 0, 0
    while looked < at_most and down_to:
        with service.database.writing() as session:
            shelves = index_store.below(session, down_to, at_most=min(_CHUNK, at_most - looked))
            other = _with_other_labels(shelves, guess)
            put(session, other, now)
            down_to = shelves[-1].stored.number if shelves else 0
            topic_store.looked_down_to(session, kept.name, down_to)
        looked, changed = looked + len(shelves), changed + len(other)
    return changed


def _with_other_labels(shelves: Sequence[Shelf], guess: Guesser) -> list[Shelf]:
    found = guess([one.stored.paper for one in shelves])
    return [
        replace(one, guesses=new)
        for one, new in zip(shelves, found, strict=True)
        if [(g.kind, g.name) for g in new] != [(g.kind, g.name) for g in one.guesses]
    ]


def put(session: Session, shelves: Sequence[Shelf], now: datetime) -> None:
    """Put papers into search and labels, in place of what stood there of them."""
    named = {
        one.stored.number: labels.labels_of(
            one.stored.paper,
            topics=[g.name for g in one.guesses if g.kind == "topic"],
            area=next((g.name for g in one.guesses if g.kind == "area"), ""),
        )
        for one in shelves
    }
    # In the order of their numbers, which SQLite packs more closely.
    ordered = sorted(shelves, key=lambda one: (one.day, one.stored.number))
    entries = [_entry(one, named[one.stored.number]) for one in ordered]
    search_store.put(session, entries, [one.number for one in shelves if one.number is not None])
    label_store.put(session, {one.stored.number: (one.day, named[one.stored.number]) for one in shelves})
    index_store.taken_in(session, shelves, now)


def _entry(shelf: Shelf, named: Sequence[labels.Named]) -> search_store.Entry:
    paper = shelf.stored.paper
    people = paper.authors[:_MOST_AUTHORS]
    slugs = [(one.kind, one.slug) for one in named]
    slugs += [("author", short) for name in people if (short := labels.slug("author", name))]
    return search_store.Entry(
        paper_id=shelf.stored.number,
        day=shelf.day,
        title=indexed(paper.title),
        people=_APART.join(map(names.author, people)),
        words=indexed(_words(paper)),
        labels=" ".join(dict.fromkeys(labels.token(kind, short) for kind, short in slugs)),
    )


def _words(paper: Paper) -> str:
    given = [paper.abstract, paper.summary, *paper.keywords, *paper.topics]
    return " ".join([*given, *(name for name in paper.institutions if labels.is_institution(name))])


def _begin_anew_after_a_copy(service: Service) -> None:
    with service.database.reading() as session:
        lost = search_store.is_empty(session) and index_store.any_indexed(session)
    if lost:
        with service.database.writing() as session:
            index_store.forget_all(session)
