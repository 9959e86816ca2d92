"""Author lines and institutions as digests write them: affiliations, marks, nicknames, placeholders."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from jobs.sources.author_names import plain_name
from jobs.sources.escapes import undone

_NOTHING = re.compile(
    r"tbd|tba|todo|n/?a|none|null|nil|unknown|unspecified|not (?:specified|available|provided)|[-—–?…]{1,3}|"
    r"未知|无|暂无|待定|不详"
)
_NOBODY = re.compile(rf"{_NOTHING.pattern}|anonymous(?: authors?)?|authors? unknown|匿名")
_CUT = re.compile(
    r"[\s,;，、]*(?:\bet\.? al\b\.?|\band (?:\d+ )?(?:others|more)\b(?: authors)?|等人?|\.{3}|…)[\s.,;]*$",
    re.IGNORECASE,
)
_BETWEEN_NAMES = r"[,，、;；]|\s{1,2}(?:and|AND|&)\s{1,2}"
_AND = re.compile(r"\s*(?:and\s|&)\s*", re.IGNORECASE)
_SUFFIX = re.compile(r"(?:Jr|Sr|II|III|IV)\.?", re.IGNORECASE)
_DEGREE = re.compile(r"Ph\.?\s?D\.?|M\.?D\.?|M\.?Sc\.?|B\.?Sc\.?", re.IGNORECASE)
_FOOTMARK = re.compile(r"\$\^\{?[\d,*\s]{1,20}\}?\$")
_SHORT = re.compile(r"(?:^|[\s.-])(?:\w|Jr|Sr|St)\.$")
_FOOTNOTE = re.compile(r"\(\d{1,3}\)")
_MARKS_ONLY = re.compile(r"[\d\s,;*†‡§]*(?:and\s\d+)?")
_BEHALF = re.compile(r"(?:on behalf of|for) the\b", re.IGNORECASE)
_ACRONYM = re.compile(r"[A-Z0-9][A-Z0-9 &./-]{1,24}")
# A longer name is none, and would only cost the patterns that read names their time.
_LONGEST = 300
_LONGEST_WITH_NOTES = 20_000
_BRACKETS = {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}
# "Inc." after a comma is the end of a name, and so is the campus of a university that has several.
_TAIL = re.compile(
    r"(?:inc|ltd|llc|gmbh|co|corp|ag|plc|s\.a|b\.v|(?:pvt|co)\.? ltd|ltd\. co)\.?|"
    r"berkeley|los angeles|san diego|santa barbara|santa cruz|irvine|davis|riverside|merced|"
    r"san francisco|urbana[- ]champaign|chicago|college park|baltimore county|ann arbor|dearborn|austin|"
    r"dallas|arlington|madison|milwaukee|amherst|lowell|boston|dartmouth|chapel hill|charlotte|"
    r"twin cities|knoxville|lincoln|boulder|colorado springs|denver|stony brook|binghamton|albany|"
    r"east bay|long beach|northridge|bloomington|new brunswick|newark|reno|las vegas|shenzhen|guangzhou|"
    r"weihai|beijing|shanghai|hangzhou|suzhou|madras|bombay|delhi|kanpur|kharagpur|roorkee|guwahati|"
    r"hyderabad|jodhpur|bangalore|bengaluru|allahabad|mumbai|chennai|patna|indore|china|usa|uk|india|"
    r"canada|germany|france|japan|singapore"
)
# An LLM's remark in place of a name ("Not explicitly stated; …") is kept whole, as the digest's own words.
_REMARK = re.compile(r"(?:based on|not|no|none|unknown|cannot)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Byline:
    """Names in their order, whether the list is whole, and the institutions given beside the names."""

    names: tuple[str, ...] = ()
    complete: bool = True
    institutions: tuple[str, ...] = ()


def is_nothing(text: str) -> bool:
    """Whether a field's value only says that there is none: ``TBD``, ``N/A``, ``unknown``, a dash."""
    said = text.strip(" \t\n.,()[]*_").casefold()
    return not said or _NOTHING.fullmatch(said) is not None


def authors(text: str) -> Byline:
    """Read an author list: ``A (MIT), B (ETH), and C et al.``, LaTeX accents, notes, suffixes and all.

    A list that stands for nobody gives no names. So does one that was joined letter by letter
    (``A, l, e et al.``): it says that there are authors and not who, so it is not complete.
    """
    # Runs of white space are cut to two, which is all that `_rejoined` needs, and keeps every pattern linear.
    text = re.sub(r"\s\s+", "  ", undone(text).strip())
    cut = _CUT.search(text, max(0, len(text) - 80))
    whole, complete = (text[: cut.start()], False) if cut else (text, True)
    if is_nothing(whole) or _NOBODY.fullmatch(whole.strip(" .*_").casefold()):
        return Byline(complete=complete)
    parts = _single(_flipped(whole) or split_outside(whole, _BETWEEN_NAMES))
    people = [_person(part) for part in parts]
    complete = complete and all(len(name) <= _LONGEST for name, _ in people)
    if len(people) + (not complete) > 1 and all(len(name) <= 1 for name, _ in people):
        return Byline(complete=False)
    names, nicknames = _rejoined(people, [part.startswith("  ") for part in parts])
    notes = [note for _, found in people for note in found if note not in nicknames]
    places = dict.fromkeys(place for note in notes for place in _affiliations(note))
    return Byline(tuple(names), complete, tuple(places))


