"""A paper's way, from a watched folder to the reader who wants it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import feedparser

from db import alert_store, paper_store, source_store, subscriber_store
from db.session import Database
from jobs import deliver, leaving, reading, subscribe
from jobs.alerts.outbox_folder import OutboxFolder
from jobs.pipeline import run_once
from jobs.service import Service
from profiles.request import request
from tests.conftest import NOW
from tests.readers import (
    ASPECTS,
    WANTED,
    mails,
    match_and_queue,
    subscribe_reader,
    text_of,
    tick,
    write_digest,
)


def test_a_paper_comes_from_the_folder_to_the_mail_and_the_feed(
    service: Service, outbox: OutboxFolder, folder: Path
) -> None:
    profile = subscribe_reader(service)
    write_digest(folder, "monday.md", wanted=3)
    run = tick(service)
    assert (run.receipts[0].new, run.matched.papers, run.queued.queued, run.sent.sent) == (9, 9, 1, 1)
    (mail,) = mails(outbox)
    assert mail["To"] == "reader@example.org"
    words = text_of(mail)
    assert "Speculative decoding with a shared key-value cache" in " ".join(words.split())
    assert "Why: speculative decoding" in words
    assert "alpine rivers" not in words
    titles = {e.item.paper.title for e in reading.latest(service, profile, NOW)}
    assert titles == {WANTED.format(what=ASPECTS[n - 1].partition(": ")[0], n=n) for n in (1, 2, 3)}


def test_nothing_comes_twice_however_often_the_clock_ticks(
    service: Service, outbox: OutboxFolder, folder: Path
) -> None:
    subscribe_reader(service)
    write_digest(folder, "monday.md", wanted=3)
    for minutes in range(4):
        tick(service, minutes)
    write_digest(folder, "copy.md", wanted=3)
    last = tick(service, 10)
    assert last.receipts[0].new == 0
    assert len(mails(outbox)) == 1


def test_a_changed_digest_brings_only_what_is_new_in_it(
    service: Service, outbox: OutboxFolder, folder: Path
) -> None:
    subscribe_reader(service)
    write_digest(folder, "monday.md", wanted=2)
    tick(service)
    write_digest(folder, "later.md", wanted=1, first=50, day="2025-11-19")
    tick(service, 5)
    first, second = (text_of(m) for m in mails(outbox))
    assert "part 1" in first
    assert "part 50" in second
    assert "part 1 " not in second
    assert "part 1\n" not in second


def test_two_announcements_within_a_minute_are_two_digests(
    service: Service, outbox: OutboxFolder, folder: Path
) -> None:
    subscribe_reader(service)
    with service.database.writing() as session:
        source_store.add(
            session, name="again", kind="folder", location=str(folder / "again"), every_minutes=0, now=NOW
        )
    for second in (10, 20):
        write_digest(folder / "again", f"{second}.md", wanted=1, first=second)
        run_once(service, NOW + timedelta(seconds=second), f"run{second}")
    assert len(mails(outbox)) == 2


def test_an_unconfirmed_address_gets_nothing_but_the_confirmation(
    service: Service, outbox: OutboxFolder, folder: Path
) -> None:
    wanted = request(email="new@example.org", statement="speculative decoding", every="announced")
    profile = subscribe.create(service, wanted, NOW)
    write_digest(folder, "monday.md", wanted=3)
    tick(service)
    (mail,) = mails(outbox)
    assert "Confirm" in mail["Subject"]
    assert (
        subscribe.confirm(service, profile.subscriber_id, NOW + timedelta(minutes=3), "in a test") is not None
    )
    tick(service, 4)
    assert [m["Subject"][:8] for m in mails(outbox)][1:] == ["3 papers"]


def test_a_new_profile_begins_with_the_latest_papers_and_gets_none_of_them_again(
    service: Service, outbox: OutboxFolder, folder: Path
) -> None:
    write_digest(folder, "monday.md", wanted=3)
    tick(service)
    subscribe_reader(service, NOW + timedelta(minutes=1))
    tick(service, 2)
    tick(service, 3)
    assert len(mails(outbox)) == 1
    assert "part 3" in text_of(mails(outbox)[0])


def test_muted_papers_never_come(service: Service, outbox: OutboxFolder, folder: Path) -> None:
    subscribe_reader(service, mutes=["part 2"])
    write_digest(folder, "monday.md", wanted=3)
    tick(service)
    words = text_of(mails(outbox)[0])
    assert "part 1" in words
    assert "part 2" not in words


def test_the_dial_sets_how_many_come_for_a_day(service: Service, outbox: OutboxFolder, folder: Path) -> None:
    profile = subscribe_reader(service, per_day=2)
    write_digest(folder, "monday.md", wanted=9)
    tick(service)
    assert len(reading.latest(service, profile, NOW)) == 2


def test_a_daily_digest_waits_for_its_hour_and_says_what_was_checked(
    service: Service, outbox: OutboxFolder, folder: Path
) -> None:
    subscribe_reader(service, every="daily", hour=18)
    write_digest(folder, "monday.md", wanted=2)
    tick(service)
    assert mails(outbox) == []
    tick(service, 6 * 60)
    tick(service, 6 * 60 + 1)
    (mail,) = mails(outbox)
    assert "Checked digests" in text_of(mail)
    assert "2 of 8 papers sent" in text_of(mail)


def test_an_empty_digest_goes_only_to_those_who_asked_and_says_why(
    service: Service, outbox: OutboxFolder, folder: Path
) -> None:
    subscribe_reader(service, every="daily", hour=13)
    subscribe_reader(service, email="asked@example.org", every="daily", hour=13, send_empty=True)
    write_digest(folder, "monday.md", wanted=0)
    tick(service)
    run = tick(service, 61)
    assert (run.queued.queued, run.queued.empty) == (1, 1)
    (mail,) = mails(outbox)
    assert mail["To"] == "asked@example.org"
    assert "None of the 6 new papers came close" in text_of(mail)


def test_a_pause_holds_mail_back_and_one_digest_catches_up(
    service: Service, outbox: OutboxFolder, folder: Path
) -> None:
    profile = subscribe_reader(service)
    paused = replace(profile, delivery=replace(profile.delivery, paused_until=date(2025, 11, 25)))
    with service.database.writing() as session:
        subscriber_store.change_profile(session, paused, NOW)
    for day in range(4):
        write_digest(
            folder, f"day{day}.md", wanted=1, unwanted=1, first=10 * (day + 1), day=f"2025-11-{18 + day}"
        )
        tick(service, day * 24 * 60)
    assert mails(outbox) == []
    tick(service, 5 * 24 * 60)
    (mail,) = mails(outbox)
    assert all(f"part {10 * (day + 1)}" in text_of(mail) for day in range(4))


def test_those_who_left_get_nothing_even_if_it_was_queued(
    service: Service, outbox: OutboxFolder, folder: Path
) -> None:
    profile = subscribe_reader(service)
    write_digest(folder, "monday.md", wanted=2)
    with service.database.reading() as session:
        assert alert_store.outbox(session) == []
    match_and_queue(service)
    leaving.leave(service, profile.subscriber_id, None, NOW, "by link")
    sent = deliver.send_due(service, NOW)
    assert (sent.sent, sent.suppressed) == (0, 1)
    assert mails(outbox) == []


def test_a_digest_of_which_all_papers_were_withdrawn_since_is_withheld(
    service: Service, outbox: OutboxFolder, folder: Path
) -> None:
    subscribe_reader(service)
    write_digest(folder, "monday.md", wanted=2)
    match_and_queue(service)
    with service.database.writing() as session:
        keys = [paper.paper.id for paper in paper_store.all_papers(session)]
        paper_store.withdraw(session, keys)
    run = tick(service, 1)
    assert run.sent.suppressed == 1
    assert mails(outbox) == []


def test_two_profiles_share_a_mail_and_no_paper_stands_in_it_twice(
    service: Service, outbox: OutboxFolder, folder: Path
) -> None:
    subscribe_reader(service, name="Decoding", every="daily", hour=13)
    subscribe_reader(service, name="Caches", statement="key-value cache", every="daily", hour=13)
    write_digest(folder, "monday.md", wanted=3)
    tick(service)
    tick(service, 61)
    (mail,) = mails(outbox)
    words = " ".join(text_of(mail).split())
    assert words.count("with a shared key-value cache, part 1") == 1


def test_the_feed_of_a_profile_reads_without_complaint(service: Service, folder: Path) -> None:
    from jobs.alerts import feed

    profile = subscribe_reader(service, email="")
    write_digest(folder, "monday.md", wanted=3)
    tick(service)
    entries = reading.latest(service, profile, NOW)
    channel = feed.Channel("Mine", "http://x/f.rss", "http://x/", "profile-1", NOW)
    parsed = feedparser.parse(feed.rss(channel, [feed.Entry(e.item, e.at) for e in entries], service.links))
    assert not parsed.bozo
    assert len(parsed.entries) == 3


def test_two_processes_that_send_at_once_send_each_mail_once(
    database: Database, service: Service, outbox: OutboxFolder, folder: Path
) -> None:
    from concurrent.futures import ThreadPoolExecutor

    for n in range(12):
        subscribe_reader(service, email=f"reader{n}@example.org")
    write_digest(folder, "monday.md", wanted=2)
    match_and_queue(service)
    with ThreadPoolExecutor(2) as pool:
        sent = list(pool.map(lambda _: deliver.send_due(service, NOW).sent, range(2)))
    assert sum(sent) == 12
    assert len(mails(outbox)) == 12


def test_an_edit_between_the_hour_and_the_next_tick_skips_no_digest(
    service: Service, outbox: OutboxFolder, folder: Path
) -> None:
    profile = subscribe_reader(service, every="daily", hour=13)
    write_digest(folder, "monday.md", wanted=2)
    tick(service)
    with service.database.writing() as session:
        subscriber_store.change_profile(session, replace(profile, per_day=9), NOW + timedelta(minutes=61))
    tick(service, 62)
    assert len(mails(outbox)) == 1
