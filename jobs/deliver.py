"""From matches to the outbox: who is due gets a digest queued, with what it will hold by row number.

`send_due` takes it from there (jobs/sending.py).
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from db import alert_store, relay_store, source_store, subscriber_store
from db.records import Batch, Match, Pick, Queued
from db.relay_store import Relay
from db.session import Session
from jobs import compose, receipts
from jobs.alerts import notes, wording
from jobs.alerts.digest import Digest
from jobs.alerts.smtp import Outcome
from jobs.due import match_first
from jobs.sending import LEASE_SECONDS, send_due
from jobs.service import Service
from jobs.tally import Delivered
from profiles.delivery import shares
from profiles.profile import Profile, Subscriber

__all__ = ["LEASE_SECONDS", "Delivered", "Outbox", "message_id", "next_digest", "queue_due", "queue_link",
           "send_due", "send_test", "state"]  # fmt: skip

_TOGETHER = 200  # subscribers queued in one transaction
_MOST_IN_A_MAIL = 60
_NEAR = 5
# After a longer pause, or a time with the feed only, older papers stay where they are: on the reader's page.
_CATCH_UP = timedelta(days=31)
_RECEIPTS = 3  # of so many batches are spelled out in the receipt line


@dataclass(frozen=True, slots=True)
class Outbox:
    """How the outbox stands: mails by state, since when the oldest one waits, and how the relay is doing."""

    states: dict[str, int]
    oldest_waiting: datetime | None
    relay: Relay


def state(service: Service) -> Outbox:
    """How the outbox stands."""
    with service.database.reading() as session:
        return Outbox(
            alert_store.outbox_states(session),
            alert_store.oldest_waiting(session),
            relay_store.relay(session),
        )


def queue_due(service: Service, now: datetime) -> Delivered:
    """Put the digest of every subscriber whose time has come into the outbox, once what is new is matched."""
    with service.database.reading() as session:
        if match_first(session, now):
            return Delivered()
    done: Counter[str] = Counter()
    while True:
        with service.database.writing() as session:
            due = subscriber_store.due_profiles(session, now, at_most=_TOGETHER)
            for subscriber, profiles in due:
                done.update(_queue_digests(service, session, subscriber, profiles, now))
        if not due:
            return Delivered(queued=done["queued"], empty=done["empty"])


def _queue_digests(
    service: Service,
    session: Session,
    subscriber: Subscriber,
    due: Sequence[tuple[Profile, datetime]],
    now: datetime,
) -> list[str]:
    """Queue one subscriber's digests and plan the next ones; what came of each, in one word."""
    for profile, _ in due:
        subscriber_store.plan_digest(session, profile.id, profile.delivery.next_slot(now))
    if subscriber.state != "confirmed" or not subscriber.email:
        return []
    since = {p.id: at for p, at in due}
    return [
        _queue_digest(service, session, subscriber.id, group, min(since[p.id] for p in group), now)
        for group in together([p for p, _ in due if not p.delivery.paused(now)])
    ]


def together(profiles: Sequence[Profile]) -> list[list[Profile]]:
    """The profiles that share a mail, and those that have one of their own; readers of feeds have none."""
    mailed = [p for p in profiles if p.delivery.frequency != "feed"]
    shared = [p for p in mailed if not p.delivery.alone]
    return [*([shared] if shared else []), *([p] for p in mailed if p.delivery.alone)]


def _queue_digest(
    service: Service, session: Session, subscriber_id: int, profiles: Sequence[Profile], due: datetime,
    now: datetime,
) -> str:  # fmt: skip
    matches = alert_store.unmailed(session, [p.id for p in profiles])
    made = content(session, profiles, matches, now)
    filled = any(section["items"] for section in made["sections"])
    wanted = filled or any(p.delivery.send_empty for p in profiles)
    period = _period(profiles, matches, due)
    number = alert_store.queue(
        session, subscriber_id=subscriber_id, kind="digest", period=period, content=made, now=now,
        message_id=message_id(service, subscriber_id, "digest", period), matches=matches,
        state="queued" if wanted else "empty",
    )  # fmt: skip
    if number is None:
        return "nothing"
    return "queued" if wanted else "empty"


def _period(profiles: Sequence[Profile], matches: Sequence[Match], due: datetime) -> str:
    """What a digest is the only one of: these profiles' mail of this slot, or of this announcement."""
    who = "+".join(str(p.id) for p in profiles)
    if len(who) > 60:
        who = hashlib.sha256(who.encode()).hexdigest()[:24]
    # Two announcements may come at the same moment of a clock that was set back; a slot comes once.
    announced = any(p.delivery.frequency == "announced" for p in profiles) and matches
    batch = f"/{max(m.batch_id for m in matches)}" if announced else ""
    return f"{due.isoformat()}/{who}{batch}"


def content(
    session: Session, profiles: Sequence[Profile], matches: Sequence[Match], now: datetime
) -> dict[str, Any]:
    """What the digest of these profiles will hold, by row number; no paper stands in it twice.

    Where more has gathered than a mail holds, the best go into it and the receipt counts the others.
    """
    fresh = [m for m in matches if now - m.made_at <= _CATCH_UP]
    candidates = _candidates(profiles, fresh)
    counts = [len(candidates[p.id]) for p in profiles]
    room = shares(counts, [p.delivery.at_most for p in profiles], _MOST_IN_A_MAIL)
    taken: set[int] = set()
    sections: list[dict[str, Any]] = []
    for profile, most in zip(profiles, room, strict=True):
        chosen = candidates[profile.id][:most]
        taken.update(p.paper for p in chosen)
        sections.append({"profile": profile.id, "items": _rows(chosen), "near": []})
    for profile, section in zip(profiles, sections, strict=True):
        near = _best([p for m in fresh if m.profile_id == profile.id for p in m.near], taken)[:_NEAR]
        taken.update(p.paper for p in near)
        section["near"] = _rows(near)
    sent = sum(room)
    batches = list(alert_store.batches(session, {m.batch_id for m in matches}).values())
    ranked = sum(b.papers for b in batches)
    left = len({p.paper for m in matches for p in m.chosen} - taken)
    return {
        "sections": sections,
        "receipt": _receipt(batches, sent, ranked, left),
        "why_empty": "" if sent else _why_empty(session, ranked, now),
        "list_profile": profiles[0].id if len(profiles) == 1 and profiles[0].delivery.alone else None,
        "attach": _attached(profiles),
    }


