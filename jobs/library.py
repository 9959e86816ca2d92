"""What readers search and browse, brought up to date: the index, guessed topics, trends."""

from __future__ import annotations

from datetime import datetime

from jobs import indexing, topic_labels, trends
from jobs.service import Service


def keep(service: Service, now: datetime) -> int:
    """Take in what is new, in steps that are bounded and go on in the next run; how many papers came in."""
    if taken := indexing.index(service, now):
        topic_labels.learn(service, now)
    indexing.guess_again(service, now)
    trends.make(service, now)
    return taken
