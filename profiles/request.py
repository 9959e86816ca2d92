"""What a person asks for when subscribing, checked field by field."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from email_validator import EmailNotValidError, validate_email

from profiles.delivery import DeliveryPlan, Frequency
from recommender.interest import Interests, Mutes
from recommender.paper import paper_key

MOST_PER_DAY = 100
_CATEGORY = re.compile(r"[a-z][a-z-]*(?:\.(?:[A-Za-z-]{2,}|\*))?")
_TERM = re.compile(r"(?P<term>.*?)\s*(?:=\s*(?P<weight>[+-]?\d+(?:\.\d+)?))?")
_FREQUENCIES: dict[str, Frequency] = {
    "announced": "announced",
    "daily": "daily",
    "weekly": "weekly",
    "feed": "feed",
}
LONGEST: Final = {"name": 120, "statement": 5_000, "term": 120, "author": 200}
"""Characters that a field has at most, once its spaces are single ones."""


class RequestError(ValueError):
    """A field that cannot be used; the message says which, why, and what would do. ``field`` names it."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True)
class Request:
    """A subscription as asked for; an empty address asks for a feed only."""

    email: str
    name: str
    interests: Interests
    per_day: int
    delivery: DeliveryPlan


def request(
    *, email: str = "", name: str = "", statement: str = "", terms: Iterable[str] = (),
    authors: Iterable[str] = (), categories: Iterable[str] = (), likes: Iterable[str] = (),
    mutes: Iterable[str] = (), per_day: int = 5, every: str = "daily", hour: int = 7, zone: str = "UTC",
    weekday: int = 0, days: Iterable[int] = range(7), send_empty: bool = False, alone: bool = False,
    at_most: int | None = None, markdown: bool = False, bibtex: bool = False, explore: bool = True,
    paused_until: date | None = None,
) -> Request:  # fmt: skip
    """Check what a person gave and put it into our terms. Raises `RequestError` at the first fault.

    ``weekday`` is the day of a weekly mail, ``days`` are those of a daily one, 0 being Monday.
    """
    interests = interests_of(
        statement=statement, terms=terms, authors=authors, categories=categories, likes=likes, mutes=mutes
    )
    if not interests:
        raise RequestError(
            "statement",
            "Say what you are interested in: a sentence, a term, an author, a category or a paper.",
        )
    if not 1 <= per_day <= MOST_PER_DAY:
        raise RequestError(
            "per_day", f"About how many papers a day? From 1 to {MOST_PER_DAY}, not {per_day}."
        )
    if every not in _FREQUENCIES:
        raise RequestError("every", f"How often must be one of {', '.join(_FREQUENCIES)}, not {every!r}.")
    if not 0 <= hour <= 23 or not 0 <= weekday <= 6:
        raise RequestError("hour", "The hour must be from 0 to 23 and the weekday from 0 (Monday) to 6.")
    daily = tuple(sorted(set(days)))
    if not daily or not 0 <= daily[0] <= daily[-1] <= 6:
        raise RequestError("days", "Give at least one day, from 0 (Monday) to 6.")
    if at_most is not None and not 1 <= at_most <= MOST_PER_DAY:
        raise RequestError("at_most", f"At most how many in a mail? From 1 to {MOST_PER_DAY}, not {at_most}.")
    plan = DeliveryPlan(
        frequency="feed" if not email.strip() else _FREQUENCIES[every],
        days={"weekly": (weekday,), "daily": daily}.get(every, tuple(range(7))),
        hour=hour, zone=_zone(zone), send_empty=send_empty, paused_until=paused_until, alone=alone,
        at_most=at_most, markdown=markdown, bibtex=bibtex, explore=explore,
    )  # fmt: skip
    return Request(
        email=_address(email), name=_short("name", name) or "My papers", interests=interests, per_day=per_day,
        delivery=plan,
    )  # fmt: skip


def interests_of(
    *, statement: str = "", terms: Iterable[str] = (), authors: Iterable[str] = (),
    categories: Iterable[str] = (), likes: Iterable[str] = (), mutes: Iterable[str] = (),
) -> Interests:  # fmt: skip
    """The interests in these fields, as people type them: ``term`` or ``term=2`` or ``term=-1``; mutes as a
    term, ``author:NAME`` or ``category:CODE``. Raises `RequestError`."""
    return Interests(
        statement=_statement(statement),
        terms=tuple(dict(_weighted(t) for t in terms if t.strip()).items()),
        authors=_distinct(_short("author", a) for a in authors),
        categories=_distinct(_category(c) for c in categories if c.strip()),
        seeds=_distinct(_seed(p) for p in likes if p.strip()),
        mutes=_mutes(mutes),
    )


def _address(email: str) -> str:
    if not email.strip():
        return ""
    try:
        # Letters beyond ASCII before the @ need a relay that speaks SMTPUTF8, and few addresses have them.
        return validate_email(email.strip(), check_deliverability=False, allow_smtputf8=False).normalized
    except EmailNotValidError as exc:
        raise RequestError("email", f"{email.strip()!r} is no e-mail address: {exc}") from exc


def _zone(zone: str) -> str:
    if zone not in _zones() and zone != "UTC":
        raise RequestError("zone", f"{zone!r} is no time zone; give one such as Europe/Zurich or UTC.")
    return ZoneInfo(zone).key


@cache
def _zones() -> set[str]:
    """The zones of this machine, looked up once: it goes through hundreds of files, 5 ms of CPU."""
    return available_timezones()


def _statement(text: str) -> str:
    text = " ".join(text.split())
    if len(text) > LONGEST["statement"]:
        raise RequestError(
            "statement", f"Please say it in {LONGEST['statement']} characters, not {len(text)}."
        )
    return text


def _short(field: str, text: str) -> str:
    text = " ".join(text.split())
    if len(text) > LONGEST[field]:
        raise RequestError(
            field, f"A {field} has at most {LONGEST[field]} characters; {text[:40]!r}… has {len(text)}."
        )
    return text


def _weighted(text: str) -> tuple[str, float]:
    match = _TERM.fullmatch(" ".join(text.split()))
    if match is None or not match["term"]:
        raise RequestError("term", f"{text!r} is no term; write it as TERM, TERM=2 or TERM=-1.")
    _short("term", match["term"])
    weight = float(match["weight"] or 1)
    if not -3 <= weight <= 3:
        raise RequestError("term", f"The strength of {match['term']!r} must be from -3 to 3, not {weight:g}.")
    return match["term"], weight


def _category(text: str) -> str:
    code = text.strip()
    if not _CATEGORY.fullmatch(code):
        raise RequestError("category", f"{code!r} is no category; arXiv's look like cs.DC or math.AG.")
    return code


def _seed(text: str) -> str:
    try:
        return paper_key(text)
    except ValueError as exc:
        raise RequestError("likes", str(exc)) from exc


def _mutes(mutes: Iterable[str]) -> Mutes:
    found: dict[str, list[str]] = {"term": [], "author": [], "category": []}
    for mute in mutes:
        kind, colon, rest = mute.partition(":")
        kind = kind.strip().lower()
        if not colon or kind not in found:
            kind, rest = "term", mute
        if rest.strip():
            found[kind].append(_category(rest) if kind == "category" else _short(kind, rest))
    return Mutes(_distinct(found["term"]), _distinct(found["author"]), _distinct(found["category"]))


def _distinct(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word for word in words if word))
