"""A batch matched in shards of profiles, each marked when it is done: by any process, in any order, once.

The plan and the marks are turns (db/turn_store.py): ``match 17`` at the batch's moment says how many shards
there are, ``match 17/3`` that the fourth is done. So a batch is finished when all marks are there, whoever
died meanwhile, and what is left to do is told by the marks that are missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from db import alert_store, subscriber_store, turn_store
from db.match_rows import SHARD
from db.records import Batch
from jobs import match
from jobs.service import Service
from jobs.tally import Matched

# Profiles of one shard: seconds of work, so that little is lost with a worker and all are busy to the end.
SIZE = SHARD


@dataclass(frozen=True, slots=True)
class Plan:
    """How a batch is shared out: ``shards`` ranges of ``size`` profile numbers, the last one open-ended."""

    batch: Batch
    shards: int
    size: int

    @property
    def job(self) -> str:
        """The name of the whole."""
        return f"match {self.batch.id}"

    def shard(self, at: int) -> str:
        """The name of one shard."""
        return f"{self.job}/{at}"


def plan(service: Service, batch: Batch, run: str, taker: str, now: datetime) -> Plan:
    """The batch's plan, made now if there is none."""
    name = f"match {batch.id}"
    with service.database.writing() as session:
        known = turn_store.turn(session, name, batch.made_at)
        if known is None:
            report = {"shards": subscriber_store.last_number(session) // SIZE + 1, "size": SIZE}
            turn_store.claim(session, name, batch.made_at, run, taker, now, report)
            # Read again: another process may have been first, and its plan counts.
            known = turn_store.turn(session, name, batch.made_at)
    report = known.report if known else report
    return Plan(batch, report["shards"], report["size"])


def missing(service: Service, planned: Plan) -> list[int]:
    """The shards that nobody has finished."""
    with service.database.reading() as session:
        names = [planned.shard(at) for at in range(planned.shards)]
        done = turn_store.finished(session, names, planned.batch.made_at)
    return [at for at, name in enumerate(names) if name not in done]


def work(service: Service, planned: Plan, at: int, run: str, taker: str, now: datetime) -> Matched:
    """Match one shard and mark it; done twice it changes nothing, since a profile keeps the match it has."""
    last = at == planned.shards - 1
    after = at * planned.size
    done = match.match_shard(
        service, planned.batch.id, now, after=after, upto=None if last else after + planned.size
    )
    with service.database.writing() as session:
        report = {"papers": done.papers, "profiles": done.profiles, "chosen": done.chosen}
        turn_store.done(session, planned.shard(at), planned.batch.made_at, run, taker, now, report)
    return done


def finish(service: Service, planned: Plan, now: datetime) -> Matched | None:
    """Close the batch if all its shards are done: what was matched, or None if some are missing or somebody
    else has closed it."""
    if missing(service, planned):
        return None
    with service.database.writing() as session:
        if not alert_store.finish_batch(session, planned.batch.id, now):
            return None
        total = turn_store.sums(session, f"{planned.job}/", planned.batch.made_at)
        report = {"shards": planned.shards, "size": planned.size, **total}
        turn_store.close(session, planned.job, planned.batch.made_at, now, report)
    return Matched(1, planned.batch.papers, total.get("profiles", 0), total.get("chosen", 0))
