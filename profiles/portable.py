"""A profile as a text file that a person can read, edit and carry to another Paperwatch."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from profiles.request import MOST_PER_DAY, RequestError, interests_of
from recommender.interest import Interests, Mutes

FORMAT = "1"
_FIRST = "paperwatch-profile"
_ONCE = ("name", "statement", "per-day", "explore")
_MANY = ("term", "author", "category", "seed", "mute-term", "mute-author", "mute-category", "learned")
_LINE = re.compile(r"(?P<key>[^:=\s]+)\s*:\s?(?P<value>.*)", re.DOTALL)
_STRENGTH = re.compile(r"(?P<term>.*?)\s*=\s*(?P<weight>[+-]?\d+(?:\.\d+)?)", re.DOTALL)
# What would end a line, hide in it or turn it around: controls, line separators, directions.
_HIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
_ESCAPE = re.compile(r"\\(?:\\|u\{(?P<code>[0-9a-f]{1,6})\}|(?P<wrong>.?))", re.DOTALL)
_LONGEST_FILE = 1_000_000

_ABOUT = """\
# An interest profile of Paperwatch. One fact a line, "key: value"; lines that begin with # are comments.
# Read it back with: paperwatch profile import FILE [--profile NAME]
"""
_HEADINGS = {
    "name": "",
    "term": "Terms and how much you want them, from -3 (rather not) over 1 (yes) to 3.",
    "author": "People you follow.",
    "category": "Categories, such as cs.DC.",
    "seed": "Papers that you named as examples: an arXiv id, a link or a DOI.",
    "mute-term": "Never shown, whatever else speaks for it.",
    "learned": (
        "What your ratings taught, strongest first; 1 is the strongest. Read back, they change nothing:\n"
        "# to keep one as your own word, write term: in place of learned: and set the strength you want."
    ),
}


class PortableError(ValueError):
    """A file that is no profile. ``faults`` say for each bad line ``FILE:LINE: what and what to do``."""

    def __init__(self, faults: tuple[str, ...]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


@dataclass(frozen=True, slots=True)
class Portable:
    """What the text file of a profile holds. ``learned`` are terms with their strength from -1 to 1.

    ``explore`` is whether a paper from just outside the usual range may come along.
    """

    name: str
    interests: Interests
    per_day: int
    learned: tuple[tuple[str, float], ...] = ()
    explore: bool = True


def export(profile: Portable) -> str:
    """The text file of a profile; `parse` reads back the same profile.

    Control characters and the like are written as ``\\u{1b}`` and a backslash as two, so that every fact is
    one visible line whatever strangers wrote.
    """
    held = profile.interests
    facts = {
        "name": [
            ("name", profile.name),
            ("statement", held.statement),
            ("per-day", str(profile.per_day)),
            ("explore", "yes" if profile.explore else "no"),
        ],
        "term": [("term", f"{term} = {_number(weight)}") for term, weight in held.terms],
        "author": [("author", author) for author in held.authors],
        "category": [("category", category) for category in held.categories],
        "seed": [("seed", seed) for seed in held.seeds],
        "mute-term": [
            *(("mute-term", term) for term in held.mutes.terms),
            *(("mute-author", author) for author in held.mutes.authors),
            *(("mute-category", category) for category in held.mutes.categories),
        ],
        "learned": [("learned", f"{term} = {_number(weight)}") for term, weight in profile.learned],
    }
    blocks = [_ABOUT + f"{_FIRST}: {FORMAT}\n"]
    for heading, lines in facts.items():
        written = [f"{key}: {_escaped(value)}\n" for key, value in lines if value]
        about = f"# {_HEADINGS[heading]}\n" if _HEADINGS[heading] else ""
        if written:
            blocks.append(about + "".join(written))
    return "\n".join(blocks)


def is_profile(data: bytes) -> bool:
    """Whether a file says that it is a profile: its first line that is no comment begins so."""
    lines = (line.strip() for line in data[:10_000].removeprefix(b"\xef\xbb\xbf").split(b"\n"))
    first = next((line for line in lines if line and not line.startswith(b"#")), b"")
    return first.startswith(_FIRST.encode())


def parse(content: str, where: str) -> Portable:
    """Read the text file of a profile; ``where`` names it in faults.

    Raises `PortableError` with every bad line: unknown keys, values that a profile cannot hold, repeats.
    """
    if len(content) > _LONGEST_FILE:
        raise PortableError((f"{where}: {len(content):,} characters are too many for a profile.",))
    reading = _Reading(where)
    for number, line in _lines(content):
        reading.take(number, line)
    return reading.done()


@dataclass(slots=True)
class _Reading:
    """What was read so far, and what was wrong with it."""

    where: str
    begun: bool = False
    once: dict[str, str] = field(default_factory=dict)
    many: dict[str, dict[str, float]] = field(default_factory=lambda: {key: {} for key in _MANY})
    first_at: dict[tuple[str, str], int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def take(self, number: int, line: str) -> None:
        """Read one line that is neither empty nor a comment."""
        match = _LINE.fullmatch(line)
        key = match["key"] if match else ""
        if not self.begun:
            self._begin(number, key, match["value"].strip() if match else "")
            return
        try:
            if match is None:
                raise RequestError("line", 'expected "key: value", or # before a comment')
            if key not in (*_ONCE, *_MANY):
                raise RequestError("key", _unknown(key))
            self._keep(number, key, _unescaped(match["value"].strip()))
        except RequestError as exc:
            self.faults.append(f"{self.where}:{number}: {exc}")

    def done(self) -> Portable:
        """The profile that the lines make."""
        if not self.begun:
            raise PortableError((f'{self.where}:1: the first line must be "{_FIRST}: {FORMAT}"',))
        if not self.once.get("name"):
            self.faults.append(
                f"{self.where}: no line says what the profile is called, as name: LLM inference"
            )
        if self.faults:
            raise PortableError(tuple(self.faults))
        words = {key: tuple(held) for key, held in self.many.items()}
        interests = Interests(
            self.once.get("statement", ""), tuple(self.many["term"].items()), words["author"],
            words["category"], words["seed"],
            Mutes(words["mute-term"], words["mute-author"], words["mute-category"]),
        )  # fmt: skip
        learned = tuple(self.many["learned"].items())
        explore = self.once.get("explore", "yes") == "yes"
        return Portable(self.once["name"], interests, int(self.once.get("per-day", "5")), learned, explore)

    def _begin(self, number: int, key: str, value: str) -> None:
        if key != _FIRST:
            raise PortableError((f'{self.where}:{number}: the first line must be "{_FIRST}: {FORMAT}"',))
        if value != FORMAT:
            raise PortableError(
                (f"{self.where}:{number}: format {value!r} is unknown here; this Paperwatch reads {FORMAT}",)
            )
        self.begun = True

    def _keep(self, number: int, key: str, value: str) -> None:
        value, weight = _checked(key, value)
        known = self.first_at.setdefault((key, "" if key in _ONCE else value), number)
        if known != number:
            raise RequestError(key, f"{key} {value!r} stands on line {known} already; keep one of the two")
        if key in _ONCE:
            self.once[key] = value
        else:
            self.many[key][value] = weight


def _checked(key: str, value: str) -> tuple[str, float]:
    """The value in the form in which profiles hold it, and its strength. Raises `RequestError`."""
    if not value.strip():
        raise RequestError(key, f"nothing stands after {key}:")
    if key in {"term", "learned"}:
        return _term(value)
    return _READ[key](value), 0.0


def _name(value: str) -> str:
    if len(value) > 120:
        raise RequestError("name", f"A name has at most 120 characters, not {len(value)}.")
    return " ".join(value.split())


def _per_day(value: str) -> str:
    if not (value.isascii() and value.isdecimal()) or not 1 <= int(value) <= MOST_PER_DAY:
        raise RequestError("per-day", f"per-day must be a number from 1 to {MOST_PER_DAY}, not {value!r}.")
    return str(int(value))


def _explore(value: str) -> str:
    if value not in {"yes", "no"}:
        raise RequestError("explore", f"explore must be yes or no, not {value!r}.")
    return value


_READ: dict[str, Callable[[str], str]] = {
    "name": _name,
    "per-day": _per_day,
    "explore": _explore,
    "statement": lambda value: interests_of(statement=value).statement,
    "author": lambda value: interests_of(authors=[value]).authors[0],
    "category": lambda value: interests_of(categories=[value]).categories[0],
    "seed": lambda value: interests_of(likes=[value]).seeds[0],
    "mute-term": lambda value: interests_of(mutes=[f"term:{value}"]).mutes.terms[0],
    "mute-author": lambda value: interests_of(mutes=[f"author:{value}"]).mutes.authors[0],
    "mute-category": lambda value: interests_of(mutes=[f"category:{value}"]).mutes.categories[0],
}


def _term(value: str) -> tuple[str, float]:
    match = _STRENGTH.fullmatch(value)
    term, weight = (match["term"], float(match["weight"])) if match else (value, 1.0)
    # As short as a person types it, since the checks count the characters of term and strength together.
    plain = weight == 1 and _STRENGTH.fullmatch(term) is None
    return interests_of(terms=[term if plain else f"{term}={_number(weight)}"]).terms[0]


def _lines(content: str) -> Iterator[tuple[int, str]]:
    """The lines that say something, numbered from 1."""
    for number, line in enumerate(content.removeprefix("\ufeff").split("\n"), start=1):
        if line.strip() and not line.lstrip().startswith("#"):
            yield number, line.strip(" \t\r")


def _unknown(key: str) -> str:
    near = difflib.get_close_matches(key, (*_ONCE, *_MANY), n=1)
    meant = f"; did you mean {near[0]!r}?" if near else f"; the keys are {', '.join((*_ONCE, *_MANY))}"
    return f"no key {key!r}{meant}"


def _number(weight: float) -> str:
    """The shortest decimal that reads back as this number, without an exponent."""
    return format(Decimal(repr(weight)).normalize(), "f")


def _escaped(value: str) -> str:
    return _HIDDEN.sub(lambda m: f"\\u{{{ord(m[0]):x}}}", value.replace("\\", "\\\\"))


def _unescaped(value: str) -> str:
    def character(match: re.Match[str]) -> str:
        code = int(match["code"], 16) if match["code"] else -1
        if 0 <= code < 0xD800 or 0xDFFF < code <= 0x10FFFF:
            return chr(code)
        if match[0] != "\\\\":
            raise RequestError("line", f"{match[0]!r}: a backslash is written \\\\, and U+001B as \\u{{1b}}")
        return "\\"

    if hidden := _HIDDEN.search(value.replace("\t", " ")):
        raise RequestError("line", f"an invisible character, U+{ord(hidden[0]):04X}; take it out")
    return _ESCAPE.sub(character, value)
