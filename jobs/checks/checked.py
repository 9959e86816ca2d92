"""What every kind of check returns."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from db.records import Receipt


@dataclass(frozen=True, slots=True)
class Checked:
    """The receipts of a check and what its source is to remember.

    ``next_check_at`` None means the source's own interval; ``validators`` are the server's ETag and
    Last-Modified, None to keep what is known; ``error`` says what failed although some of it worked.
    """

    receipts: tuple[Receipt, ...]
    cursor: dict[str, Any]
    batch: date | None = None
    validators: tuple[str, str] | None = None
    next_check_at: datetime | None = None
    error: str = ""
