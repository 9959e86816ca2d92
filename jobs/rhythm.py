"""When a source is asked next, and what its answer means: new, stale, quiet, or days missed (pure).

arXiv's feeds show one day's announcement and nothing older. So every feed day (Monday to Friday, US Eastern)
has to be seen on that day; those that were not are *missing* and are looked up in arXiv's archive. A batch
with papers that were all in the last one is *stale*, however it is dated. Holidays are never taken on
trust: a day with an empty feed is looked up too, once it is over.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

from db.records import Outcome
from jobs.sources import announcements

_FIRST_WAIT = timedelta(minutes=10)
_LONGEST_WAIT = timedelta(hours=2)
_HOLIDAY_WAIT = timedelta(hours=12)
_SPREAD = timedelta(minutes=10)
_FIRST_RETRY = timedelta(minutes=2)
_DAY = timedelta(days=1)
# Papers that come in later than this are kept, but are no news to anybody.
NEWS = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a harvest stopped: the day it began from, the position of the set, the page, and whether it goes
    through arXiv's archive (oai) or its search (api)."""

    since: str
    at: int = 0
    token: str = ""
    way: str = "oai"


@dataclass(frozen=True, slots=True)
class Memory:
    """What an arXiv source remembers between checks.

    Every feed day up to ``upto`` was received or stands in ``missing``. ``mark`` is the fingerprint of the
    last batch, ``tries`` how often the awaited one was asked for in vain, ``backfill`` the first of the days
    before the first check that are still to be fetched, ``place`` where an unfinished harvest goes on,
    ``refused`` how often in a row the harvest failed.
    """

    upto: date | None = None
    mark: str = ""
    missing: tuple[date, ...] = ()
    tries: int = 0
    backfill: date | None = None
    place: Place | None = None
    refused: int = 0

    @classmethod
    def of(cls, cursor: Mapping[str, Any]) -> Memory:
        """The memory in a source's cursor; an empty one where there is none."""
        place = cursor.get("place")
        return cls(
            upto=_date(cursor.get("upto")),
            mark=cursor.get("mark", ""),
            missing=tuple(date.fromisoformat(day) for day in cursor.get("missing", ())),
            tries=cursor.get("tries", 0),
            backfill=_date(cursor.get("backfill")),
            place=Place(**place) if place else None,
            refused=cursor.get("refused", 0),
        )

    def as_cursor(self) -> dict[str, Any]:
        """The same as JSON."""
        return {
            "upto": self.upto.isoformat() if self.upto else None,
            "mark": self.mark,
            "missing": [day.isoformat() for day in self.missing],
            "tries": self.tries,
            "backfill": self.backfill.isoformat() if self.backfill else None,
            "place": asdict(self.place) if self.place else None,
            "refused": self.refused,
        }


@dataclass(frozen=True, slots=True)
class Answer:
    """What a feed showed: nothing (``unchanged``: the server said so), or ``papers`` under ``batch``, whose
    fingerprint is ``mark``; not ``whole`` if some of it was cut off or unreadable."""

    unchanged: bool = False
    papers: int = 0
    batch: date | None = None
    mark: str = ""
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an answer means, in one word and in a sentence, and what is to be remembered; ``fresh`` if its
    papers were not all seen before."""

    outcome: Outcome
    why: str
    memory: Memory
    fresh: bool = False
    batch: date | None = field(default=None)


def overdue(memory: Memory, now: datetime) -> Memory:
    """Count as missing every feed day that is over and was not received."""
    if memory.upto is None:
        return memory
    gone = announcements.between(memory.upto, announcements.today(now))
    if not gone:
        return memory
    missing = tuple(sorted({*memory.missing, *gone}))
    return replace(memory, upto=gone[-1], missing=missing, tries=0)


def judge(memory: Memory, answer: Answer, now: datetime) -> Verdict:
    """What an arXiv feed's answer means at this moment, days that are over being counted already."""
    if answer.papers and not (answer.unchanged or answer.mark == memory.mark):
        return _fresh(memory, answer, now)
    day = announcements.awaited(now)
    if memory.upto is None:
        # Nothing is known yet: the next feed to come is the first one.
        weekend = announcements.today(now) != day
        memory = replace(memory, upto=day if weekend else announcements.on_or_before(day - _DAY))
    seen = memory.upto or day
    if seen >= day:
        if announcements.today(now) != day and not answer.papers and not answer.unchanged:
            return Verdict("weekend", "arXiv announces nothing at weekends", memory)
        return Verdict("unchanged", f"nothing new since {words(seen)}", replace(memory, tries=0))
    memory = replace(memory, tries=memory.tries + 1)
    if name := announcements.holiday(day):
        return Verdict("holiday", f"nothing announced for {words(day)}: {name}", memory)
    if answer.papers or answer.unchanged:
        why = f"{words(day)} is due, but the feed still shows the last batch"
        return Verdict("stale", why, memory)
    return Verdict("not yet", f"{words(day)} is not out yet", memory)


