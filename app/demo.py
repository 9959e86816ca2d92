"""The samples and the demo profile, so that a newcomer sees a ranked page, a feed and a mail at once."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from db import subscriber_store
from jobs import due, match
from jobs.ingest import ingest_locations
from jobs.queue import HERE
from jobs.service import Service
from profiles.request import request


def load(service: Service, now: datetime, run: str) -> None:
    """Ingest the samples and subscribe the demo profile. What is there already stays as it is."""
    folder = samples_folder()
    digests = sorted(str(path) for path in folder.glob("*-20*.md"))
    receipts = list(ingest_locations(service, digests, now, run))
    with service.database.reading() as session:
        first = due.edition(session, now)
    if first:  # the second start is quick: it does not load the ranking
        HERE.refit(service, now, run)
    match.gather(service, now, receipts)
    given: dict[str, Any] = json.loads((folder / "demo-profile.json").read_text(encoding="utf-8"))
    with service.database.reading() as session:
        if subscriber_store.by_email(session, given["email"]) is not None:
            return
    from jobs import subscribe  # noqa: PLC0415 - as above

    wanted = request(
        email=given["email"], name=given["name"], statement=given["statement"], likes=given["like"],
        terms=[f"{term}={weight}" for term, weight in given["terms"]], per_day=given["per_day"],
        every="announced",
    )  # fmt: skip
    subscribe.create(service, wanted, now, confirmed="the demo profile")


def samples_folder() -> Path:
    """Where the samples are: in the package if it was installed, beside it in a checkout."""
    inside = Path(__file__).with_name("samples")
    return inside if inside.is_dir() else Path(__file__).parent.parent / "samples"
