"""When a reader's digest is due, in the reader's own time zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

Frequency = Literal["announced", "daily", "weekly", "feed"]


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

    def next_slot(self, now: datetime) -> datetime | None:
        """The first planned moment after ``now`` (aware), in local time; None for a plan without moments.

        A pause puts it off until the pause is over; that is also the only planned moment of a plan that
        mails on announcement. An hour that the clocks skip moves forward with them; one that they repeat
        counts once (its first).
        """
        zone = ZoneInfo(self.zone)
        if self.paused(now) and self.paused_until is not None and self.frequency != "feed":
            now = datetime.combine(self.paused_until, time(0), zone) - timedelta(seconds=1)
            if self.frequency == "announced":
                return now + timedelta(seconds=1)
        if self.frequency in {"announced", "feed"} or not self.days:
            return None
        today = now.astimezone(zone).date()
        for ahead in range(9):
            day = today + timedelta(days=ahead)
            slot = datetime.combine(day, time(self.hour), zone)
            # Compared in UTC: aware times of one zone compare by the clock on the wall, folds ignored.
            if day.weekday() in self.days and slot.astimezone(UTC) > now.astimezone(UTC):
                return slot
        return None

    def paused(self, now: datetime) -> bool:
        """Whether the reader asked for quiet on this day of theirs."""
        return (
            self.paused_until is not None and now.astimezone(ZoneInfo(self.zone)).date() < self.paused_until
        )
