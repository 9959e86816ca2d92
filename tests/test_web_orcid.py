"""Pressing “Find my papers” with an ORCID iD in the form, without scripts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from app import build
from app.settings import Settings, SettingsError, load
from app.web.server import create_app
from db import paper_store, source_store, subscriber_store
from jobs.service import Service
from recommender.paper import Paper
from tests.conftest import NOW, WEB
from tests.fake_orcid import CARBERRY, FakeOrcid, work
from tests.test_web_drafts import value

EVIL = '</textarea><script>alert("1")</script> & more'
PRESS = {"edit": "byline", "byline": f"https://orcid.org/{CARBERRY}", "statement": "edge devices"}


@pytest.fixture
def fake() -> FakeOrcid:
    """An ORCID that lists nothing yet."""
    return FakeOrcid()


@pytest.fixture
def visitor(ingested: Service, tmp_path: Path, fake: FakeOrcid) -> Iterator[TestClient]:
    """Somebody at a service that asks this ORCID, six times a minute at most."""
    settings = Settings(data=tmp_path / "var", base_url=WEB, previews_per_minute=36)
    with fake.serving() as api:
        ingested.orcid = api
        with TestClient(create_app(ingested, settings, lambda: NOW), base_url=WEB) as client:
            yield client


def on_hand(service: Service, many: int) -> list[Paper]:
    with service.database.reading() as session:
        found = [s.paper for s in paper_store.all_papers(session) if s.paper.id.startswith("arxiv:")]
    return found[:many]


def listed(paper: Paper) -> dict[str, object]:
    return work(paper.title, ("arxiv", paper.id.removeprefix("arxiv:")), year="2025")


def test_an_orcid_id_brings_boxes_to_tick_and_they_become_the_profile(
    visitor: TestClient, ingested: Service, fake: FakeOrcid
) -> None:
    first, second = on_hand(ingested, 2)
    fake.groups = [listed(first), listed(second), work(EVIL, ("arxiv", "2401.00001"), year="2024")]
    assert "or your ORCID iD</label>" in visitor.get("/").text
    page = visitor.post("/read", data=PRESS).text
    assert len(fake.asked) == 1
    assert "ORCID lists 3 works, 2 on hand here: untick what is not yours. The others count by" in page
    for paper in (first, second):
        assert f'name="own" value="{paper.id}" checked' in page
    assert value(page, "likes") == "2401.00001", "as an id that is pasted and not on hand"
    assert "<script>alert" not in page
    assert unescape(value(page, "statement")).split("\n")[0] == "edge devices"
    assert "& more" in unescape(value(page, "statement"))
    assert CARBERRY not in page.partition('name="byline"')[2].partition(">")[0], "done with"

    sent = {"statement": "", "likes": value(page, "likes"), "own": [first.id], "every": "feed"}
    answer = visitor.post("/subscribe", data=sent, follow_redirects=False)
    assert answer.status_code == 303
    with ingested.database.reading() as session:
        ((profile, _),) = subscriber_store.active_profiles(session, at_most=2)
    assert set(profile.interests.seeds) == {first.id, "arxiv:2401.00001"}
    assert len(fake.asked) == 1, "subscribing asks nobody"

    own = ingested.links.preferences(profile.subscriber_id, NOW).removeprefix(WEB)
    for address in (f"{own}/profiles/{profile.id}/read", f"{own}/new/read"):
        assert f'name="own" value="{second.id}" checked' in visitor.post(address, data=PRESS).text
    assert len(fake.asked) == 3


def test_of_many_papers_on_hand_the_form_carries_all(
    visitor: TestClient, ingested: Service, fake: FakeOrcid
) -> None:
    more = [Paper(id=f"arxiv:2511.9000{n}", title=f"One more, number {n}") for n in range(3)]
    with ingested.database.writing() as session:
        source = source_store.add(session, name="s", kind="file", location="s", every_minutes=0, now=NOW)
        paper_store.merge(session, more, source.id, NOW)
    papers = on_hand(ingested, 42)
    fake.groups = [listed(paper) for paper in papers]
    page = visitor.post("/read", data=PRESS).text
    assert page.count('name="own"') == 40
    assert len(value(page, "likes").split()) == 2
    # All fields of the form at once, as a browser sends them with a file.
    names = set(re.findall(r'<(?:input|textarea|select)[^>]* name="(\w+)"', page)) - {"own", "library"}
    sent = {**dict.fromkeys(names, ""), "per_day": "5", "edit": "library", "own": [p.id for p in papers[:40]]}
    answer = visitor.post("/read", data=sent, files={"library": ("a.bib", b"@misc{a, title={Words}}")})
    assert answer.status_code == 200 and "0 of 1 entries" in answer.text


def test_of_thousands_the_note_says_how_many_were_looked_at(visitor: TestClient, fake: FakeOrcid) -> None:
    fake.groups = [work(f"Work {n}", ("doi", f"10.1000/w.{n}"), year="2020") for n in range(1_200)]
    page = visitor.post("/read", data=PRESS).text
    assert "ORCID lists 1,200 works, none on hand here. The others" in page
    assert "Only the latest 1000 were looked at." in page


def test_only_the_press_asks_and_only_so_often(visitor: TestClient, fake: FakeOrcid) -> None:
    visitor.get("/", params={"byline": CARBERRY, "edit": "byline", "statement": CARBERRY})
    visitor.get("/read", params=PRESS)
    assert "is no change of this form" in visitor.post("/preview", data=PRESS).text
    visitor.post("/subscribe", data={**PRESS, "every": "feed"})
    assert fake.asked == []
    answers = [visitor.post("/read", data=PRESS) for _ in range(7)]
    assert [answer.status_code for answer in answers] == [422] * 6 + [429]
    assert len(fake.asked) == 6


def test_what_goes_wrong_stands_at_the_field_and_keeps_what_was_typed(
    visitor: TestClient, fake: FakeOrcid
) -> None:
    answer = visitor.post("/read", data={**PRESS, "byline": "0000-0002-1825-0098"})
    assert answer.status_code == 422 and "the last digit does not fit" in answer.text
    assert fake.asked == []
    answer = visitor.post("/read", data=PRESS)
    assert "ORCID lists no public works" in answer.text and 'id="byline-error"' in answer.text
    fake.status = 503
    answer = visitor.post("/read", data=PRESS)
    assert answer.status_code == 422 and "ORCID did not answer. Try again in some minutes" in answer.text
    assert value(answer.text, "statement") == "edge devices"
    assert f'value="{PRESS["byline"]}"' in answer.text


def test_where_it_is_switched_off_the_form_says_so(browser: TestClient) -> None:
    page = browser.get("/").text
    assert "An ORCID cannot be looked up here." in page and "ORCID iD" not in page
    answer = browser.post("/read", data=PRESS)
    assert answer.status_code == 422 and "An ORCID iD cannot be looked up here; give your name" in answer.text


def test_the_setting_names_another_address_or_switches_it_off(tmp_path: Path) -> None:
    folder = str(tmp_path / "var")
    for given, address in (
        ({}, "https://pub.orcid.org/v3.0"),
        ({"PAPERWATCH_ORCID": "http://127.0.0.1:9/v3.0/"}, "http://127.0.0.1:9/v3.0"),
        ({"PAPERWATCH_ORCID": "off"}, ""),
    ):
        service = build.service(load({"PAPERWATCH_DATA": folder, **given}))
        assert service.orcid.address == address
        service.database.dispose()
    with pytest.raises(SettingsError, match=r"PAPERWATCH_ORCID='no': .*or be off"):
        load({"PAPERWATCH_ORCID": "no"})
