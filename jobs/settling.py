"""What the outcome of one attempt means for a mail: done, to be tried again and when, or given up (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from db.records import Queued
from jobs.alerts.smtp import Outcome

# RFC 5321, section 4.5.4.1: give up after four to five days; the first retries come sooner.
WAITS = tuple(timedelta(minutes=m) for m in (1, 5, 15, 60, 240, 720, 1440, 1440, 1440))
GIVE_UP = timedelta(days=5)
# A fault of the server says nothing about the mail, which should go out soon after the server is back.
_LONGEST_FOR_SERVER = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Settled:
    """``state`` is sent, retry or failed, decided ``at`` this moment; ``retry_at`` is set for retry only.

    ``suppress`` says why the address gets no more mail, where it does not.
    """

    state: Literal["sent", "retry", "failed"]
    at: datetime
    error: str = ""
    retry_at: datetime | None = None
    suppress: str = ""


def settle(mail: Queued, outcome: Outcome, now: datetime, jitter: float) -> Settled:
    """Decide what becomes of a leased mail after this attempt.

    ``jitter`` in [0, 1) stretches the wait by up to a half, so that mails that failed together do not come
    back together. Given up is what was tried often and for five days: a process that is killed again and
    again uses up attempts, but no days.
    """
    if outcome.state == "sent":
        return Settled("sent", now)
    if outcome.state == "failed":
        address = f"address refused: {outcome.text}" if outcome.about == "address" else ""
        return Settled("failed", now, outcome.text, suppress=address)
    if mail.attempts > len(WAITS) and now - mail.queued_at > GIVE_UP:
        return Settled("failed", now, f"given up after {GIVE_UP.days} days: {outcome.text}")
    wait = WAITS[min(max(mail.attempts, 1), len(WAITS)) - 1]
    if outcome.about in {"server", "sender"}:
        wait = min(wait, _LONGEST_FOR_SERVER)
    return Settled("retry", now, outcome.text, retry_at=now + wait * (1 + jitter / 2))
