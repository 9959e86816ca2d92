"""What the schema of the API says: names for clients, words for people, and every error."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.test_web_api import api, profile, settings

__all__ = ["api", "profile", "settings"]  # fixtures

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


@pytest.fixture
def schema(api: TestClient) -> dict[str, Any]:
    found: dict[str, Any] = api.get("/api/openapi.json").json()
    return found


def operations(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, found in schema["paths"].items():
        for method, operation in found.items():
            yield f"{method.upper()} {path}", operation


def named(part: Any) -> Iterator[str]:
    """The models that a part of the schema refers to."""
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"].rpartition("/")[2]
        part = list(part.values())
    if isinstance(part, list):
        for one in part:
            yield from named(one)


def reached(schema: dict[str, Any], part: Any) -> set[str]:
    """The same, and those that these refer to."""
    seen: set[str] = set()
    new = set(named(part))
    while new:
        seen |= new
        new = {name for model in new for name in named(schema["components"]["schemas"][model])} - seen
    return seen


def test_every_operation_has_a_name_for_clients_and_words_for_people(schema: dict[str, Any]) -> None:
    """The name is that of its function: a verb and what it is done to, as in `list_profiles`."""
    told = {tag["name"]: tag["description"] for tag in schema["tags"]}
    names = []
    for where, operation in operations(schema):
        names.append(operation["operationId"])
        assert re.fullmatch(r"[a-z]+(_[a-z0-9]+)+", operation["operationId"]), where
        assert operation["summary"] and operation["description"].endswith("."), where
        (tag,) = operation["tags"]
        assert told[tag].endswith("."), f"{where}: its tag has no words in app/web/api/app.py"
    assert len(names) == len(set(names))


def test_every_parameter_and_every_field_of_a_request_has_words(schema: dict[str, Any]) -> None:
    missing = [
        f"{where}: {parameter['name']}"
        for where, operation in operations(schema)
        for parameter in operation.get("parameters", [])
        if not parameter.get("description")
    ]
    bodies = [operation.get("requestBody", {}) for _, operation in operations(schema)]
    for model in sorted(reached(schema, bodies)):
        whole = schema["components"]["schemas"][model]
        assert whole.get("description"), model
        fields = whole.get("properties", {})
        missing += [f"{model}.{name}" for name, field in fields.items() if not field.get("description")]
    assert not missing, "give each of these a description"


def test_every_error_is_documented_as_a_problem(schema: dict[str, Any]) -> None:
    for where, operation in operations(schema):
        errors = {status for status in operation["responses"] if not status.startswith("2")}
        takes = bool(operation.get("parameters") or operation.get("requestBody"))
        assert ("422" in errors) is takes, where
        assert "429" in errors, where
        assert ("401" in errors) is bool(operation.get("security")), where
        for status in errors:
            answer = operation["responses"][status]
            assert answer["description"], where
            assert list(answer["content"]) == ["application/problem+json"], f"{where}: {status}"
