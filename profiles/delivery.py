"""When a reader's digest is due, in the reader's own time zone, and what it looks like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

Frequency = Literal["announced", "daily", "weekly", "feed"]

# Two weeks and a day: a weekly digest's own day may be the one that a zone skips.
_AHEAD = 15


@dataclass(frozen=True, slots=True)
class DeliveryPlan:
    """How often mail is sent: as soon as papers are announced, daily, weekly, or never (feed only).

    ``days`` are weekdays (0 = Monday) on which a daily or weekly digest goes out, at ``hour`` local time in
    the IANA zone ``zone``. ``send_empty`` asks for a digest even where nothing matched.
    ``paused_until`` is the first local day on which mail goes out again.
    ``alone`` gives the profile a mail of its own, with a List-Id of its own, where other profiles of the
    reader share one. ``at_most`` is its quota of papers in a mail, None leaving it a fair share.
    ``markdown`` and ``bibtex`` attach the digest in these forms too. ``explore`` lets the last place go to a
    paper from just outside the usual range, in mail and feed alike.
    """

    frequency: Frequency = "daily"
    days: tuple[int, ...] = (0, 1, 2, 3, 4, 5, 6)
    hour: int = 7
    zone: str = "UTC"
    send_empty: bool = False
    paused_until: date | None = None
    alone: bool = False
    at_most: int | None = None
    markdown: bool = False
    bibtex: bool = False
    explore: bool = True

    def next_slot(self, now: datetime) -> datetime | None:
        """The first planned moment after ``now`` (aware), in local time; None for a plan without moments.

        A pause puts it off until the pause is over; that is also the only planned moment of a plan that
        mails on announcement. An hour that the clocks skip moves forward with them; one that they repeat
        counts once (its first). A day that a zone skips as a whole (Samoa, 30 December 2011) has none.
        """
        if self.frequency == "feed":
            return None
        if self.paused(now) and self.paused_until is not None:
            # Midnight is itself an hour that some zones skip; the pause is over where the day begins.
            begin = self._moment(self.paused_until, 0) or now
            if self.frequency == "announced":
                return begin
            now = begin.astimezone(UTC) - timedelta(microseconds=1)
        if self.frequency == "announced":
            return None
        today = now.astimezone(ZoneInfo(self.zone)).date()
        for ahead in range(_AHEAD):
            day = today + timedelta(days=ahead)
            slot = self._moment(day, self.hour) if day.weekday() in self.days else None
            # Compared in UTC: aware times of one zone compare by the clock on the wall, folds ignored.
            if slot is not None and slot.astimezone(UTC) > now.astimezone(UTC):
                return slot
        return None

    def paused(self, now: datetime) -> bool:
        """Whether the reader asked for quiet on this day of theirs."""
        return (
            self.paused_until is not None and now.astimezone(ZoneInfo(self.zone)).date() < self.paused_until
        )

    def _moment(self, day: date, hour: int) -> datetime | None:
        """This hour of the local day as the clocks show it then, None where the whole day is skipped.

        A wall time that does not exist is taken with the offset from before the gap, which moves it forward
        by the gap's length (PEP 495, fold 0); fold 0 is also the first of a repeated hour.
        """
        zone = ZoneInfo(self.zone)
        moment = datetime.combine(day, time(hour), zone).astimezone(UTC).astimezone(zone)
        return moment if moment.date() == day else None


def shares(wanted: Sequence[int], most: Sequence[int | None], room: int) -> list[int]:
    """How many papers each of several profiles gets in one mail that holds ``room`` of them.

    Nobody gets more than it has or than its own quota ``most``; what one leaves goes to the others in equal
    parts, the first ones getting what does not divide.
    """
    given = [0] * len(wanted)
    limits = [min(w, m) if m is not None else w for w, m in zip(wanted, most, strict=True)]
    while room > 0 and (hungry := [n for n, limit in enumerate(limits) if given[n] < limit]):
        part = max(1, room // len(hungry))
        for n in hungry[:room]:
            more = min(part, limits[n] - given[n])
            given[n] += more
            room -= more
    return given
