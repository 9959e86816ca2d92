"""From matches to mail: what is due is queued, what is queued is sent, every outcome is recorded."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from db import alert_store, source_store, subscriber_store
from db.records import Match, Pick, Queued
from db.session import Session
from jobs import compose, receipts
from jobs.alerts.smtp import Outcome
from jobs.service import Mailer, Service
from profiles.profile import Profile, Subscriber

_TOGETHER = 200  # subscribers queued in one transaction
_BATCH = 100  # mails leased, rendered and sent together
_LEASE_SECONDS = 300
_FAULTS = 20  # of the server in a row, after which the run stops
_MOST_IN_A_MAIL = 60
_NEAR = 5
# RFC 5321, section 4.5.4.1: give up after four to five days; the first retries come sooner.
_RETRIES = tuple(timedelta(minutes=m) for m in (1, 5, 15, 60, 240, 720, 1440, 1440, 1440))


@dataclass(frozen=True, slots=True)
class Delivered:
    """How many mails were queued, found empty, sent, put off, failed for good or withheld."""

    queued: int = 0
    empty: int = 0
    sent: int = 0
    retried: int = 0
    failed: int = 0
    suppressed: int = 0


def queue_due(service: Service, now: datetime) -> Delivered:
    """Put the digest of every subscriber whose time has come into the outbox."""
    queued = empty = 0
    while True:
        with service.database.writing() as session:
            due = subscriber_store.due_profiles(session, now, at_most=_TOGETHER)
            for subscriber, profiles in due:
                outcome = _queue_digest(service, session, subscriber, profiles, now)
                queued += int(outcome == "queued")
                empty += int(outcome == "empty")
        if not due:
            return Delivered(queued=queued, empty=empty)


def _queue_digest(
    service: Service,
    session: Session,
    subscriber: Subscriber,
    due: Sequence[tuple[Profile, datetime]],
    now: datetime,
) -> str:
    """Queue one subscriber's digest and plan the next one; what came of it, in one word."""
    for profile, _ in due:
        subscriber_store.plan_digest(session, profile.id, profile.delivery.next_slot(now))
    profiles = [p for p, _ in due if p.delivery.frequency != "feed" and not p.delivery.paused(now)]
    if subscriber.state != "confirmed" or not subscriber.email or not profiles:
        return "nothing"
    matches = alert_store.unmailed(session, [p.id for p in profiles])
    content = _content(session, profiles, matches, now)
    filled = any(section["items"] for section in content["sections"])
    wanted = filled or any(p.delivery.send_empty for p in profiles)
    period = f"{min(at for _, at in due).isoformat()}/{'+'.join(str(p.id) for p in profiles)}"
    number = alert_store.queue(
        session, subscriber_id=subscriber.id, kind="digest", period=period, content=content, now=now,
        message_id=message_id(service, subscriber.id, "digest", period), matches=matches,
        state="queued" if wanted else "empty",
    )  # fmt: skip
    if number is None:
        return "nothing"
    return "queued" if wanted else "empty"


def _content(
    session: Session, profiles: Sequence[Profile], matches: Sequence[Match], now: datetime
) -> dict[str, Any]:
    """What the digest will hold, by row number; no paper stands in it twice."""
    taken: set[int] = set()
    sections: list[dict[str, Any]] = []
    quota = max(1, _MOST_IN_A_MAIL // len(profiles))
    for profile in profiles:
        mine = [m for m in matches if m.profile_id == profile.id]
        chosen = _best([p for m in mine for p in m.chosen], taken, quota)
        near = _best([p for m in mine for p in m.near], taken, _NEAR)
        sections.append({"profile": profile.id, "items": chosen, "near": near})
    ranked = sum(b.papers for b in alert_store.batches(session, {m.batch_id for m in matches}).values())
    sent = sum(len(s["items"]) for s in sections)
    checked = [
        b.receipt for b in alert_store.batches(session, {m.batch_id for m in matches}).values() if b.receipt
    ]
    line = f"Checked {'; '.join(checked)}." if checked else "Nothing new was announced by any source."
    if ranked:
        line = f"{line[:-1]}; {sent} of {ranked} papers sent."
    return {
        "sections": sections,
        "receipt": line,
        "why_empty": "" if sent else _why_empty(session, ranked, now),
    }


def _best(picks: Sequence[Pick], taken: set[int], at_most: int) -> list[list[Any]]:
    best = sorted((p for p in picks if p.paper not in taken), key=lambda p: (-p.score, p.paper))[:at_most]
    taken.update(p.paper for p in best)
    return [[p.paper, p.score, p.strength, list(p.similar), p.explore] for p in best]


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
    """The Message-ID of a mail: the same for every attempt to send it, and for every process that tries."""
    basis = f"{service.links.base_url}|{subscriber_id}|{kind}|{period}"
    return f"<{kind}-{hashlib.sha256(basis.encode()).hexdigest()[:24]}@{service.links.host}>"


def send_due(service: Service, now: datetime) -> Delivered:
    """Send what is due in the outbox: leased first, rendered, handed over, and the outcome recorded.

    Stops early after many faults of the server in a row; what is left keeps its place in the outbox.
    """
    return asyncio.run(_send_due(service, now))


async def _send_due(service: Service, now: datetime) -> Delivered:
    total = Delivered()
    async with service.mailer() as mailer:
        while mailer.faults_in_a_row < _FAULTS:
            with service.database.writing() as session:
                leased = alert_store.lease(session, now, seconds=_LEASE_SECONDS, at_most=_BATCH)
            if not leased:
                break
            total = _add(total, await _send(service, mailer, leased, now))
    return total


async def _send(service: Service, mailer: Mailer, leased: Sequence[Queued], now: datetime) -> Delivered:
    with service.database.reading() as session:
        letters = {mail.id: compose.letter(service, session, mail, now) for mail in leased}
    attempts = {mail.id: mail.attempts for mail in leased}
    withheld = {number: letter for number, letter in letters.items() if isinstance(letter, compose.Withheld)}
    with service.database.writing() as session:
        for number, letter in withheld.items():
            alert_store.suppressed(session, number, letter.why)

    async def one(number: int, letter: compose.Letter) -> str:
        outcome = await mailer.send(service.sender.address, letter.to, letter.content)
        # Recorded at once: a mail that the server took and that we forgot would be sent again.
        with service.database.writing() as session:
            return _settle(session, number, letter.subscriber_id, outcome, attempts[number], now)

    ready = [one(n, letter) for n, letter in letters.items() if isinstance(letter, compose.Letter)]
    settled = Counter(await asyncio.gather(*ready))
    return Delivered(
        sent=settled["sent"], retried=settled["retry"], failed=settled["failed"], suppressed=len(withheld)
    )


def _settle(
    session: Session, number: int, subscriber_id: int, outcome: Outcome, attempts: int, now: datetime
) -> str:
    if outcome.state == "sent":
        alert_store.sent(session, number, now)
        return "sent"
    if outcome.state == "retry" and attempts <= len(_RETRIES):
        alert_store.failed(session, number, outcome.text, retry_at=now + _RETRIES[attempts - 1])
        return "retry"
    alert_store.failed(session, number, outcome.text)
    if outcome.about == "address":
        subscriber_store.set_state(
            session, subscriber_id, "suppressed", now, f"address refused: {outcome.text}"
        )
    return "failed"


def _add(one: Delivered, other: Delivered) -> Delivered:
    return Delivered(
        one.queued + other.queued, one.empty + other.empty, one.sent + other.sent,
        one.retried + other.retried, one.failed + other.failed, one.suppressed + other.suppressed,
    )  # fmt: skip
