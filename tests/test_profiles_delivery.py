"""When digests are due: every planned local day has exactly one slot, whatever the clocks do."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from profiles.delivery import DeliveryPlan, shares

# Gaps and repeats of an hour at 2 and 3 in the morning, at midnight (Santiago, Beirut, Cairo), of half an
# hour (Lord Howe), none at all (UTC, Kathmandu, Kiritimati), a month without summer time (Casablanca).
ZONES = (
    "UTC", "Europe/Zurich", "Europe/London", "America/New_York", "America/Santiago", "America/St_Johns",
    "America/Havana", "Africa/Cairo", "Africa/Casablanca", "Asia/Beirut", "Asia/Kathmandu",
    "Australia/Lord_Howe", "Australia/Sydney", "Pacific/Apia", "Pacific/Chatham", "Pacific/Kiritimati",
    "Antarctica/Troll",
)  # fmt: skip


def at(text: str, zone: str = "UTC") -> datetime:
    """The moment that this is on the wall there."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


def slots(plan: DeliveryPlan, start: datetime, end: datetime) -> list[datetime]:
    """Every slot between the two, found as the outbox does: the next one after the one before."""
    found, now = [], start
    while (slot := plan.next_slot(now)) is not None and slot.astimezone(UTC) < end:
        found.append(slot)
        now = slot
    return found


@settings(max_examples=60, deadline=None)
@given(
    zone=st.sampled_from(ZONES),
    year=st.integers(2010, 2027),
    hour=st.integers(0, 23),
    days=st.sets(st.integers(0, 6), min_size=1),
    late=st.integers(0, 3600 * 5),
)
def test_every_planned_local_day_of_a_year_has_exactly_one_slot(
    zone: str, year: int, hour: int, days: set[int], late: int
) -> None:
    plan = DeliveryPlan(days=tuple(sorted(days)), hour=hour, zone=zone)
    start, end = at(f"{year}-01-01T00:00", zone), at(f"{year + 1}-01-01T00:00", zone)
    found, now = [], start.astimezone(UTC) - timedelta(microseconds=1)
    while (slot := plan.next_slot(now)) is not None and slot.astimezone(UTC) < end.astimezone(UTC):
        found.append(slot)
        now = slot.astimezone(UTC) + timedelta(seconds=late)  # the digest is queued some time after its slot
    wanted = [
        day
        for day in (date(year, 1, 1) + timedelta(days=n) for n in range(366))
        if day.year == year and day.weekday() in days and (zone, day) != ("Pacific/Apia", date(2011, 12, 30))
    ]
    assert [slot.date() for slot in found] == wanted
    assert all(slot.hour == hour or _skipped(slot, hour) for slot in found)


def _skipped(slot: datetime, hour: int) -> bool:
    """Whether the clocks went forward over this hour on the slot's day."""
    wall = slot.replace(hour=hour, minute=0, second=0, microsecond=0)
    return wall.astimezone(UTC).astimezone(slot.tzinfo).hour != hour


@pytest.mark.parametrize(
    ("zone", "hour", "before", "slot"),
    [
        # 02:00 to 03:00 does not exist on the last Sunday of March: the digest comes at 03:00.
        ("Europe/Zurich", 2, "2026-03-28T23:00+00:00", "2026-03-29T01:00+00:00"),
        # 02:00 comes twice on the last Sunday of October: the digest at the first.
        ("Europe/Zurich", 2, "2026-10-24T23:00+00:00", "2026-10-25T00:00+00:00"),
        ("Europe/Zurich", 2, "2026-10-25T00:00+00:00", "2026-10-26T01:00+00:00"),
        ("America/New_York", 2, "2026-03-08T05:00+00:00", "2026-03-08T07:00+00:00"),
        ("America/New_York", 1, "2026-11-01T04:00+00:00", "2026-11-01T05:00+00:00"),
        # Midnight itself is skipped.
        ("America/Santiago", 0, "2026-09-06T03:00+00:00", "2026-09-06T04:00+00:00"),
        # Half an hour is skipped: 02:00 becomes 02:30.
        ("Australia/Lord_Howe", 2, "2026-10-03T14:00+00:00", "2026-10-03T15:30+00:00"),
    ],
)
def test_an_hour_that_is_skipped_or_repeated_counts_once(
    zone: str, hour: int, before: str, slot: str
) -> None:
    found = DeliveryPlan(hour=hour, zone=zone).next_slot(datetime.fromisoformat(before))
    assert found is not None
    assert found.astimezone(UTC) == datetime.fromisoformat(slot)


