"""What holds for every answer of the API: methods, addresses, and errors in words that say what to do."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.test_web_api import api, profile, settings

__all__ = ["api", "profile", "settings"]  # fixtures

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


def test_an_address_says_which_methods_it_takes(api: TestClient) -> None:
    for method, path, allowed in (
        ("OPTIONS", "/me", "DELETE, GET, HEAD"), ("PATCH", "/me", "DELETE, GET, HEAD"),
        ("DELETE", "/papers", "GET, HEAD"), ("GET", "/preview", "POST"),
    ):  # fmt: skip
        answer = api.request(method, f"/api/v1{path}")
        assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
        assert answer.json()["status"] == 405


def test_a_browser_on_another_site_reads_nothing(api: TestClient) -> None:
    asked = {"origin": "https://elsewhere.example", "access-control-request-method": "GET"}
    for answer in (api.options("/api/v1/me", headers=asked), api.get("/api/v1/me", headers=asked)):
        assert not [name for name in answer.headers if name.startswith("access-control")]
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"


def test_what_is_made_has_an_address(api: TestClient) -> None:
    made = api.post("/api/v1/profiles", json={"name": "Storage", "statement": "erasure coding"})
    assert made.status_code == 201
    assert api.get(made.headers["location"]).json() == made.json()


def test_a_head_is_that_of_its_get(api: TestClient) -> None:
    got, head = api.get("/api/v1/papers"), api.head("/api/v1/papers")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == got.headers["content-type"] == "application/json"


def test_who_types_the_address_by_hand_finds_the_reference(api: TestClient) -> None:
    for path in ("/api", "/api/", "/api/v1"):
        assert "<h1>API</h1>" in api.get(path).text


@pytest.mark.parametrize(
    ("sent", "detail"),
    [
        ({"content": '{"statement":"x"}'}, "Send a JSON object as the body, as application/json."),
        ({"json": []}, "Send a JSON object as the body, as application/json."),
        ({"json": {"terms": ["x"]}}, "terms.0 is to be an object."),
        ({"json": {"statement": "x", "per_day": 900}}, "per_day is to be 100 or less."),
        ({"json": {"statement": "x", "authors": "me"}}, "authors is to be a list."),
        (
            {"json": {"statement": "x", "colour": "red"}},
            "colour is no field here; /api/docs has those there are.",
        ),
        ({"json": {"statement": "x"}, "params": {"days": "many"}}, "days is to be a whole number."),
    ],
)
def test_an_error_says_what_to_send(api: TestClient, sent: dict[str, Any], detail: str) -> None:
    answer = api.post("/api/v1/preview", **sent)
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith(detail)


def test_an_address_that_is_none_leads_to_the_reference(api: TestClient) -> None:
    answer = api.get("/api/v1/nothing")
    assert answer.status_code == 404 and "/api/docs" in answer.json()["detail"]