def _fresh(memory: Memory, answer: Answer, now: datetime) -> Verdict:
    day = announcements.awaited(now)
    batch = answer.batch or day
    before = memory.upto or announcements.on_or_before(batch - _DAY)
    missing = {*memory.missing, *announcements.between(before, batch)} - {batch}
    if not answer.whole:
        missing.add(batch)
    upto = max(before, batch)
    kept = replace(memory, upto=upto, mark=answer.mark, missing=tuple(sorted(missing)), tries=0)
    if upto < day:
        kept = replace(kept, tries=memory.tries + 1)
        why = f"{words(day)} is due, but the feed shows {words(batch)}"
        return Verdict("stale", why, kept, fresh=True, batch=batch)
    return Verdict("papers", "", kept, fresh=True, batch=batch)


def next_check(memory: Memory, now: datetime, jitter: float) -> datetime:
    """When arXiv is asked next: when the next feed is out if all is there, else after a growing wait.

    ``jitter`` in [0, 1) spreads the requests of many installations over ten minutes.
    """
    day = announcements.awaited(now)
    if memory.upto is not None and memory.upto >= day and not memory.missing and memory.backfill is None:
        return announcements.out_at(announcements.after(max(memory.upto, day))) + _SPREAD * jitter
    wait: timedelta = min(_FIRST_WAIT * 2 ** max(0, min(memory.tries, 8) - 1), _LONGEST_WAIT)
    if announcements.holiday(day) and not memory.missing:
        wait = _HOLIDAY_WAIT
    # When the day is over, its feed is gone and the archive is asked.
    tomorrow = announcements.out_at(announcements.today(now) + _DAY) + _SPREAD * jitter
    return min(now + wait * (1 + jitter / 5), tomorrow)


def next_interval(now: datetime, every: timedelta, jitter: float) -> datetime:
    """When an ordinary feed is asked next: after its interval, a tenth more at most."""
    return now + every * (1 + jitter / 10)


def after_failure(
    failures: int,
    now: datetime,
    jitter: float,
    *,
    not_before: datetime | None = None,
    longest: timedelta = _DAY,
) -> datetime:
    """When a source that failed ``failures`` times before is tried again: after a wait that doubles from two
    minutes up to ``longest``, and not before the server wants to be asked (its Retry-After)."""
    wait: timedelta = min(_FIRST_RETRY * 2 ** min(failures, 16), longest)
    at = now + wait * (1 + jitter / 5)
    return max(at, not_before + _FIRST_RETRY * jitter) if not_before else at


def is_news(day: date | None, now: datetime) -> bool:
    """Whether readers may still be told of a paper that was announced on this day."""
    return day is None or day >= announcements.today(now) - NEWS


def words(day: date) -> str:
    """A day as people see it: "Tue 28 Oct"."""
    return f"{day:%a} {day.day} {day:%b}"


def _date(value: Any) -> date | None:
    return date.fromisoformat(value) if value else None
