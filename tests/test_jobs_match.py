"""Matching by shards: what is stored is what the plain way chooses, once, whoever asks and however often."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
from sqlalchemy import delete

from benchmarks import synthetic
from db import alert_store, match_store, model_store, paper_store, source_store, subscriber_store
from db.records import Match
from db.tables import MatchRow, ScoresRow
from jobs import candidates, learning, leaving, match, match_processes, match_shard, reading
from jobs.alerts.outbox_folder import OutboxFolder
from jobs.match_shard import draw_of, recent_scores
from jobs.service import Service
from jobs.tally import Matched
from profiles.delivery import DeliveryPlan
from profiles.profile import Profile
from recommender.dial import ENOUGH_DAYS, Recent
from recommender.interest import Interests, Mutes
from recommender.select import Selection
from recommender.vectors import Edition
from tests import plain_choice
from tests.conftest import NOW

WORDS = [
    "model",
    "training",
    "data",
    "network",
    "graph",
    "quantum",
    "protein",
    "language",
    "attention",
    "inference",
]


def announce(service: Service, day: int, count: int = 60) -> int:
    """A batch of made-up papers of one day; its number."""
    papers = synthetic.papers(count, first=1_000 * (day + 1), day=date(2025, 11, 1) + timedelta(days=day))
    at = NOW + timedelta(days=day)
    papers = [replace(p, announced=date(2025, 11, 1) + timedelta(days=day)) for p in papers]
    for n in range(3, count, 3):
        papers[n] = replace(papers[n], title=papers[n - 1].title)
    with service.database.writing() as session:
        source = source_store.add(session, name="b", kind="file", location="b", every_minutes=0, now=None)
        paper_store.merge(session, papers, source.id, at)
    batch = match.gather(service, at, [])
    assert batch is not None
    return batch.id


def join(service: Service, count: int, email: str = "r@example.org", per_day: int = 0) -> list[Profile]:
    """Confirmed readers of different interests; where all want the same number a day, none mutes anything."""
    joined = []
    chance = np.random.default_rng(4)
    examples = synthetic.papers(count)
    with service.database.writing() as session:
        for n in range(count):
            person = subscriber_store.add_subscriber(session, f"{n}{email}", "confirmed", NOW, "test")
            interests = Interests(
                statement=examples[n].title,
                terms=((str(chance.choice(WORDS)), 1.0),),
                mutes=Mutes() if n % 3 or per_day else Mutes(terms=(WORDS[n % 10],), authors=("Author 7",)),
            )
            joined.append(
                subscriber_store.add_profile(
                    session, person.id, "p", interests, per_day=per_day or 1 + n % 4, delivery=DeliveryPlan(),
                    feed_token=f"{n}{email}", now=NOW,
                )
            )  # fmt: skip
    return joined


def matches(service: Service, profiles: list[Profile]) -> list[list[Match]]:
    with service.database.reading() as session:
        return [alert_store.matches_of(session, p.id) for p in profiles]


def expected(service: Service, profile: Profile, batch_id: int, known: Recent) -> tuple[Selection, list[int]]:
    """What the plain way gives the profile of a batch, its recent scores being known, and the papers' row
    numbers."""
    with service.database.reading() as session:
        stored = list(paper_store.by_numbers(session, alert_store.paper_numbers(session, batch_id)).values())
        others = paper_store.recent(session, days=7, at_most=1_000)
        (weights,) = learning.weights(
            service, session, subscriber_store.with_revisions(session, [profile.id]), NOW
        )[0].values()
    inside = {s.number for s in stored}
    papers = [s.paper for s in stored]
    beside = [s.paper for s in others if s.number not in inside]
    wide = Edition.shipped().extended([*papers, *beside], [profile.interests])
    X = wide.transform([*papers, *beside])
    scores = weights.on(wide).scores(X).astype(np.float32)
    if known.days < ENOUGH_DAYS:
        known = known.with_reference(scores)
    days = len({p.announced for p in papers})
    explore = None
    if known.days >= ENOUGH_DAYS and profile.per_day >= 3 and profile.delivery.explore:
        explore = draw_of(profile.id, batch_id)
    picked = plain_choice.choose(
        papers, scores[: len(papers)], limit=profile.per_day * days, mutes=profile.interests.mutes,
        cut=known.cut(profile.per_day), X=X[: len(papers), wide.text_columns], history=known.scores,
        explore=explore,
    )  # fmt: skip
    return picked, [s.number for s in stored]


def test_what_is_stored_is_what_the_plain_way_chooses(service: Service) -> None:
    profiles = join(service, 12)
    with service.database.writing() as session:
        for at in range(6, 12):
            profiles[at] = replace(profiles[at], delivery=DeliveryPlan(explore=False))
            subscriber_store.change_profile(session, profiles[at], NOW)
    for day in range(7):
        batch_id = announce(service, day)
        at = NOW + timedelta(days=day, minutes=1)
        with service.database.reading() as session:
            known = {p.id: recent_scores(session, p.id, at) for p in profiles}
        assert {k.days for k in known.values()} == {day}
        match.match_pending(service, at)
        for profile, held in zip(profiles, matches(service, profiles), strict=True):
            picked, numbers = expected(service, profile, batch_id, known[profile.id])
            chosen = [(p.paper, p.strength, p.similar) for p in held[0].chosen]
            assert [p.score for p in held[0].chosen] == pytest.approx(
                [round(c.score, 6) for c in picked.chosen], abs=2e-6
            )
            assert chosen == [
                (numbers[c.paper], c.strength, tuple(numbers[at] for at in c.similar)) for c in picked.chosen
            ]
            assert [p.explore for p in held[0].chosen] == pytest.approx(
                [c.explore for c in picked.chosen], abs=2e-6
            )
            assert [p.paper for p in held[0].near] == [numbers[c.paper] for c in picked.near]
            assert held[0].ranked == 60
    shown = [pick for held in matches(service, profiles) for m in held for pick in m.chosen]
    assert any(pick.explore for pick in shown)
    for held in matches(service, profiles[6:]):
        assert not any(pick.explore for m in held for pick in m.chosen), "they want no such paper"
    assert any(pick.similar for pick in shown)


def test_a_shard_matched_again_changes_nothing(service: Service) -> None:
    profiles = join(service, 5)
    batch_id = announce(service, 0)
    first = match.match_shard(service, batch_id, NOW)
    held = matches(service, profiles)
    with service.database.reading() as session:
        known = [recent_scores(session, p.id, NOW).scores.tolist() for p in profiles]

    assert first.profiles == 5
    assert match.match_shard(service, batch_id, NOW + timedelta(hours=1)).profiles == 0
    late = join(service, 1, email="late@example.org")
    assert match.match_shard(service, batch_id, NOW + timedelta(hours=1)).profiles == 1
    with service.database.reading() as session:
        assert [recent_scores(session, p.id, NOW).scores.tolist() for p in profiles] == known
        assert recent_scores(session, late[0].id, NOW).days == 1
    assert matches(service, profiles) == held


def test_two_processes_at_one_shard_store_each_match_once(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    profiles = join(service, 5)
    batch_id = announce(service, 0)
    waiting = match_store.waiting
    with service.database.reading() as session:
        before = waiting(session, batch_id, 0, 4_095)
    match.match_shard(service, batch_id, NOW)
    # The other one asked who waits before the first one stored.
    monkeypatch.setattr(match_store, "waiting", lambda *_: before)
    match.match_shard(service, batch_id, NOW + timedelta(minutes=1))

    with service.database.reading() as session:
        (block,) = match_store.recent_scores(session, 0, 4_095, NOW - timedelta(days=1))
    assert block.profiles.tolist() == [p.id for p in profiles]
    assert {m.made_at for held in matches(service, profiles) for m in held} == {NOW}


def test_a_reader_who_is_erased_while_papers_are_matched_holds_up_no_other(
    service: Service, outbox: OutboxFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    profiles = join(service, 5)
    batch_id = announce(service, 0)
    with service.database.reading() as session:
        leaver = subscriber_store.subscriber(session, profiles[2].subscriber_id)
    assert leaver is not None
    done = match_shard._Work.done

    def erased_first(work: match_shard._Work, *given: Any) -> Matched:
        leaving.erase(service, leaver, outbox, NOW)
        return done(work, *given)

    monkeypatch.setattr(match_shard._Work, "done", erased_first)
    match.match_pending(service, NOW)

    assert [len(held) for held in matches(service, profiles)] == [1, 1, 0, 1, 1]
    with service.database.reading() as session:
        (block,) = match_store.recent_scores(session, 0, 4_095, NOW - timedelta(days=1))
        assert block.batch_id == batch_id
        assert block.profiles.tolist() == [p.id for p in profiles if p is not profiles[2]]


def test_several_processes_match_as_one_does(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    profiles = join(service, 6)
    batch_id = announce(service, 0)
    service.match_processes = 2
    monkeypatch.setattr(match_processes, "FEWEST", 2)
    monkeypatch.setattr(match_processes, "SHARD", 4)
    done = match.match_shard(service, batch_id, NOW)
    spread = matches(service, profiles)
    assert (done.profiles, done.papers, done.chosen) == (6, 60, sum(len(h[0].chosen) for h in spread))

    with service.database.writing() as session:
        session.execute(delete(MatchRow))
        session.execute(delete(ScoresRow))
    service.match_processes = 1
    match.match_shard(service, batch_id, NOW)
    assert matches(service, profiles) == spread


def test_what_was_learned_by_the_way_is_kept_and_used(service: Service) -> None:
    (profile,) = join(service, 1)
    match.match_shard(service, announce(service, 0), NOW)
    with service.database.reading() as session:
        _, learned = learning.weights(
            service, session, subscriber_store.with_revisions(session, [profile.id]), NOW
        )
    assert learned == {}


def test_a_deleted_profile_leaves_no_scores(service: Service) -> None:
    gone, stays = join(service, 2)
    match.match_pending(service, NOW) if announce(service, 0) else None
    with service.database.writing() as session:
        subscriber_store.delete_profile(session, gone.id)
    with service.database.reading() as session:
        assert recent_scores(session, gone.id, NOW).papers == 0
        assert recent_scores(session, stays.id, NOW).papers == 60
    with service.database.writing() as session:
        subscriber_store.delete_profile(session, stays.id)
    with service.database.reading() as session:
        assert match_store.recent_scores(session, 0, 4_095, NOW - timedelta(days=9)) == []


def test_scores_of_long_ago_are_dropped(service: Service) -> None:
    (profile,) = join(service, 1)
    for day in (0, 50):
        announce(service, day)
        match.match_pending(service, NOW + timedelta(days=day))
    with service.database.reading() as session:
        assert len(match_store.recent_scores(session, 0, 4_095, NOW - timedelta(days=9))) == 1
        assert recent_scores(session, profile.id, NOW + timedelta(days=50)).days == 1


def test_a_readers_own_example_sets_no_mark_and_is_not_chosen(service: Service) -> None:
    batch_id = announce(service, 0)
    with service.database.reading() as session:
        stored = list(paper_store.by_numbers(session, alert_store.paper_numbers(session, batch_id)).values())
    with service.database.writing() as session:
        person = subscriber_store.add_subscriber(session, "s@example.org", "confirmed", NOW, "test")
        profile = subscriber_store.add_profile(
            session, person.id, "p", Interests(seeds=(stored[3].paper.id,)), per_day=5,
            delivery=DeliveryPlan(), feed_token="t", now=NOW,
        )  # fmt: skip
    match.match_pending(service, NOW)
    (held,) = matches(service, [profile])[0]
    assert stored[3].number not in {p.paper for p in (*held.chosen, *held.near)}
    assert held.chosen
    assert reading.latest(service, profile, NOW)


def test_news_are_read_once_for_all_shards(service: Service) -> None:
    batch_id = announce(service, 0)
    with service.database.reading() as session:
        first = candidates.of_batch(service, session, batch_id)
        assert candidates.of_batch(service, session, batch_id) is first
    announce(service, 1)
    with service.database.reading() as session:
        assert candidates.of_batch(service, session, batch_id + 1) is not first


def test_new_profiles_share_what_was_made_ready_until_papers_come(service: Service) -> None:
    batch_id = announce(service, 0)
    with service.database.reading() as session:
        first = candidates.of_latest_days(service, session, batch_id)
        assert candidates.of_latest_days(service, session, batch_id) is first
    announce(service, 1)
    with service.database.reading() as session:
        again = candidates.of_latest_days(service, session, batch_id + 1)
    assert again is not first and again.ranked > first.ranked


def test_weights_written_by_another_version_are_learned_anew(service: Service) -> None:
    announce(service, 0)
    (profile,) = join(service, 1)
    match.match_pending(service, NOW)
    with service.database.writing() as session:
        (kept,) = model_store.models(session, [profile.id]).values()
        model_store.keep_models(session, {profile.id: replace(kept, weights=b"PWW2" + kept.weights[4:])}, NOW)
    announce(service, 1)
    match.match_pending(service, NOW)

    with service.database.reading() as session:
        (again,) = model_store.models(session, [profile.id]).values()
    assert again == kept
    assert len(matches(service, [profile])[0]) == 2
