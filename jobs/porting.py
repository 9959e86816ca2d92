"""Profiles out to text files and in from them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import PurePath

from db import subscriber_store
from jobs import importing, learning, subscribe
from jobs.libraries import looks_like_one
from jobs.service import Service
from profiles.portable import Portable, parse
from profiles.profile import Profile
from profiles.request import Request, RequestError, request
from profiles.understood import spoken
from recommender.interest import Interests
from recommender.strongest import stated_terms, strongest_terms


def portable(service: Service, profile: Profile, now: datetime, *, learned: int = 40) -> Portable:
    """The profile with the ``learned`` terms that its ratings made strongest, those it states left out.

    Their strengths are shares of the strongest learned weight, from -1 to 1 in hundredths, so that a person
    can move one to the stated terms, where 1 is a plain yes.
    """
    with service.database.reading() as session:
        shard = subscriber_store.with_revisions(session, [profile.id])
        weights, _ = learning.weights(service, session, shard, now)
        edition = learning.edition(service, session)
    stated = stated_terms(profile.interests)
    found = strongest_terms(edition, weights[profile.id], learned, stated)
    most = max((abs(weight) for _, weight in found), default=1.0)
    shares = {term: round(weight / most, 2) for term, weight in found}
    return Portable(
        profile.name, profile.interests, profile.per_day, tuple((t, w) for t, w in shares.items() if w),
        profile.delivery.explore,
    )  # fmt: skip


def create(service: Service, content: str, where: str, email: str, now: datetime) -> Profile:
    """A new profile from a text file, or from a reference library, whose papers become its examples; without
    an address it is read as a feed only.

    Raises `PortableError` for a bad file, and `RequestError` where the address is none, the file states no
    interest, or the address has a profile of that name.
    """
    read = _read(service, content, where)
    asked = request(
        email=email, name=read.name, statement="checked below", per_day=read.per_day, explore=read.explore
    )
    if not read.interests:
        raise RequestError("statement", f"{where} states no interest: no statement, term, author or paper.")
    wanted = Request(asked.email, asked.name, read.interests, asked.per_day, asked.delivery)
    return subscribe.create(service, wanted, now, confirmed="by the operator")


def overwrite(service: Service, content: str, where: str, profile: Profile, now: datetime) -> Profile:
    """The profile with name, interests, dial and explore slot of a text file; ratings, feed and the rest of
    its delivery stay. A reference library adds its papers to those that the profile names.

    Raises `PortableError` for a bad file, and `RequestError` where a sister profile has that name.
    """
    if looks_like_one(content):
        brought = importing.library(service, content.encode(), where)
        seeds = tuple(dict.fromkeys((*profile.interests.seeds, *brought.seeds)))
        changed = replace(profile, interests=replace(profile.interests, seeds=seeds))
    else:
        read = parse(content, where)
        plan = replace(profile.delivery, explore=read.explore)
        changed = replace(
            profile, name=read.name, interests=read.interests, per_day=read.per_day, delivery=plan
        )
    with service.database.writing() as session:
        sisters = subscriber_store.profiles_of(session, profile.subscriber_id)
        if any(p.name == changed.name and p.id != profile.id for p in sisters):
            raise RequestError("name", f"{where}: this reader has another profile named {changed.name!r}.")
        subscriber_store.change_profile(session, changed, now)
    return changed


def _read(service: Service, content: str, where: str) -> Portable:
    """What a file asks for: that of a profile, or a library's papers and the titles of those not on hand."""
    if not looks_like_one(content):
        return parse(content, where)
    found = importing.library(service, content.encode(), where)
    return Portable(
        PurePath(where).stem[:120] or "My library", Interests(spoken(found.titles), seeds=found.seeds), 5
    )
