"""Subscribers and their interest profiles."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from profiles.delivery import DeliveryPlan


@dataclass(frozen=True, slots=True)
class Mutes:
    """What a reader never wants to see; a mute always wins."""

    terms: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.terms or self.authors or self.categories)


@dataclass(frozen=True, slots=True)
class Interests:
    """What a reader says of one interest, before any feedback.

    ``terms`` are (term, strength) with strength in [-3, 3], 1 being "yes" and negative ones "rather not".
    ``seeds`` are canonical paper ids that the reader named as examples.
    """

    statement: str = ""
    terms: tuple[tuple[str, float], ...] = ()
    authors: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    seeds: tuple[str, ...] = ()
    mutes: Mutes = field(default_factory=Mutes)

    def __bool__(self) -> bool:
        return bool(self.statement.strip() or self.terms or self.authors or self.categories or self.seeds)


@dataclass(frozen=True, slots=True)
class Profile:
    """One interest of one subscriber: what it is, how much of it, and how it arrives.

    ``per_day`` is the dial "about N a day"; ``feed_token`` is the secret part of the feed's address.
    """

    id: int
    subscriber_id: int
    name: str
    interests: Interests
    per_day: int
    delivery: DeliveryPlan
    feed_token: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Subscriber:
    """A person with an address: unconfirmed, confirmed, unsubscribed or suppressed.

    ``state_note`` says how the state came about ("confirmed by link from 192.0.2.1").
    An empty address is a reader of feeds only.
    """

    id: int
    email: str
    state: str
    state_at: datetime
    state_note: str
    created_at: datetime
