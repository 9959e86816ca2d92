"""Digests, readers and mails for scenarios: what goes in at one end and comes out at the other."""

from __future__ import annotations

import email
from dataclasses import replace
from datetime import datetime, timedelta
from email import policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from db import alert_store
from db.tables import BatchRow
from jobs import deliver, ingest, match, reading, subscribe
from jobs.alerts.outbox_folder import OutboxFolder
from jobs.pipeline import Run, run_once
from jobs.service import Service
from profiles.feedback import Opinion
from profiles.profile import Profile
from profiles.request import request
from tests.conftest import NOW

DIGEST = """# 20251117-20251123

## {day}

{entries}
"""
ENTRY = """- **[arXiv2511] {title}**
  - **tags:** [mlsys], [LLM inference], [serving]
  - **authors:** Ada Example, Björn Beispiel
  - **institution:** Example University
  - **link:** https://arxiv.org/pdf/2511.{number:05d}v1
  - **Simple LLM Summary:** {summary}

"""
WANTED = "Speculative decoding with {what}, part {n}"
UNWANTED = "Hydrology of alpine {what}, part {n}"
# Papers that say the same are folded into one, so each says something of its own.
ASPECTS = (
    "a shared key-value cache: memory is pooled between requests so that prompts repeat no work",
    "trees of drafts: several guesses branch out and the verifier walks the best path",
    "quantised draft heads: four bits suffice when acceptance is measured per layer",
    "theory of acceptance: bounds on expected block length under distribution shift",
    "hardware pipelines: a dataflow accelerator overlaps verification and drafting",
    "privacy budgets: noise is added to logits without slowing generation down",
    "translation tasks: morphology of Finnish and Turkish limits lookahead",
    "energy meters: joules per token are reported on phones and in racks",
    "retrieval indexes: n-gram tables over documents replace the small model",
)
WATERS = (
    "glaciers: melting ice feeds the valleys in August",
    "floods: gauges upstream warn the towns a day before",
    "sediments: gravel settles behind old dams",
)


def write_digest(
    folder: Path, name: str, *, wanted: int, unwanted: int = 6, first: int = 1, day: str = "2025-11-18"
) -> None:
    """A digest of our own with so many papers about speculative decoding and so many about rivers."""
    folder.mkdir(exist_ok=True)
    entries, number = [], first
    for title, aspects, count in ((WANTED, ASPECTS, wanted), (UNWANTED, WATERS, unwanted)):
        for n in range(count):
            what, _, more = aspects[(first + n - 1) % len(aspects)].partition(": ")
            entries.append(
                ENTRY.format(title=title.format(what=what, n=first + n), number=number, summary=f"{more}.")
            )
            number += 1
    (folder / name).write_text(DIGEST.format(day=day, entries="".join(entries)), encoding="utf-8")


def subscribe_reader(service: Service, now: datetime = NOW, **fields: Any) -> Profile:
    """A confirmed reader who wants papers on speculative decoding."""
    given = {
        "email": "reader@example.org",
        "statement": "speculative decoding for language models",
        "every": "announced",
    }
    return subscribe.create(service, request(**given | fields), now, confirmed="in a test")


def tick(service: Service, minutes: int = 0) -> Run:
    """One run, so many minutes after the beginning."""
    return run_once(service, NOW + timedelta(minutes=minutes), f"run{minutes}")


def mails(outbox: OutboxFolder) -> list[EmailMessage]:
    """What was sent, oldest first."""
    found = sorted(outbox.folder.glob("*.eml")) if outbox.folder.exists() else []
    return [email.message_from_bytes(path.read_bytes(), policy=policy.default) for path in found]  # type: ignore[misc]


def text_of(message: EmailMessage) -> str:
    """The text part of a mail."""
    part = message.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


def news(service: Service) -> int:
    with service.database.writing() as session:
        batch = alert_store.make_batch(session, NOW, "")
        return batch.papers if batch else 0


def rate(service: Service, profile: Profile, opinion: Opinion, now: datetime) -> str:
    """The profile's reader says this of their first paper; which one that is."""
    key = reading.latest(service, profile, NOW)[0].item.paper.id
    with service.database.writing() as session:
        assert subscribe.rate(session, profile.id, key, opinion, now, "feed")
    return key


def history(service: Service, profile: Profile, days: int) -> None:
    """So many further batches, each with the papers of the profile's present match."""
    with service.database.writing() as session:
        match = alert_store.matches_of(session, profile.id)[0]
        rows = [BatchRow(made_at=NOW, papers=1, receipt="", matched_at=NOW) for _ in range(days)]
        session.add_all(rows)
        session.flush()
        alert_store.add_matches(session, [replace(match, batch_id=row.id) for row in rows])


def match_and_queue(service: Service) -> None:
    """A run that stops short of sending, as if the process had died there."""
    checked = ingest.check_due(service, NOW, "cut")
    match.gather(service, NOW, checked)
    match.match_pending(service, NOW)
    deliver.queue_due(service, NOW)
