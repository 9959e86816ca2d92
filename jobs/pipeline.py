"""A paper's way, top to bottom."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from db.records import Receipt
from jobs import bounces, ingest, learning, library, match, thinning
from jobs.deliver import Delivered
from jobs.match import Matched
from jobs.queue import HERE, Hands
from jobs.service import Service


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
    interrupted anywhere is finished by the next one and nothing is done twice. ``hands`` match and deliver:
    this process, or workers.
    """
    checked = ingest.check_due(service, now, run)  # sources.<format>.parse -> paper_store.merge
    learning.refit(service, now)  # a new edition, once a night
    match.gather(service, now, checked)  # what is news becomes a batch
    matched = hands.match(service, now, run)  # vectors.transform -> ranking.score -> select.choose
    bounces.read(service, now)  # addresses that are gone get no more
    queued, sent = hands.deliver(service, now, run)  # alert_store.queue, mail.render -> smtp.send
    library.keep(service, now)  # search, topics, trends; last, since no alert waits for them
    thinning.thin(service, now, run)  # what is no longer needed, once a night
    return Run(run, now, tuple(checked), matched, queued, sent)
