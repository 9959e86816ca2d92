"""The API: whose key it is, what it does, and that nothing it is sent breaks it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import feedparser
import pytest
import rispy
from starlette.testclient import TestClient
from typer.testing import CliRunner

from app import build
from app.cli import app as cli
from app.settings import Settings
from app.web.server import create_app
from db import key_store, subscriber_store
from jobs import indexing, subscribe
from jobs.service import Service
from jobs.sources import opml, weekly
from profiles.profile import Profile
from profiles.request import request
from tests.conftest import NOW

BASE = "http://papers.example.org"
KEY = "pw_a-key-of-these-tests-that-nobody-guesses"


@pytest.fixture
def profile(ingested: Service) -> Profile:
    indexing.index(ingested, NOW)
    wanted = request(email="ada@example.org", name="Inference", statement="speculative decoding and KV cache")
    made = subscribe.create(ingested, wanted, NOW, confirmed="by the test")
    with ingested.database.writing() as session:
        key_store.add(session, made.subscriber_id, "a script", KEY, NOW)
    return made


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path / "var", base_url=BASE)


@pytest.fixture
def api(ingested: Service, profile: Profile, settings: Settings) -> Iterator[TestClient]:
    headers = {"authorization": f"Bearer {KEY}"}
    with TestClient(create_app(ingested, settings, lambda: NOW), base_url=BASE, headers=headers) as client:
        yield client


def got(api: TestClient, path: str, status: int = 200, **params: Any) -> Any:
    answer = api.get(f"/api/v1{path}", params=params)
    assert answer.status_code == status, answer.text
    return answer.json()


def test_only_a_key_that_holds_opens_anything(api: TestClient, ingested: Service, profile: Profile) -> None:
    assert got(api, "/me") == {
        "email": "ada@example.org", "state": "confirmed", "since": "2025-11-20T12:00:00Z",
        "profiles": [profile.id],
    }  # fmt: skip
    for header in ("", "Bearer", "Bearer wrong", f"Basic {KEY}", f"bearer {KEY}x", "Bearer \xe9"):
        answer = api.get("/api/v1/me", headers={"authorization": header.encode("latin-1")})
        assert answer.status_code == 401, header
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert answer.json()["status"] == 401
    (key,) = got(api, "/keys")
    assert (key["name"], key["current"]) == ("a script", True)
    with ingested.database.writing() as session:
        stored = session.connection().exec_driver_sql("SELECT mark FROM api_key").scalar_one()
        assert KEY not in stored, "only a hash is kept"
    assert api.delete(f"/api/v1/keys/{key['id']}").status_code == 204
    got(api, "/me", 401)


def test_a_profile_of_another_reader_is_not_there(api: TestClient, ingested: Service) -> None:
    other = subscribe.create(ingested, request(name="Other", statement="anything"), NOW)
    for path in ("", "/digests", "/feeds", "/feedback", "/saved", "/export"):
        assert "no profile" in got(api, f"/profiles/{other.id}{path}", 404)["detail"]
    for method, path in (("put", "/pause"), ("delete", ""), ("post", "/feeds"), ("delete", "/pause")):
        body = {"json": {"until": "2026-01-01"}} if method == "put" else {}
        assert api.request(method, f"/api/v1/profiles/{other.id}{path}", **body).status_code == 404
    with ingested.database.reading() as session:
        assert subscriber_store.profile(session, other.id) == other


def test_a_profile_is_made_changed_and_deleted(api: TestClient) -> None:
    wanted = {
        "name": "Storage", "statement": "erasure coding", "terms": [{"term": "RAID=5", "weight": -1.5}],
        "authors": ["Ada Lovelace"], "categories": ["cs.DC"], "likes": ["https://arxiv.org/abs/2510.21419v1"],
        "mutes": {"terms": ["blockchain"], "authors": ["A B"], "categories": ["cs.CR"]}, "per_day": 3,
        "delivery": {"every": "weekly", "weekday": 2, "hour": 9, "zone": "Europe/Zurich", "explore": False},
    }  # fmt: skip
    made = api.post("/api/v1/profiles", json=wanted)
    assert made.status_code == 201
    found = made.json()
    assert found["terms"] == [{"term": "RAID=5", "weight": -1.5}]
    assert found["likes"] == ["arxiv:2510.21419"]
    assert found["mutes"] == wanted["mutes"]
    assert (found["delivery"]["every"], found["delivery"]["weekday"]) == ("weekly", 2)
    assert found["delivery"]["explore"] is False
    assert got(api, f"/profiles/{found['id']}") == found
    assert api.post("/api/v1/profiles", json=wanted).status_code == 409, "the name is taken"
    again = {name: value for name, value in found.items() if name not in ("id", "created_at", "feeds")}
    changed = api.put(f"/api/v1/profiles/{found['id']}", json=again | {"per_day": 7})
    assert changed.json() == found | {"per_day": 7}
    paused = api.put(f"/api/v1/profiles/{found['id']}/pause", json={"until": "2026-01-31"}).json()
    assert paused["delivery"]["paused_until"] == "2026-01-31"
    resumed = api.delete(f"/api/v1/profiles/{found['id']}/pause").json()
    assert resumed["delivery"]["paused_until"] is None
    exported = api.get(f"/api/v1/profiles/{found['id']}/export")
    assert "statement: erasure coding" in exported.text and "explore: no" in exported.text
    assert api.delete(f"/api/v1/profiles/{found['id']}").status_code == 204
    got(api, f"/profiles/{found['id']}", 404)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({}, "statement"),
        ({"statement": "x", "categories": ["Not A Category"]}, "categories.0"),
        ({"statement": "x", "likes": ["no paper"]}, "likes"),
        ({"statement": "x", "per_day": 0}, "per_day"),
        ({"statement": "x", "delivery": {"zone": "Mars/Olympus"}}, "zone"),
        ({"statement": "a\x00b"}, "statement"),
        ({"statement": "x", "colour": "red"}, "colour"),
    ],
)
def test_what_cannot_be_used_is_named(api: TestClient, wrong: dict[str, Any], field: str) -> None:
    answer = api.post("/api/v1/profiles", json=wrong)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["field"].endswith(field) and answer.json()["detail"]


def test_digests_have_reasons_that_add_up(api: TestClient, ingested: Service, profile: Profile) -> None:
    (digest,) = got(api, f"/profiles/{profile.id}/digests")["digests"]
    assert digest["papers"]
    for scored in digest["papers"] + digest["near"]:
        parts = sum(part["value"] for part in scored["contributions"])
        assert parts == pytest.approx(scored["score"], abs=1e-6)
    first = digest["papers"][0]
    assert first["reason"]
    alone = got(api, f"/profiles/{profile.id}/papers/{first['paper']['id']}")
    assert alone["score"] == pytest.approx(first["score"])
    older = got(api, f"/profiles/{profile.id}/digests", before=digest["batch"])
    assert older == {"digests": [], "next": None}


def test_feedback_counts_and_saved_papers_can_be_taken_along(api: TestClient, profile: Profile) -> None:
    key = got(api, f"/profiles/{profile.id}/digests")["digests"][0]["papers"][0]["paper"]["id"]
    address = f"/api/v1/profiles/{profile.id}/feedback"
    assert api.post(address, json={"paper": key, "opinion": "save"}).status_code == 204
    assert api.post(address, json={"paper": "arxiv:2101.00001", "opinion": "save"}).status_code == 404
    (said,) = got(api, f"/profiles/{profile.id}/feedback")
    assert (said["paper"], said["opinion"], said["via"]) == (key, "save", "api")
    saved = f"/profiles/{profile.id}/saved"
    assert [paper["id"] for paper in got(api, saved)["papers"]] == [key]
    ris = api.get(f"/api/v1{saved}", params={"format": "ris"})
    assert ris.headers["content-disposition"] == 'attachment; filename="saved.ris"'
    assert len(rispy.loads(ris.text)) == 1
    digest = api.get(f"/api/v1{saved}", params={"format": "digest"})
    assert [paper.id for paper in weekly.parse(digest.content).papers] == [key]
    assert json.loads(api.get(f"/api/v1{saved}", params={"format": "csl"}).text)[0]["id"] == key
    assert api.post(address, json={"paper": key, "opinion": "clear"}).status_code == 204
    assert got(api, saved)["papers"] == []


def test_papers_are_listed_searched_and_found(api: TestClient) -> None:
    whole, before = [], None
    while True:
        params = {"limit": 15} | ({"before": before} if before else {})
        page = got(api, "/papers", **params)
        whole += [paper["id"] for paper in page["papers"]]
        before = page["next"]
        if before is None:
            break
    assert len(whole) == len(set(whole)) == 40, "every paper of the samples once"
    some = got(api, "/papers", q="scheduling", limit=200)["papers"]
    assert 0 < len(some) < 40
    assert all("schedul" in json.dumps(paper).lower() for paper in some)
    tagged = got(api, "/papers", category="cs.PF")["papers"]
    assert tagged and all("cs.PF" in paper["categories"] for paper in tagged)
    assert got(api, "/papers", since="2100-01-01")["papers"] == []
    assert "looked for" in got(api, "/papers", 422, q="?!")["detail"]
    for name in ("arxiv:2510.21419", "2510.21419", "https://arxiv.org/abs/2510.21419v1"):
        assert got(api, f"/papers/{name}")["id"] == "arxiv:2510.21419"
    got(api, "/papers/arxiv:2101.00001", 404)
    assert "@misc" in api.get("/api/v1/papers", params={"format": "bibtex"}).text


def test_a_preview_ranks_without_storing(api: TestClient, profile: Profile) -> None:
    answer = api.post("/api/v1/preview", json={"statement": "cluster scheduling", "per_day": 4})
    assert answer.status_code == 200
    assert answer.json()["papers"] and answer.json()["ranked"] == 40
    assert [one["id"] for one in got(api, "/profiles")] == [profile.id]


def test_feed_addresses_are_told_and_renewed(api: TestClient, profile: Profile) -> None:
    old = got(api, f"/profiles/{profile.id}/feeds")
    new = api.post(f"/api/v1/profiles/{profile.id}/feeds").json()
    assert set(old.values()).isdisjoint(new.values())
    assert api.get(old["atom"].removeprefix(BASE)).status_code == 404
    for address in (new["atom"], new["saved_rss"]):
        assert not feedparser.parse(api.get(address.removeprefix(BASE)).content).bozo


def test_too_many_requests_are_told_when_to_come_back(
    ingested: Service, profile: Profile, tmp_path: Path
) -> None:
    settings = Settings(data=tmp_path / "var", base_url=BASE, api_per_minute=3, mail_requests_per_hour=2)
    app = create_app(ingested, settings, lambda: NOW)
    with TestClient(app, base_url=BASE, headers={"authorization": f"Bearer {KEY}"}) as api:
        assert [api.get("/api/v1/me").status_code for _ in range(4)] == [200, 200, 200, 429]
        refused = api.get("/api/v1/me")
        assert refused.headers["content-type"] == "application/problem+json"
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        form = {"email": "someone@example.org"}
        answers = [api.post("/preferences", data=form, follow_redirects=False) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [303, 303, 429]
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 3600
        assert "You can try again in <b>60 minutes</b>" in answers[-1].text
        guessed = [api.get("/api/v1/me", headers={"authorization": "Bearer guess"}) for _ in range(22)]
        assert [answer.status_code for answer in guessed][-2:] == [429, 429]


def test_previews_are_counted_by_key(ingested: Service, profile: Profile, tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "var", base_url=BASE, previews_per_minute=2)
    wanted = {"statement": "cluster scheduling"}
    with TestClient(create_app(ingested, settings, lambda: NOW), base_url=BASE) as api:
        asked = [api.post("/preview", data=wanted).status_code for _ in range(3)]
        assert asked == [200, 200, 429], "on the pages, by address"
        api.headers["authorization"] = f"Bearer {KEY}"
        answers = [api.post("/api/v1/preview", json=wanted) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 60


def test_errors_before_the_api_are_problems_too(api: TestClient) -> None:
    large = api.post("/api/v1/preview", content=b"x" * 3_000_000)
    foreign = api.post("/api/v1/preview", json={}, headers={"origin": "https://evil.example"})
    nowhere = api.get("/api/v1/nothing")
    assert [one.status_code for one in (large, foreign, nowhere)] == [413, 403, 404]
    for one in (large, foreign, nowhere):
        assert one.headers["content-type"] == "application/problem+json"


def test_a_key_is_marked_as_used_once_an_hour(api: TestClient, ingested: Service, profile: Profile) -> None:
    got(api, "/me")
    with ingested.database.reading() as session:
        (key,) = key_store.keys_of(session, profile.subscriber_id)
    assert key.used_at == NOW
    assert not key_store.needs_mark(key, NOW + timedelta(minutes=59))
    assert key_store.needs_mark(key, NOW + timedelta(hours=1))


def test_keys_are_made_and_revoked_on_my_page(
    ingested: Service, profile: Profile, settings: Settings
) -> None:
    mine = ingested.links.preferences(profile.subscriber_id, NOW).removeprefix(BASE)
    with TestClient(create_app(ingested, settings, lambda: NOW), base_url=BASE) as browser:
        assert "a script" in browser.get(f"{mine}/keys").text
        assert browser.post(f"{mine}/keys", data={"name": " "}).status_code == 422
        shown = browser.post(f"{mine}/keys", data={"name": "my <notes>"})
        (key,) = set(re.findall(r"pw_[\w-]{43}", shown.text))
        assert "my &lt;notes&gt;" in shown.text
        assert key not in browser.get(f"{mine}/keys").text, "it is shown once"
        asked = {"authorization": f"Bearer {key}"}
        keys = browser.get("/api/v1/keys", headers=asked).json()
        (number,) = [one["id"] for one in keys if one["current"]]
        assert browser.post(f"{mine}/keys/{number}/revoke", follow_redirects=False).status_code == 303
        assert browser.get("/api/v1/keys", headers=asked).status_code == 401
        assert browser.post(f"{mine}/keys/{number}/revoke").status_code == 404


def test_feeds_and_saved_papers_leave_from_my_page(
    api: TestClient, ingested: Service, profile: Profile
) -> None:
    mine = ingested.links.preferences(profile.subscriber_id, NOW).removeprefix(BASE)
    listed = opml.feeds(api.get(f"{mine}/feeds.opml").content)
    assert [title for title, _ in listed] == ["Inference", "Inference: saved"]
    for _, address in listed:
        assert not feedparser.parse(api.get(address.removeprefix(BASE)).content).bozo
    key = got(api, f"/profiles/{profile.id}/digests")["digests"][0]["papers"][0]["paper"]["id"]
    api.post(f"/api/v1/profiles/{profile.id}/feedback", json={"paper": key, "opinion": "save"})
    digest = api.get(f"{mine}/saved/digest")
    assert [paper.id for paper in weekly.parse(digest.content).papers] == [key]
    assert api.get(f"{mine}/saved/pdf").status_code == 404


def test_a_reader_takes_everything_along_and_is_forgotten(api: TestClient, ingested: Service) -> None:
    assert got(api, "/me/export")["subscriber"]["email"] == "ada@example.org"
    assert api.delete("/api/v1/me").status_code == 422
    assert api.delete("/api/v1/me", params={"sure": "yes"}).status_code == 204
    got(api, "/me", 401)
    with ingested.database.reading() as session:
        assert subscriber_store.by_email(session, "ada@example.org") is None


def test_the_operator_makes_keys_on_the_command_line(
    ingested: Service, profile: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "service", lambda: ingested)
    run = CliRunner()
    key = run.invoke(cli, ["profile", "key", "make", "Inference", "--name", "cron"]).output.strip()
    with ingested.database.reading() as session:
        found = key_store.owner(session, key)
    assert found is not None and found[1].id == profile.subscriber_id
    assert "cron" in run.invoke(cli, ["profile", "key", "list", "Inference"]).output
    assert run.invoke(cli, ["profile", "key", "revoke", "Inference", str(found[0].id)]).exit_code == 0
    with ingested.database.reading() as session:
        assert key_store.owner(session, key) is None
