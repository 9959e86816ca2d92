"""The schema of the API as a page tells it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_METHODS = ("get", "post", "put", "delete")


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter, or a field of a body."""

    name: str
    kind: str
    about: str
    required: bool


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation: what it is called by, what it takes, and what it gives."""

    method: str
    path: str
    about: str
    parameters: tuple[Field, ...]
    body: tuple[Field, ...]
    gives: str


def operations(schema: dict[str, Any]) -> list[Operation]:
    """The operations of an OpenAPI schema, in its order."""
    base = schema["servers"][0]["url"]
    return [
        _operation(schema, method.upper(), base + path, found[method])
        for path, found in schema["paths"].items()
        for method in _METHODS
        if method in found
    ]


def _operation(schema: dict[str, Any], method: str, path: str, found: dict[str, Any]) -> Operation:
    body = found.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    good: dict[str, Any] = next(
        (answer for status, answer in found["responses"].items() if status.startswith("2")), {}
    )
    gives = good.get("content", {}).get("application/json", {}).get("schema")
    parameters = tuple(
        Field(one["name"], _kind(one["schema"]), one.get("description", ""), one.get("required", False))
        for one in found.get("parameters", [])
    )
    words = found.get("description", "")
    return Operation(
        method, path, words, parameters, tuple(_fields(schema, body)), _kind(gives) if gives else ""
    )


def _fields(schema: dict[str, Any], body: dict[str, Any]) -> Iterator[Field]:
    named = body.get("$ref", "").rpartition("/")[2]
    whole = schema["components"]["schemas"].get(named, {})
    for name, one in whole.get("properties", {}).items():
        yield Field(name, _kind(one), one.get("description", ""), name in whole.get("required", []))


def _kind(one: dict[str, Any]) -> str:
    """A type in a word or two."""
    if "$ref" in one:
        return str(one["$ref"].rpartition("/")[2])
    if "anyOf" in one and "type" not in one:
        return " or ".join(_kind(each) for each in one["anyOf"])
    if "enum" in one:
        return ", ".join(map(str, one["enum"]))
    if one.get("type") == "array":
        return f"list of {_kind(one.get('items', {}))}"
    kind = str(one.get("format") or one.get("type", "anything"))
    if "minimum" in one and "maximum" in one and one["maximum"] < 1_000_000:
        kind += f", {one['minimum']:g} to {one['maximum']:g}"
    return kind
