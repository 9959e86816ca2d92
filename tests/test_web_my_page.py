"""My page: everything that a subscriber sees and changes by their private link."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from app.settings import Settings
from app.web.pages import SHOWN_PARTS
from app.web.server import create_app
from db import subscriber_store
from jobs import reading, subscribe
from jobs.service import Service
from profiles.profile import Profile
from profiles.request import request
from tests.conftest import NOW

BASE = "http://papers.example.org"


@pytest.fixture
def profile(ingested: Service) -> Profile:
    wanted = request(
        email="ada@example.org", name="LLM inference", statement="KV cache and speculative decoding",
        terms=["autoscaling=2"], authors=["Ada Lovelace"], mutes=["author: Nobody"], per_day=4,
        every="weekly", weekday=2, hour=9, zone="Europe/Zurich",
    )  # fmt: skip
    return subscribe.create(ingested, wanted, NOW, confirmed="by the test")


@pytest.fixture
def mine(ingested: Service, profile: Profile) -> str:
    return ingested.links.preferences(profile.subscriber_id, NOW).removeprefix(BASE)


def stored(service: Service, number: int) -> Profile | None:
    with service.database.reading() as session:
        return subscriber_store.profile(session, number)


def test_my_page_shows_papers_reasons_feeds_and_the_plan(
    browser: TestClient, mine: str, ingested: Service, profile: Profile
) -> None:
    page = browser.get(mine).text
    best = reading.latest(ingested, profile, NOW, 1)[0].item
    assert best.paper.title.split(":")[0] in page and "<b>Why:</b>" in page
    assert "mail on Wednesdays at 09:00" in page and "Europe/Zurich" in page
    for form in ("rss", "atom", "json"):
        assert f'value="{ingested.links.feed(profile.feed_token, form)}"' in page
    assert '<link rel="alternate" type="application/rss+xml"' in page
    assert "noindex" in page


def test_a_day_without_papers_says_so_and_why(
    ingested: Service, mine: str, profile: Profile, tmp_path: Path
) -> None:
    saturday = NOW + timedelta(days=2)
    settings = Settings(data=tmp_path / "var", base_url=BASE)
    said = "Nothing today so far."
    for now, words in (
        (saturday, f"{said} arXiv announces nothing on a weekend."), (NOW + timedelta(days=1), f"{said}</p>")
    ):  # fmt: skip
        with TestClient(create_app(ingested, settings, lambda now=now: now), base_url=BASE) as later:  # type: ignore[misc]
            assert words in later.get(mine).text
    with TestClient(create_app(ingested, settings, lambda: NOW), base_url=BASE) as today:
        assert said not in today.get(mine).text


def test_the_plan_of_a_weekly_mail_is_told_with_its_day(browser: TestClient, mine: str) -> None:
    assert "Mail on Wednesdays at 09:00 (Europe/Zurich)." in browser.get(f"{mine}/delivery").text


@pytest.mark.parametrize(
    ("address", "name"),
    [("/", "Subscribe"), ("/papers?q=cache", "Papers"), ("/trends", "Trends"), ("", "My papers")],
)
def test_the_main_navigation_marks_where_one_is(
    browser: TestClient, mine: str, address: str, name: str
) -> None:
    page = browser.get(address or mine).text
    nav = page[page.index('<nav aria-label="Main">') : page.index("</nav>")]
    assert re.findall(r'aria-current="page">([^<]+)', nav) == [name]


def test_profiles_stand_side_by_side(browser: TestClient, mine: str, profile: Profile) -> None:
    added = browser.post(
        f"{mine}/new", data={"statement": "flash storage", "name": "Storage", "every": "daily"}
    )
    assert "The profile is added" in added.text and 'aria-current="true"><b dir="auto">Storage' in added.text
    page = browser.get(mine).text
    assert 'aria-current="true"><b dir="auto">LLM inference' in page and ">Storage</b>" in page


def test_a_second_profile_of_the_same_name_is_refused(browser: TestClient, mine: str) -> None:
    answer = browser.post(f"{mine}/new", data={"statement": "flash", "name": "LLM inference"})
    assert answer.status_code == 422 and "already" in answer.text


def test_rating_by_button_is_recorded_and_taken_back(
    browser: TestClient, mine: str, ingested: Service, profile: Profile
) -> None:
    paper = reading.latest(ingested, profile, NOW, 1)[0].item.paper
    said = {"profile": str(profile.id), "paper": paper.id}
    page = browser.post(f"{mine}/rate", data={**said, "opinion": "like"}).text
    assert 'value="clear" data-opinion="like" aria-pressed="true"' in page
    page = browser.post(f"{mine}/rate", data={**said, "opinion": "clear"}).text
    assert 'aria-pressed="true"' not in page
    with ingested.database.reading() as session:
        events = subscriber_store.feedback(session, [profile.id])[profile.id]
    assert [(e.opinion, e.via) for e in events] == [("like", "page"), ("clear", "page")]


def test_the_edit_form_gives_back_what_it_shows(
    browser: TestClient, mine: str, ingested: Service, profile: Profile
) -> None:
    from app.web.typed import Typed

    typed = Typed.from_profile(profile, "ada@example.org")
    sent = {name: getattr(typed, name) for name in Typed.__slots__}
    assert "Saved." in browser.post(f"{mine}/profiles/{profile.id}", data=sent).text
    assert stored(ingested, profile.id) == profile


def test_editing_changes_what_the_form_says_and_keeps_the_pause(
    browser: TestClient, mine: str, ingested: Service, profile: Profile
) -> None:
    own = f"{mine}/profiles/{profile.id}"
    browser.post(f"{own}/pause", data={"until": "2025-12-24"})
    browser.post(own, data={"name": "Serving", "statement": "serving", "per_day": "9", "every": "announced"})
    changed = stored(ingested, profile.id)
    assert changed is not None
    assert (changed.name, changed.per_day, changed.delivery.frequency) == ("Serving", 9, "announced")
    assert changed.delivery.paused_until == date(2025, 12, 24)
    assert "No mail until <b>Wed 24 Dec</b>" in browser.get(mine).text
    browser.post(f"{own}/pause")
    assert stored(ingested, profile.id) == replace(
        changed, delivery=replace(changed.delivery, paused_until=None)
    )


def test_the_preview_of_an_edit_saves_nothing(
    browser: TestClient, mine: str, ingested: Service, profile: Profile
) -> None:
    page = browser.post(
        f"{mine}/profiles/{profile.id}", data={"statement": "flash storage", "preview": "yes"}
    ).text
    assert "flash storage" in page and "What you would have received" in page
    assert stored(ingested, profile.id) == profile


def test_a_renewed_feed_address_ends_the_old_one(
    browser: TestClient, mine: str, ingested: Service, profile: Profile
) -> None:
    assert browser.get(f"/feeds/{profile.feed_token}.rss").status_code == 200
    browser.post(f"{mine}/profiles/{profile.id}/renew")
    assert browser.get(f"/feeds/{profile.feed_token}.rss").status_code == 404
    changed = stored(ingested, profile.id)
    assert changed is not None
    assert browser.get(f"/feeds/{changed.feed_token}.rss").status_code == 200


def test_a_deleted_profile_is_gone_with_its_feed(
    browser: TestClient, mine: str, ingested: Service, profile: Profile
) -> None:
    page = browser.post(f"{mine}/profiles/{profile.id}/delete").text
    assert "You have no profile" in page
    assert stored(ingested, profile.id) is None
    assert browser.get(f"/feeds/{profile.feed_token}.rss").status_code == 404
    assert "flash" in browser.post(f"{mine}/new", data={"statement": "flash", "name": "A new one"}).text


def test_one_can_leave_and_come_back(
    browser: TestClient, mine: str, ingested: Service, profile: Profile
) -> None:
    assert "You have left" in browser.post(f"{mine}/leave").text
    assert "Send me mail again" in browser.get(mine).text
    assert "Welcome back" in browser.post(f"{mine}/return").text
    with ingested.database.reading() as session:
        person = subscriber_store.subscriber(session, profile.subscriber_id)
    assert person is not None and person.state == "confirmed"


def test_nobody_reaches_the_profile_of_another(
    browser: TestClient, mine: str, ingested: Service, profile: Profile
) -> None:
    wanted = request(email="eve@example.org", statement="storage")
    other = subscribe.create(ingested, wanted, NOW, confirmed="by the test")
    paper = reading.latest(ingested, profile, NOW, 1)[0].item.paper
    assert browser.get(f"{mine}?profile={other.id}").status_code == 404
    assert browser.get(f"{mine}/profiles/{other.id}").status_code == 404
    for change in ("", "/pause", "/renew", "/delete"):
        assert browser.post(f"{mine}/profiles/{other.id}{change}", data={"statement": "x"}).status_code == 404
    said = {"profile": str(other.id), "paper": paper.id, "opinion": "like"}
    assert browser.post(f"{mine}/rate", data=said).status_code == 404
    assert stored(ingested, other.id) == other


def test_a_page_takes_as_many_queries_for_many_papers_as_for_few(
    browser: TestClient, mine: str, ingested: Service, profile: Profile
) -> None:
    from sqlalchemy import event

    statements: list[str] = []

    def note(*arguments: object) -> None:
        statements.append(str(arguments[2]))

    event.listen(ingested.database.engine, "before_cursor_execute", note)
    browser.get(mine)
    many = len(statements)
    few_wanted = request(email="bob@example.org", statement="KV cache", per_day=1)
    few = subscribe.create(ingested, few_wanted, NOW, confirmed="by the test")
    assert len(reading.latest(ingested, few, NOW)) < len(reading.latest(ingested, profile, NOW))
    link = ingested.links.preferences(few.subscriber_id, NOW - timedelta(days=1)).removeprefix(BASE)
    statements.clear()
    ingested.learned.clear()  # so that the weights are looked for, as they were for the first one
    browser.get(link)
    assert abs(len(statements) - many) <= 1, "the seeds and ratings of a profile may take one more"


def test_a_papers_page_tells_all_that_is_known(
    browser: TestClient, ingested: Service, profile: Profile
) -> None:
    paper = reading.latest(ingested, profile, NOW, 1)[0].item.paper
    page = browser.get(f"/papers/{paper.id}").text
    assert f"https://arxiv.org/abs/{paper.id.removeprefix('arxiv:')}" in page
    assert all(name in page for name in paper.sources)
    missing = browser.get("/papers/arxiv:0704.0001")
    assert missing.status_code == 404 and "not on hand" in missing.text


def test_a_paper_is_called_as_strong_on_its_page_as_on_mine(
    browser: TestClient, mine: str, ingested: Service, profile: Profile
) -> None:
    best = reading.latest(ingested, profile, NOW, 1)[0].item
    with ingested.database.writing() as session:
        assert subscribe.rate(session, profile.id, best.paper.id, "dislike", NOW, "page")
    own = reading.paper(ingested, best.paper.id)
    assert own is not None
    told = reading.explained_paper(ingested, profile, own, NOW)
    anew = reading.explained_paper(ingested, profile, own, NOW, anew=True)
    assert reading.latest(ingested, profile, NOW, 1)[0].item.strength == told.strength == best.strength
    assert anew.strength != told.strength and anew.score == told.score
    bar = f"</span>{told.strength}</span>"
    page = browser.get(f"{mine}/papers/{best.paper.id}?profile={profile.id}").text
    assert bar in page and bar in browser.get(mine).text


def test_only_the_strongest_parts_of_a_score_have_bars(
    browser: TestClient, mine: str, ingested: Service, profile: Profile
) -> None:
    best = reading.latest(ingested, profile, NOW, 1)[0].item
    with ingested.database.writing() as session:
        assert subscribe.rate(session, profile.id, best.paper.id, "like", NOW, "page")
    rating = ingested.links.rate_base(profile.id, best.paper.id).removeprefix(BASE)
    for page in (
        browser.get(f"{mine}/papers/{best.paper.id}?profile={profile.id}"),
        browser.post(f"{rating}/like", data={"via": "page"}),
    ):
        (table,) = re.findall(r'<table class="parts">.*?</table>', page.text, re.DOTALL)
        assert table.count("<tr") <= SHOWN_PARTS + 3
        assert re.search(r"\d+ smaller parts", table)