def test_a_day_that_a_zone_skips_has_no_slot_and_the_week_after_has() -> None:
    plan = DeliveryPlan(frequency="weekly", days=(4,), hour=7, zone="Pacific/Apia")
    found = slots(plan, at("2011-12-20T00:00"), at("2012-01-10T00:00"))
    assert [slot.date() for slot in found] == [date(2011, 12, 23), date(2012, 1, 6)]


def test_a_weekly_digest_comes_once_a_week_on_its_day() -> None:
    plan = DeliveryPlan(frequency="weekly", days=(2,), hour=18, zone="Asia/Tokyo")
    found = slots(plan, at("2026-01-01T00:00"), at("2027-01-01T00:00"))
    assert len(found) == 52
    assert {slot.weekday() for slot in found} == {2}
    assert {b - a for a, b in pairwise(found)} == {timedelta(days=7)}


def test_a_plan_without_days_or_for_feeds_has_no_moment() -> None:
    now = at("2026-01-01T00:00")
    assert DeliveryPlan(days=()).next_slot(now) is None
    assert DeliveryPlan(frequency="feed", paused_until=date(2026, 2, 1)).next_slot(now) is None
    assert DeliveryPlan(frequency="announced").next_slot(now) is None


def test_the_clock_going_back_plans_the_same_slot_again_and_no_other() -> None:
    plan = DeliveryPlan(hour=7, zone="Europe/Zurich")
    slot = plan.next_slot(at("2026-05-04T06:59", "Europe/Zurich"))
    again = plan.next_slot(at("2026-05-04T06:10", "Europe/Zurich"))
    assert slot == again == at("2026-05-04T07:00", "Europe/Zurich")


@settings(max_examples=60, deadline=None)
@given(
    zone=st.sampled_from(ZONES),
    begin=st.datetimes(datetime(2012, 1, 1), datetime(2027, 1, 1)),  # noqa: DTZ001 - made aware below
    length=st.integers(1, 90),
    hour=st.integers(0, 23),
    frequency=st.sampled_from(["daily", "weekly", "announced"]),
)
def test_a_pause_ends_on_its_day_and_mails_nothing_before(
    zone: str, begin: datetime, length: int, hour: int, frequency: str
) -> None:
    now = begin.replace(tzinfo=UTC)
    until = now.astimezone(ZoneInfo(zone)).date() + timedelta(days=length)
    plan = DeliveryPlan(frequency=frequency, hour=hour, zone=zone, paused_until=until)  # type: ignore[arg-type]
    assert plan.paused(now)
    slot = plan.next_slot(now)
    assert slot is not None
    assert slot.date() == until
    assert not plan.paused(slot)
    assert plan.paused(slot.astimezone(UTC) - timedelta(days=1, hours=2))
    # The pause is over: the plan goes on as if there had been none.
    assert plan.next_slot(slot) == replace(plan, paused_until=None).next_slot(slot)


@given(
    st.lists(st.tuples(st.integers(0, 90), st.none() | st.integers(0, 40)), max_size=9), st.integers(0, 100)
)
def test_profiles_share_a_mail_fairly_and_fill_it(profiles: list[tuple[int, int | None]], room: int) -> None:
    limits = [min(wanted, most) if most is not None else wanted for wanted, most in profiles]
    given_ = shares([w for w, _ in profiles], [m for _, m in profiles], room)
    assert all(got <= limit for got, limit in zip(given_, limits, strict=True))
    assert sum(given_) == min(room, sum(limits))
    # Whoever got less than it could use got at least what any other got, but for what does not divide.
    short = [got for got, limit in zip(given_, limits, strict=True) if got < limit]
    assert all(max(given_) - got <= 1 for got in short)
