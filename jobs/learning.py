"""The edition in force, and each profile's weights in it, rebuilt only when their inputs changed."""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

from db import model_store, paper_store, subscriber_store
from db.model_store import Model
from db.session import Session
from jobs import due
from jobs.service import Service
from profiles.feedback import current
from profiles.profile import Profile
from recommender import background
from recommender.background import Background
from recommender.interest import Judged
from recommender.packed import readable
from recommender.paper import Paper
from recommender.ranking import DEFAULT, RANKERS, Weights
from recommender.vectors import Edition

# Document frequencies are counted in so many papers, the latest: a year of arXiv. When 100,000 of 218,000
# are counted, authors lose 0.003 +- 0.003 of nDCG@10, with 30,000 0.008 +- 0.004. Counting three million
# would take ten minutes and many GB every night.
_COUNTED = 300_000
# So many profiles' weights are kept for the pages of their readers, some 20 kB each.
_REMEMBERED = 500
_TOGETHER = 256  # profiles are learned at once, their papers being some 4 MB


def edition(service: Service, session: Session) -> Edition:
    """The edition in force: the latest one fitted here, else the one that ships with the package."""
    latest = model_store.latest_edition(session)
    name = latest[0] if latest else ""
    if service.edition is None or service.edition_kept_as != name:
        if name:
            service.edition = Edition.load(io.BytesIO(model_store.edition_data(session, name)))
            if held := model_store.background_data(session, name):
                # What an earlier version made is passed over: the next nightly fit makes another.
                with suppress(ValueError):
                    background.attach(service.edition, Background.load(io.BytesIO(held)))
        else:
            service.edition = Edition.shipped()
        service.edition_kept_as = name
    return service.edition


def refit(service: Service, now: datetime) -> bool:
    """Fit a new edition from the latest papers on hand if the one in force is a night old, or the corpus has
    doubled since; whether one was fitted."""
    with service.database.reading() as session:
        if not due.edition(session, now):
            return False
        papers = paper_store.last_number(session)
        terms = [term for p in subscriber_store.profiles(session) for term, _ in p.interests.terms]
        fitted = Edition.fit(paper_store.stream(session, newest=_COUNTED), Edition.shipped(), terms)
        latest_papers = [s.paper for s in paper_store.all_papers(session, newest=background.SEEN)]
    data = io.BytesIO()
    fitted.save(data)
    others = _background(fitted, latest_papers)
    with service.database.writing() as session:
        model_store.keep_edition(session, fitted.name, data.getvalue(), others, papers, now)
    return True


def _background(fitted: Edition, papers: Sequence[Paper]) -> bytes | None:
    """What papers in general look like; kept with the edition, so that every process learns the same."""
    if len(papers) < background.FEWEST:
        return None
    held = io.BytesIO()
    try:
        Background.of(fitted, fitted.transform(papers)).save(held)
    except ValueError:  # papers without words, as from a journal in a script that is not read
        return None
    return held.getvalue()


def examples(session: Session, profiles: Sequence[Profile], now: datetime) -> dict[int, list[Judged]]:
    """What each profile's reader judged: the seed papers, and the current opinion of each rated one."""
    events = subscriber_store.feedback(session, [p.id for p in profiles])
    opinions = {number: current(found) for number, found in events.items()}
    wanted = {key for found in opinions.values() for key in found}
    wanted |= {key for p in profiles for key in p.interests.seeds}
    papers = paper_store.by_keys(session, wanted)
    judged: dict[int, list[Judged]] = {}
    for profile in profiles:
        rated = opinions.get(profile.id, {})
        seeds = [key for key in profile.interests.seeds if key in papers and key not in rated]
        judged[profile.id] = [Judged(papers[key].paper, "seed") for key in seeds]
        judged[profile.id] += [
            Judged(papers[key].paper, event.opinion, (now - event.at).total_seconds() / 86_400)
            for key, event in rated.items()
            if key in papers
        ]
    return judged


def weights(
    service: Service, session: Session, shard: Sequence[tuple[Profile, int]], now: datetime
) -> tuple[dict[int, Weights], dict[int, Model]]:
    """The weights of these (profile, revision) pairs, and the models among them that had to be learned now
    and are still to be kept."""
    fitted = edition(service, session)
    kept = model_store.models(session, [p.id for p, _ in shard])
    found: dict[int, Weights] = {}
    stale: list[tuple[Profile, int]] = []
    for profile, revision in shard:
        model = kept.get(profile.id)
        inputs = (model.edition, model.ranker, model.revision) if model else None
        if model and inputs == (fitted.name, DEFAULT, revision) and readable(model.weights):
            found[profile.id] = Weights.from_bytes(model.weights)
        else:
            stale.append((profile, revision))
    judged = examples(session, [p for p, _ in stale], now)
    learned: dict[int, Model] = {}
    for start in range(0, len(stale), _TOGETHER):
        some = stale[start : start + _TOGETHER]
        asked = [(profile.interests, judged[profile.id]) for profile, _ in some]
        for (profile, revision), made in zip(some, RANKERS[DEFAULT].learn_all(fitted, asked), strict=True):
            found[profile.id] = made
            learned[profile.id] = Model(fitted.name, DEFAULT, revision, made.to_bytes())
    return found, learned


def weights_of(service: Service, session: Session, profile: Profile, now: datetime) -> Weights:
    """The weights of one profile as it stands in the database.

    A page that is only looked at stores nothing; so that a reader who rated a paper does not wait for their
    weights on each page until the next batch, this process remembers the latest ones.
    """
    (pair,) = subscriber_store.with_revisions(session, [profile.id])
    mark = (edition(service, session).name, pair[1])
    held = service.learned.get(profile.id)
    if held is not None and held[0] == mark:
        return held[1]
    found, _ = weights(service, session, [pair], now)
    service.learned[profile.id] = (mark, found[profile.id])
    if len(service.learned) > _REMEMBERED:
        # The one that was learned first; another thread may have taken it already.
        service.learned.pop(next(iter(service.learned)), None)
    return found[profile.id]
