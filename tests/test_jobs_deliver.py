"""What goes into a digest and when, and what happens where the way out for mail is blocked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from db import alert_store, relay_store, subscriber_store
from db.records import Match, Pick, Queued
from db.relay_store import Relay
from jobs import compose, deliver, match, sending, settling, subscribe
from jobs.alerts.outbox_folder import OutboxFolder
from jobs.alerts.smtp import Outcome
from jobs.ingest import ingest_locations
from jobs.sending import FAULTS
from jobs.service import Service
from profiles.delivery import DeliveryPlan
from profiles.profile import Profile
from recommender.interest import Interests
from tests.conftest import NOW
from tests.readers import mails, text_of, write_digest

AT_ONCE = DeliveryPlan(frequency="announced")
MINUTE = timedelta(minutes=1)


def announce(service: Service, folder: Path, papers: int, at: datetime = NOW, first: int = 1) -> list[int]:
    """A batch of so many papers; their row numbers."""
    write_digest(folder, f"{first}.md", wanted=papers, unwanted=0, first=first, day=f"{at:%Y-%m-%d}")
    checked = list(ingest_locations(service, [str(folder / f"{first}.md")], at, f"run{first}"))
    batch = match.gather(service, at, checked)
    assert batch is not None
    with service.database.writing() as session:
        alert_store.finish_batch(session, batch.id, at)
        return alert_store.paper_numbers(session, batch.id)


def join(
    service: Service, *plans: DeliveryPlan, email: str = "reader@example.org", at: datetime = NOW
) -> list[Profile]:
    """A confirmed reader with a profile for each plan."""
    with service.database.writing() as session:
        person = subscriber_store.add_subscriber(session, email, "confirmed", at, "in a test")
        return [
            subscriber_store.add_profile(
                session, person.id, f"Profile {n}", Interests(statement="speculative decoding"), per_day=5,
                delivery=plan, feed_token=f"{email}{n}", now=at,
            )
            for n, plan in enumerate(plans, start=1)
        ]  # fmt: skip


def give(service: Service, profiles: Sequence[Profile], papers: Sequence[int], at: datetime = NOW) -> None:
    """These papers, best first, are the latest batch's match of each profile."""
    picks = tuple(Pick(n, 9.0 - 0.01 * rank, "good") for rank, n in enumerate(papers))
    with service.database.writing() as session:
        batch = alert_store.latest_batch(session)
        assert batch is not None
        made = [Match(p.id, batch.id, at, len(papers), picks, ()) for p in profiles]
        alert_store.add_matches(session, made)
        at_once = [p.id for p in profiles if p.delivery.frequency == "announced"]
        subscriber_store.announce(session, at_once, at)


def waiting(service: Service, folder: Path, readers: int) -> None:
    """A digest in the outbox for each of so many readers."""
    papers = announce(service, folder, 1)
    joined = [join(service, AT_ONCE, email=f"reader{n}@example.org")[0] for n in range(readers)]
    give(service, joined, papers)
    assert deliver.queue_due(service, NOW).queued == readers


def states(service: Service) -> dict[str, int]:
    return deliver.state(service).states


class Answering(OutboxFolder):
    """An outbox that gives the answers it was made with, one after the other, the last one for ever."""

    def __init__(self, folder: Path, *answers: Outcome | None) -> None:
        super().__init__(folder)
        self.answers = list(answers)
        self.asked = 0

    async def send(self, envelope_from: str, to: str, message: bytes) -> Outcome:
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer is None:
            return await super().send(envelope_from, to, message)
        self.faults_in_a_row = self.faults_in_a_row + 1 if answer.about in {"server", "sender"} else 0
        return answer


DOWN = Outcome("retry", 0, "relay:25: Connection refused", "server")


def through(service: Service, way: OutboxFolder) -> OutboxFolder:
    """Mail goes this way from now on."""
    way.faults_in_a_row = 0
    service.mailer = lambda: way
    return way


# --- what is in it ---------------------------------------------------------------------------------------


