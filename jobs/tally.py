"""What matching and delivering came to, in numbers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Matched:
    """How many batches and papers were matched against how many profiles, and how many papers were chosen."""

    batches: int = 0
    papers: int = 0
    profiles: int = 0
    chosen: int = 0


@dataclass(frozen=True, slots=True)
class Delivered:
    """How many mails were queued, found empty, sent, put off, failed for good or withheld.

    ``paused_until`` is set where nothing is sent for now, after many faults of the mail server in a row.
    """

    queued: int = 0
    empty: int = 0
    sent: int = 0
    retried: int = 0
    failed: int = 0
    suppressed: int = 0
    paused_until: datetime | None = None
