"""A profile through the API: changed by single things, taken apart, tried out; as its pages do it."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from html import escape
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from starlette.testclient import TestClient

from app.settings import Settings
from app.web.server import create_app
from db import paper_store, subscriber_store
from jobs import reading, subscribe
from jobs.service import Service
from profiles.edits import MOST_HELD
from profiles.profile import Profile
from recommender import text
from tests.conftest import NOW
from tests.test_web_api import BASE, KEY, api, got, profile, settings

__all__ = ["api", "profile", "settings"]  # fixtures


def stored(service: Service, profile: Profile) -> Profile:
    with service.database.reading() as session:
        found = subscriber_store.profile(session, profile.id)
    assert found is not None
    return found


def own_page(service: Service, profile: Profile) -> str:
    mine = service.links.preferences(profile.subscriber_id, NOW).removeprefix(BASE)
    return f"{mine}/profiles/{profile.id}"


def like(service: Service, profile: Profile, many: int) -> None:
    """The reader likes so many papers on hand, the profile's own first."""
    with service.database.writing() as session:
        others = [s.paper.id for s in paper_store.all_papers(session)]
        for at, key in enumerate(others[:many]):
            subscribe.rate(session, profile.id, key, "like", NOW - timedelta(minutes=60 - at), "page")


def test_single_things_change_and_all_else_stays(
    api: TestClient, ingested: Service, profile: Profile
) -> None:
    path = f"/api/v1/profiles/{profile.id}"
    before = got(api, f"/profiles/{profile.id}")
    changed = api.patch(path, json={"per_day": 9, "terms": [{"term": '"KV" cache', "weight": 2}]})
    assert changed.json() == before | {"per_day": 9, "terms": [{"term": '"KV" cache', "weight": 2.0}]}
    some = {"authors": ["Ada Lovelace"], "categories": ["cs.DC"], "likes": ["2510.21419v1"],
            "mutes": {"terms": ["author: of it"], "authors": ["A B"], "categories": ["cs.CR"]}}  # fmt: skip
    assert api.patch(path, json={"add": some}).status_code == 200
    again = api.patch(path, json={"add": some, "name": "  Decoding ", "delivery": {"hour": 9}}).json()
    assert (again["authors"], again["likes"]) == (["Ada Lovelace"], ["arxiv:2510.21419"])
    assert again["mutes"] == some["mutes"] and again["statement"] == before["statement"]
    assert again["name"] == "Decoding"
    assert again["delivery"] == before["delivery"] | {"hour": 9}
    fewer = {"terms": ["kv caches"], "authors": ["lovelace, ada"], "likes": ["arxiv.org/abs/2510.21419"],
             "categories": ["cs.DC"], "mutes": {"authors": ["a b"]}}  # fmt: skip
    less = api.patch(path, json={"drop": fewer, "statement": "edge devices"}).json()
    assert (less["terms"], less["authors"], less["categories"], less["likes"]) == ([], [], [], [])
    assert less["mutes"] == some["mutes"] | {"authors": []} and less["statement"] == "edge devices"
    assert less == got(api, f"/profiles/{profile.id}")


def test_what_a_new_statement_names_is_added_in_its_field(api: TestClient, profile: Profile) -> None:
    sentence = "edge devices, 2510.21419, cs.OS"
    found = api.patch(f"/api/v1/profiles/{profile.id}", json={"statement": sentence}).json()
    assert found["statement"] == "edge devices"
    assert (found["likes"], found["categories"]) == (["arxiv:2510.21419"], ["cs.OS"])


def test_a_change_of_delivery_keeps_what_it_does_not_name(api: TestClient, profile: Profile) -> None:
    path = f"/api/v1/profiles/{profile.id}"
    plan = {"every": "weekly", "weekday": 2, "zone": "Europe/Zurich", "at_most": 7}
    assert api.patch(path, json={"delivery": plan}).json()["delivery"]["at_most"] == 7
    daily = api.patch(path, json={"delivery": {"every": "daily", "at_most": None}}).json()["delivery"]
    assert (daily["days"], daily["zone"], daily["at_most"]) == ([0, 1, 2, 3, 4, 5, 6], "Europe/Zurich", None)


