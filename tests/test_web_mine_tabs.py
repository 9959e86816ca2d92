"""The tabs of my page: saved, history, profiles with weights and back-test, delivery; export and erasure."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event
from starlette.testclient import TestClient

from db import paper_store, subscriber_store
from jobs import deliver, match, reading, subscribe
from jobs.alerts.outbox_folder import OutboxFolder
from jobs.service import Service
from profiles import portable
from profiles.profile import Profile
from profiles.request import request
from tests.conftest import NOW
from tests.full_database import everything

BASE = "http://papers.example.org"


@pytest.fixture
def profile(ingested: Service) -> Profile:
    wanted = request(
        email="ada@example.org", name="Serving", statement="KV cache and speculative decoding",
        terms=["autoscaling=2"], per_day=6, every="announced",
    )  # fmt: skip
    return subscribe.create(ingested, wanted, NOW, confirmed="by the test")


@pytest.fixture
def mine(ingested: Service, profile: Profile) -> str:
    return ingested.links.preferences(profile.subscriber_id, NOW).removeprefix(BASE)


def titles(page: str) -> list[str]:
    return re.findall(r'<h[34] dir="auto"><a[^>]*>(.*?)</a>', page)


def rate(service: Service, profile: Profile, *opinions: str) -> list[str]:
    """Rate papers on hand so, the profile's own first; their ids."""
    own = [entry.item.paper.id for entry in reading.latest(service, profile, NOW)]
    with service.database.writing() as session:
        others = [s.paper.id for s in paper_store.all_papers(session)]
        keys = list(dict.fromkeys((*own, *others)))[: len(opinions)]
        for at, (key, opinion) in enumerate(zip(keys, opinions, strict=True)):
            subscribe.rate(session, profile.id, key, opinion, NOW - timedelta(minutes=60 - at), "page")  # type: ignore[arg-type]
    return keys


def test_saved_shows_what_was_kept_the_latest_first_and_takes_it_back(
    browser: TestClient, mine: str, ingested: Service, profile: Profile
) -> None:
    assert "Nothing kept yet" in browser.get(f"{mine}/saved").text
    liked, _, saved = rate(ingested, profile, "like", "dislike", "save")
    page = browser.get(f"{mine}/saved").text
    assert re.findall(r'name="paper" value="([^"]+)"', page) == [saved, liked]
    browser.post(f"{mine}/rate", data={"profile": profile.id, "paper": saved, "opinion": "clear"})
    assert re.findall(r'name="paper" value="([^"]+)"', browser.get(f"{mine}/saved").text) == [liked]


def test_history_lists_each_digest_and_opens_it(
    browser: TestClient, mine: str, ingested: Service, profile: Profile
) -> None:
    assert "No digest yet" in browser.get(f"{mine}/history").text
    match.match_pending(ingested, NOW)
    deliver.queue_due(ingested, NOW)
    deliver.send_due(ingested, NOW)
    page = browser.get(f"{mine}/history").text
    number = re.search(r"/history/(\d+)", page)
    assert number and "Serving" in page and ">sent<" in page and ">Thu 20 Nov, 12:00<" in page
    shown = browser.get(f"{mine}/history/{number[1]}").text
    assert len(titles(shown)) == int(re.search(r">(\d+) papers? for", page)[1])  # type: ignore[index]
    other = subscribe.create(ingested, request(email="eve@example.org", statement="x"), NOW, confirmed="test")
    theirs = ingested.links.preferences(other.subscriber_id, NOW).removeprefix(BASE)
    assert browser.get(f"{theirs}/history/{number[1]}").status_code == 404


def test_profiles_stand_side_by_side_with_their_volume(
    browser: TestClient, mine: str, ingested: Service, profile: Profile
) -> None:
    rate(ingested, profile, "like", "save", "like")
    page = browser.get(f"{mine}/profiles").text
    many = len(reading.latest(ingested, profile, NOW, 100))
    assert f'aria-label="{many} papers in 30 days"' in page
    assert "<dd>2 likes, 1 saved</dd>" in page and "about 6 a day" in page


