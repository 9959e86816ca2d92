"""What a part of a JSON Schema is, as people say it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_WORDS = {
    "string": "text", "integer": "whole number", "number": "number", "boolean": "true or false",
    "null": "null", "object": "object", "date": "date", "date-time": "date and time", "email": "mail address",
}  # fmt: skip
_PLURALS = {
    "text": "texts",
    "whole number": "whole numbers",
    "number": "numbers",
    "date": "dates",
    "object": "objects",
}
_MANY = 12
# Beyond it a bound is one of the machine, not of the thing that is asked for.
_BOUND = 1_000_000


@dataclass(frozen=True, slots=True)
class Piece:
    """Some words of a kind; a ``model`` where they are the name of one."""

    words: str
    model: str = ""


def kind(part: dict[str, Any]) -> tuple[Piece, ...]:
    """The kind of a value, its bounds included; the names of models stand apart, to be linked."""
    if "$ref" in part:
        name = model_of(part)
        return (Piece(name, name),)
    several = part.get("anyOf") or part.get("oneOf")
    if several and "type" not in part:
        return _joined([kind(one) for one in several])
    if "const" in part:
        return (Piece(f"always {_quoted(part['const'])}"),)
    if "enum" in part:
        return (Piece(_choice(part["enum"])),)
    if part.get("type") == "array":
        return _list(part)
    return (Piece(_plain(part)),)


def model_of(part: dict[str, Any]) -> str:
    """The name of the model that a part refers to, or nothing."""
    return str(part.get("$ref", "")).rpartition("/")[2]


def number(value: float) -> str:
    """A number as people write it."""
    if float(value).is_integer():
        return f"{int(value):,}".replace("-", "−")
    return f"{value:,}".replace("-", "−")


def _list(part: dict[str, Any]) -> tuple[Piece, ...]:
    items = kind(part.get("items", {}))
    size = _between(part.get("minItems"), part.get("maxItems"))
    if len(items) == 1 and not items[0].model:
        said, _, bounds = items[0].words.partition(", ")
        each = f", {bounds} each" if bounds else ""
        items = (Piece(f"{_PLURALS.get(said, said)}{each}"),)
    return (Piece("list of "), *items, *([Piece(f"; {size} in all")] if size else []))


def _plain(part: dict[str, Any]) -> str:
    name = part.get("format") or part.get("type", "anything")
    said = _WORDS.get(name) or _WORDS.get(part.get("type", ""), name)
    most = part.get("maxLength")
    bounds = _between(_bound(part, "inimum"), _bound(part, "aximum"))
    if most is not None and most < _BOUND:
        return f"{said}, up to {number(most)} characters"
    return f"{said}, {bounds}" if bounds else said


def _bound(part: dict[str, Any], end: str) -> float | None:
    initial, exclusive = {"inimum": ("m", "exclusiveM"), "aximum": ("m", "exclusiveM")}[end]
    found = part.get(initial + end, part.get(exclusive + end))
    return None if found is None or abs(found) >= _BOUND else found


def _between(least: float | None, most: float | None) -> str:
    if least is not None and most is not None:
        return number(least) if least == most else f"{number(least)} to {number(most)}"
    if most is not None:
        return f"up to {number(most)}"
    return f"{number(least)} or more" if least else ""


def _choice(values: list[Any]) -> str:
    if len(values) > _MANY:
        return f"one of {number(len(values))} names"
    said = [_quoted(value) for value in values]
    return said[0] if len(said) == 1 else f"{', '.join(said[:-1])} or {said[-1]}"


def _quoted(value: Any) -> str:
    return f"“{value}”" if isinstance(value, str) else str(value)


def _joined(kinds: list[tuple[Piece, ...]]) -> tuple[Piece, ...]:
    found: list[Piece] = []
    for one in kinds:
        if found:
            found.append(Piece(" or "))
        found += one
    return tuple(found)
