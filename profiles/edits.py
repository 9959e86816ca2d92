"""What-if edits of a profile, as people type them: ``term:KV cache=2``, ``mute:vision``, ``per-day=10``."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace

from profiles.request import MOST_PER_DAY, RequestError, interests_of
from recommender import names, text
from recommender.interest import Interests, Mutes

MOST_HELD = 5_000
"""So many entries of a kind a profile takes: of papers it learns in a second."""
_LISTED = 20  # entries that a refusal names
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


def changed(
    wanted: Wanted, *, statement: str | None = None, per_day: int | None = None,
    more: Interests | None = None, fewer: Interests | None = None,
) -> Wanted:  # fmt: skip
    """``wanted`` with single things changed; what is not given stays as it is.

    The terms of ``more`` get their strengths (0 takes one out), what else it holds is added; all that
    ``fewer`` names is dropped first. An empty statement is taken out. Raises `RequestError` for what cannot
    be dropped since it is not there, for too much of a kind, and where nothing would be wanted any more.
    """
    now = wanted.interests
    if fewer is not None:
        now = _less(now, fewer)
    if more is not None:
        now = _more(now, more)
    if statement is not None:
        now = replace(now, statement=interests_of(statement=statement).statement)
    if wanted.interests and not now:
        raise RequestError(
            "drop", "Nothing would be left that the profile wants: add something, or delete the profile."
        )
    kinds = (now.terms, now.authors, now.categories, now.seeds, *_muted(now.mutes))
    if any(len(kind) > MOST_HELD for kind in kinds):
        raise RequestError("add", f"A profile holds at most {MOST_HELD:,} of a kind; drop some first.")
    return Wanted(now, wanted.per_day if per_day is None else per_day)


def strengths(interests: Interests) -> dict[str, float]:
    """The terms that the reader stated, in the form that counts, with their strengths."""
    return {text.term(term): weight for term, weight in interests.terms}


def _more(now: Interests, more: Interests) -> Interests:
    return replace(
        now, terms=_with_terms(now.terms, more.terms), authors=_with(now.authors, more.authors, names.author),
        categories=_with(now.categories, more.categories), seeds=_with(now.seeds, more.seeds),
        mutes=_with_mutes(now.mutes, more.mutes),
    )  # fmt: skip


def _less(now: Interests, fewer: Interests) -> Interests:
    dropped = [term for term, _ in fewer.terms]
    kept = set(_without([term for term, _ in now.terms], dropped, "term", text.term))
    mutes = fewer.mutes
    return replace(
        now,
        terms=tuple((term, weight) for term, weight in now.terms if term in kept),
        authors=_without(now.authors, fewer.authors, "author", names.author),
        categories=_without(now.categories, fewer.categories, "category"),
        seeds=_without(now.seeds, fewer.seeds, "like"),
        mutes=Mutes(
            _without(now.mutes.terms, mutes.terms, "muted term", text.term),
            _without(now.mutes.authors, mutes.authors, "muted author", names.author),
            _without(now.mutes.categories, mutes.categories, "muted category"),
        ),
    )


def _muted(mutes: Mutes) -> tuple[tuple[str, ...], ...]:
    return mutes.terms, mutes.authors, mutes.categories


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
        new = replace(now, terms=_with_terms(now.terms, interests_of(terms=[value]).terms))
    elif kind == "author":
        new = replace(now, authors=_with(now.authors, interests_of(authors=[value]).authors, names.author))
    elif kind == "category":
        new = replace(now, categories=_with(now.categories, interests_of(categories=[value]).categories))
    elif kind == "like":
        new = replace(now, seeds=_with(now.seeds, interests_of(likes=[value]).seeds))
    else:
        new = replace(now, mutes=_with_mutes(now.mutes, interests_of(mutes=[value]).mutes))
    return replace(wanted, interests=new)


def _dropped(now: Interests, kind: str, value: str) -> Interests:
    if kind == "statement":
        return replace(now, statement="")
    if kind == "term":
        return _less(now, Interests(terms=((value, 1),)))
    if kind == "author":
        return _less(now, Interests(authors=(value,)))
    if kind == "category":
        return _less(now, Interests(categories=(value,)))
    if kind == "like":
        return _less(now, interests_of(likes=[value]))
    if kind == "mute":
        return _less(now, interests_of(mutes=[value]))
    raise RequestError("drop", f"{kind} cannot be dropped; give another one with --set {kind}=….")


def _with_terms(
    held: tuple[tuple[str, float], ...], added: Iterable[tuple[str, float]]
) -> tuple[tuple[str, float], ...]:
    """The terms with these at these strengths, in their old place if they are there already; none at 0."""
    new = {text.term(term): (term, weight) for term, weight in added}
    forms = [text.term(term) for term, _ in held]
    kept = [(given[0], new.get(same, given)[1]) for same, given in zip(forms, held, strict=True)]
    fresh = [given for same, given in new.items() if same not in forms]
    return tuple((term, weight) for term, weight in (*kept, *fresh) if weight)


def _with_mutes(now: Mutes, more: Mutes) -> Mutes:
    return Mutes(
        _with(now.terms, more.terms, text.term),
        _with(now.authors, more.authors, names.author),
        _with(now.categories, more.categories),
    )


def _with(
    held: tuple[str, ...], added: tuple[str, ...], form: Callable[[str], str] = str.strip
) -> tuple[str, ...]:
    if not added:
        return held
    forms = {form(word) for word in held}
    fresh = {form(word): word for word in reversed(added) if form(word) not in forms}
    return held + tuple(reversed(fresh.values()))


def _without(
    held: Collection[str], dropped: Iterable[str], kind: str, form: Callable[[str], str] = str.strip
) -> tuple[str, ...]:
    """What is left of ``held``; each of ``dropped`` must be in it in some spelling."""
    gone = {form(word): word for word in dropped}
    if not gone:
        return tuple(held)
    forms = [form(word) for word in held]
    there = set(forms)
    if missing := [word for same, word in gone.items() if same not in there]:
        raise RequestError("drop", f"The profile has no {kind} {missing[0]!r} to drop; {_there(held)}.")
    return tuple(word for word, same in zip(held, forms, strict=True) if same not in gone)


def _there(held: Collection[str]) -> str:
    if not held:
        return "there is none"
    more = f" and {len(held) - _LISTED:,} more" if len(held) > _LISTED else ""
    return f"there are {', '.join(map(repr, list(held)[:_LISTED]))}{more}"