def _candidates(profiles: Sequence[Profile], matches: Sequence[Match]) -> dict[int, list[Pick]]:
    """Each profile's chosen papers, best first; a paper that several chose is the first one's."""
    taken: set[int] = set()
    found: dict[int, list[Pick]] = {}
    for profile in profiles:
        found[profile.id] = _best([p for m in matches if m.profile_id == profile.id for p in m.chosen], taken)
        taken.update(p.paper for p in found[profile.id])
    return found


def _best(picks: Sequence[Pick], taken: set[int]) -> list[Pick]:
    """The picks best first, but for papers that are taken, and each paper once."""
    ranked = sorted((p for p in picks if p.paper not in taken), key=lambda p: (-p.score, p.paper))
    return list({p.paper: p for p in reversed(ranked)}.values())[::-1]


def _rows(picks: Sequence[Pick]) -> list[list[Any]]:
    return [[p.paper, p.score, p.strength, list(p.similar), p.explore] for p in picks]


def _attached(profiles: Sequence[Profile]) -> list[str]:
    markdown = any(p.delivery.markdown for p in profiles)
    bibtex = any(p.delivery.bibtex for p in profiles)
    return [form for form, wanted in (("markdown", markdown), ("bibtex", bibtex)) if wanted]


def _receipt(batches: Sequence[Batch], sent: int, ranked: int, left: int) -> str:
    checked = [b.receipt for b in batches if b.receipt]
    if not checked:
        line = "Nothing new was announced by any source."
    elif len(batches) <= _RECEIPTS:
        line = f"Checked {'; '.join(checked)}."
    else:
        first, last = (wording.day(pick(b.made_at for b in batches)) for pick in (min, max))
        line = f"Checked {len(batches)} announcements from {first} to {last}."
    if ranked:
        line = f"{line[:-1]}; {sent} of {ranked} papers sent."
    if left:
        line += f" {wording.count(left, 'more paper').capitalize()} matched; your page has them."
    return line


def _why_empty(session: Session, ranked: int, now: datetime) -> str:
    if ranked:
        return f"None of the {ranked} new papers came close enough to your interests."
    return receipts.why_nothing(source_store.receipts(session, since=now - timedelta(days=1)))


def queue_link(service: Service, session: Session, subscriber: Subscriber, kind: str, now: datetime) -> None:
    """Queue a mail with a link: ``confirmation`` of a subscription, or ``access`` to one's own page.

    Asking again within the hour sends nothing more, so that nobody can flood an address through us.
    """
    period = f"{now:%Y-%m-%dT%H}"
    content = {"at": now.isoformat()}
    alert_store.queue(
        session, subscriber_id=subscriber.id, kind=kind, period=period, content=content, now=now,
        message_id=message_id(service, subscriber.id, kind, period),
    )  # fmt: skip


def message_id(service: Service, subscriber_id: int, kind: str, period: str) -> str:
    """The Message-ID of a mail: the same for every attempt to send it, and for every process that tries.

    Nobody can guess it, since a report that returns it ends the mail to its recipient (jobs/bounces.py).
    """
    token = service.links.unsubscribe_token(subscriber_id)
    basis = f"{service.links.base_url}|{token}|{kind}|{period}"
    return f"<{kind}-{hashlib.sha256(basis.encode()).hexdigest()[:24]}@{service.links.host}>"


async def _send_test(service: Service, address: str, now: datetime) -> Outcome:
    stamp = f"{now:%Y-%m-%dT%H:%M:%S.%f}"
    identity = message_id(service, 0, "test", f"{address}/{stamp}")
    letter = notes.render_note("test", address, service.links.home, now, identity, service.sender)
    async with service.mailer() as mailer:
        return await mailer.send(service.sender.address, address, service.sign(letter))


def send_test(service: Service, address: str, now: datetime) -> Outcome:
    """Send the operator's test mail at once, pause or not, by the way that all mail goes.

    Raises `mime.MailError` for an address that cannot be written to.
    """
    return asyncio.run(_send_test(service, address, now))


def next_digest(service: Service, session: Session, profile: Profile, now: datetime) -> Digest | None:
    """The mail that this profile's next papers will come in, as it stands now; None for a feed's reader.

    Other profiles of the reader that share the mail and the hour are in it.
    """
    reader = subscriber_store.standing(session, profile.subscriber_id)
    due = profile.delivery.next_slot(now)
    others = subscriber_store.profiles_of(session, profile.subscriber_id)
    groups = together([p for p in others if p.delivery.next_slot(now) == due])
    group = next((g for g in groups if any(p.id == profile.id for p in g)), None)
    if group is None or reader is None:
        return None
    matches = alert_store.unmailed(session, [p.id for p in group])
    period = _period(group, matches, due or now)
    identity = message_id(service, profile.subscriber_id, "digest", period)
    queued = Queued(
        0, profile.subscriber_id, "digest", period, identity, "queued",
        content(session, group, matches, due or now), 0, None, None, due or now, None, "",
    )  # fmt: skip
    return compose.digest(service, session, queued, reader, now)
