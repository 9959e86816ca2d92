"""The profile form: what was typed, kept as it was typed, and what it asks for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING
from zoneinfo import available_timezones

from app.web import errands
from jobs.service import Service
from profiles.profile import Profile
from profiles.request import MOST_PER_DAY, Request, RequestError, interests_of, request
from recommender.interest import Examples, Interests

if TYPE_CHECKING:
    from jobs.preview import Preview

DAYS = 7  # that a preview looks back
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
_REGIONS = ("Africa", "America", "Antarctica", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific")
# The request names single things, the form has a field for all of a kind.
_FIELDS = {"term": "terms", "author": "authors", "category": "categories"}
LABELS = {
    "statement": "What do you work on?",
    "terms": "Terms",
    "likes": "Papers you like",
    "authors": "People you follow",
    "categories": "Categories",
    "mutes": "Never show",
    "per_day": "About how many a day",
    "every": "How often",
    "hour": "At",
    "zone": "Time zone",
    "name": "Name of this profile",
    "email": "E-mail address",
}


@dataclass(frozen=True, slots=True)
class Typed:
    """The fields of the profile form, each as the text that stands in it."""

    statement: str = ""
    terms: str = ""
    likes: str = ""
    authors: str = ""
    categories: str = ""
    mutes: str = ""
    per_day: str = "5"
    every: str = "daily"
    weekday: str = "0"
    hour: str = "7"
    zone: str = ""
    send_empty: str = ""
    name: str = ""
    email: str = ""

    @classmethod
    def of(cls, fields: Mapping[str, object]) -> Typed:
        """What a browser sent: known fields only, text only, without control characters."""
        known = {name: fields[name] for name in cls.__slots__ if isinstance(fields.get(name), str)}
        return cls(
            **{name: _CONTROL.sub("", str(text).replace("\r\n", "\n")) for name, text in known.items()}
        )

    @classmethod
    def from_profile(cls, profile: Profile, email: str) -> Typed:
        """The form as it stands for a profile that is to be edited."""
        wants, plan = profile.interests, profile.delivery
        mutes = [
            *wants.mutes.terms,
            *(f"author: {name}" for name in wants.mutes.authors),
            *(f"category: {code}" for code in wants.mutes.categories),
        ]
        return cls(
            statement=wants.statement,
            terms="\n".join(t if w == 1 else f"{t} = {w:g}" for t, w in wants.terms),
            likes="\n".join(key.removeprefix("arxiv:").removeprefix("doi:") for key in wants.seeds),
            authors="\n".join(wants.authors),
            categories=" ".join(wants.categories),
            mutes="\n".join(mutes),
            per_day=str(profile.per_day),
            every=plan.frequency,
            weekday=str(plan.days[0] if plan.frequency == "weekly" and plan.days else 0),
            hour=str(plan.hour),
            zone=plan.zone,
            send_empty="yes" if plan.send_empty else "",
            name=profile.name,
            email=email,
        )

    @property
    def says_something(self) -> bool:
        """Whether any field that states an interest is filled."""
        return any(
            text.strip() for text in (self.statement, self.terms, self.likes, self.authors, self.categories)
        )

    @property
    def narrows(self) -> bool:
        """Whether any of the fields that start out folded away is filled."""
        return any(
            text.strip() for text in (self.terms, self.likes, self.authors, self.categories, self.mutes)
        )

    def interests(self) -> Interests:
        """What it states. Raises `RequestError` naming the form's field."""
        try:
            interests_of(mutes=_lines(self.mutes))
        except RequestError as exc:
            raise RequestError("mutes", str(exc)) from exc
        try:
            return interests_of(statement=self.statement, **self._lists())
        except RequestError as exc:
            raise _named(exc) from exc

    def daily(self) -> int:
        """The dial's number. Raises `RequestError`."""
        if not self.per_day.strip().isdecimal() or not 1 <= int(self.per_day) <= MOST_PER_DAY:
            raise RequestError("per_day", f"Give a number from 1 to {MOST_PER_DAY}.")
        return int(self.per_day)

    def request(self) -> Request:
        """The subscription that it asks for. Raises `RequestError` naming the form's field.

        "Feed only" leaves the address aside; every other choice needs one.
        """
        self.interests()
        feed_only = self.every == "feed"
        if not feed_only and not self.email.strip():
            raise RequestError("email", "Give the address for your alerts, or choose “Feed only”.")
        return self._request(email="" if feed_only else self.email)

    def change(self, email: str) -> Request:
        """What the form makes of a profile whose reader has this address, or none. Raises `RequestError`."""
        self.interests()
        return self._request(email=email)

    def _request(self, email: str) -> Request:
        if not self.hour.strip().isdecimal() or not self.weekday.strip().isdecimal():
            raise RequestError("hour", "Choose an hour from the list.")
        lists = self._lists()
        try:
            return request(
                email=email,
                name=self.name,
                statement=self.statement,
                terms=lists["terms"],
                authors=lists["authors"],
                categories=lists["categories"],
                likes=lists["likes"],
                mutes=lists["mutes"],
                per_day=self.daily(),
                every=self.every,
                hour=int(self.hour),
                weekday=int(self.weekday),
                zone=self.zone.strip() or "UTC",
                send_empty=bool(self.send_empty),
            )
        except RequestError as exc:
            raise _named(exc) from exc

    def _lists(self) -> dict[str, list[str]]:
        return {
            "terms": re.split(r"[\n,;]", self.terms),
            "authors": re.split(r"[\n;]", self.authors),
            "categories": re.split(r"[\s,;]+", self.categories),
            "likes": re.split(r"[\s,;]+", re.sub(r"(?i)(arxiv|doi):\s+", r"\1:", self.likes)),
            "mutes": _lines(self.mutes),
        }

    def address(self) -> str:
        """The e-mail address, checked. Raises `RequestError`."""
        if not self.email.strip():
            raise RequestError("email", "Give the address that your alerts go to.")
        return request(email=self.email, statement="any").email


def seen(
    service: Service, typed: Typed, examples: Examples = ()
) -> tuple[Preview | None, RequestError | None]:
    """The preview of what was typed: none where nothing states an interest yet, or what is wrong with it."""
    if not typed.says_something:
        return None, None
    try:
        wanted, per_day = typed.interests(), typed.daily()
        return errands.preview(service, wanted, per_day=per_day, days=DAYS, examples=examples), None
    except RequestError as exc:
        return None, exc


def form_values(
    service: Service,
    typed: Typed,
    *,
    seek: bool,
    error: RequestError | None = None,
    examples: Examples = (),
) -> dict[str, object]:
    """What every page with the profile form needs; ``seek`` computes the preview with it."""
    found, fault = seen(service, typed, examples) if seek else (None, None)
    return {
        "typed": typed, "found": found, "error": error or fault, "labels": LABELS, "zones": time_zones(),
        "days": DAYS,
    }  # fmt: skip


@cache
def time_zones() -> dict[str, list[tuple[str, str]]]:
    """Every time zone that a person would choose, as (name, shown) by region."""
    zones: dict[str, list[tuple[str, str]]] = {}
    for name in sorted(available_timezones()):
        region, _, city = name.partition("/")
        if city and region in _REGIONS:
            zones.setdefault(region, []).append((name, city.replace("_", " ").replace("/", " / ")))
    return zones


def _lines(text: str) -> list[str]:
    return text.split("\n")


def _named(error: RequestError) -> RequestError:
    return RequestError(_FIELDS.get(error.field, error.field), str(error))
