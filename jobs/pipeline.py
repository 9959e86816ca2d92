"""A paper's way, top to bottom."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from db.records import Receipt
from jobs import bounces, deliver, ingest, learning, library, match
from jobs.deliver import Delivered
from jobs.match import Matched
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


def run_once(service: Service, now: datetime, run: str) -> Run:
    """Take every paper one step further: from its source to the readers who want it.

    Each step does what the database says is due, in transactions of its own, so that a run which is
    interrupted anywhere is finished by the next one and nothing is done twice.
    """
    checked = ingest.check_due(service, now, run)  # sources.<format>.parse -> paper_store.merge
    learning.refit(service, now)  # a new edition, once a night
    match.gather(service, now, checked)  # what is news becomes a batch
    matched = match.match_pending(service, now)  # vectors.transform -> ranking.score -> select.choose
    bounces.read(service, now)  # addresses that are gone get no more
    queued = deliver.queue_due(service, now)  # alert_store.queue
    sent = deliver.send_due(service, now)  # mail.render -> smtp.send
    library.keep(service, now)  # search, topics, trends; last, since no alert waits for them
    return Run(run, now, tuple(checked), matched, queued, sent)
