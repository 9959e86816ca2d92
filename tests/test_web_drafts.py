"""The profile form on its way: chips, libraries and one's own papers, without scripts."""

from __future__ import annotations

import re
from dataclasses import replace

from starlette.testclient import TestClient

from app.web.typed import Typed
from db import subscriber_store
from jobs import subscribe
from jobs.service import Service
from profiles.delivery import DeliveryPlan
from profiles.profile import Profile
from profiles.request import request
from tests.conftest import NOW

BASE = "http://papers.example.org"
BIBTEX = "@misc{a, title={A paper that nobody here has seen}, doi={10.1000/unseen}}\n@misc{b, title={cut"


def value(page: str, field: str) -> str:
    """What stands in a text area."""
    found = re.search(rf'<textarea id="{field}"[^>]*>\n(.*?)</textarea>', page, re.DOTALL)
    assert found, field
    return found[1]


def press(browser: TestClient, page: str, label: str, address: str = "/preview") -> str:
    """Press the button of this label with the form as it stands."""
    button = re.search(rf'name="edit" value="([^"]*)"[^>]*aria-label="{re.escape(label)}"', page)
    assert button, label
    fields = ("statement", "terms", "likes", "authors", "categories", "mutes")
    sent = {field: value(page, field) for field in fields}
    return browser.post(address, data={**sent, "per_day": "5", "edit": button[1]}).text


def test_chips_show_what_was_understood_and_change_it_by_press(browser: TestClient) -> None:
    typed = "KV cache for serving, like 2510.19779\nby: Ada Lovelace\nblockchain = -1"
    page = browser.post("/preview", data={"statement": typed}).text
    assert value(page, "statement") == "KV cache for serving, like"
    assert value(page, "likes") == "2510.19779" and value(page, "authors") == "Ada Lovelace"
    page = press(browser, page, "More of KV cache")
    assert value(page, "terms") == "blockchain = -1\nKV cache"
    page = press(browser, page, "More of KV cache")
    assert "KV cache = 2" in value(page, "terms")
    page = press(browser, page, "More of blockchain")
    assert value(page, "terms").startswith("blockchain\n"), "one step over 0, which would say nothing"
    page = press(browser, page, "Take out blockchain")
    page = press(browser, page, "Take out Ada Lovelace")
    assert value(page, "terms") == "KV cache = 2" and value(page, "authors") == ""
    assert '<article class="paper">' in page


def test_a_change_that_cannot_be_made_is_explained(browser: TestClient) -> None:
    page = browser.post("/preview", data={"statement": "caches", "edit": "drop author Nobody"})
    assert page.status_code == 200 and "no author" in page.text and value(page.text, "statement") == "caches"
    assert "is no change of this form" in browser.post("/preview", data={"edit": "zap"}).text


def test_a_pasted_library_is_read_and_what_was_not_is_said(browser: TestClient) -> None:
    page = browser.post("/preview", data={"statement": BIBTEX}).text
    assert value(page, "statement") == "A paper that nobody here has seen."
    assert value(page, "likes") == "10.1000/unseen"
    assert "0 of 1 entries are papers on hand" in page and "Not read: line 2" in page


def test_a_file_is_read_into_the_form_beside_what_was_typed(browser: TestClient) -> None:
    file = {"library": ("mine.bib", BIBTEX.encode(), "text/plain")}
    fields = {"statement": "edge devices", "likes": "2510.19779", "email": "a@b.org", "edit": "library"}
    page = browser.post("/read", data=fields, files=file).text
    assert value(page, "statement").split("\n") == ["edge devices", "A paper that nobody here has seen."]
    assert value(page, "likes").split() == ["2510.19779", "10.1000/unseen"]
    assert 'value="a@b.org"' in page

    answer = browser.post("/read", data=fields, files={"library": ("x.bib", b"no library", "text/plain")})
    assert answer.status_code == 422 and "x.bib: no BibTeX, RIS" in answer.text
    assert value(answer.text, "statement") == "edge devices"
    assert "Choose a file first" in browser.post("/read", data={"edit": "library"}).text


def test_a_file_may_be_larger_than_a_form_but_not_without_end(browser: TestClient) -> None:
    big = BIBTEX.encode() + b" " * 500_000
    assert (
        browser.post("/read", data={"edit": "library"}, files={"library": ("a.bib", big)}).status_code == 200
    )
    huge = {"library": ("a.bib", b"@" * 3_000_000)}
    assert browser.post("/read", data={"edit": "library"}, files=huge).status_code == 413
    assert (
        browser.post("/preview", data={"edit": "library"}, files={"library": ("a", big)}).status_code == 413
    )


def test_ones_own_papers_are_found_by_name_and_ticked(browser: TestClient, ingested: Service) -> None:
    with ingested.database.reading() as session:
        from db import paper_store

        paper = next(s.paper for s in paper_store.all_papers(session) if len(s.paper.authors[0].split()) > 1)
    page = browser.post("/read", data={"edit": "byline", "byline": paper.authors[0]}).text
    assert f'name="own" value="{paper.id}" checked' in page
    assert page.count('name="own"') == 1 and "1 paper on hand by" in page
    page = browser.post("/preview", data={"own": [paper.id], "likes": "2510.19779"}).text
    assert value(page, "likes").split() == ["2510.19779", paper.id]
    page = browser.post("/read", data={"edit": "byline", "byline": "No One"}).text
    assert "No paper on hand is by" in page and re.search(r'name="byline"[^>]* value="No One"', page)
    assert "first and last name" in browser.post("/read", data={"edit": "byline", "byline": "One"}).text


PLAN = DeliveryPlan(days=(0, 2, 4), hour=6, alone=True, at_most=7, markdown=True, bibtex=True, explore=False)


def test_all_that_delivery_can_is_in_the_form_and_comes_back(browser: TestClient, ingested: Service) -> None:
    wanted = request(email="ada@example.org", statement="serving")
    profile = subscribe.create(ingested, replace(wanted, delivery=PLAN), NOW, confirmed="by the test")
    own = f"{ingested.links.preferences(profile.subscriber_id, NOW)}/profiles/{profile.id}".removeprefix(BASE)
    page = browser.get(own).text
    ticked = re.findall(r'name="(day\d|alone|markdown|bibtex)" value="\w+" checked', page)
    assert ticked == ["day0", "day2", "day4", "alone", "markdown", "bibtex"]
    sent = {
        "statement": "serving",
        "every": "daily",
        "days": "shown",
        "day0": "on",
        "day6": "on",
        "hour": "6",
    }
    browser.post(own, data={**sent, "hour": "6", "at_most": "3", "bibtex": "yes", "name": profile.name})
    changed = stored(ingested, profile)
    assert changed.delivery == DeliveryPlan(days=(0, 6), hour=6, at_most=3, bibtex=True, explore=False)
    browser.post(own, data={**sent, "explore": "yes", "name": profile.name})
    assert stored(ingested, profile).delivery == DeliveryPlan(days=(0, 6), hour=6)
    assert Typed.from_profile(profile, "").change("ada@example.org").delivery == PLAN

    answer = browser.post(own, data={"statement": "serving", "every": "daily", "days": "shown"})
    assert answer.status_code == 422 and "at least one day" in answer.text
    answer = browser.post(own, data={"statement": "serving", "at_most": "many"})
    assert answer.status_code == 422 and 'value="many"' in answer.text


def stored(service: Service, profile: Profile) -> Profile:
    with service.database.reading() as session:
        found = subscriber_store.profile(session, profile.id)
    assert found is not None
    return found