def test_weights_show_what_would_change_and_are_stored_only_by_save(
    browser: TestClient, mine: str, ingested: Service, profile: Profile
) -> None:
    own = f"{mine}/profiles/{profile.id}/weights"
    page = browser.get(own).text
    terms = dict(re.findall(r'name="(term\d+)" value="([^"]+)"', page))
    weights = dict(re.findall(r'name="(weight\d+)"[^>]* value="([^"]+)"', page))
    named = {term: f"weight{name.removeprefix('term')}" for name, term in terms.items()}
    assert weights[named["autoscaling"]] == "2" and weights[named["speculative decoding"]] == "0"
    assert f'<output for="{named["autoscaling"]}">+2</output>' in page
    assert f'<output for="{named["speculative decoding"]}">as learned</output>' in page

    moved = {**terms, **weights, named["speculative decoding"]: "-3"}
    what_if = browser.post(own, data=moved | {"fragment": "1"}).text
    assert "<html" not in what_if and "Drop out" in what_if and "Nothing is saved yet" in what_if
    without_script = browser.post(own, data=moved | {"act": "show"}).text
    assert (
        "Drop out" in without_script and f'name="{named["speculative decoding"]}" min="-3"' in without_script
    )
    assert stored(ingested, profile) == profile

    browser.post(own, data=moved | {"act": "save"})
    assert dict(stored(ingested, profile).interests.terms) == {"autoscaling": 2, "speculative decoding": -3}
    browser.post(own, data={"term0": "autoscaling", "weight0": "0", "act": "save", "weight1": "x"})
    assert dict(stored(ingested, profile).interests.terms) == {"speculative decoding": -3}


def test_the_back_test_is_a_plot_and_a_sentence(
    browser: TestClient, mine: str, ingested: Service, profile: Profile
) -> None:
    own = f"{mine}/profiles/{profile.id}/backtest"
    assert "No liked or saved paper can be tried yet" in browser.get(own).text
    rate(ingested, profile, "like", "save")
    page = browser.get(own).text
    assert "would have been in the top 20" in page and '<svg xmlns="http://www.w3.org/2000/svg"' in page


def test_delivery_has_feeds_pause_and_the_way_out(
    browser: TestClient, mine: str, ingested: Service, profile: Profile
) -> None:
    page = browser.get(f"{mine}/delivery").text
    for form in ("rss", "atom", "json"):
        assert f'value="{ingested.links.feed(profile.feed_token, form)}"' in page
    assert f'value="{ingested.links.saved_feed(profile.feed_token)}"' in page
    assert "Mail as soon as announced." in page
    page = browser.post(f"{mine}/profiles/{profile.id}/pause", data={"until": "2025-12-24"}).text
    assert "No mail until <b>Wed 24 Dec</b>" in page and "Mail me again now" in page


def test_the_pause_link_of_a_mail_leads_to_where_one_pauses(
    browser: TestClient, mine: str, ingested: Service, profile: Profile, outbox: OutboxFolder
) -> None:
    match.match_pending(ingested, NOW)
    deliver.queue_due(ingested, NOW)
    deliver.send_due(ingested, NOW)
    (letter,) = outbox.letters()
    found = re.search(rf"Pause:\s+{BASE}(/\S+)#(\w+)", outbox.read(letter.name).text)
    assert found is not None
    page = browser.get(found[1]).text
    assert f'id="{found[2]}"' in page and f'action="{found[1].removesuffix("/delivery")}/profiles/' in page
    assert 'id="pause"' in browser.get(mine).text, "where the links of older mails lead"