def test_a_profile_alone_has_a_mail_and_a_list_of_its_own(
    service: Service, outbox: OutboxFolder, tmp_path: Path
) -> None:
    papers = announce(service, tmp_path / "in", 6)
    one, two, own = join(service, AT_ONCE, AT_ONCE, replace(AT_ONCE, alone=True))
    give(service, [one], papers[:2])
    give(service, [two], papers[2:4])
    give(service, [own], papers[4:])
    assert deliver.queue_due(service, NOW).queued == 2
    assert deliver.send_due(service, NOW).sent == 2
    shared, alone = sorted(mails(outbox), key=lambda m: "profile-" in m["List-Id"])
    assert shared["List-Id"] == "Paperwatch <digests.papers.example.org>"
    assert alone["List-Id"] == f"Paperwatch <profile-{own.id}.digests.papers.example.org>"
    assert service.links.unsubscribe(own.subscriber_id, own.id) in alone["List-Unsubscribe"]
    assert alone["Subject"].startswith("Profile 3 · 2 papers")
    assert shared["Subject"].startswith("Profile 1, Profile 2 · 4 papers")
    assert deliver.queue_due(service, NOW + MINUTE).queued == 0


def test_a_quota_bounds_a_profile_and_leaves_its_room_to_the_others(
    service: Service, outbox: OutboxFolder, tmp_path: Path
) -> None:
    papers = announce(service, tmp_path / "in", 80)
    small, large = join(service, replace(AT_ONCE, at_most=3), AT_ONCE)
    give(service, [small], papers[:10])
    give(service, [large], papers[10:])
    deliver.queue_due(service, NOW)
    with service.database.reading() as session:
        (queued,) = alert_store.outbox(session)
    first, second = queued.content["sections"]
    assert (len(first["items"]), len(second["items"])) == (3, 57)
    assert [row[0] for row in first["items"]] == papers[:3]
    assert "60 of 80 papers sent. 20 more papers matched; your page has them." in queued.content["receipt"]


def test_after_a_pause_one_mail_catches_up_and_counts_what_did_not_fit(
    service: Service, outbox: OutboxFolder, tmp_path: Path
) -> None:
    plan = DeliveryPlan(hour=7, paused_until=date(2025, 12, 10))
    (profile,) = join(service, plan)
    for day in range(5):
        at = NOW + timedelta(days=day)
        give(service, [profile], announce(service, tmp_path / "in", 20, at, first=1 + 20 * day), at)
        assert deliver.queue_due(service, at).queued == 0
    morning = datetime(2025, 12, 10, 7, 0, tzinfo=UTC)
    assert deliver.queue_due(service, morning - MINUTE).queued == 0
    assert deliver.queue_due(service, morning).queued == 1
    assert deliver.queue_due(service, morning + MINUTE).queued == 0
    assert deliver.send_due(service, morning).sent == 1
    words = " ".join(text_of(mails(outbox)[0]).split())
    assert "Checked 5 announcements from 20 Nov to 24 Nov; 60 of 100 papers sent." in words
    assert "40 more papers matched; your page has them." in words


def test_who_read_the_feed_for_a_year_is_not_mailed_the_year(service: Service, tmp_path: Path) -> None:
    (profile,) = join(service, DeliveryPlan(frequency="feed"))
    old = announce(service, tmp_path / "in", 4)
    give(service, [profile], old)
    later = NOW + timedelta(days=40)
    new = announce(service, tmp_path / "in", 1, later, first=50)
    with service.database.writing() as session:
        subscriber_store.change_profile(session, replace(profile, delivery=AT_ONCE), later)
    give(service, [replace(profile, delivery=AT_ONCE)], new, later)
    deliver.queue_due(service, later)
    with service.database.reading() as session:
        (queued,) = alert_store.outbox(session)
    (section,) = queued.content["sections"]
    assert [row[0] for row in section["items"]] == new