def test_a_library_of_a_thousand_likes_gains_and_loses_one(
    api: TestClient, ingested: Service, profile: Profile
) -> None:
    seeds = tuple(f"arxiv:2001.{number:05d}" for number in range(MOST_HELD - 1))
    with ingested.database.writing() as session:
        large = replace(profile, interests=replace(profile.interests, seeds=seeds))
        subscriber_store.change_profile(session, large, NOW)
    path = f"/api/v1/profiles/{profile.id}"
    edit = {"add": {"likes": ["2510.21419"]}, "drop": {"likes": ["2001.00001"]}}
    assert api.patch(path, json=edit).status_code == 200
    kept = stored(ingested, profile).interests
    assert kept.seeds == (seeds[0], *seeds[2:], "arxiv:2510.21419") and kept.statement
    more = api.patch(path, json={"add": {"likes": ["2510.00001", "2510.00002"]}})
    assert more.status_code == 409 and "at most 5,000" in more.json()["detail"]


@pytest.mark.parametrize(
    ("edit", "status", "words"),
    [
        ({"drop": {"authors": ["Nobody"]}}, 409, "has no author 'Nobody' to drop; there is none"),
        ({"statement": " "}, 409, "Nothing would be left"),
        ({"name": "Other"}, 409, "a profile named “Other” already"),
        ({"terms": [{"term": "x", "weight": 4}]}, 422, "terms.0.weight"),
        ({"add": {"likes": ["my favourite paper"]}}, 422, "my favourite paper"),
        ({"delivery": {"zone": "Mars/Olympus"}}, 422, "is no time zone"),
        ({"colour": "red"}, 422, "colour"),
    ],
)
def test_what_cannot_be_changed_is_refused_whole(
    api: TestClient, ingested: Service, profile: Profile, edit: dict[str, Any], status: int, words: str
) -> None:
    assert api.post("/api/v1/profiles", json={"name": "Other", "statement": "x"}).status_code == 201
    answer = api.patch(f"/api/v1/profiles/{profile.id}", json={"per_day": 50} | edit)
    assert (answer.status_code, words in answer.json()["detail"]) == (status, True), answer.text
    assert stored(ingested, profile) == profile


def test_weights_are_those_of_the_page(api: TestClient, ingested: Service, profile: Profile) -> None:
    api.patch(f"/api/v1/profiles/{profile.id}", json={"terms": [{"term": "autoscaling", "weight": -2}]})
    found = got(api, f"/profiles/{profile.id}/weights")
    page = api.get(f"{own_page(ingested, profile)}/weights").text
    assert [one["term"] for one in found] == re.findall(r'name="term\d+" value="([^"]+)"', page)
    sliders = [float(value) for value in re.findall(r'name="weight\d+"[^>]* value="([^"]+)"', page)]
    assert [one["stated"] or 0 for one in found] == sliders
    (stated,) = [one for one in found if one["stated"] is not None]
    assert (text.term(stated["term"]), stated["stated"], stated["weight"] < 0) == ("autoscaling", -2, True)
    sizes = [abs(one["weight"]) for one in found]
    assert sizes == sorted(sizes, reverse=True)
    assert got(api, f"/profiles/{profile.id}/weights", limit=3) == found[:3]


def test_other_weights_bring_what_the_page_says_and_store_nothing(
    api: TestClient, ingested: Service, profile: Profile
) -> None:
    edit = {"terms": [{"term": "speculative decoding", "weight": -3}]}
    found = api.post(f"/api/v1/profiles/{profile.id}/what-if", json=edit).json()
    form = {"term0": "speculative decoding", "weight0": "-3", "fragment": "1"}
    page = api.post(f"{own_page(ingested, profile)}/weights", data=form).text
    dropped, _, come = page.partition("Would come")
    papers = re.compile(r'href="/papers/([^"]+)"')
    assert [one["paper"]["id"] for one in found["papers"]] == papers.findall(come)
    assert [one["paper"]["id"] for one in found["left"]] == papers.findall(dropped)
    new = [one for one in found["papers"] if one["before"] is None]
    assert f"{len(new)} in" in page.replace("None in", "0 in").replace("no papers in", "0 in")
    assert found["left"] and found["ranked"] == 40
    now = got(api, f"/profiles/{profile.id}")
    muted = api.post(
        f"/api/v1/profiles/{profile.id}/what-if", json={"add": {"mutes": {"terms": ["decoding"]}}}
    ).json()
    assert all("decoding" not in one["paper"]["title"].lower() for one in muted["papers"])
    assert got(api, f"/profiles/{profile.id}") == now and stored(ingested, profile) == profile
    same = api.post(f"/api/v1/profiles/{profile.id}/what-if", json={}).json()
    assert [one["before"] for one in same["papers"]] == list(range(1, len(same["papers"]) + 1))