def institutions(text: str) -> tuple[str, ...]:
    """Read a list of institutions; what stands in brackets, a campus or "Inc." stays with its name."""
    text = " ".join(undone(text).split())
    if is_nothing(text):
        return ()
    if _REMARK.match(text):
        return (text,)
    parts = split_outside(text, "[;；]" if ";" in text or "；" in text else "[,，、]")
    found: list[str] = []
    for part in parts:
        joined = _AND.match(part)
        name = part[joined.end() if joined else 0 :].strip()
        if found and _TAIL.fullmatch(name.casefold()):
            found[-1] += f", {name}"
        elif not is_nothing(name):
            found.append(name)
    return tuple(dict.fromkeys(found))


def split_outside(text: str, separator: str) -> list[str]:
    """Split where the pattern matches outside all brackets; brackets that never close count as none."""
    parts, depth, start = [], 0, 0
    for mark in re.finditer(rf"[()\[\]{{}}]|{separator}", text):
        if change := _BRACKETS.get(mark[0]):
            depth = max(0, depth + change)
        elif depth == 0:
            parts.append(text[start : mark.start()])
            start = mark.end()
    if depth:
        return re.split(separator, text)
    return [*parts, text[start:]]


def _flipped(text: str) -> list[str]:
    """``Doe, Jane; Roe, Richard`` turned round; nothing where the list is not of that kind."""
    parts = [part for part in split_outside(text, "[;；]") if part.strip()]
    if len(parts) < 2 or any(part.count(",") != 1 for part in parts):
        return []
    return [" ".join(reversed(part.split(","))) for part in parts]


def _single(parts: list[str]) -> list[str]:
    """The parts that hold a name: ``Jr.`` given back to the one before it, degrees and gaps dropped."""
    found: list[str] = []
    for part in parts:
        stripped = part.strip()
        if found and _SUFFIX.fullmatch(stripped):
            found[-1] += f" {stripped}"
        elif stripped and not _DEGREE.fullmatch(stripped):
            found.append(part)
    return found


def _person(part: str) -> tuple[str, list[str]]:
    """A name and the notes that stand in brackets after it."""
    notes: list[str] = []
    name = part.strip()
    if len(name) > _LONGEST_WITH_NOTES:
        return name, []
    while len(notes) < 9 and (start := _last_bracket(name)) > 0:
        notes.insert(0, " ".join(name[start + 1 : -1].split()))
        name = name[:start].strip()
    name = " ".join(_FOOTMARK.sub("", name).split()).strip(" *_†‡§¹²³⁴⁵⁶⁷⁸⁹⁰")
    if name.endswith(".") and not _SHORT.search(name[-8:]):
        name = name[:-1]
    if len(name) > _LONGEST:
        return name, []
    return unicodedata.normalize("NFC", plain_name(name)), notes


def _last_bracket(name: str) -> int:
    """Where the bracket that closes at the name's end opens; 0 if none does."""
    if not name.endswith(")"):
        return 0
    depth = 0
    for mark in reversed(list(re.finditer(r"[()]", name))):
        depth += 1 if mark[0] == ")" else -1
        if depth == 0:
            return mark.start()
    return 0


def _rejoined(people: list[tuple[str, list[str]]], gapped: list[bool]) -> tuple[list[str], set[str]]:
    """Names that arXiv's feed broke at a nickname put together again, and the nicknames.

    ``Yang (Katie) Zhao`` arrives there as ``,  Yang (Katie),  Zhao``: two names of one word, each after a
    doubled space, and the nickname is repeated behind the authors before it as if it were their affiliation.
    """
    names: list[str] = []
    nicknames: set[str] = set()
    i = 0
    while i < len(people):
        name, notes = people[i]
        follows = i + 1 < len(people) and gapped[i + 1] and " " not in people[i + 1][0]
        if follows and len(notes) == 1 and " " not in name and (gapped[i] or i == 0):
            names.append(f"{name} ({notes[0]}) {people[i + 1][0]}")
            nicknames.add(notes[0])
            i += 2
            continue
        if name and len(name) <= _LONGEST and not _NOBODY.fullmatch(name.casefold()):
            names.append(name)
        i += 1
    return names, nicknames


def _affiliations(note: str) -> list[str]:
    """The institutions in a bracket behind a name; footnote marks and "on behalf of the …" are none."""
    if _MARKS_ONLY.fullmatch(note) or _BEHALF.match(note) or is_nothing(note):
        return []
    if _FOOTNOTE.match(note):
        return [place.strip(" ,;") for place in _FOOTNOTE.split(note) if place.strip(" ,;")]
    parts = [part.strip() for part in note.split(",")]
    # arXiv joins an author's affiliations with commas, which addresses hold too; acronyms are safe to part.
    return parts if all(_ACRONYM.fullmatch(part) for part in parts) else [note]
