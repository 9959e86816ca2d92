"""A second ranker beside the first: silent it changes nothing, sharing it gets its places and its credit."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs
from typer.testing import CliRunner

from app.cli import app
from db import alert_store, paper_store, shadow_store, subscriber_store
from db.records import Match
from db.shadow_store import Trial
from jobs import due, match, shadow
from jobs.service import Service
from profiles.profile import Profile
from tests.conftest import NOW
from tests.test_jobs_match import announce, join

LATER = NOW + timedelta(minutes=5)


def begin(service: Service, profiles: list[Profile], *, interleaved: bool) -> None:
    with service.database.writing() as session:
        for profile in profiles:
            shadow_store.start(session, Trial(profile.id, "log-odds", interleaved, NOW))


def held(service: Service, profile: Profile) -> Match:
    with service.database.reading() as session:
        return alert_store.matches_of(session, profile.id)[0]


def like(service: Service, profile: Profile, number: int) -> None:
    with service.database.writing() as session:
        subscriber_store.add_feedback(session, profile.id, number, "like", LATER, "test")


def test_a_silent_ranker_is_compared_and_changes_nothing(service: Service) -> None:
    tried, other = join(service, 2, per_day=8)
    begin(service, [tried], interleaved=False)
    announce(service, 0)
    match.match_pending(service, NOW)
    before = held(service, tried), held(service, other)
    assert shadow.score_pending(service, LATER) == 1
    assert shadow.score_pending(service, LATER) == 0
    assert (held(service, tried), held(service, other)) == before
    like(service, tried, before[0].chosen[0].paper)

    with service.database.reading() as session:
        (found,) = shadow_store.found(session)
        (told,) = shadow.report(session)
    assert found.first == tuple(p.paper for p in before[0].chosen)
    assert len(found.second) == len(found.first) > 0
    assert (told.ranker, told.profiles, told.batches) == ("log-odds", 1, 1)
    assert told.first.listed == len(found.first)
    assert (told.first.shown, told.second.shown, told.first.liked) == (0, 0, 1)
    assert told.overlap == pytest.approx(len({*found.first} & {*found.second}) / len(found.first), abs=1e-3)


def test_a_shared_list_holds_both_rankers_papers_in_the_order_of_the_draft(service: Service) -> None:
    profiles = join(service, 6, per_day=8)
    begin(service, profiles, interleaved=True)
    announce(service, 0)
    match.match_pending(service, NOW)
    before = {p.id: held(service, p) for p in profiles}
    assert shadow.score_pending(service, LATER) == 6

    with service.database.reading() as session:
        found = {s.profile: s for s in shadow_store.found(session)}
    teams = set()
    for profile in profiles:
        drafted, now = found[profile.id].drafted, held(service, profile)
        assert [p.paper for p in now.chosen] == [paper for paper, _ in drafted]
        assert len(now.chosen) == len(before[profile.id].chosen)
        assert sorted((p.score for p in now.chosen), reverse=True) == [p.score for p in now.chosen]
        assert not {p.paper for p in now.chosen} & {p.paper for p in now.near}
        teams |= {team for _, team in drafted}
    assert teams == {"first", "second"}


def test_a_like_is_credited_to_the_ranker_that_brought_the_paper(service: Service) -> None:
    profiles = join(service, 6, per_day=8)
    begin(service, profiles, interleaved=True)
    announce(service, 0)
    match.match_pending(service, NOW)
    shadow.score_pending(service, LATER)
    with service.database.reading() as session:
        found = shadow_store.found(session)
    wins = 0
    for each, profile in zip(found, profiles, strict=True):
        second = [paper for paper, team in each.drafted if team == "second"]
        if second:
            like(service, profile, second[0])
            wins += 1
    with service.database.reading() as session:
        (told,) = shadow.report(session, "log-odds")
    assert wins > 0
    shared = sum(bool(each.drafted) for each in found)
    assert (told.first_wins, told.second_wins, told.ties) == (0, wins, shared - wins)
    assert told.second.liked >= wins
    assert told.first.shown + told.second.shown == sum(len(each.drafted) for each in found)


def test_a_match_that_a_digest_has_taken_stays_as_it_was_mailed(service: Service) -> None:
    (profile,) = join(service, 1, per_day=8)
    begin(service, [profile], interleaved=True)
    announce(service, 0)
    match.match_pending(service, NOW)
    before = held(service, profile)
    with service.database.writing() as session:
        alert_store.queue(
            session, subscriber_id=profile.subscriber_id, kind="digest", period="x", message_id="<x@y>",
            content={}, now=NOW, matches=[before],
        )  # fmt: skip
    shadow.score_pending(service, LATER)
    assert held(service, profile) == before
    with service.database.reading() as session:
        (found,) = shadow_store.found(session)
    assert found.drafted == ()


def test_what_was_matched_before_the_trial_or_after_its_end_is_not_looked_at(service: Service) -> None:
    (profile,) = join(service, 1, per_day=8)
    announce(service, 0)
    match.match_pending(service, NOW - timedelta(minutes=1))
    begin(service, [profile], interleaved=False)
    assert shadow.score_pending(service, LATER) == 0
    with service.database.writing() as session:
        assert shadow_store.stop(session, "log-odds") == 1
        assert shadow_store.stop(session, "log-odds", profile.id) == 0
    announce(service, 1)
    match.match_pending(service, LATER)
    assert shadow.score_pending(service, LATER) == 0


def test_a_profile_that_is_deleted_meanwhile_ends_its_trial_and_no_other(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    profiles = join(service, 3, per_day=8)
    begin(service, profiles, interleaved=False)
    announce(service, 0)
    match.match_pending(service, NOW)
    looked = shadow._shadow

    def deleted_first_and_last(*given: Any) -> Any:
        if given[2].profile != profiles[0].id:
            return looked(*given)
        found = looked(*given)
        with service.database.writing() as session:
            for profile in (profiles[0], profiles[2]):
                subscriber_store.delete_profile(session, profile.id)
        return found

    monkeypatch.setattr(shadow, "_shadow", deleted_first_and_last)
    assert shadow.score_pending(service, LATER) == 1
    with service.database.reading() as session:
        assert [s.profile for s in shadow_store.found(session)] == [profiles[1].id]


def test_the_trial_of_a_ranker_that_is_gone_ends_with_a_warning_and_the_others_go_on(
    service: Service,
) -> None:
    (profile,) = join(service, 1, per_day=8)
    begin(service, [profile], interleaved=False)
    with service.database.writing() as session:
        shadow_store.start(session, Trial(profile.id, "of-another-version", False, NOW))
    announce(service, 0)
    match.match_pending(service, NOW)
    with capture_logs() as told:
        assert shadow.score_pending(service, LATER) == 1
    (warning,) = [each for each in told if each["log_level"] == "warning"]
    assert warning["ranker"] == "of-another-version"
    assert "paperwatch shadow start" in warning["cure"]
    with service.database.reading() as session:
        assert [trial.ranker for trial in shadow_store.trials(session)] == ["log-odds"]
        assert not due.shadow(session), "no process is begun for it at the next tick"


def test_muted_papers_are_on_no_list(service: Service) -> None:
    (profile,) = join(service, 1, per_day=8)
    announce(service, 0)
    with service.database.writing() as session:
        mutes = replace(profile.interests.mutes, categories=("cs.LG",))
        muted = replace(profile, interests=replace(profile.interests, mutes=mutes))
        subscriber_store.change_profile(session, muted, NOW)
    begin(service, [profile], interleaved=False)
    match.match_pending(service, NOW)
    shadow.score_pending(service, LATER)
    with service.database.reading() as session:
        (found,) = shadow_store.found(session)
        papers = paper_store.by_numbers(session, [*found.first, *found.second])
    assert found.second
    assert all("cs.LG" not in papers[n].paper.categories for n in found.second)


def test_trials_are_begun_reported_and_ended_by_command() -> None:
    run = CliRunner().invoke
    assert run(app, ["profile", "create", "--statement", "graphs", "--name", "mine"]).exit_code == 0
    wrong = run(app, ["shadow", "start", "blend", "--profile", "mine"])
    assert "must be one of log-odds" in str(wrong.exception)
    assert "no profile" in str(run(app, ["shadow", "start", "log-odds", "--profile", "nobody"]).exception)
    begun = run(app, ["shadow", "start", "log-odds", "--profile", "mine", "--interleaved"])
    assert "shares the list of 1 profile from" in begun.output
    told = json.loads(run(app, ["shadow", "report", "--json"]).output)
    assert told == {"trials": [{"profile": 1, "ranker": "log-odds", "interleaved": True}], "reports": []}
    assert "No batch was scored" in run(app, ["shadow", "report"]).output
    assert "Ended for 1 profile." in run(app, ["shadow", "stop", "log-odds"]).output
    again = run(app, ["shadow", "stop", "log-odds", "--profile", "mine"])
    assert str(again.exception) == "log-odds is not on trial for mine"
