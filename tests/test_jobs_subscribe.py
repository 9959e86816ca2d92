"""Subscribing, and the papers of the latest days that newcomers are shown."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from db import subscriber_store
from jobs import deliver, learning, subscribe
from jobs.service import Service
from profiles.profile import Profile
from profiles.request import RequestError, request
from tests.conftest import NOW


def test_a_button_that_is_pressed_twice_at_once_subscribes_once(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = request(email="new@example.org", statement="speculative decoding", every="announced")
    queue, inside, go_on = deliver.queue_link, threading.Event(), threading.Event()

    def slowly(*given: object) -> object:
        inside.set()
        go_on.wait(0.5)  # the second press meets the first one in the middle
        return queue(*given)  # type: ignore[arg-type]

    def press() -> Profile | RequestError:
        try:
            return subscribe.create(service, wanted, NOW)
        except RequestError as exc:
            return exc

    monkeypatch.setattr(deliver, "queue_link", slowly)
    with ThreadPoolExecutor(2) as hands:
        first = hands.submit(press)
        assert inside.wait(30)
        second = hands.submit(press)
        found = first.result(), second.result()
    assert isinstance(found[0], Profile)
    assert isinstance(found[1], RequestError)
    with service.database.reading() as session:
        assert len(subscriber_store.profiles(session)) == 1


def test_another_span_beside_the_week_leaves_the_week_at_hand(ingested: Service) -> None:
    with ingested.database.reading() as session:
        edition = learning.edition(ingested, session)
        week, month = (ingested.shelf.latest(session, edition, days) for days in (7, 31))
        for days in (2, 3):
            assert ingested.shelf.latest(session, edition, 7) is week
            assert ingested.shelf.latest(session, edition, days) is not week
        assert ingested.shelf.latest(session, edition, 7) is week
        assert not ingested.shelf.is_fresh(session, edition, 31)
        again = ingested.shelf.latest(session, edition, 31)
        assert again is not month
        assert [p.id for p in again.papers] == [p.id for p in month.papers]
        assert ingested.shelf.opened(month, lambda _: [3]) == [3]
        assert ingested.shelf.opened(again, lambda _: [4]) == [4]
        assert ingested.shelf.opened(again, lambda _: [5]) == [4]
