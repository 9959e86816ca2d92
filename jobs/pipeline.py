"""A paper's way, top to bottom."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from db.records import Receipt
from jobs import bounces, ingest, match, thinning
from jobs.queue import HERE, Hands
from jobs.service import Service
from jobs.stages import Aside, stage
from jobs.tally import Delivered, Matched


@dataclass(frozen=True, slots=True)
class Run:
    """What one run did: the receipts of what was checked, what was matched, queued and sent."""

    id: str
    at: datetime
    receipts: tuple[Receipt, ...]
    matched: Matched
    queued: Delivered
    sent: Delivered


def run_once(service: Service, now: datetime, run: str, hands: Hands = HERE) -> Run:
    """Take every paper one step further: from its source to the readers who want it.

    Each step does what the database says is due, in transactions of its own, so that a run which is
    interrupted anywhere is finished by the next one and nothing is done twice. ``hands`` do what needs the
    ranking: this process, one that ends with the run, or workers.

    What comes after the sources may fail, be it at every run: the rest is done, and then the error is raised.
    Digests wait an hour at most for a match that fails; a confirmation does not wait for it.
    """
    aside = Aside(service)
    # sources.<format>.parse -> paper_store.merge
    checked = stage(service, "ingest", lambda: ingest.check_due(service, now, run))
    # A new edition, once a night.
    aside.stage("edition", lambda: hands.refit(service, now, run), False)
    # What is news becomes a batch.
    aside.stage("gather", lambda: match.gather(service, now, checked), None)
    # vectors.transform -> ranking.score -> select.choose
    matched = aside.stage("match", lambda: hands.match(service, now, run), Matched())
    # What a ranker on trial would have chosen.
    aside.stage("shadow", lambda: hands.shadow(service, now, run), 0)
    # Addresses that are gone get no more.
    aside.stage("bounces", lambda: bounces.read(service, now), None)
    # alert_store.queue, mail.render -> smtp.send
    queued, sent = stage(service, "deliver", lambda: hands.deliver(service, now, run))
    # Search, topics, trends; last, since no alert waits for them.
    aside.stage("library", lambda: hands.library(service, now, run), 0)
    # What is no longer needed, once a night.
    aside.stage("thinning", lambda: thinning.thin(service, now, run), None)
    aside.over()
    return Run(run, now, tuple(checked), matched, queued, sent)
