"""The schema of the API as pages tell it: a chapter for each tag, with its operations and their models."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup, escape

from app.web.api.examples import Examples, curl, pretty
from app.web.api.kinds import Piece, kind, model_of, number

_METHODS = ("get", "post", "put", "patch", "delete")
_JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Field:
    """A parameter, or a field of a model; ``default`` is what it is where it is left out."""

    name: str
    kind: tuple[Piece, ...]
    about: Markup
    required: bool
    default: str


@dataclass(frozen=True, slots=True)
class Model:
    """An object of the API with its fields."""

    name: str
    about: Markup
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What comes where all went well: the status, and of what kind the body is, if there is one."""

    status: str
    kind: tuple[Piece, ...]
    others: tuple[str, ...]
    headers: tuple[tuple[str, Markup], ...]
    example: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation: what it takes, and what it gives; ``file`` tells of a body that is no JSON."""

    id: str
    title: str
    method: str
    path: str
    about: Markup
    key: str
    parameters: tuple[Field, ...]
    body: tuple[Piece, ...]
    file: Markup
    request: str
    answers: tuple[Answer, ...]
    errors: tuple[tuple[str, Markup], ...]


@dataclass(frozen=True, slots=True)
class Chapter:
    """The operations of a tag, and the models that no chapter before it has told of."""

    name: str
    title: str
    about: Markup
    operations: tuple[Operation, ...]
    models: tuple[Model, ...]


@dataclass(frozen=True, slots=True)
class Reference:
    """All of it. ``homes`` says in which chapter a model is told of."""

    chapters: tuple[Chapter, ...]
    homes: dict[str, str]

    def chapter(self, name: str) -> Chapter | None:
        """A chapter by its name."""
        return next((one for one in self.chapters if one.name == name), None)


def read(schema: dict[str, Any], home: str) -> Reference:
    """An OpenAPI schema as chapters; ``home`` is where the service is, for the examples.

    Each model is told of once: in the first chapter whose operations lead to it.
    """
    told = _Schema(schema, home)
    chapters: list[Chapter] = []
    homes: dict[str, str] = {}
    for tag in schema["tags"]:
        name = tag["name"]
        mine = [one for one in told.found if one[2]["tags"][:1] == [name]]
        if not mine:
            continue
        new = [model for model in told.reached([one[2] for one in mine]) if model not in homes]
        homes |= dict.fromkeys(new, name)
        operations = tuple(told.operation(*one) for one in mine)
        models = tuple(told.model(model) for model in new)
        chapters.append(Chapter(name, name.capitalize(), marked(tag["description"]), operations, models))
    return Reference(tuple(chapters), homes)


def marked(text: str) -> Markup:
    """A description as HTML: what stands in backticks is code, all else is text."""
    pieces = re.split(r"(`+)(.+?)\1", " ".join(text.split()))
    said = [
        Markup("<code>{}</code>").format(words) if at % 3 == 2 else escape(words)
        for at, words in enumerate(pieces)
        if at % 3 != 1
    ]
    return Markup("").join(said)


class _Schema:
    """An OpenAPI schema with what it holds at hand."""

    def __init__(self, schema: dict[str, Any], home: str) -> None:
        self.models: dict[str, Any] = schema["components"]["schemas"]
        self.schemes: dict[str, Any] = schema["components"].get("securitySchemes", {})
        self.base = schema["servers"][0]["url"]
        self.home = home.rstrip("/").removesuffix(self.base.removesuffix("/api"))
        self.examples = Examples(schema)
        self.found = [
            (method.upper(), self.base + path, operations[method])
            for path, operations in schema["paths"].items()
            for method in _METHODS
            if method in operations
        ]

        self.asked = set(self.reached([one[2].get("requestBody", {}) for one in self.found]))

    def operation(self, method: str, path: str, found: dict[str, Any]) -> Operation:
        taken = found.get("requestBody", {})
        body = taken.get("content", {}).get(_JSON, {}).get("schema", {})
        parameters = found.get("parameters", [])
        key = _key(found)
        places, query = (self._examples(parameters, place) for place in ("path", "query"))
        example = self.examples.body(body) if body else None
        return Operation(
            id=found["operationId"], title=found["summary"], method=method, path=path,
            about=marked(found["description"]), key=key,
            parameters=tuple(
                _field(one["name"], one, one["schema"], one.get("required", False)) for one in parameters
            ),
            body=kind(body) if body else (), file=marked(taken.get("description", "")),
            request=curl(
                method, self.home + path, places, query, key=key, body=example, file=bool(taken) and not body
            ),
            answers=tuple(
                self._answer(status, one)
                for status, one in sorted(found["responses"].items())
                if status.startswith("2")
            ),
            errors=tuple(
                (status, marked(one["description"]))
                for status, one in found["responses"].items()
                if status >= "4"
            ),
        )  # fmt: skip

    def model(self, name: str) -> Model:
        whole = self.models[name]
        # What an answer has it always has; only who sends one must know what may be left out.
        needed = whole.get("required", []) if name in self.asked else []
        fields = whole.get("properties", {}).items()
        return Model(
            name, marked(whole.get("description", "")),
            tuple(_field(field, one, one, field in needed) for field, one in fields),
        )  # fmt: skip

    def reached(self, operations: list[dict[str, Any]]) -> list[str]:
        """The models that these operations lead to, in the order in which one meets them."""
        seen: dict[str, None] = {}
        new = list(_names(operations))
        while new:
            name = new.pop(0)
            if name not in seen and name != "Problem":
                seen[name] = None
                new = [*_names(self.models[name]), *new]
        return list(seen)

    def _examples(self, parameters: list[dict[str, Any]], place: str) -> dict[str, Any]:
        return {
            one["name"]: self.examples.value(one["schema"] | one, one["name"])
            for one in parameters
            if one["in"] == place and one.get("required")
        }

    def _answer(self, status: str, good: dict[str, Any]) -> Answer:
        content = good.get("content", {})
        part = content.get(_JSON, {}).get("schema")
        headers = tuple((name, marked(one["description"])) for name, one in good.get("headers", {}).items())
        others = tuple(media for media in content if media != _JSON)
        return Answer(
            status, kind(part) if part else (), others, headers,
            pretty(self.examples.answer(part)) if part else "",
        )  # fmt: skip


def _key(found: dict[str, Any]) -> str:
    """The name of the variable that holds the key in an example; nothing where none is needed."""
    schemes = {name for one in found.get("security", []) for name in one}
    if not schemes:
        return ""
    return "OPERATOR_KEY" if any("operator" in name.casefold() for name in schemes) else "KEY"


def _field(name: str, about: dict[str, Any], part: dict[str, Any], required: bool) -> Field:
    default = part.get("default")
    said = ""
    if isinstance(default, bool):
        said = str(default).lower()
    elif isinstance(default, int | float):
        said = number(default)
    elif isinstance(default, str):
        said = default
    return Field(name, kind(part), marked(about.get("description", "")), required, said)


def _names(part: Any) -> Iterator[str]:
    """The models that a part of the schema names."""
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield model_of(part)
        part = list(part.values())
    if isinstance(part, list):
        for one in part:
            yield from _names(one)