def test_a_profile_that_was_left_while_its_digest_waited_gets_none(
    service: Service, outbox: OutboxFolder, tmp_path: Path
) -> None:
    papers = announce(service, tmp_path / "in", 2)
    stays, goes = join(service, AT_ONCE, AT_ONCE)
    (other,) = join(service, AT_ONCE, email="other@example.org")
    give(service, [stays, other], papers[:1])
    give(service, [goes], papers[1:])
    deliver.queue_due(service, NOW)
    subscribe.leave(service, goes.subscriber_id, goes.id, NOW, "by link")
    subscribe.leave(service, other.subscriber_id, other.id, NOW, "by link")
    done = deliver.send_due(service, NOW)
    assert (done.sent, done.suppressed) == (1, 1)
    words = text_of(mails(outbox)[0])
    assert "part 1" in words
    assert "part 2" not in words


def test_a_preview_is_the_mail_that_then_goes_out(
    service: Service, outbox: OutboxFolder, tmp_path: Path
) -> None:
    papers = announce(service, tmp_path / "in", 3)
    one, two, feed = join(
        service, DeliveryPlan(hour=18), DeliveryPlan(hour=18), DeliveryPlan(frequency="feed")
    )
    give(service, [one, feed], papers[:2])
    give(service, [two], papers[1:])
    with service.database.reading() as session:
        shown = deliver.next_digest(service, session, two, NOW)
        assert deliver.next_digest(service, session, feed, NOW) is None
    assert shown is not None
    evening = NOW.replace(hour=18)
    deliver.queue_due(service, evening)
    with service.database.reading() as session:
        (queued,) = alert_store.outbox(session)
        person = subscriber_store.subscriber(session, one.subscriber_id)
        assert person is not None
        assert compose.digest(service, session, queued, person, NOW) == shown


@pytest.mark.parametrize("days", [(0, 2), (4,), tuple(range(7))])
def test_digests_go_out_on_the_chosen_days_once_each_however_the_clock_ticks(
    service: Service, days: tuple[int, ...], tmp_path: Path
) -> None:
    zone = "America/New_York"
    start = datetime(2025, 10, 27, tzinfo=UTC)  # the clocks go back on 2 November
    join(service, DeliveryPlan(days=days, hour=1, zone=zone, send_empty=True), at=start)
    at, jumped = start, False
    while at < start + timedelta(days=14):
        deliver.queue_due(service, at)
        at += timedelta(minutes=30)
        if at.day == 5 and not jumped:
            at, jumped = at - timedelta(days=1, hours=3), True  # somebody sets the clock back
    with service.database.reading() as session:
        slots = sorted(mail.period.partition("/")[0] for mail in alert_store.outbox(session))
    local = [datetime.fromisoformat(slot) for slot in slots]
    wanted = [d for d in (date(2025, 10, 27) + timedelta(n) for n in range(14)) if d.weekday() in days]
    hours = {timedelta(hours=5 if d >= date(2025, 11, 3) else 4) for d in wanted}
    assert [(at - timedelta(hours=1)).date() for at in local] == wanted
    assert {at - at.replace(hour=0) - timedelta(hours=1) for at in local} == hours


# --- the way out is blocked ------------------------------------------------------------------------------


def test_many_faults_in_a_row_pause_all_mail_and_one_mail_goes_ahead_afterwards(
    service: Service, outbox: OutboxFolder, tmp_path: Path
) -> None:
    waiting(service, tmp_path / "in", FAULTS + 10)
    way = Answering(outbox.folder, DOWN)
    through(service, way)
    first = deliver.send_due(service, NOW)
    assert (first.retried, way.asked) == (FAULTS, FAULTS)
    assert first.paused_until is not None
    stands = deliver.state(service)
    assert stands.states == {"queued": FAULTS + 10}
    assert (stands.relay.faults, stands.relay.pauses, stands.relay.error) == (FAULTS, 1, DOWN.text)
    with service.database.reading() as session:
        assert {mail.attempts for mail in alert_store.outbox(session)} == {0, 1}

    assert deliver.send_due(service, first.paused_until - timedelta(seconds=1)).paused_until is not None
    assert way.asked == FAULTS
    through(service, way)
    second = deliver.send_due(service, first.paused_until)
    assert (second.retried, way.asked) == (1, FAULTS + 1)
    assert second.paused_until is not None
    assert second.paused_until - first.paused_until > MINUTE  # each pause is longer than the one before

    through(service, outbox)
    third = deliver.send_due(service, second.paused_until + timedelta(hours=1))
    assert third.sent == FAULTS + 10
    assert deliver.state(service).relay == Relay()
    assert len(mails(outbox)) == FAULTS + 10


