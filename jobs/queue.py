"""Who does what needs the ranking: this process, one that ends with the run, or workers.

The second is in jobs/apart.py, the third in jobs/workers.py.
"""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from jobs.service import Service
from jobs.tally import Delivered, Matched


class Hands(Protocol):
    """Who learns, matches, delivers and keeps the library: now, or as soon as somebody has a hand free."""

    def refit(self, service: Service, now: datetime, run: str) -> bool:
        """See to it that there is a new edition where one is due; whether one was fitted."""

    def match(self, service: Service, now: datetime, run: str) -> Matched:
        """See to it that every batch that waits is matched against every profile; what is done by now."""

    def shadow(self, service: Service, now: datetime, run: str) -> int:
        """See to it that rankers on trial look at what was matched; how many lists they made."""

    def deliver(self, service: Service, now: datetime, run: str) -> tuple[Delivered, Delivered]:
        """See to it that due digests are queued and due mails sent; what is done of it by now."""

    def library(self, service: Service, now: datetime, run: str) -> int:
        """See to it that search, topics and trends take in what is new; how many papers came in."""

    def over(self, run: str) -> None:
        """Give back what was kept for a run, which has come to its end, a good one or not."""


class Here:
    """This process, one step after the other: a run by hand, or a process that was made for a run.

    Each step is imported when it is taken: an idle process does without the 100 MB of the ranking.
    """

    def refit(self, service: Service, now: datetime, run: str) -> bool:  # noqa: ARG002
        """Fit a new edition where one is due."""
        from jobs import learning  # noqa: PLC0415

        return learning.refit(service, now)

    def match(self, service: Service, now: datetime, run: str) -> Matched:  # noqa: ARG002
        """Match all that waits."""
        from jobs import match  # noqa: PLC0415

        return match.match_pending(service, now)

    def shadow(self, service: Service, now: datetime, run: str) -> int:  # noqa: ARG002
        """Let rankers on trial look at what was matched."""
        from jobs import shadow  # noqa: PLC0415

        return shadow.score_pending(service, now)

    def deliver(self, service: Service, now: datetime, run: str) -> tuple[Delivered, Delivered]:  # noqa: ARG002
        """Queue and send all that is due."""
        from jobs import deliver  # noqa: PLC0415

        return deliver.queue_due(service, now), deliver.send_due(service, now)

    def library(self, service: Service, now: datetime, run: str) -> int:  # noqa: ARG002
        """Take in what is new, as much as one run does."""
        from jobs import library  # noqa: PLC0415

        return library.keep(service, now)

    def over(self, run: str) -> None:
        """Nothing was kept."""


HERE = Here()
