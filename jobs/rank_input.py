"""Papers and readers from JSON lines, for ranking without a database."""

from __future__ import annotations

import gzip
import json
import lzma
import math
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

from profiles.request import RequestError, interests_of
from recommender.interest import Interests
from recommender.paper import Paper

_OPENERS: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".xz": lzma.open}
_BROKEN = re.compile("[\ud800-\udfff]")  # halves of a character, which no file can hold
Read = TypeVar("Read")
Report = Callable[[str], None]


class InputError(Exception):
    """A file that cannot be read at all; the message names it and says why."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A paper and the batch in which it is ranked; empty for one that only serves as an example."""

    paper: Paper
    batch: str


@dataclass(frozen=True, slots=True)
class Reader:
    """Whom to rank for: what they liked, disliked and state, and the batches to rank (None: all)."""

    name: str
    liked: tuple[str, ...]
    disliked: tuple[str, ...]
    interests: Interests
    batches: frozenset[str] | None


def papers(paths: Sequence[Path], report: Report) -> Iterator[Candidate]:
    """The papers of these files, in their order; an id that was there already is passed over.

    A bad line is reported as ``FILE:LINE: why`` and left out. Raises `InputError` for an unreadable file.
    """
    known: set[str] = set()
    for path in paths:
        for found in _objects(path, _candidate, report):
            if found.paper.id not in known:
                known.add(found.paper.id)
                yield found


def readers(path: Path, report: Report) -> list[Reader]:
    """The readers of this file, in its order; errors as for `papers`."""
    found: dict[str, Reader] = {}
    for reader in _objects(path, _reader, report):
        if reader.name in found:
            report(f"{path}: reader {reader.name!r} is there twice; the first line counts")
        found.setdefault(reader.name, reader)
    return list(found.values())


def _objects(path: Path, read: Callable[[dict[str, Any]], Read], report: Report) -> Iterator[Read]:
    opener = _OPENERS.get(path.suffix, open)
    try:
        with opener(path, "rb") as file:
            for number, line in enumerate(file, start=1):
                if not line.strip():
                    continue
                try:
                    held = json.loads(line)
                    if not isinstance(held, dict):
                        raise ValueError(f"expected an object, not {type(held).__name__}")
                    found = read(held)
                except (ValueError, RecursionError) as exc:
                    report(f"{path}:{number}: {_why(exc)}")
                    continue
                yield found
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as exc:
        why = getattr(exc, "strerror", None) or f"cannot be unpacked: {exc}"
        raise InputError(f"{path}: {why}") from exc


def _why(exc: Exception) -> str:
    if isinstance(exc, json.JSONDecodeError):
        return f"no JSON: {exc.msg} at character {exc.pos + 1}"
    if isinstance(exc, UnicodeDecodeError):
        return "no UTF-8 text"
    return str(exc) or type(exc).__name__


def _candidate(held: dict[str, Any]) -> Candidate:
    key = _word(held, "id")
    announced = None
    if day := _text(held, "date"):
        try:
            announced = date.fromisoformat(day[:10])
        except ValueError as exc:
            raise ValueError(f"date {day!r} is no day such as 2026-05-04") from exc
    batch = _text(held, "batch")
    if not batch and announced:
        year, week, _ = announced.isocalendar()
        batch = f"{year}-W{week:02d}"
    if batch and batch.split() != [batch]:
        raise ValueError(f"batch {batch!r} holds a space; a run file cannot name it")
    paper = Paper(
        key, _text(held, "title"), abstract=_text(held, "abstract"), authors=_texts(held, "authors"),
        categories=_texts(held, "categories"), announced=announced,
    )  # fmt: skip
    return Candidate(paper, batch)


def _reader(held: dict[str, Any]) -> Reader:
    batches = None if held.get("batches") is None else frozenset(_texts(held, "batches"))
    try:
        interests = interests_of(
            terms=_terms(held), authors=[name for name in _texts(held, "authors") if name.strip()]
        )
    except RequestError as exc:
        raise ValueError(str(exc)) from exc
    # Statements may be of any length here, and categories of any scheme, not only arXiv's.
    statement = " ".join(_text(held, "statement").split())
    interests = Interests(statement, interests.terms, interests.authors, _texts(held, "categories"))
    liked, disliked = (tuple(dict.fromkeys(_texts(held, name))) for name in ("liked", "disliked"))
    return Reader(_word(held, "reader"), liked, disliked, interests, batches)


def _terms(held: dict[str, Any]) -> list[str]:
    """Terms as ``"KV cache"``, ``"KV cache=2"``, ``["KV cache", 2]`` or one object of terms and strengths."""
    given = held.get("terms") or []
    pairs = list(given.items()) if isinstance(given, dict) else given
    if not isinstance(pairs, list):
        raise ValueError("terms must be a list of strings or [term, strength] pairs")
    found = []
    for pair in pairs:
        if isinstance(pair, str):
            found.append(pair)
            continue
        if not isinstance(pair, (list, tuple)) or len(pair) != 2 or not isinstance(pair[0], str):
            raise ValueError(f"term {pair!r} is neither a string nor a [term, strength] pair")
        term, weight = pair
        if isinstance(weight, bool) or not isinstance(weight, (int, float)) or not _sane(weight):
            raise ValueError(f"the strength of {term!r} is no number: {str(weight)[:40]}")
        found.append(f"{term}={weight:f}")
    return found


def _sane(number: float) -> bool:
    """Whether a number is finite, and no whole one of hundreds of digits."""
    try:
        return math.isfinite(number)
    except OverflowError:
        return False


def _text(held: dict[str, Any], name: str) -> str:
    value = held.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError(f"{name} must be text, not {type(value).__name__}")
    return value if value.isascii() else _BROKEN.sub("\ufffd", value)


def _texts(held: dict[str, Any], name: str) -> tuple[str, ...]:
    value = held.get(name)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise ValueError(f"{name} must be a list of strings")
    return tuple(word if word.isascii() else _BROKEN.sub("\ufffd", word) for word in value)


def _word(held: dict[str, Any], name: str) -> str:
    """A name that can stand in a run file: text without spaces."""
    word = _text(held, name)
    if not word:
        raise ValueError(f"no {name}")
    if word.split() != [word]:
        raise ValueError(f"{name} {word!r} holds a space; a run file cannot name it")
    return word