def test_everything_can_be_taken_along(
    browser: TestClient, mine: str, ingested: Service, profile: Profile
) -> None:
    liked = rate(ingested, profile, "like")
    match.match_pending(ingested, NOW)
    deliver.queue_due(ingested, NOW)
    answer = browser.get(f"{mine}/export.json")
    assert answer.headers["content-disposition"] == 'attachment; filename="paperwatch.json"'
    found = answer.json()
    assert found["subscriber"]["email"] == "ada@example.org"
    (held,) = found["profiles"]
    assert held["terms"] == [["autoscaling", 2.0]] and held["delivery"]["frequency"] == "announced"
    assert [(e["paper"], e["opinion"]) for e in held["feedback"]] == [(liked[0], "like")]
    assert liked[0] in found["digests"][0]["papers"]["Serving"]
    text = browser.get(f"{mine}/profiles/{profile.id}/export.txt").text
    assert portable.parse(text, "it").interests == profile.interests


def test_a_profile_file_fills_in_the_form_again(
    browser: TestClient, mine: str, ingested: Service, profile: Profile
) -> None:
    text = browser.get(f"{mine}/profiles/{profile.id}/export.txt").content
    page = browser.post(f"{mine}/new/read", data={"edit": "library"}, files={"library": ("p.txt", text)}).text
    assert ">\nautoscaling = 2</textarea>" in page and 'value="Serving"' in page and 'value="6"' in page
    bad = text.replace(b"per-day: 6", b"per-day: many")
    page = browser.post(f"{mine}/new/read", data={"edit": "library"}, files={"library": ("p.txt", bad)}).text
    assert "p.txt:7: per-day must be a number" in page


def test_erasing_takes_a_tick_and_leaves_nothing(
    browser: TestClient, mine: str, ingested: Service, profile: Profile, outbox: OutboxFolder
) -> None:
    rate(ingested, profile, "like", "save")
    match.match_pending(ingested, NOW)
    deliver.queue_due(ingested, NOW)
    deliver.send_due(ingested, NOW)
    assert outbox.letters()
    other = subscribe.create(ingested, request(email="eve@example.org", statement="x"), NOW, confirmed="test")
    assert browser.get(f"{mine}/erase").status_code == 200
    assert browser.post(f"{mine}/erase").status_code == 422 and stored(ingested, profile) == profile

    assert "Everything is erased" in browser.post(f"{mine}/erase", data={"sure": "yes"}).text
    assert outbox.letters() == []
    with ingested.database.reading() as session:
        held = everything(session)
    assert "ada@example.org" not in repr(held)
    assert "Serving" not in repr([held["profile"], held["digest"], held["subscriber"]])
    for table in ("profile", "feedback", "match", "model", "digest"):
        owners = {row.get("subscriber_id", row.get("profile_id")) for row in held[table]}
        assert owners <= {other.subscriber_id, other.id}, table
    for address in (mine, f"/feeds/{profile.feed_token}.rss"):
        assert browser.get(address).status_code in {404, 410}
    leave = ingested.links.unsubscribe(profile.subscriber_id).removeprefix(BASE)
    assert browser.post(leave).status_code == 200, "who is forgotten has left"
    again = subscribe.create(ingested, request(email="ada@example.org", statement="y"), NOW, confirmed="test")
    assert again.subscriber_id not in {profile.subscriber_id, other.subscriber_id}
    assert browser.get(mine).status_code == 410, "an old link never opens somebody else's page"


@pytest.mark.parametrize("tab", ["/saved", "/history", "/profiles", "/delivery"])
def test_a_tab_takes_as_many_queries_for_many_rows_as_for_few(
    browser: TestClient, mine: str, ingested: Service, profile: Profile, tab: str
) -> None:
    statements: list[Any] = []
    event.listen(ingested.database.engine, "before_cursor_execute", lambda *told: statements.append(told[2]))
    rate(ingested, profile, "like")
    statements.clear()
    browser.get(mine + tab)
    few = len(statements)
    rate(ingested, profile, *(["like", "save"] * 8))
    for number in range(4):
        wanted = request(email="ada@example.org", name=f"Profile {number}", statement="caches")
        subscribe.create(ingested, wanted, NOW, confirmed="by the test")
    statements.clear()
    page = browser.get(mine + tab)
    assert len(statements) == few and len(page.content) < 100_000


def stored(service: Service, profile: Profile) -> Profile:
    with service.database.reading() as session:
        found = subscriber_store.profile(session, profile.id)
    assert found is not None
    return found
