"""An outbox with something in it: batches, readers, matches, and ways out that answer as told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from db import alert_store, subscriber_store
from db.records import Match, Pick
from jobs import deliver, match
from jobs.alerts.outbox_folder import OutboxFolder
from jobs.alerts.smtp import Outcome
from jobs.ingest import ingest_locations
from jobs.service import Service
from profiles.delivery import DeliveryPlan
from profiles.profile import Profile
from recommender.interest import Interests
from tests.conftest import NOW
from tests.readers import write_digest

AT_ONCE = DeliveryPlan(frequency="announced")
MINUTE = timedelta(minutes=1)


def announce(service: Service, folder: Path, papers: int, at: datetime = NOW, first: int = 1) -> list[int]:
    """A batch of so many papers; their row numbers."""
    write_digest(folder, f"{first}.md", wanted=papers, unwanted=0, first=first, day=f"{at:%Y-%m-%d}")
    checked = list(ingest_locations(service, [str(folder / f"{first}.md")], at, f"run{first}"))
    batch = match.gather(service, at, checked)
    assert batch is not None
    with service.database.writing() as session:
        alert_store.finish_batch(session, batch.id, at)
        return alert_store.paper_numbers(session, batch.id)


def join(
    service: Service, *plans: DeliveryPlan, email: str = "reader@example.org", at: datetime = NOW
) -> list[Profile]:
    """A confirmed reader with a profile for each plan."""
    with service.database.writing() as session:
        person = subscriber_store.add_subscriber(session, email, "confirmed", at, "in a test")
        return [
            subscriber_store.add_profile(
                session, person.id, f"Profile {n}", Interests(statement="speculative decoding"), per_day=5,
                delivery=plan, feed_token=f"{email}{n}", now=at,
            )
            for n, plan in enumerate(plans, start=1)
        ]  # fmt: skip


def give(service: Service, profiles: Sequence[Profile], papers: Sequence[int], at: datetime = NOW) -> None:
    """These papers, best first, are the latest batch's match of each profile."""
    picks = tuple(Pick(n, 9.0 - 0.01 * rank, "good") for rank, n in enumerate(papers))
    with service.database.writing() as session:
        batch = alert_store.latest_batch(session)
        assert batch is not None
        made = [Match(p.id, batch.id, at, len(papers), picks, ()) for p in profiles]
        alert_store.add_matches(session, made)
        at_once = [p.id for p in profiles if p.delivery.frequency == "announced"]
        subscriber_store.announce(session, at_once, at)


def waiting(service: Service, folder: Path, readers: int) -> None:
    """A digest in the outbox for each of so many readers."""
    papers = announce(service, folder, 1)
    joined = [join(service, AT_ONCE, email=f"reader{n}@example.org")[0] for n in range(readers)]
    give(service, joined, papers)
    assert deliver.queue_due(service, NOW).queued == readers


def states(service: Service) -> dict[str, int]:
    return deliver.state(service).states


class Answering(OutboxFolder):
    """An outbox that gives the answers it was made with, one after the other, the last one for ever."""

    def __init__(self, folder: Path, *answers: Outcome | None) -> None:
        super().__init__(folder)
        self.answers = list(answers)
        self.asked = 0

    async def send(self, envelope_from: str, to: str, message: bytes, *more: Any) -> Outcome:
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer is None:
            return await super().send(envelope_from, to, message, *more)
        self.faults_in_a_row = self.faults_in_a_row + 1 if answer.about in {"server", "sender"} else 0
        return answer


DOWN = Outcome("retry", 0, "relay:25: Connection refused", "server")


def through(service: Service, way: OutboxFolder) -> OutboxFolder:
    """Mail goes this way from now on."""
    way.faults_in_a_row = 0
    service.mailer = lambda: way
    return way
