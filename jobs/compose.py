"""From a row of the outbox to the bytes of a mail, with reasons computed as they stand now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from db import paper_store, subscriber_store
from db.records import Pick, Queued
from db.session import Session
from db.subscriber_store import Standing
from jobs import learning
from jobs.alerts import mail, mime, notes, wording
from jobs.alerts.digest import Digest, Item, Receipt, Section, Strength
from jobs.service import Service
from recommender.apart import TakenApart
from recommender.explain import Explainer, Explanation


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


class Prepared:
    """What several digests have in common: their papers and the vectors of these, made once for all of them.

    A mail on its own takes 15 ms to make, nearly all of it for vectors; in a hundred together a few.
    """

    def __init__(self, service: Service, session: Session, mails: Sequence[Queued], now: datetime) -> None:
        sections = [s for mail in mails for s in mail.content.get("sections", ())]
        picks = [p for s in sections for p in _picks(s["items"])]
        near = {p.paper for s in sections for p in _picks(s["near"])}
        numbers = near.union(n for p in picks for n in (p.paper, *p.similar))
        self.papers = paper_store.by_numbers(session, numbers, with_sources=True)
        shard = subscriber_store.with_revisions(session, {s["profile"] for s in sections})
        self.profiles = {p.id: p for p, _ in shard}
        self._weights, _ = learning.weights(service, session, shard, now)
        self._examples = learning.examples(session, list(self.profiles.values()), now)
        shown = sorted({p.paper for p in picks if p.paper in self.papers})
        texts = [self.papers[number].paper for number in shown]
        edition = learning.edition(service, session)
        self._edition = edition.extended(texts, [p.interests for p in self.profiles.values()])
        self._row = {number: at for at, number in enumerate(shown)}
        self._apart = TakenApart(self._edition, self._edition.transform(texts), texts)
        self._edition.remembered([j.paper for judged in self._examples.values() for j in judged])

    def section(self, profile_id: int, items: Sequence[Pick], near: Sequence[Pick]) -> Section:
        """What the reader of this profile sees, near misses without a reason; a paper that was withdrawn
        since is left out."""
        profile = self.profiles[profile_id]
        explainer = Explainer(
            self._edition, self._weights[profile_id].on(self._edition), self._examples[profile_id],
            profile.interests,
        )  # fmt: skip
        shown = [pick for pick in items if self._is_shown(pick)]
        rows = [self._row[pick.paper] for pick in shown]
        whys = explainer.explain_all(self._apart, rows, wording.PARTS)
        return Section(
            profile.id,
            profile.name,
            tuple(self._item(pick, why) for pick, why in zip(shown, whys, strict=True)),
            tuple(self._near(pick) for pick in near if self._is_shown(pick)),
        )

    def _is_shown(self, pick: Pick) -> bool:
        return pick.paper in self.papers and not self.papers[pick.paper].paper.withdrawn

    def _item(self, pick: Pick, why: Explanation) -> Item:
        return Item(
            self.papers[pick.paper].paper,
            why.score,
            cast(Strength, pick.strength),
            why.reason,
            why.contributions,
            tuple(self.papers[n].paper for n in pick.similar if n in self.papers),
            pick.explore,
        )

    def _near(self, pick: Pick) -> Item:
        return Item(self.papers[pick.paper].paper, pick.score, cast(Strength, pick.strength), "")


def letter(
    service: Service, session: Session, queued: Queued, now: datetime, prepared: Prepared | None = None,
    readers: Mapping[int, Standing] | None = None,
) -> Letter | Withheld:  # fmt: skip
    """The mail that this row of the outbox stands for, or why it is withheld.

    ``prepared`` holds what it shares with others, ``readers`` how its subscriber stands; both are made for it
    alone where they are left out.
    """
    known = subscriber_store.standings(session, [queued.subscriber_id]) if readers is None else readers
    reader = known.get(queued.subscriber_id)
    if reader is None or not reader.email:
        return Withheld("the subscriber is gone")
    if reader.state == "suppressed":
        return Withheld("the address refused mail before")
    if queued.kind == "digest" and reader.state != "confirmed":
        return Withheld(f"the subscriber is {reader.state}")
    if queued.kind == "confirmation" and reader.state == "confirmed":
        return Withheld("the subscriber has confirmed already")
    try:
        content = _render(service, session, queued, reader, now, prepared)
    except mime.MailError as exc:
        content = Withheld(str(exc))
    if isinstance(content, Withheld):
        return content
    return Letter(queued.subscriber_id, reader.email, service.sign(content))


def _render(
    service: Service, session: Session, queued: Queued, reader: Standing, now: datetime,
    prepared: Prepared | None,
) -> bytes | Withheld:  # fmt: skip
    at, number = queued.queued_at, queued.subscriber_id
    if queued.kind == "digest":
        made = digest(service, session, queued, reader, now, prepared)
        if not made.sections:
            return Withheld("its profiles get no mail any more")
        if not made.papers and any(kept["items"] for kept in queued.content["sections"]):
            return Withheld("all of its papers were withdrawn")
        return mail.render(made, service.links, service.sender)
    if queued.kind == "confirmation":
        link = service.links.confirm(number, reader.email, at)
        return notes.render_confirmation(reader.email, link, at, queued.message_id, service.sender)
    link = service.links.preferences(number, at)
    return notes.render_note("magic_link", reader.email, link, at, queued.message_id, service.sender)


def digest(
    service: Service, session: Session, queued: Queued, reader: Standing, now: datetime,
    prepared: Prepared | None = None,
) -> Digest:  # fmt: skip
    """What a queued digest holds; profiles that were deleted or left since are not in it."""
    content = queued.content
    shared = prepared or Prepared(service, session, [queued], now)
    sections = []
    zone = ""
    for kept in content["sections"]:
        profile = shared.profiles.get(kept["profile"])
        if profile is not None and profile.id in reader.mailed:
            sections.append(shared.section(profile.id, _picks(kept["items"]), _picks(kept["near"])))
            zone = zone or profile.delivery.zone
    return Digest(
        queued.subscriber_id, reader.email, queued.message_id, queued.queued_at, tuple(sections),
        Receipt(content["receipt"], content["why_empty"]), zone or "UTC", content.get("list_profile"),
        tuple(content.get("attach", ())),
    )  # fmt: skip


def _picks(rows: Sequence[Sequence[Any]]) -> list[Pick]:
    return [
        Pick(paper, score, strength, tuple(similar), explore)
        for paper, score, strength, similar, explore in rows
    ]
