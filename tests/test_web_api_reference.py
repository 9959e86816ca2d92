"""What the schema of the API says: names for clients, words for people, and every error."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from jsonschema_rs import validator_for
from starlette.testclient import TestClient

from app.web.api.examples import Examples, curl
from app.web.api.kinds import kind
from db.session import Database
from tests.test_web_api import api, profile, settings

__all__ = ["api", "profile", "settings"]  # fixtures


@pytest.fixture
def database(tmp_path: Path, migrated: Path) -> Iterator[Database]:
    """On SQLite alone: no page here shows what is stored."""
    file = tmp_path / "paperwatch.db"
    shutil.copyfile(migrated, file)
    made = Database(f"sqlite:///{file}")
    yield made
    made.dispose()


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


class Marks(HTMLParser):
    """The anchors of a page, where its links lead, and its scripts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.scripts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        held = {name: value or "" for name, value in attrs}
        self.ids += [held["id"]] if "id" in held else []
        self.links += [held["href"]] if tag == "a" else []
        self.scripts += [held["src"]] if tag == "script" else []


@pytest.fixture
def pages(api: TestClient, schema: dict[str, Any]) -> dict[str, str]:
    """The pages of the reference by their address."""
    start = api.get("/api/docs").text
    chapters = {f"/api/docs/{operation['tags'][0]}" for _, operation in operations(schema)}
    return {"/api/docs": start} | {address: api.get(address).text for address in sorted(chapters)}


def test_the_reference_tells_of_every_operation_and_once_of_every_model(
    schema: dict[str, Any], pages: dict[str, str]
) -> None:
    marks = {address: Marks(page) for address, page in pages.items()}
    anchors = Counter(f"{address}#{one}" for address, found in marks.items() for one in found.ids)
    for where, operation in operations(schema):
        home = f"/api/docs/{operation['tags'][0]}"
        assert anchors[f"{home}#{operation['operationId']}"] == 1
        assert f"{home}#{operation['operationId']}" in marks["/api/docs"].links
        method, path = where.split()
        assert re.search(rf"<b[^>]*>{method}</b> <code>/api{re.escape(path)}</code>", pages[home]), where
    for model in reached(schema, schema["paths"]) - {"Problem"}:
        assert sum(anchors[f"{address}#{model}"] for address in pages) == 1, model
    for address, found in marks.items():
        assert max(Counter(found.ids).values()) == 1
        for link in found.links:
            whole = f"{address}{link}" if link.startswith("#") else link
            if whole.startswith("/api/docs") and "#" in whole:
                assert anchors[whole] == 1, f"{address}: {link} leads nowhere"


def test_no_page_of_the_reference_is_large_or_needs_anything_from_elsewhere(
    api: TestClient, pages: dict[str, str]
) -> None:
    for address, page in pages.items():
        assert len(page.encode()) < 100_000, f"{address}: give some of its operations a tag of their own"
        assert [src.partition("?")[0] for src in Marks(page).scripts] == ["/static/paperwatch.js"]
        assert not re.search(r"(src|style)=.?https?:", page) and "style=" not in page
    assert api.get("/api/docs/nothing").status_code == 404


def test_examples_are_what_the_schema_asks_for(schema: dict[str, Any]) -> None:
    examples = Examples(schema)
    known = {"components": schema["components"]}
    for where, operation in operations(schema):
        body = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if body:
            validator_for(body["schema"] | known).validate(examples.body(body["schema"]))
        for parameter in operation.get("parameters", []):
            made = examples.value(parameter["schema"] | parameter, parameter["name"])
            assert validator_for(parameter["schema"] | known).is_valid(made), f"{where}: {made}"
        for status, answer in operation["responses"].items():
            given = answer.get("content", {}).get("application/json")
            if given and status.startswith("2"):
                validator_for(given["schema"] | known).validate(examples.answer(given["schema"]))


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ({"type": "number", "minimum": -3, "maximum": 3.5}, "number, −3 to 3.5"),
        ({"type": "integer", "minimum": 1, "maximum": 2**31 - 1}, "whole number, 1 or more"),
        ({"type": "string", "maxLength": 5000}, "text, up to 5,000 characters"),
        ({"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]}, "date or null"),
        ({"enum": ["like", "dislike", "save"]}, "“like”, “dislike” or “save”"),
        ({"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 6}, "maxItems": 7},
         "list of whole numbers, 0 to 6 each; up to 7 in all"),
        ({"type": "array", "items": {"$ref": "#/components/schemas/Term"}}, "list of Term"),
    ],
)  # fmt: skip
def test_kinds_are_told_as_people_say_them(part: dict[str, Any], said: str) -> None:
    assert "".join(piece.words for piece in kind(part)) == said


def test_a_command_can_be_pasted_into_a_shell() -> None:
    made = curl(
        "POST", "http://p/papers/{key}", {"key": "10.1/a b"}, {"q": "a&b"}, key="KEY", body={"name": "it's"}
    )
    words = shlex.split(made.replace("\\\n", " "))
    assert words[:2] == ["curl", "http://p/papers/10.1/a%20b?q=a%26b"]
    assert words[2:4] == ["-H", "Authorization: Bearer $KEY"]
    assert json.loads(words[5]) == {"name": "it's"}


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


def test_makers_of_clients_find_one_type_for_everything(schema: dict[str, Any]) -> None:
    """Choices beside a type, and long enumerations, made openapi-python-client leave operations out."""
    for part in parts(schema):
        assert not ({"type", "properties"} & part.keys() and {"anyOf", "oneOf"} & part.keys()), part
        assert len(part.get("enum", ())) < 50, part
    # Two models of one name get the names of their modules.
    assert all(re.fullmatch("[A-Za-z]+", name) for name in schema["components"]["schemas"])
    for where, operation in operations(schema):
        assert len(operation.get("requestBody", {"content": "1"})["content"]) == 1, where
        for status, answer in operation["responses"].items():
            assert all(held.get("schema") for held in answer.get("content", {}).values()), (
                f"{where}: {status}"
            )


def parts(part: Any) -> Iterator[dict[str, Any]]:
    """Every object in the schema."""
    if isinstance(part, dict):
        yield part
        part = list(part.values())
    if isinstance(part, list):
        for one in part:
            yield from parts(one)


def test_whatever_may_be_null_says_what_that_means(schema: dict[str, Any]) -> None:
    for model, whole in schema["components"]["schemas"].items():
        for name, field in whole.get("properties", {}).items():
            if {"type": "null"} in field.get("anyOf", []):
                assert field.get("description"), f"{model}.{name}"
