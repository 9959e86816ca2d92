"""What the API's schema says of a profile is what the service takes, no more and no less."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema_rs import Draft202012Validator, validator_for
from starlette.testclient import TestClient

from app.web.api import rules
from profiles.request import RequestError, request
from recommender.paper import paper_key
from tests.test_web_api import api, profile, settings

__all__ = ["api", "profile", "settings"]  # fixtures

WAYS = list(rules.references().values())


def is_named(text: str) -> bool:
    return any(re.search(way, text) for way in WAYS)


@pytest.mark.parametrize(
    "reference",
    [
        "2510.21419", "2510.21419v12", "arXiv: 2510.21419", " arxiv:2510.21419v1.pdf ", "0704.0001",
        "hep-th/9901001", "math.GT/0309136v2", "https://arxiv.org/abs/2510.21419?context=cs",
        "https://ARXIV.org/e-print/cs/0001001", "oai:arXiv.org:2510.21419", "10.48550/arXiv.2510.21419",
        "10.1000/xyz", "https://doi.org/10.1101/2025.10.28.123", "hash:0123", " ", "",
    ],
)  # fmt: skip
def test_each_way_to_name_a_paper_is_in_the_schema(reference: str) -> None:
    assert is_named(reference)
    request(statement="x", likes=[reference])


@pytest.mark.parametrize(
    "reference",
    ["2510.214", "2513.21419", "a 2510.21419", "2510.21419 b", "my paper", "10.1/x", "arxiv.org/list/cs.LG",
     "https://example.org/abs/2510.21419", "hep-th/990100", "10.1000/ x"],
)  # fmt: skip
def test_what_names_no_paper_is_not_in_the_schema(reference: str) -> None:
    assert not is_named(reference)
    with pytest.raises(RequestError):
        request(statement="x", likes=[reference])


@given(st.data())
def test_whatever_the_schema_takes_for_a_paper_is_one(data: st.DataObject) -> None:
    named = data.draw(st.from_regex(data.draw(st.sampled_from(WAYS))))
    if named.strip():
        paper_key(named)


@given(st.text(st.sampled_from("arxivOGdp:./10-2548 v\n<x"), max_size=24))
def test_whatever_is_a_paper_is_in_the_schema(text: str) -> None:
    try:
        paper_key(text)
    except ValueError:
        assert not is_named(text) or not text.strip()
    else:
        assert is_named(text)


def validator(api: TestClient, model: str) -> Any:
    schema = api.get("/api/openapi.json").json()
    whole = {"$ref": f"#/components/schemas/{model}", "components": schema["components"]}
    found = validator_for(whole, validate_formats=True)
    assert isinstance(found, Draft202012Validator)
    return found


BODIES: tuple[tuple[dict[str, Any], bool], ...] = (
    ({}, False),
    ({"statement": " \n"}, False),
    ({"statement": "", "authors": ["", " "], "likes": [" "], "terms": [], "categories": []}, False),
    ({"mutes": {"terms": ["blockchain"]}, "per_day": 3}, False),
    ({"statement": "caches"}, True),
    ({"authors": ["", "Ada Lovelace"]}, True),
    ({"likes": ["", "2510.21419"]}, True),
    ({"likes": ["my favourite paper"]}, False),
    ({"categories": ["math.*"]}, True),
    ({"categories": ["Mathematics"]}, False),
    ({"terms": [{"term": "KV cache"}]}, True),
    ({"terms": [{"term": " "}], "statement": "caches"}, False),
    ({"terms": [{"term": "x" * 120, "weight": -2.5}]}, True),
    ({"terms": [{"term": "x" * 121}]}, False),
    ({"terms": [{"term": "x", "weight": 3.5}]}, False),
    ({"authors": ["x" * 200]}, True),
    ({"authors": ["x" * 201]}, False),
    ({"statement": "x", "mutes": {"authors": ["x" * 201]}}, False),
    ({"statement": "x", "name": "x" * 121}, False),
    ({"statement": "x", "delivery": {"zone": "Europe/Zurich"}}, True),
    ({"statement": "x", "delivery": {"zone": "Europe/Atlantis"}}, False),
    ({"statement": "x", "delivery": {"days": []}}, False),
    ({"statement": "x", "delivery": {"every": "hourly"}}, False),
)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_profile_is_taken_where_the_schema_says_so(api: TestClient) -> None:
    profiles, wanted = validator(api, "ProfileIn"), validator(api, "Wanted")
    for at, (body, taken) in enumerate(BODIES):
        assert profiles.is_valid(body) is taken, body
        answer = api.post("/api/v1/profiles", json={"name": f"Number {at}"} | body)
        assert answer.status_code == (201 if taken else 422), body
        interest = {name: held for name, held in body.items() if name not in ("name", "delivery")}
        status = api.post("/api/v1/preview", json=interest).status_code
        assert status == (200 if wanted.is_valid(interest) else 422), body
