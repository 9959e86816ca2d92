"""What-if edits of a profile, as people type them: ``term:KV cache=2``, ``mute:vision``, ``per-day=10``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from profiles.request import MOST_PER_DAY, RequestError, interests_of
from recommender import names, text
from recommender.interest import Interests, Mutes

KINDS = ("term", "author", "category", "like", "mute", "statement", "per-day")
_EDIT = re.compile(r"\s*(?P<kind>[a-z-]+)\s*(?:[:=]\s*(?P<value>.*))?", re.IGNORECASE | re.DOTALL)
_QUOTED = re.compile(r'"(?P<inside>[^"]*)"(?P<after>.*)', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a profile asks for, as far as a preview shows it: the interests and the dial "about N a day"."""

    interests: Interests
    per_day: int


def edited(wanted: Wanted, changes: Iterable[str] = (), drops: Iterable[str] = ()) -> Wanted:
    """``wanted`` with these edits made, in their order, what is dropped first.

    A change is ``KIND:VALUE`` or ``KIND=VALUE`` with a kind of `KINDS`: a statement and the dial are
    replaced, a term gets the strength given (0 takes it out), the other kinds gain an entry. A drop names an
    entry of the profile in the same way. Raises `RequestError` for an edit that cannot be made.
    """
    for drop in drops:
        kind, value = _parted(drop, "drop")
        wanted = replace(wanted, interests=_dropped(wanted.interests, kind, value))
    for change in changes:
        kind, value = _parted(change, "set")
        wanted = _changed(wanted, kind, value)
    return wanted


def _parted(edit: str, option: str) -> tuple[str, str]:
    match = _EDIT.fullmatch(edit)
    kind = match["kind"].lower() if match else ""
    kind = {"seed": "like", "per_day": "per-day"}.get(kind, kind)
    if match is None or kind not in KINDS:
        raise RequestError(
            option,
            f"{edit!r} is no edit: it must begin with one of {', '.join(KINDS)}, as in term:KV cache=2.",
        )
    value = (match["value"] or "").strip()
    if quoted := _QUOTED.fullmatch(value):
        value = quoted["inside"] + quoted["after"]
    if not value and (option, kind) != ("drop", "statement"):
        raise RequestError(option, f"{edit!r} says nothing after {kind!r}.")
    return kind, value


def _changed(wanted: Wanted, kind: str, value: str) -> Wanted:
    now = wanted.interests
    if kind == "per-day":
        if not value.isdecimal() or not 1 <= int(value) <= MOST_PER_DAY:
            raise RequestError("set", f"per-day must be a number from 1 to {MOST_PER_DAY}, not {value!r}.")
        return replace(wanted, per_day=int(value))
    if kind == "statement":
        new = replace(now, statement=interests_of(statement=value).statement)
    elif kind == "term":
        new = replace(now, terms=_with_term(now.terms, *interests_of(terms=[value]).terms[0]))
    elif kind == "author":
        new = replace(now, authors=_with(now.authors, interests_of(authors=[value]).authors, names.author))
    elif kind == "category":
        new = replace(now, categories=_with(now.categories, interests_of(categories=[value]).categories))
    elif kind == "like":
        new = replace(now, seeds=_with(now.seeds, interests_of(likes=[value]).seeds))
    else:
        more = interests_of(mutes=[value]).mutes
        new = replace(
            now,
            mutes=Mutes(
                _with(now.mutes.terms, more.terms, text.term),
                _with(now.mutes.authors, more.authors, names.author),
                _with(now.mutes.categories, more.categories),
            ),
        )
    return replace(wanted, interests=new)


def _dropped(now: Interests, kind: str, value: str) -> Interests:
    if kind == "statement":
        return replace(now, statement="")
    if kind == "term":
        kept = _without([term for term, _ in now.terms], value, kind, text.term)
        return replace(now, terms=tuple((t, w) for t, w in now.terms if t in kept))
    if kind == "author":
        return replace(now, authors=_without(now.authors, value, kind, names.author))
    if kind == "category":
        return replace(now, categories=_without(now.categories, value, kind))
    if kind == "like":
        return replace(now, seeds=_without(now.seeds, interests_of(likes=[value]).seeds[0], kind))
    if kind == "mute":
        return replace(now, mutes=_unmuted(now.mutes, value))
    raise RequestError("drop", f"{kind} cannot be dropped; give another one with --set {kind}=….")


def _unmuted(mutes: Mutes, value: str) -> Mutes:
    asked = interests_of(mutes=[value]).mutes
    if asked.authors:
        return replace(mutes, authors=_without(mutes.authors, asked.authors[0], "muted author", names.author))
    if asked.categories:
        return replace(mutes, categories=_without(mutes.categories, asked.categories[0], "muted category"))
    return replace(mutes, terms=_without(mutes.terms, "".join(asked.terms), "muted term", text.term))


def _with_term(
    terms: tuple[tuple[str, float], ...], term: str, weight: float
) -> tuple[tuple[str, float], ...]:
    """The terms with this one at this strength, in its old place if it is there already; none at 0."""
    same = text.term(term)
    known = any(text.term(t) == same for t, _ in terms)
    new = [(t, weight if text.term(t) == same else w) for t, w in terms] + ([] if known else [(term, weight)])
    return tuple((t, w) for t, w in new if w)


def _with(
    held: tuple[str, ...], added: tuple[str, ...], form: Callable[[str], str] = str.strip
) -> tuple[str, ...]:
    forms = {form(word) for word in held}
    return held + tuple(word for word in added if form(word) not in forms)


def _without(
    held: Iterable[str], value: str, kind: str, form: Callable[[str], str] = str.strip
) -> tuple[str, ...]:
    words = list(held)
    kept = tuple(word for word in words if form(word) != form(value))
    if len(kept) == len(words):
        there = f"there are {', '.join(map(repr, words))}" if words else "there is none"
        raise RequestError("drop", f"The profile has no {kind} {value!r} to drop; {there}.")
    return kept