def test_faults_add_up_over_runs_where_mail_is_rare(service: Service, tmp_path: Path) -> None:
    waiting(service, tmp_path / "in", 2)
    runs = [NOW + n * timedelta(minutes=20) for n in range(FAULTS)]
    done = []
    for at in runs:
        through(service, Answering(tmp_path, DOWN))
        done.append(deliver.send_due(service, at))
        if done[-1].paused_until:
            break
    assert sum(d.retried for d in done) == FAULTS
    assert len(done) == FAULTS // 2
    assert deliver.state(service).relay.holds(at + timedelta(seconds=30))


def test_one_mail_that_goes_through_clears_the_count(service: Service, tmp_path: Path) -> None:
    waiting(service, tmp_path / "in", 5)
    through(service, Answering(tmp_path / "out", DOWN, DOWN, DOWN, None, DOWN))
    deliver.send_due(service, NOW)
    assert deliver.state(service).relay == Relay(1, error=DOWN.text)


def test_a_refusal_of_one_mail_is_no_fault_of_the_server(service: Service, tmp_path: Path) -> None:
    waiting(service, tmp_path / "in", FAULTS + 1)
    through(service, Answering(tmp_path / "out", Outcome("retry", 450, "greylisted")))
    assert deliver.send_due(service, NOW).retried == FAULTS + 1
    assert deliver.state(service).relay == Relay()


def test_a_clock_that_is_set_back_holds_no_mail_back(
    service: Service, outbox: OutboxFolder, tmp_path: Path
) -> None:
    waiting(service, tmp_path / "in", 3)
    with service.database.writing() as session:
        relay_store.keep(session, Relay(FAULTS, 1, NOW, NOW + MINUTE, "down"))
    assert deliver.send_due(service, NOW - timedelta(days=3)).sent == 3
    assert deliver.state(service).relay == Relay()


def test_a_stranded_mail_of_a_clock_that_was_set_back_can_be_freed(
    service: Service, outbox: OutboxFolder, tmp_path: Path
) -> None:
    waiting(service, tmp_path / "in", 1)
    with service.database.writing() as session:
        (mail,) = alert_store.lease(session, NOW, seconds=300, at_most=9)
        assert alert_store.retry(session, [mail.id], NOW, lease_seconds=300) == []
    before = NOW - timedelta(days=1)
    assert deliver.send_due(service, before).sent == 0
    with service.database.writing() as session:
        assert alert_store.retry(session, [mail.id], before, lease_seconds=300) == [mail.id]
    assert deliver.send_due(service, before).sent == 1


