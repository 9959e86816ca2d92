"""arXiv's calendar: on which days its feeds carry papers, and under which day a paper is filed.

Days are those of the feeds, in US Eastern: what is announced on Sunday to Thursday at 20:00 stands in the
feed from midnight on, under the date of Monday to Friday.
https://info.arxiv.org/help/availability.html
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from jobs.sources.arxiv_fields import EASTERN, eastern_day

_DAY = timedelta(days=1)
_SATURDAY = 5
# The feeds are made at midnight; a little later they are there for everybody.
_SETTLED = timedelta(minutes=10)


def today(now: datetime) -> date:
    """The day in arXiv's time zone."""
    return eastern_day(now)


def awaited(now: datetime) -> date:
    """The latest day whose feed is or should be out: today, or Friday at the weekend."""
    return on_or_before(today(now))


def on_or_before(day: date) -> date:
    """The latest feed day up to this one, holidays not regarded."""
    return day - _DAY * max(0, day.weekday() - (_SATURDAY - 1))


def after(day: date) -> date:
    """The next feed day after this one, holidays not regarded."""
    return day + _DAY * max(1, 7 - day.weekday() if day.weekday() >= _SATURDAY - 1 else 1)


def between(first: date, last: date) -> list[date]:
    """The feed days after ``first`` and before ``last``, holidays among them."""
    days = []
    day = after(first)
    while day < last:
        days.append(day)
        day = after(day)
    return days


def out_at(day: date) -> datetime:
    """When the feed of this day can be asked for, in UTC: some minutes after midnight, US Eastern."""
    return datetime.combine(day, time(0), EASTERN).astimezone(UTC) + _SETTLED


def holiday(day: date) -> str:
    """The holiday for which the feed of this day is usually empty; an empty string if there is none.

    arXiv states each year's deferred mailings in advance (the page above); they have been US federal
    holidays and days between Christmas and New Year. The mailing of a holiday's evening is put off, so it is
    the next day's feed that is empty. This is for words and for how often to ask: nothing is left out
    because of it, since a day whose feed was not seen is looked up in the archive, holiday or not.
    """
    if day.weekday() >= _SATURDAY:
        return ""
    eve = day - _DAY
    fixed = {(1, 1): "New Year", (6, 19): "Juneteenth", (7, 4): "Independence Day", (12, 24): "Christmas",
             (12, 25): "Christmas", (12, 31): "New Year"}  # fmt: skip
    if name := fixed.get((eve.month, eve.day)):
        return name
    week = (eve.day - 1) // 7 + 1
    moving = {(1, 0, 3): "Martin Luther King Day", (9, 0, 1): "Labor Day", (11, 3, 4): "Thanksgiving"}
    if name := moving.get((eve.month, eve.weekday(), week)):
        return name
    last_monday_of_may = (eve.month, eve.weekday()) == (5, 0) and eve.day > 31 - 7
    return "Memorial Day" if last_monday_of_may else ""


def filed_under(day: date) -> date:
    """The feed day under which a paper is filed that arXiv's schedule would announce on ``day``.

    That is the day itself, or the next one with an announcement if it falls on a weekend or holiday.
    """
    while day.weekday() >= _SATURDAY or holiday(day):
        day += _DAY
    return day
