"""What goes into a digest, and when."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from db import alert_store, subscriber_store
from jobs import compose, deliver, leaving
from jobs.alerts.outbox_folder import OutboxFolder
from jobs.service import Service
from profiles.delivery import DeliveryPlan
from tests.conftest import NOW
from tests.outboxes import AT_ONCE, MINUTE, announce, give, join
from tests.readers import mails, text_of

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
    leaving.leave(service, goes.subscriber_id, goes.id, NOW, "by link")
    leaving.leave(service, other.subscriber_id, other.id, NOW, "by link")
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
        reader = subscriber_store.standing(session, one.subscriber_id)
        assert reader is not None
        assert compose.digest(service, session, queued, reader, NOW) == shown


@pytest.mark.parametrize(
    ("start", "hour", "moved"),
    [
        (date(2025, 10, 27), 1, {}),  # the clocks go back on 2 November: 01:00 comes twice
        (date(2025, 3, 3), 2, {date(2025, 3, 9): 3}),  # and forward on 9 March: 02:00 does not come
    ],
)
@pytest.mark.parametrize("days", [(0, 2), (4, 6), tuple(range(7))])
def test_digests_go_out_on_the_chosen_days_once_each_however_the_clock_ticks(
    service: Service, days: tuple[int, ...], start: date, hour: int, moved: dict[date, int]
) -> None:
    zone = ZoneInfo("America/New_York")
    at = begin = datetime(start.year, start.month, start.day, tzinfo=UTC)
    join(service, DeliveryPlan(days=days, hour=hour, zone=str(zone), send_empty=True), at=at)
    jumped = False
    while at < begin + timedelta(days=14):
        deliver.queue_due(service, at)
        at += timedelta(minutes=30)
        if at.day == 5 and not jumped:
            at, jumped = at - timedelta(days=1, hours=3), True  # somebody sets the clock back
    with service.database.reading() as session:
        periods = [mail.period.partition("/")[0] for mail in alert_store.outbox(session)]
    came = sorted(datetime.fromisoformat(period).astimezone(zone) for period in periods)
    wanted = [d for d in (start + timedelta(n) for n in range(14)) if d.weekday() in days]
    assert [(moment.date(), moment.hour) for moment in came] == [(d, moved.get(d, hour)) for d in wanted]
    assert {moment.fold for moment in came} == {0}
