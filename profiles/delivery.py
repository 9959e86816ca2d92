"""When a reader's digest is due, in the reader's own time zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

Frequency = Literal["announced", "daily", "weekly", "feed"]
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True)
class DeliveryPlan:
    """How often mail is sent: as soon as papers are announced, daily, weekly, or never (feed only).

    ``days`` are weekdays (0 = Monday) on which a daily or weekly digest goes out, at ``hour`` local time in
    the IANA zone ``zone``. ``send_empty`` asks for a digest even where nothing matched.
    ``paused_until`` is the first local day on which mail goes out again.
    """

    frequency: Frequency = "daily"
    days: tuple[int, ...] = (0, 1, 2, 3, 4, 5, 6)
    hour: int = 7
    zone: str = "UTC"
    send_empty: bool = False
    paused_until: date | None = None

    def last_slot(self, now: datetime) -> datetime | None:
        """The latest planned moment at or before ``now`` (both aware), None for a plan without moments.

        An hour that the clocks skip moves forward with them; one that they repeat counts once (its first).
        """
        if self.frequency in {"announced", "feed"} or not self.days:
            return None
        zone = ZoneInfo(self.zone)
        today = now.astimezone(zone).date()
        for back in range(8):
            day = today - timedelta(days=back)
            slot = datetime.combine(day, time(self.hour), zone)
            if day.weekday() in self.days and slot.astimezone(now.tzinfo) <= now:
                return slot
        return None

    def next_slot(self, now: datetime) -> datetime | None:
        """The first planned moment after ``now``, None for a plan without moments."""
        if self.frequency in {"announced", "feed"} or not self.days:
            return None
        zone = ZoneInfo(self.zone)
        today = now.astimezone(zone).date()
        for ahead in range(9):
            day = today + timedelta(days=ahead)
            slot = datetime.combine(day, time(self.hour), zone)
            if day.weekday() in self.days and slot.astimezone(now.tzinfo) > now:
                return slot
        return None

    def paused(self, now: datetime) -> bool:
        """Whether the reader asked for quiet on this day of theirs."""
        return (
            self.paused_until is not None and now.astimezone(ZoneInfo(self.zone)).date() < self.paused_until
        )
