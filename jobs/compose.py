"""From a row of the outbox to the bytes of a mail, with reasons computed as they stand now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from db import paper_store, subscriber_store
from db.records import Pick, Queued, Stored
from db.session import Session
from jobs import reasons
from jobs.alerts import mail, mime, notes
from jobs.alerts.digest import Digest, Item, Receipt, Section
from jobs.service import Service
from profiles.profile import Profile, Subscriber


@dataclass(frozen=True, slots=True)
class Letter:
    """One mail, ready to go: ``content`` are its complete RFC 5322 bytes."""

    subscriber_id: int
    to: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Withheld:
    """A mail that must not go out, and why."""

    why: str


def letter(service: Service, session: Session, queued: Queued, now: datetime) -> Letter | Withheld:
    """The mail that this row of the outbox stands for, or why it is withheld."""
    person = subscriber_store.subscriber(session, queued.subscriber_id)
    if person is None or not person.email:
        return Withheld("the subscriber is gone")
    if person.state == "suppressed":
        return Withheld("the address refused mail before")
    if queued.kind == "digest" and person.state != "confirmed":
        return Withheld(f"the subscriber is {person.state}")
    if queued.kind == "confirmation" and person.state == "confirmed":
        return Withheld("the subscriber has confirmed already")
    try:
        content = _render(service, session, queued, person, now)
    except mime.MailError as exc:
        return Withheld(str(exc))
    return content if isinstance(content, Withheld) else Letter(person.id, person.email, content)


def _render(
    service: Service, session: Session, queued: Queued, person: Subscriber, now: datetime
) -> bytes | Withheld:
    at = queued.queued_at
    if queued.kind == "digest":
        made = digest(service, session, queued, person, now)
        if not made.sections:
            return Withheld("its profiles get no mail any more")
        return mail.render(made, service.links, service.sender)
    if queued.kind == "confirmation":
        link = service.links.confirm(person.id, person.email, at)
        return notes.render_confirmation(person.email, link, at, queued.message_id, service.sender)
    link = service.links.preferences(person.id, at)
    return notes.render_note("magic_link", person.email, link, at, queued.message_id, service.sender)


def digest(service: Service, session: Session, queued: Queued, person: Subscriber, now: datetime) -> Digest:
    """What a queued digest holds; profiles that were deleted or left since are not in it."""
    profiles = {
        p.id: p for p in subscriber_store.profiles_of(session, person.id) if p.delivery.frequency != "feed"
    }
    content = queued.content
    kept = [s for s in content["sections"] if s["profile"] in profiles]
    picks = {s["profile"]: (_picks(s["items"]), _picks(s["near"])) for s in kept}
    papers = paper_store.by_numbers(
        session,
        {n for chosen, near in picks.values() for p in (*chosen, *near) for n in (p.paper, *p.similar)},
        with_sources=True,
    )
    sections = [
        section(service, session, profiles[number], chosen, near, papers, now)
        for number, (chosen, near) in picks.items()
    ]
    zone = next((profiles[number].delivery.zone for number in picks), "UTC")
    return Digest(
        person.id, person.email, queued.message_id, queued.queued_at, tuple(sections),
        Receipt(content["receipt"], content["why_empty"]), zone, content.get("list_profile"),
        tuple(content.get("attach", ())),
    )  # fmt: skip


def section(
    service: Service, session: Session, profile: Profile, chosen: Sequence[Pick], near: Sequence[Pick],
    papers: dict[int, Stored], now: datetime,
) -> Section:  # fmt: skip
    """What one profile gets, with reasons; a paper that was withdrawn since is left out."""
    known = reasons.Reasons(service, session, profile, now)

    def items(picks: Sequence[Pick]) -> tuple[Item, ...]:
        shown = [p for p in picks if p.paper in papers and not papers[p.paper].paper.withdrawn]
        return tuple(known.items(shown, papers))

    return Section(profile.id, profile.name, items(chosen), items(near))


def _picks(rows: Sequence[Sequence[Any]]) -> list[Pick]:
    return [
        Pick(paper, score, strength, tuple(similar), explore)
        for paper, score, strength, similar, explore in rows
    ]
