"""Single changes of a profile, as the API takes them: what is not named in them stays as it is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from app.web.api import rules
from app.web.api.fields import MOST, MOST_LIKES, Category, Model, Named, Person, Phrase, Text
from app.web.api.profile_models import Delivery, Mutes, Term, in_fields
from profiles import edits
from profiles.profile import Profile
from profiles.request import LONGEST, MOST_PER_DAY, interests_of, request
from profiles.understood import Understood
from recommender.interest import Interests


class Added(Model):
    """What a profile gets beside what it has; what it has already is passed over."""

    authors: list[Person] = Field([], max_length=MOST, description="People to follow, by name")
    categories: list[Category] = Field([], max_length=MOST, description="Such as cs.DC, or math.*")
    likes: list[Named] = Field([], max_length=MOST_LIKES, description="Papers: arXiv ids or links, or DOIs")
    mutes: Mutes = Field(Mutes(), description="What never to show from now on")

    def interests(self, terms: Iterable[str] = (), said: Understood | None = None) -> Interests:
        """The same in the terms of profiles, with these terms and what else was ``said``. Raises
        `RequestError`."""
        said = said or Understood("")
        return interests_of(
            terms=[*terms, *said.terms], authors=[*self.authors, *said.authors],
            categories=[*self.categories, *said.categories], likes=[*self.likes, *said.likes],
            mutes=[*self.mutes.written(), *said.mutes],
        )  # fmt: skip


class Dropped(Added):
    """What a profile is to lose; each must be there, in whatever spelling."""

    terms: list[Annotated[Phrase, Field(json_schema_extra={"allOf": [rules.SAID]})]] = Field(
        [], max_length=MOST, description="Terms, stated for or against"
    )


class Edits(Model):
    """Single changes of what a profile wants; what is left out, or null, stays as it is."""

    statement: Annotated[Text, Field(max_length=LONGEST["statement"])] | None = Field(
        None,
        description="Another sentence, an empty one takes it out; what it names is added in its field",
    )
    terms: list[Term] = Field(
        [], max_length=MOST, description="Terms that get this weight; one of 0 is left to what was learned"
    )
    per_day: Annotated[int, Field(ge=1, le=MOST_PER_DAY)] | None = Field(
        None, description="About so many papers a day"
    )
    add: Added = Field(Added(), description="What it gets beside what it has")
    drop: Dropped = Field(Dropped(), description="What it loses, before anything is added")

    def made(self, wanted: edits.Wanted) -> edits.Wanted:
        """``wanted`` with these changes. Raises `RequestError`: on ``drop``, ``add`` or ``statement`` where
        they cannot be made of it."""
        said = None if self.statement is None else in_fields(self.statement)
        return edits.changed(
            wanted, statement=said.statement if said else None, per_day=self.per_day,
            more=self.add.interests((term.written() for term in self.terms), said),
            fewer=self.drop.interests(f"{term}=1" for term in self.drop.terms),
        )  # fmt: skip


def _as_it_is(schema: dict[str, Any]) -> None:
    """Take the values of a new profile out of a schema: what is left out here stays as it is."""
    for field in schema["properties"].values():
        field.pop("default", None)


class DeliveryEdits(Delivery):
    """Changes of when mail goes out; what is left out stays as it is."""

    model_config = ConfigDict(json_schema_extra=_as_it_is)


class ProfileEdits(Edits):
    """Single changes of a profile; what is left out, or null, stays as it is."""

    name: Annotated[Text, Field(max_length=LONGEST["name"])] | None = Field(
        None, description="What it is called in mails, and on your page"
    )
    delivery: DeliveryEdits | None = Field(None, description="When mail goes out")

    def changed(self, profile: Profile, email: str) -> Profile:
        """The profile with these changes, its reader having this address. Raises `RequestError`."""
        wanted = self.made(edits.Wanted(profile.interests, profile.per_day))
        plan = Delivery.of(profile.delivery).model_dump()
        if self.delivery is not None:
            plan |= self.delivery.model_dump(exclude_unset=True)
        name = profile.name if self.name is None else self.name
        asked = request(email=email, name=name, statement="any", **plan)
        return replace(
            profile, name=asked.name, interests=wanted.interests, per_day=wanted.per_day,
            delivery=profile.delivery if self.delivery is None else asked.delivery,
        )  # fmt: skip
