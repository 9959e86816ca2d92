"""When a source is asked, and what its answer means."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs import rhythm
from jobs.checks.arxiv import categories, first_memory, oai_set, sort_out
from jobs.rhythm import Answer, Memory, Place
from jobs.sources import announcements
from recommender.paper import Paper

TUESDAY = date(2025, 10, 28)
BEFORE = Memory(upto=date(2025, 10, 27), mark="old")
RECEIVED = Memory(upto=TUESDAY, mark="tuesday")


def at(day: date, hour: int, minute: int = 0) -> datetime:
    """An hour of US Eastern summer time."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(hours=hour + 4, minutes=minute)


@pytest.mark.parametrize(
    ("answer", "outcome", "upto"),
    [
        (Answer(papers=9, batch=TUESDAY, mark="new"), "papers", TUESDAY),
        (Answer(papers=9, batch=BEFORE.upto, mark="old"), "stale", BEFORE.upto),
        (Answer(papers=9, batch=TUESDAY, mark="old"), "stale", BEFORE.upto),
        (Answer(unchanged=True), "stale", BEFORE.upto),
        (Answer(batch=TUESDAY), "not yet", BEFORE.upto),
    ],
    ids=["a new batch", "the last batch", "the last batch redated", "not modified", "an empty feed"],
)
def test_what_a_weekday_answer_means(answer: Answer, outcome: str, upto: date) -> None:
    verdict = rhythm.judge(BEFORE, answer, at(TUESDAY, 1))
    assert (verdict.outcome, verdict.memory.upto) == (outcome, upto)
    assert verdict.fresh is (outcome == "papers")


def test_an_empty_feed_at_the_weekend_is_quiet() -> None:
    friday = Memory(upto=date(2025, 10, 31), mark="friday")
    verdict = rhythm.judge(friday, Answer(batch=date(2025, 11, 1)), at(date(2025, 11, 1), 12))
    assert verdict.outcome == "weekend"


def test_the_feed_after_thanksgiving_is_a_holiday_and_still_looked_up() -> None:
    friday = date(2025, 11, 28)
    memory = Memory(upto=date(2025, 11, 27), mark="x")
    verdict = rhythm.judge(memory, Answer(batch=friday), datetime(2025, 11, 28, 12, tzinfo=UTC))
    assert verdict.outcome == "holiday"
    assert "Thanksgiving" in verdict.why
    saturday = rhythm.overdue(verdict.memory, datetime(2025, 11, 29, 6, tzinfo=UTC))
    assert saturday.missing == (friday,)


def test_days_that_are_over_are_missing_but_weekends_are_not() -> None:
    after = rhythm.overdue(RECEIVED, at(date(2025, 11, 4), 1))
    assert after.missing == (date(2025, 10, 29), date(2025, 10, 30), date(2025, 10, 31), date(2025, 11, 3))
    assert after.upto == date(2025, 11, 3)
    assert rhythm.overdue(after, at(date(2025, 11, 4), 2)) == after


def test_nothing_is_missing_before_the_first_batch() -> None:
    assert rhythm.overdue(Memory(), at(TUESDAY, 1)) == Memory()
    begun = rhythm.judge(Memory(), Answer(batch=date(2025, 11, 1)), at(date(2025, 11, 1), 12)).memory
    assert begun.upto == date(2025, 10, 31)


def test_a_missed_day_shown_late_is_missing_no_more() -> None:
    memory = Memory(upto=TUESDAY, mark="x", missing=(date(2025, 10, 27), TUESDAY))
    shown = Answer(papers=3, batch=TUESDAY, mark="y")
    assert rhythm.judge(memory, shown, at(date(2025, 10, 29), 1)).memory.missing == (date(2025, 10, 27),)


def test_a_feed_that_was_cut_is_looked_up_in_the_archive() -> None:
    cut = Answer(papers=2_000, batch=TUESDAY, mark="new", whole=False)
    assert rhythm.judge(BEFORE, cut, at(TUESDAY, 1)).memory.missing == (TUESDAY,)


def test_the_next_check_is_when_the_next_feed_is_out() -> None:
    assert rhythm.next_check(RECEIVED, at(TUESDAY, 1), 0.0) == at(date(2025, 10, 29), 0, 10)
    friday = Memory(upto=date(2025, 10, 31))
    # Summer time ends in between: midnight on Monday is five hours from UTC.
    monday = datetime(2025, 11, 3, 5, 10, tzinfo=UTC)
    assert rhythm.next_check(friday, at(date(2025, 10, 31), 1), 0.0) == monday


def test_what_is_awaited_is_asked_for_at_growing_intervals_until_the_day_is_over() -> None:
    now, memory, waits = at(TUESDAY, 0, 10), BEFORE, []
    while announcements.today(now) == TUESDAY:
        memory = rhythm.judge(memory, Answer(unchanged=True), now).memory
        following = rhythm.next_check(memory, now, 0.0)
        waits.append(following - now)
        now = following
    assert waits[:3] == [timedelta(minutes=m) for m in (10, 20, 40)]
    assert max(waits) <= timedelta(hours=2)
    assert now == at(date(2025, 10, 29), 0, 10)