def test_what_is_saved_is_what_was_tried(api: TestClient, profile: Profile) -> None:
    path = f"/api/v1/profiles/{profile.id}"
    edit = {"statement": "cluster scheduling", "add": {"categories": ["cs.DC"]}, "per_day": 3}
    tried = api.post(f"{path}/what-if", json=edit).json()
    api.patch(path, json=edit)
    saved = api.post(f"{path}/what-if", json={}).json()
    assert [one["paper"]["id"] for one in saved["papers"]] == [one["paper"]["id"] for one in tried["papers"]]


def test_a_preview_of_a_profile_counts_its_ratings_as_its_form_does(
    api: TestClient, ingested: Service, profile: Profile
) -> None:
    like(ingested, profile, 4)
    wanted = {"statement": "cluster scheduling, cs.DC", "per_day": 4}
    found = api.post(f"/api/v1/profiles/{profile.id}/preview", json=wanted).json()
    form = {"statement": wanted["statement"], "per_day": "4"}
    page = api.post(f"{own_page(ingested, profile)}/preview", data=form).text
    alone = api.post("/api/v1/preview", json=wanted).json()
    assert found["understood"]["categories"] == alone["understood"]["categories"] == ["cs.DC"]
    assert [one["score"] for one in found["papers"]] != [one["score"] for one in alone["papers"]]
    titles = [one["paper"]["title"] for one in found["papers"]]
    places = [page.find(escape(title)) for title in titles]
    assert -1 not in places and places == sorted(places)


def test_the_back_test_has_the_numbers_of_its_plot(
    api: TestClient, ingested: Service, profile: Profile
) -> None:
    path = f"/profiles/{profile.id}/backtest"
    assert got(api, path)["trials"] == []
    assert "can be tried yet" in got(api, path, 404, format="svg")["detail"]
    like(ingested, profile, 3)
    found = got(api, path)
    page = api.get(f"{own_page(ingested, profile)}/backtest").text
    assert found["sentence"] in page and found["cut"] == 20
    assert len(found["trials"]) == 3
    assert found["within"] == sum(trial["rank"] <= 20 for trial in found["trials"])
    assert found["by_chance"] == pytest.approx(sum(min(1, 20 / trial["of"]) for trial in found["trials"]))
    plot = api.get(f"/api/v1{path}", params={"format": "svg"})
    assert plot.headers["content-type"] == "image/svg+xml" and plot.text in page
    assert ET.fromstring(plot.text).tag == "{http://www.w3.org/2000/svg}svg"


def test_what_costs_much_has_limits_of_its_own(ingested: Service, profile: Profile, tmp_path: Path) -> None:
    some = Settings(data=tmp_path / "var", base_url=BASE, previews_per_minute=2)
    app = create_app(ingested, some, lambda: NOW)
    with TestClient(app, base_url=BASE, headers={"authorization": f"Bearer {KEY}"}) as api:
        path = f"/api/v1/profiles/{profile.id}"
        page = own_page(ingested, profile)
        for each in (path, page):
            assert [api.get(f"{each}/backtest").status_code for _ in range(2)] == [200, 429]
        tried = [api.post(f"{path}/what-if", json={}) for _ in range(3)]
        assert [answer.status_code for answer in tried] == [200, 200, 429]
        assert 1 <= int(tried[-1].headers["retry-after"]) <= 60
        assert [api.get(each).status_code for each in (path, page)] == [200, 200]


def test_the_volume_of_a_profile_is_that_of_its_page(
    api: TestClient, ingested: Service, profile: Profile
) -> None:
    like(ingested, profile, 2)
    found = got(api, f"/profiles/{profile.id}/volume")
    assert sum(found["days"]) == len(reading.latest(ingested, profile, NOW, 100)) > 0
    assert (len(found["days"]), found["liked"], found["saved"]) == (30, 2, 0)


def test_the_strongest_parts_and_the_rest_add_up_as_all_do(
    api: TestClient, ingested: Service, profile: Profile
) -> None:
    like(ingested, profile, 5)
    path = f"/profiles/{profile.id}/digests"
    (few,), (whole,) = got(api, path)["digests"], got(api, path, parts=0)["digests"]
    assert len(few["papers"]) == len(whole["papers"]) > 0
    for some, every in zip(few["papers"] + few["near"], whole["papers"] + whole["near"], strict=True):
        assert some["score"] == every["score"] and len(some["contributions"]) <= 9
        assert some["contributions"][:8] == every["contributions"][:8]
        assert sum(part["value"] for part in some["contributions"]) == pytest.approx(some["score"], abs=1e-6)
    assert [part["kind"] for part in few["papers"][0]["contributions"]].count("rest") == 1
    key = few["papers"][0]["paper"]["id"]
    alone = got(api, f"/profiles/{profile.id}/papers/{key}", parts=2)
    assert len(alone["contributions"]) == 3