def test_a_mail_that_cannot_be_made_holds_no_other_up(
    service: Service, outbox: OutboxFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting(service, tmp_path / "in", 4)
    letter = compose.letter

    def odd(service: Service, session: object, queued: Queued, *more: Any) -> object:
        if queued.id == 2:
            raise KeyError("sections")
        return letter(service, session, queued, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(compose, "letter", odd)
    done = deliver.send_due(service, NOW)
    assert (done.sent, done.retried) == (3, 1)
    with service.database.reading() as session:
        mail = alert_store.mail(session, 2)
    assert mail is not None
    assert (mail.state, mail.last_error) == ("queued", "could not be made: KeyError: 'sections'")


class Slow(OutboxFolder):
    """Takes its time over every mail."""

    async def send(self, envelope_from: str, to: str, message: bytes) -> Outcome:
        await asyncio.sleep(0.5)
        return await super().send(envelope_from, to, message)


def test_a_slow_server_keeps_its_leases_and_no_other_process_sends_the_same(
    service: Service, outbox: OutboxFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting(service, tmp_path / "in", 5)
    monkeypatch.setattr(sending, "LEASE_SECONDS", 1.5)
    through(service, Slow(outbox.folder))
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(deliver.send_due, service, NOW)
        second: list[int] = []
        begun = datetime.now(UTC)
        while not slow.done():
            now = NOW + (datetime.now(UTC) - begun)
            with service.database.reading() as session:
                mine = [m for m in alert_store.outbox(session) if m.state == "sending"]
            second += [
                m.id for m in mine if m.leased_until is not None and m.leased_until < now - MINUTE / 300
            ]
            asyncio.run(asyncio.sleep(0.05))
    assert slow.result().sent == 5
    assert second == []
    assert states(service) == {"sent": 5}


def test_what_an_outcome_means_is_decided_by_its_kind_and_age() -> None:
    def queued(attempts: int, hours: float = 0) -> Queued:
        at = NOW - timedelta(hours=hours)
        return Queued(1, 1, "digest", "p", "<m@x>", "sending", {}, attempts, at, None, at, None, "")

    def waits(outcome: Outcome, attempts: int, jitter: float = 0.0, hours: float = 0) -> timedelta:
        plan = settling.settle(queued(attempts, hours), outcome, NOW, jitter)
        assert plan.retry_at is not None
        return plan.retry_at - NOW

    later = Outcome("retry", 451, "later")
    assert [waits(later, n) // MINUTE for n in range(1, 10)] == [1, 5, 15, 60, 240, 720, 1440, 1440, 1440]
    assert waits(later, 3, 0.99) > 1.49 * waits(later, 3)
    # The server's own faults say nothing about the mail.
    assert [waits(DOWN, n) // MINUTE for n in (1, 2, 3, 4, 9)] == [1, 5, 15, 15, 15]
    # Two hundred kills use up two hundred attempts, but the mail is young.
    assert waits(later, 200, hours=2) == timedelta(days=1)
    assert waits(later, 9, hours=24 * 6) == timedelta(days=1)
    given_up = settling.settle(queued(10, 24 * 6), later, NOW, 0.0)
    assert (given_up.state, given_up.error) == ("failed", "given up after 5 days: later")
    gone = settling.settle(queued(1), Outcome("failed", 550, "no such user", "address"), NOW, 0.0)
    assert (gone.state, gone.suppress) == ("failed", "address refused: no such user")
    assert settling.settle(queued(1), Outcome("failed", 554, "spam", "message"), NOW, 0.0).suppress == ""


def test_waits_are_spread_by_the_given_chance(service: Service, tmp_path: Path) -> None:
    waiting(service, tmp_path / "in", 8)
    draws = iter([n / 100 for n in range(100)])
    service.jitter = lambda: next(draws)
    through(service, Answering(tmp_path / "out", Outcome("retry", 451, "later")))
    deliver.send_due(service, NOW)
    with service.database.reading() as session:
        times = {mail.next_attempt_at for mail in alert_store.outbox(session)}
    assert len(times) == 8


def change(service: Service, what: Callable[..., list[int]], *numbers: int) -> list[int]:
    with service.database.writing() as session:
        more = {"lease_seconds": 300} if what is alert_store.retry else {}
        return what(session, numbers, *([NOW] if more else []), **more)


def test_an_operator_retries_and_cancels_only_what_can_be(
    service: Service, outbox: OutboxFolder, tmp_path: Path
) -> None:
    waiting(service, tmp_path / "in", 4)
    way = Answering(
        outbox.folder, None, Outcome("failed", 554, "spam", "message"), Outcome("retry", 451, "x")
    )
    through(service, way)
    deliver.send_due(service, NOW)
    assert states(service) == {"failed": 1, "queued": 2, "sent": 1}
    assert change(service, alert_store.cancel, 1, 2, 3, 77) == [2, 3]
    assert states(service) == {"cancelled": 2, "queued": 1, "sent": 1}
    assert change(service, alert_store.retry, 1, 2, 3, 4) == [2, 3, 4]
    through(service, outbox)
    assert deliver.send_due(service, NOW).sent == 3
    assert change(service, alert_store.cancel, 1, 2, 3, 4) == []
    assert len({mail["Message-ID"] for mail in mails(outbox)}) == len(mails(outbox)) == 4
