"""One scheduler is active, the next one takes over, and no slot is fired twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Thread

import pytest

from db import turn_store
from db.session import Database
from jobs.queue import Here
from jobs.schedule import LEASE, Clock, Post, scheduler, tick
from jobs.service import Service
from jobs.tally import Delivered, Matched
from tests.conftest import NOW


@dataclass
class Hand(Here):
    """Counts runs; fails if told to."""

    fails: bool = False
    runs: list[str] = field(default_factory=list)

    def match(self, service: Service, now: datetime, run: str) -> Matched:
        self.runs.append(run)
        if self.fails:
            raise ValueError("a fault")
        return Matched()

    def deliver(self, service: Service, now: datetime, run: str) -> tuple[Delivered, Delivered]:
        return Delivered(), Delivered(sent=3)


def _clock(holder: str, now: datetime, run: str = "r") -> Clock:
    return Clock(60, lambda: now, lambda: run, holder)


@pytest.fixture
def posts(service: Service) -> Iterator[tuple[Post, Post]]:
    """Two schedulers on one database."""
    found = Post(service, "one"), Post(service, "two")
    yield found
    for post in found:
        post.resign()


def test_one_is_active_and_the_other_takes_over_when_it_leaves(posts: tuple[Post, Post]) -> None:
    one, two = posts
    assert one.renew(NOW)
    assert not two.renew(NOW)
    assert (one.active, two.active) == (True, False)
    assert not one.renew(NOW + timedelta(seconds=3))  # it has it, and has not just taken it
    one.resign()
    assert two.renew(NOW + timedelta(seconds=4))
    assert not one.renew(NOW + timedelta(seconds=5))


def test_one_that_is_frozen_loses_the_post_and_waits_when_it_wakes(posts: tuple[Post, Post]) -> None:
    one, two = posts
    one.renew(NOW)
    later = NOW + LEASE + timedelta(seconds=1)
    # On PostgreSQL the first look ends the frozen one's connection, the next one finds the lock free.
    assert two.renew(later) or two.renew(later + timedelta(seconds=3))
    assert not one.renew(later + timedelta(seconds=6))
    assert not one.active
    assert two.active


def test_one_that_wakes_fires_nothing(service: Service, posts: tuple[Post, Post]) -> None:
    one, two = posts
    one.renew(NOW)
    later = NOW + LEASE + timedelta(seconds=1)
    two.renew(later)
    two.renew(later)
    hand = Hand()
    assert one.active  # it has not looked yet
    assert tick(service, one, _clock("one", later), hand) is None
    assert tick(service, two, _clock("two", later), hand) is not None
    assert len(hand.runs) == 1


def test_one_that_was_frozen_in_the_middle_of_a_tick_takes_nothing_back(
    service: Service, posts: tuple[Post, Post]
) -> None:
    one, two = posts
    one.renew(NOW)
    later = NOW + timedelta(minutes=5)
    two.renew(later)
    two.renew(later)
    hand = Hand()
    # It had read the clock before it was frozen.
    assert tick(service, one, _clock("one", NOW + timedelta(seconds=1)), hand) is None
    assert hand.runs == []
    with service.database.reading() as session:
        assert turn_store.holder(session, "scheduler") == ("two", later + LEASE)


def test_each_slot_is_run_once_and_says_what_came_of_it(service: Service, posts: tuple[Post, Post]) -> None:
    one, _ = posts
    hand = Hand()
    one.renew(NOW)
    for seconds in (0, 10, 59, 61, 62):  # the first one catches up, whatever its slot
        at = NOW + timedelta(seconds=seconds)
        one.renew(at)
        tick(service, one, _clock("one", at, f"r{seconds}"), hand)
    assert hand.runs == ["r0", "r61"]
    with service.database.reading() as session:
        latest, first = turn_store.latest(session, "run", at_most=5)
    assert (first.run, latest.run) == ("r0", "r61")
    assert latest.report["sent"] == 3
    assert latest.finished_at is not None
    assert latest.taker == "one"


def test_a_failure_is_recorded_and_the_clock_goes_on(service: Service, posts: tuple[Post, Post]) -> None:
    one, _ = posts
    hand = Hand(fails=True)
    one.renew(NOW)
    assert tick(service, one, _clock("one", NOW, "bad"), hand) is None
    with service.database.reading() as session:
        assert turn_store.latest(session, "run")[0].error == "ValueError: a fault"
    hand.fails = False
    one.renew(NOW + timedelta(minutes=1))
    assert tick(service, one, _clock("one", NOW + timedelta(minutes=1)), hand) is not None


def test_a_turn_is_claimed_once_and_again_only_where_its_taker_died(database: Database) -> None:
    with database.writing() as session:
        number = turn_store.claim(session, "thin", NOW, "a", "one", NOW)
        assert number is not None
        assert turn_store.claim(session, "thin", NOW, "b", "one", NOW) is None
        assert turn_store.claim(session, "thin", NOW, "c", "two", NOW) == number
        turn_store.finish(session, number, "one", NOW, {"late": 1})  # the one that died was only slow
        assert (found := turn_store.turn(session, "thin", NOW)) is not None
        assert found.finished_at is None
        turn_store.finish(session, number, "two", NOW, {"rows": 1})
        assert turn_store.claim(session, "thin", NOW, "d", "three", NOW) is None


def test_a_lease_from_before_the_clock_was_set_back_holds_nobody_off(database: Database) -> None:
    with database.writing() as session:
        assert turn_store.take(session, "x", "one", NOW + timedelta(days=1), LEASE)
        assert turn_store.take(session, "x", "two", NOW, LEASE)
        assert not turn_store.take(session, "x", "three", NOW, LEASE)


def test_a_scheduler_becomes_active_and_runs_at_once(service: Service) -> None:
    hand = Hand()
    clock = Clock(3600, lambda: datetime.now(NOW.tzinfo), lambda: "first", "one")
    ticking, post = scheduler(service, clock, hand)

    looks = iter(range(300))
    # A job cannot wait for the others to end, of which it is one.
    stopping = Thread(target=ticking.shutdown)

    def stop_after_the_run() -> None:
        if (hand.runs or next(looks, None) is None) and stopping.ident is None:
            stopping.start()

    ticking.add_job(stop_after_the_run, "interval", seconds=0.1)
    ticking.start()  # returns when it is shut down
    stopping.join()
    post.resign()
    assert hand.runs == ["first"]


@pytest.mark.postgres
def test_a_dropped_connection_costs_the_post_only_if_somebody_else_is_there(
    service: Service, posts: tuple[Post, Post]
) -> None:
    if service.database.is_sqlite:
        return
    one, two = posts
    one.renew(NOW)
    turn_store.ActiveLock(service.database).end_holder()
    assert not one.renew(NOW + timedelta(seconds=3))  # taken again by the same one: no news
    assert one.active
    turn_store.ActiveLock(service.database).end_holder()
    assert two.renew(NOW + timedelta(seconds=4))
    assert not one.renew(NOW + timedelta(seconds=5))
