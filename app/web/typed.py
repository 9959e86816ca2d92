"""The fields of the profile form: what was typed, kept as it was typed, and what it asks for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from starlette.datastructures import FormData

from profiles.edits import Wanted, edited
from profiles.portable import Portable
from profiles.profile import Profile
from profiles.request import MOST_PER_DAY, Request, RequestError, interests_of, request
from profiles.understood import spoken, understood
from recommender.interest import Interests

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
# The request names single things, the form has a field for all of a kind.
_FIELDS = {"term": "terms", "author": "authors", "category": "categories"}
_ALL_DAYS = "0123456"
_STRONGEST = 3


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
    days: str = _ALL_DAYS
    send_empty: str = ""
    alone: str = ""
    at_most: str = ""
    markdown: str = ""
    bibtex: str = ""
    explore: str = "yes"
    name: str = ""
    email: str = ""
    byline: str = ""

    @classmethod
    def of(cls, fields: Mapping[str, object]) -> Typed:
        """What a browser sent: known fields only, text only, without control characters."""
        known = {name: fields[name] for name in cls.__slots__ if isinstance(fields.get(name), str)}
        if known.get("days") == "shown":
            # The form says that it shows its boxes; one that is not ticked says nothing.
            known["days"] = "".join(day for day in _ALL_DAYS if fields.get(f"day{day}"))
            known.setdefault("explore", "")
        if isinstance(fields, FormData):
            ticked = [paper for paper in fields.getlist("own") if isinstance(paper, str)]
            known["likes"] = "\n".join((str(known.get("likes", "")), *ticked)).strip("\n")
        return cls(
            **{name: _CONTROL.sub("", str(text).replace("\r\n", "\n")) for name, text in known.items()}
        )

    @classmethod
    def from_profile(cls, profile: Profile, email: str) -> Typed:
        """The form as it stands for a profile that is to be edited."""
        plan = profile.delivery
        return cls(
            **_written(profile.interests),
            per_day=str(profile.per_day),
            every=plan.frequency,
            weekday=str(plan.days[0] if plan.frequency == "weekly" and plan.days else 0),
            hour=str(plan.hour),
            zone=plan.zone,
            days="".join(str(day) for day in plan.days) if plan.frequency == "daily" else _ALL_DAYS,
            send_empty="yes" if plan.send_empty else "",
            alone="yes" if plan.alone else "",
            at_most="" if plan.at_most is None else str(plan.at_most),
            markdown="yes" if plan.markdown else "",
            bibtex="yes" if plan.bibtex else "",
            explore="yes" if plan.explore else "",
            name=profile.name,
            email=email,
        )

    def sorted(self) -> Typed:
        """The same with the papers, categories and people that the statement names in their own fields."""
        read = understood(self.statement)
        if read.statement == self.statement:
            return self
        lists = {
            name: "\n".join(filter(None, (getattr(self, name).strip(), *words)))
            for name, words in read.lists.items()
            if words
        }
        return replace(self, statement=read.statement, **lists)

    def with_library(self, seeds: Iterable[str], titles: Iterable[str]) -> Typed:
        """The form with these papers liked, and the titles of others said as far as a statement may go."""
        likes = [*self._lists()["likes"], *map(_plain_key, seeds)]
        return replace(
            self,
            statement=spoken(titles, self.statement.strip()),
            likes="\n".join(dict.fromkeys(like for like in likes if like)),
        )

    def with_profile(self, held: Portable) -> Typed:
        """The form of a profile that came as a text file; when and how it reaches the reader stays."""
        return replace(
            self, **_written(held.interests), per_day=str(held.per_day), name=held.name,
            explore="yes" if held.explore else "",
        )  # fmt: skip

    def edited(self, edit: str) -> Typed:
        """The form after a press on a chip: ``drop KIND VALUE``, or ``more VALUE`` and ``less VALUE`` of a
        term. Raises `RequestError` where there is no such thing in it."""
        verb, _, rest = edit.partition(" ")
        kind, _, value = rest.partition(" ")
        now = Wanted(self.interests(), self.daily())
        try:
            if verb == "drop":
                after = edited(now, drops=[f"{kind}:{value}"])
            elif verb in {"more", "less"}:
                strength = _stepped(now.interests, rest, 1 if verb == "more" else -1)
                after = edited(now, [f"term:{rest}={strength:g}"])
            else:
                raise RequestError("statement", f"“{edit}” is no change of this form.")
        except RequestError as exc:
            raise RequestError("statement", str(exc)) from exc
        return replace(self, **_written(after.interests))

    @property
    def says_something(self) -> bool:
        """Whether any field that states an interest is filled."""
        return any(
            text.strip() for text in (self.statement, self.terms, self.likes, self.authors, self.categories)
        )

    def interests(self) -> Interests:
        """What it states. Raises `RequestError` naming the form's field."""
        typed = self.sorted()
        try:
            interests_of(mutes=_lines(typed.mutes))
        except RequestError as exc:
            raise RequestError("mutes", str(exc)) from exc
        try:
            return interests_of(statement=typed.statement, **typed._lists())
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
        if self.every == "daily" and not self.days:
            raise RequestError("days", "Choose at least one day, or “Feed only”.")
        if self.at_most.strip() and not self.at_most.strip().isdecimal():
            raise RequestError("at_most", "Give a number, or leave it empty.")
        typed = self.sorted()
        lists = typed._lists()
        try:
            return request(
                email=email,
                name=self.name,
                statement=typed.statement,
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
                days=[int(day) for day in self.days],
                send_empty=bool(self.send_empty),
                alone=bool(self.alone),
                at_most=int(self.at_most) if self.at_most.strip() else None,
                markdown=bool(self.markdown),
                bibtex=bool(self.bibtex),
                explore=bool(self.explore),
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


def _written(wants: Interests) -> dict[str, str]:
    """The fields that state these interests, as a person would type them."""
    return {
        "statement": wants.statement,
        "terms": "\n".join(t if w == 1 else f"{t} = {w:g}" for t, w in wants.terms),
        "likes": "\n".join(map(_plain_key, wants.seeds)),
        "authors": "\n".join(wants.authors),
        "categories": " ".join(wants.categories),
        "mutes": "\n".join(
            (
                *wants.mutes.terms,
                *(f"author: {name}" for name in wants.mutes.authors),
                *(f"category: {code}" for code in wants.mutes.categories),
            )
        ),
    }


def _plain_key(key: str) -> str:
    return key.removeprefix("arxiv:").removeprefix("doi:")


def _stepped(wants: Interests, term: str, step: int) -> float:
    """The strength of a term one step on; 0 is left out, since it would say nothing."""
    now = next((w for t, w in wants.terms if t == term), 0.0)
    then = now + step or step
    return max(-_STRONGEST, min(_STRONGEST, then))


def _lines(text: str) -> list[str]:
    return text.split("\n")


def _named(error: RequestError) -> RequestError:
    return RequestError(_FIELDS.get(error.field, error.field), str(error))
