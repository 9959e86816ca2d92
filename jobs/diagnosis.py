"""What is wrong with the sources, the outbox and the scheduler, and what to do about it (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from db.queue_store import Queue
from db.records import Queued, Receipt, Source
from db.relay_store import Relay
from db.stats_store import Post
from jobs import rhythm
from jobs.rhythm import Memory
from jobs.sources import announcements

_PAUSED_LONG = timedelta(days=30)
_OVERDUE = timedelta(hours=2)
_STUCK = timedelta(hours=6)
_FAILING = 3
_SILENT = timedelta(minutes=2)
_BACKLOG = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: what it is about, what was seen, and what to do."""

    what: str
    why: str
    to_do: str


def of_sources(sources: Sequence[Source], latest: Mapping[int, Receipt], now: datetime) -> list[Finding]:
    """Sources that are stale, failing, never read, or paused for long.

    ``latest`` is each one's last receipt, by its number.
    """
    if not sources:
        return [
            Finding("sources", "there are none", "add one: `paperwatch sources add arxiv cs.DC`, or a folder")
        ]
    found = [finding for source in sources for finding in _of_source(source, latest.get(source.id), now)]
    waiting = [s for s in sources if not s.paused and s.next_check_at and s.next_check_at < now - _OVERDUE]
    if waiting:
        since = min(s.next_check_at for s in waiting if s.next_check_at)
        why = f"{len(waiting)} of {len(sources)} sources wait to be checked, since {since:%Y-%m-%d %H:%M} UTC"
        found.append(Finding("schedule", why, "start `paperwatch run` or `paperwatch schedule`"))
    return found


def _of_source(source: Source, last: Receipt | None, now: datetime) -> list[Finding]:
    if source.paused:
        since = source.paused_at
        if since is None or now - since < _PAUSED_LONG:
            return []
        resume = f"`paperwatch sources resume {source.id}`, or `remove` it"
        return [Finding(source.name, f"paused since {since:%Y-%m-%d}", resume)]
    again = f"then `paperwatch sources check {source.id}`"
    if source.failures >= _FAILING or (source.failures and source.last_success_at is None):
        good = f"{source.last_success_at:%Y-%m-%d %H:%M} UTC" if source.last_success_at else "never"
        why = f"failed {source.failures} times in a row, last good check: {good}; {source.last_error}"
        return [Finding(source.name, why, f"do what the error says, {again}, or pause or remove it")]
    if source.last_success_at is None and source.added_at and now - source.added_at > _OVERDUE:
        return [Finding(source.name, "was never checked", f"see that the scheduler runs, {again}")]
    found = []
    if stale := _stale(source, now):
        found.append(Finding(source.name, stale, f"look at {source.location} in a browser, {again}"))
    if last is not None and len(last.rejected) > last.received:
        where, why = last.rejected[0]
        out = len(last.rejected)
        said = f"{out} of {out + last.received} entries were left out; {where}: {why}"
        found.append(Finding(source.name, said, "its format may have changed: report it with the file"))
    return found


def _stale(source: Source, now: datetime) -> str:
    """Why an arXiv source is behind its time; empty if it is not."""
    if source.kind != "arxiv":
        return ""
    memory = Memory.of(source.cursor)
    day = announcements.awaited(now)
    if memory.missing and memory.missing[0] < day - timedelta(days=2):
        return f"{rhythm.words(memory.missing[0])} was missed and is not filled yet"
    late = now - announcements.out_at(day) > timedelta(hours=12)
    if memory.upto and memory.upto < day and late and not announcements.holiday(day):
        return f"{rhythm.words(day)} is due since midnight, US Eastern; the last batch is {memory.upto}"
    return ""


def of_outbox(states: Mapping[str, int], waiting: Sequence[Queued], now: datetime) -> list[Finding]:
    """Mails that failed for good, and mails that wait for longer than retries explain."""
    found = []
    if failed := states.get("failed", 0):
        why = f"{failed} mails could not be delivered"
        cure = "see why with `paperwatch outbox list --state failed`; when that is mended, "
        cure += "`paperwatch outbox retry --state failed`"
        found.append(Finding("outbox", why, cure))
    stuck = [m for m in waiting if m.state in ("queued", "sending") and now - m.queued_at > _STUCK]
    if stuck:
        error = next((m.last_error for m in stuck if m.last_error), "no try was made")
        why = f"{len(stuck)} mails wait since {min(m.queued_at for m in stuck):%Y-%m-%d %H:%M} UTC; {error}"
        found.append(Finding("outbox", why, "see that the scheduler runs and that the relay answers"))
    return found


def of_relay(relay: Relay, now: datetime) -> list[Finding]:
    """Mail that is paused because the relay failed again and again."""
    if not relay.holds(now):
        return []
    why = f"paused until {relay.resume_at:%H:%M} UTC after {relay.faults} faults in a row: {relay.error}"
    cure = "check the PAPERWATCH_SMTP settings; `paperwatch outbox test ADDRESS` tries them at once"
    return [Finding("mail", why, cure)]


def of_scheduler(post: Post | None, last_turn: datetime | None, now: datetime) -> list[Finding]:
    """Schedulers that were there and give no sign of life: the active one's lease ran out, or it left and
    nobody began a run for hours. On a machine where runs are begun by hand there never was one."""
    if post is not None and post.until < now - _SILENT:
        why = f"the last one, {post.holder}, gave no sign of life since {post.until:%Y-%m-%d %H:%M} UTC"
    elif post is None and last_turn is not None and last_turn < now - _OVERDUE:
        why = f"none runs; the last run began at {last_turn:%Y-%m-%d %H:%M} UTC"
    else:
        return []
    return [Finding("scheduler", why, "start `paperwatch run` or `paperwatch schedule`")]


def of_work(oldest: Mapping[str, datetime | None], now: datetime) -> list[Finding]:
    """Work that is due and not done, though the scheduler may be alive; sources and mails are told of
    elsewhere, with their errors."""
    found = []
    named = {"batch": "new papers wait to be matched", "digest": "digests wait to be written"}
    for kind, words in named.items():
        since = oldest.get(kind)
        if since is not None and now - since > _OVERDUE:
            cure = "see that the scheduler runs, and what its log says"
            found.append(Finding("schedule", f"{words} since {since:%Y-%m-%d %H:%M} UTC", cure))
    return found


def of_queue(queue: Queue | None, now: datetime) -> list[Finding]:
    """Jobs that no worker has finished for long; on SQLite there is no queue."""
    if queue is None or queue.oldest is None or now - queue.oldest < _BACKLOG:
        return []
    waits = f"{queue.waiting + queue.running} jobs, the oldest since {queue.oldest:%Y-%m-%d %H:%M} UTC"
    if not queue.workers:
        why = f"none is alive, so the scheduler does the work alone; left for them are {waits}"
        return [Finding("workers", why, "start `paperwatch work`, on any machine that reaches the database")]
    why = f"{queue.workers} are alive and behind with {waits}"
    return [Finding("workers", why, "start more of them, or see in their log what fails and is tried again")]
