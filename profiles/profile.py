"""Subscribers and their interest profiles."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from profiles.delivery import DeliveryPlan
from recommender.interest import Interests


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
    An empty address is a reader of feeds only. ``confirmed_at`` is when mail was last agreed to, and
    ``confirmed_note`` how, whatever the state has become since.
    """

    id: int
    email: str
    state: str
    state_at: datetime
    state_note: str
    created_at: datetime
    confirmed_at: datetime | None = None
    confirmed_note: str = ""
