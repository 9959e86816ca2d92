"""Days that are over are counted once, and say what counting them anew would say."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, insert, select, update

from db import alert_store, day_store
from db.day_store import Day
from db.session import Database
from db.tables import DigestRow, FeedbackRow, MatchRow
from jobs import days, overview, thinning
from jobs.service import Service
from tests.conftest import NOW
from tests.months import DAY, HOUR, MINUTE, a_month

TODAY = NOW.date()


def latest(database: Database, now: Any = NOW) -> dict[date, Day]:
    with database.reading() as session:
        return days.latest(session, now)


def uneven(database: Database) -> None:
    """A month whose days differ: in waits, one without mails, likes at midnight and just before."""
    a_month(database, readers=3)
    with database.writing() as session:
        for mail in session.scalars(select(DigestRow).where(DigestRow.id < 60)):
            assert mail.sent_at is not None
            mail.sent_at += mail.id * MINUTE
        session.execute(update(DigestRow).where(DigestRow.id.in_([30, 31, 32])).values(sent_at=None))
        midnight = NOW.replace(hour=0) - 5 * DAY
        said = {"profile_id": 1, "paper_id": 1, "via": "mail"}
        session.execute(insert(FeedbackRow), [
            said | {"opinion": "save", "at": midnight},
            said | {"opinion": "like", "at": midnight - timedelta(microseconds=1)},
            said | {"opinion": "dislike", "at": midnight},
        ])  # fmt: skip


def test_days_that_are_kept_say_what_counting_says(service: Service) -> None:
    uneven(service.database)
    before, month = latest(service.database), overview.month(service.database, NOW)
    assert len(before) == days.DAYS and list(before) == sorted(before)
    assert before[TODAY - 5 * DAY].likes == 2 and before[TODAY - 6 * DAY].likes == 2
    assert len({day.high_wait for day in before.values()}) > 10, "days differ"
    assert days.keep(service.database, NOW) == days.DAYS - 2
    with service.database.reading() as session:
        kept = day_store.kept(session, TODAY - 40 * DAY, TODAY)
    assert kept == {day: came for day, came in before.items() if day < TODAY - DAY}
    assert latest(service.database) == before
    assert overview.month(service.database, NOW) == month
    assert days.keep(service.database, NOW) == 0, "once is enough"


def test_each_night_one_more_day_is_kept_and_the_oldest_goes(service: Service) -> None:
    a_month(service.database)
    assert thinning.thin(service, NOW, "one") is not None
    with service.database.reading() as session:
        assert len(day_store.kept(session, TODAY - 40 * DAY, TODAY)) == days.DAYS - 2
    assert thinning.thin(service, NOW + DAY, "two") is not None
    with service.database.reading() as session:
        kept = day_store.kept(session, TODAY - 40 * DAY, TODAY)
    assert (min(kept), max(kept)) == (TODAY - 28 * DAY, TODAY - DAY)
    assert kept[TODAY - DAY] == Day(1, 1, 2400, 2400)


def test_a_mail_that_is_recorded_late_is_counted(service: Service) -> None:
    """Its sender died yesterday after the server took it, and the next run records that today."""
    a_month(service.database)
    with service.database.writing() as session:
        lost = {"state": "sending", "sent_at": None, "attempts": 1}
        session.execute(update(DigestRow).where(DigestRow.id == 2).values(lost))
    days.keep(service.database, NOW)
    assert latest(service.database)[TODAY - DAY] == Day(0, 1)
    with service.database.writing() as session:
        assert alert_store.was_taken(session, "<2>", 1, NOW - DAY)
    assert latest(service.database)[TODAY - DAY] == Day(1, 1, 3600, 3600)


def test_what_is_deleted_later_was_sent_nevertheless(service: Service) -> None:
    a_month(service.database)
    days.keep(service.database, NOW)
    before = latest(service.database)
    with service.database.writing() as session:
        session.execute(delete(MatchRow))
        session.execute(delete(DigestRow))
        session.execute(delete(FeedbackRow))
    after = latest(service.database)
    assert after == before | {TODAY - DAY: Day(), TODAY: Day()}


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_day_with_few_mails_has_its_waits_beside_days_with_many(service: Service) -> None:
    a_month(service.database, readers=2)
    with service.database.writing() as session:
        mails = [
            {
                "id": 1_000 + n, "subscriber_id": 1, "kind": "digest", "period": f"p{n}", "state": "sent",
                "message_id": f"<{1_000 + n}>", "content": {}, "attempts": 1,
                "queued_at": NOW - 3 * DAY, "sent_at": NOW - 3 * DAY, "last_error": "",
            }
            for n in range(2_000)
        ]  # fmt: skip
        session.execute(insert(DigestRow), mails)
    days.keep(service.database, NOW)
    assert latest(service.database)[TODAY - 7 * DAY] == Day(2, 1, 2400, 2400)
    assert latest(service.database)[TODAY - 3 * DAY].digests == 2_002


def test_an_installation_without_anything_has_empty_days(service: Service) -> None:
    assert set(latest(service.database).values()) == {Day()}
    assert days.keep(service.database, NOW + HOUR) == days.DAYS - 2
    assert set(latest(service.database, NOW + 100 * DAY).values()) == {Day()}
