"""Where shards of work run: in this process, or spread over Procrastinate's workers (jobs/workers.py)."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from jobs import deliver, match
from jobs.deliver import Delivered
from jobs.match_shard import Matched
from jobs.service import Service


class Hands(Protocol):
    """Who matches and delivers what is due: now, or as soon as somebody has a hand free."""

    def match(self, service: Service, now: datetime, run: str) -> Matched:
        """See to it that every batch that waits is matched against every profile; what is done by now."""

    def deliver(self, service: Service, now: datetime, run: str) -> tuple[Delivered, Delivered]:
        """See to it that due digests are queued and due mails sent; what is done of it by now."""


class Here:
    """This process, one shard after the other: SQLite, a run by hand, or nobody else is up."""

    def match(self, service: Service, now: datetime, run: str) -> Matched:  # noqa: ARG002
        """Match all that waits."""
        return match.match_pending(service, now)

    def deliver(self, service: Service, now: datetime, run: str) -> tuple[Delivered, Delivered]:  # noqa: ARG002
        """Queue and send all that is due."""
        return deliver.queue_due(service, now), deliver.send_due(service, now)


HERE = Here()