@given(failures=st.integers(0, 60), jitter=st.floats(0, 0.999), seconds=st.integers(0, 10**6))
def test_a_failure_waits_longer_each_time_never_past_its_bound_and_obeys_the_server(
    failures: int, jitter: float, seconds: int
) -> None:
    now = at(TUESDAY, 1)
    first = rhythm.after_failure(failures, now, jitter)
    assert now < first <= now + timedelta(days=1.2)
    assert rhythm.after_failure(failures + 1, now, jitter) >= first
    asked = now + timedelta(seconds=seconds)
    assert rhythm.after_failure(failures, now, jitter, not_before=asked) >= asked


@given(
    upto=st.none() | st.dates(date(2000, 1, 1), date(2100, 1, 1)),
    missing=st.lists(st.dates(), max_size=4),
    tries=st.integers(0, 99),
    place=st.none() | st.builds(Place, st.just("2025-10-01"), st.integers(0, 9), st.text(max_size=20)),
)
def test_memory_survives_its_cursor(
    upto: date | None, missing: list[date], tries: int, place: Place | None
) -> None:
    memory = Memory(upto, "mark", tuple(missing), tries, upto, place)
    assert Memory.of(memory.as_cursor()) == memory


@given(day=st.dates(date(1995, 1, 1), date(2095, 1, 1)))
def test_papers_are_filed_on_days_with_a_feed(day: date) -> None:
    filed = announcements.filed_under(day)
    assert filed >= day
    assert filed.weekday() < 5
    assert not announcements.holiday(filed)
    assert announcements.filed_under(filed) == filed


@given(day=st.dates(date(1995, 1, 1), date(2095, 1, 1)))
def test_the_calendar_agrees_with_itself(day: date) -> None:
    following = announcements.after(day)
    assert following > day
    assert following.weekday() < 5
    assert announcements.between(day, following) == []
    assert announcements.awaited(announcements.out_at(following)) == following
    assert announcements.on_or_before(day) <= day


@pytest.mark.parametrize(
    ("day", "name"),
    [
        (date(2025, 11, 28), "Thanksgiving"),
        (date(2025, 5, 27), "Memorial Day"),
        (date(2025, 9, 2), "Labor Day"),
        (date(2026, 1, 20), "Martin Luther King Day"),
        (date(2025, 12, 25), "Christmas"),
        (date(2025, 10, 28), ""),
    ],
)
def test_holidays_empty_the_next_days_feed(day: date, name: str) -> None:
    assert announcements.holiday(day) == name


def _paper(number: int, announced: date | None, version: int = 1) -> Paper:
    return Paper(f"arxiv:2510.{number:05d}", "T", version, announced=announced)


def test_a_harvest_is_sorted_by_day_and_by_what_is_known() -> None:
    memory = Memory(upto=date(2025, 10, 29), missing=(TUESDAY, date(2025, 10, 29)))
    now = at(date(2025, 10, 30), 1)
    papers = [
        _paper(1, TUESDAY), _paper(2, date(2025, 10, 22)), _paper(3, date(2025, 10, 22), version=2),
        _paper(4, date(2025, 10, 30)), _paper(5, TUESDAY), _paper(6, date(2024, 1, 9)), _paper(7, None),
    ]  # fmt: skip
    news, archive = sort_out(papers, {"arxiv:2510.00005"}, memory, now)
    assert [(p.id[-1], p.announced) for p in news] == [("1", TUESDAY), ("2", TUESDAY)]
    assert [(p.id[-1], p.announced, p.announce_type) for p in archive] == [
        ("3", date(2025, 10, 22), "replace"), ("5", None, ""), ("6", date(2024, 1, 9), ""), ("7", None, ""),
    ]  # fmt: skip


def test_a_day_filled_after_two_weeks_is_kept_but_no_news() -> None:
    memory = Memory(upto=TUESDAY, missing=(TUESDAY,))
    papers = [_paper(1, TUESDAY)]
    assert sort_out(papers, set(), memory, at(TUESDAY + timedelta(days=14), 1)) == (papers, [])
    assert sort_out(papers, set(), memory, at(TUESDAY + timedelta(days=15), 1)) == ([], papers)


def test_a_backfill_is_an_archive_and_begins_on_its_day() -> None:
    memory = replace(first_memory(7, at(TUESDAY, 1)), upto=TUESDAY)
    inside, before = _paper(1, date(2025, 10, 22)), _paper(2, date(2025, 10, 20))
    assert memory.backfill == date(2025, 10, 21)
    assert sort_out([inside, before], set(), memory, at(TUESDAY, 1)) == ([], [inside])


@pytest.mark.parametrize(
    ("category", "name"),
    [
        ("cs.DC", "cs:cs:DC"), ("math.PR", "math:math:PR"), ("astro-ph.CO", "physics:astro-ph:CO"),
        ("hep-th", "physics:hep-th"), ("physics.optics", "physics:physics:optics"), ("cs", "cs"),
        ("astro-ph", "physics:astro-ph"),
    ],
)  # fmt: skip
def test_categories_have_their_sets(category: str, name: str) -> None:
    assert oai_set(category) == name


def test_a_feeds_address_names_its_categories() -> None:
    assert categories("https://rss.arxiv.org/rss/cs.DC+math.PR") == ["cs.DC", "math.PR"]
