"""Subscribing, confirming, rating and leaving, as a browser without scripts does it."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from app.settings import Settings
from app.web.server import create_app
from db import alert_store, label_store, paper_store, subscriber_store
from jobs import deliver
from jobs.alerts.outbox_folder import OutboxFolder
from jobs.service import Service
from recommender.labels import Named
from tests.conftest import NOW

BASE = "http://papers.example.org"
STATEMENT = "KV cache and speculative decoding for LLM inference"


def subscribe(browser: TestClient, email: str = "ada@example.org", **more: str) -> str:
    """Fill in the form and send it; the page that one ends on."""
    answer = browser.post("/subscribe", data={"statement": STATEMENT, "email": email, **more})
    assert answer.status_code == 200, answer.text
    return answer.text


def link(outbox: OutboxFolder, kind: str) -> str:
    """The newest link of this kind in any mail, as its reader would click it."""
    for letter in outbox.letters():
        found = re.search(rf"{BASE}(/{kind}/\S+)", outbox.read(letter.name).text)
        if found:
            return found[1]
    raise AssertionError(f"no {kind} link in the outbox")


def test_the_front_page_says_what_this_is_and_asks_what_one_works_on(browser: TestClient) -> None:
    page = browser.get("/").text
    assert "New papers, ranked for you" in page
    assert '<textarea id="statement"' in page and '<label for="statement">' in page


def test_the_preview_ranks_the_papers_on_hand_with_reasons(browser: TestClient) -> None:
    page = browser.post("/preview", data={"statement": STATEMENT, "per_day": "4", "email": "a@b.org"}).text
    assert "What you would have received" in page and "<b>Why:</b>" in page and "Near misses" in page
    assert STATEMENT in page and 'value="a@b.org"' in page  # the form is as it was left


def test_the_preview_for_the_script_is_a_fragment(browser: TestClient) -> None:
    fragment = browser.post("/preview", data={"statement": STATEMENT, "fragment": "1"}).text
    assert "<html" not in fragment and '<article class="paper">' in fragment


def test_a_half_typed_field_is_explained_in_the_preview(browser: TestClient) -> None:
    fragment = browser.post(
        "/preview", data={"statement": STATEMENT, "terms": "cache=9", "fragment": "1"}
    ).text
    assert "must be from -3 to 3" in fragment and "<article" not in fragment


def test_the_parts_that_are_shown_add_up_to_the_score(browser: TestClient) -> None:
    fragment = browser.post("/preview", data={"statement": STATEMENT, "fragment": "1"}).text
    tables = re.findall(r'<table class="parts">(.*?)</table>', fragment, re.DOTALL)
    assert tables
    for table in tables:
        *parts, score = [float(number) for number in re.findall(r'class="number">([+-][\d.]+)<', table)]
        assert sum(parts) == pytest.approx(score, abs=0.0006 * (len(parts) + 1))


def test_nobody_gets_a_paper_before_confirming_by_button(
    browser: TestClient, ingested: Service, outbox: OutboxFolder
) -> None:
    assert "Check your mail" in subscribe(browser)
    confirm = link(outbox, "confirm")
    assert "Confirm this address" in browser.get(confirm).text
    with ingested.database.reading() as session:
        person = subscriber_store.by_email(session, "ada@example.org")
        assert person is not None and person.state == "unconfirmed"

    page = browser.post(confirm).text
    assert "Confirmed" in page and '<article class="paper">' in page and f"{BASE}/feeds/" in page
    with ingested.database.reading() as session:
        person = subscriber_store.by_email(session, "ada@example.org")
        assert person is not None and person.state == "confirmed"
        assert person.state_note == "confirmed by link from testclient"
    assert "Confirmed" in browser.post(confirm).text, "confirming again is no error"


def test_known_and_unknown_addresses_get_the_same_answer(
    browser: TestClient, ingested: Service, outbox: OutboxFolder
) -> None:
    form = {"statement": STATEMENT, "name": "Mine"}
    first = browser.post("/subscribe", data={**form, "email": "ada@example.org"}, follow_redirects=False)
    browser.post(link(outbox, "confirm"))
    again = browser.post("/subscribe", data={**form, "email": "ada@example.org"}, follow_redirects=False)
    other = browser.post(
        "/subscribe", data={**form, "email": "ADA@example.org", "name": "Other"}, follow_redirects=False
    )
    assert (
        [(a.status_code, a.headers.get("location"), a.content) for a in (first, again, other)]
        == [(303, "/subscribed", b"")] * 3
    )  # fmt: skip
    with ingested.database.reading() as session:
        kinds = {mail.kind for mail in alert_store.outbox(session)}
    assert "access" in kinds, "the owner of a known address is told by mail"


def test_asking_for_a_link_tells_strangers_nothing(browser: TestClient, outbox: OutboxFolder) -> None:
    subscribe(browser)
    before = len(outbox.letters())
    known = browser.post("/preferences", data={"email": "ada@example.org"})
    unknown = browser.post("/preferences", data={"email": "nobody@example.org"})
    assert (known.status_code, known.text) == (unknown.status_code, unknown.text)
    assert len(outbox.letters()) == before + 1 and link(outbox, "preferences")


def test_feed_only_needs_no_address_and_no_mail(browser: TestClient, outbox: OutboxFolder) -> None:
    page = subscribe(browser, email="ignored@example.org", every="feed")
    assert "You are subscribed" in page and f"{BASE}/feeds/" in page and '<article class="paper">' in page
    assert outbox.letters() == []


@pytest.mark.parametrize(
    ("field", "fields", "words"),
    [
        ("email", {"email": "ada at example"}, "no e-mail address"),
        ("email", {"email": ""}, "Feed only"),
        ("statement", {"statement": " "}, "Say what you are interested in"),
        ("likes", {"likes": "not a paper"}, "no arXiv id"),
        ("categories", {"categories": "C#"}, "no category"),
        ("mutes", {"mutes": "category: C#"}, "no category"),
        ("per_day", {"per_day": "many"}, "number from 1 to 100"),
        ("zone", {"zone": "Mars/Base"}, "no time zone"),
        ("terms", {"terms": "x" * 200}, "at most 120"),
    ],
)
def test_a_mistake_is_named_beside_its_field_and_nothing_typed_is_lost(
    browser: TestClient, field: str, fields: dict[str, str], words: str
) -> None:
    typed = {"statement": STATEMENT, "email": "ada@example.org", "name": "Kept name", **fields}
    answer = browser.post("/subscribe", data=typed)
    assert answer.status_code == 422
    assert re.search(rf'<p class="error" id="{field}-error">.*{re.escape(words)}', answer.text)
    assert f'href="#{field}"' in answer.text and "<title>Error: " in answer.text
    assert 'value="Kept name"' in answer.text


def test_a_rating_link_records_only_by_its_button(
    browser: TestClient, ingested: Service, outbox: OutboxFolder
) -> None:
    subscribe(browser)
    browser.post(link(outbox, "confirm"))
    with ingested.database.reading() as session:
        (profile,) = subscriber_store.profiles(session)
        match = alert_store.matches_of(session, profile.id)[0]
        from db import paper_store

        paper = paper_store.by_numbers(session, [match.chosen[0].paper])[match.chosen[0].paper].paper
    like = ingested.links.rate(profile.id, paper.id, "like").removeprefix(BASE)
    assert "Opening this page has recorded nothing" in browser.get(like).text
    with ingested.database.reading() as session:
        assert subscriber_store.feedback(session, [profile.id]) == {}

    page = browser.post(like, data={"via": "feed"}).text
    assert "Its score for" in page and "Take it back" in page and "rank higher" in page
    assert "smaller parts" in page and page.count('<tr><th scope="row"') <= 10, "a score is told in few lines"
    again = browser.post(like, data={"via": "feed"}).text
    assert "as before" in again and "went from" not in again
    with ingested.database.reading() as session:
        event, _ = subscriber_store.feedback(session, [profile.id])[profile.id]
    assert (event.paper_id, event.opinion, event.via) == (paper.id, "like", "feed")


@pytest.mark.parametrize("body", ["urlencoded", "multipart", "button"])
def test_one_click_unsubscribe_takes_every_form_that_rfc_8058_allows(
    browser: TestClient, ingested: Service, outbox: OutboxFolder, body: str
) -> None:
    subscribe(browser)
    browser.post(link(outbox, "confirm"))
    with ingested.database.reading() as session:
        person = subscriber_store.by_email(session, "ada@example.org")
    assert person is not None
    leave = ingested.links.unsubscribe(person.id).removeprefix(BASE)
    foreign = {"origin": "https://mail.example.com", "sec-fetch-site": "cross-site"}
    for _ in range(2):
        if body == "urlencoded":
            answer = browser.post(leave, data={"List-Unsubscribe": "One-Click"}, headers=foreign)
        elif body == "multipart":
            answer = browser.post(leave, files={"List-Unsubscribe": (None, "One-Click")}, headers=foreign)
        else:
            answer = browser.post(leave)
        assert (answer.status_code, answer.history, answer.headers.get("set-cookie")) == (200, [], None)
    with ingested.database.reading() as session:
        person = subscriber_store.by_email(session, "ada@example.org")
        assert person is not None and person.state == "unsubscribed"
        assert person.state_note.startswith("left by the page" if body == "button" else "left by one click")


def test_leaving_one_profile_keeps_the_other(
    browser: TestClient, ingested: Service, outbox: OutboxFolder
) -> None:
    subscribe(browser, name="One")
    subscribe(browser, name="Two")
    browser.post(link(outbox, "confirm"))
    with ingested.database.reading() as session:
        one, _ = subscriber_store.profiles(session)
    leave = ingested.links.unsubscribe(one.subscriber_id, one.id).removeprefix(BASE)
    assert "“<span" in browser.get(leave).text
    browser.post(leave, data={"List-Unsubscribe": "One-Click"})
    with ingested.database.reading() as session:
        plans = {p.name: p.delivery.frequency for p in subscriber_store.profiles(session)}
    assert plans == {"One": "feed", "Two": "daily"}


def test_nobody_can_write_into_the_mail_of_a_confirmed_reader(
    browser: TestClient, ingested: Service, outbox: OutboxFolder
) -> None:
    subscribe(browser, name="Mine")
    browser.post(link(outbox, "confirm"))
    for number in range(25):
        subscribe(browser, name=f"Buy now {number}", every="daily")
    with ingested.database.reading() as session:
        profiles = subscriber_store.profiles(session)
    assert {p.delivery.frequency for p in profiles if p.name != "Mine"} == {"feed"}
    assert len(profiles) == 20


def test_a_link_that_was_changed_or_is_too_old_says_what_to_do(
    browser: TestClient, ingested: Service
) -> None:
    from datetime import timedelta

    changed = browser.get("/confirm/MTox.AAAA")
    assert changed.status_code == 404 and "copy the whole address" in changed.text
    old = ingested.links.preferences(1, NOW - timedelta(days=40)).removeprefix(BASE)
    page = browser.get(old)
    assert page.status_code == 410 and "too old" in page.text and 'action="/preferences"' in page.text


def test_mail_waits_for_the_scheduler_where_a_relay_is_set(ingested: Service, tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "var", base_url=BASE, smtp_host="mail.example.org")
    with TestClient(create_app(ingested, settings, lambda: NOW), base_url=BASE) as client:
        assert "outbox" not in subscribe(client).lower()
        assert "On this machine" not in client.get("/").text
    with ingested.database.reading() as session:
        assert [mail.state for mail in alert_store.outbox(session)] == ["queued"]
    assert deliver.send_due(ingested, NOW).sent == 1


def test_topics_of_the_latest_papers_are_there_to_begin_with(browser: TestClient, ingested: Service) -> None:
    assert "Or begin with a topic" not in browser.get("/").text
    with ingested.database.writing() as session:
        for number, stored in enumerate(paper_store.all_papers(session)[:3]):
            named = [Named("topic", "llm-inference", "LLM inference & <more>")]
            label_store.put(session, {stored.number: (NOW.date() - timedelta(days=number), named)})
    page = browser.get("/").text
    assert "Or begin with a topic" in page and "LLM inference &amp; &lt;more&gt;" in page
    begun = re.search(r'href="(/\?statement=LLM[^"]*)"', page)
    assert begun and '<article class="paper">' in browser.get(begun[1]).text
