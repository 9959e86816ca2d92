"""News against profiles: which few papers of a batch each reader gets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from db import alert_store, source_store, subscriber_store
from db.records import Batch, Receipt
from jobs import receipts
from jobs.service import Service
from jobs.tally import Matched


def gather(service: Service, now: datetime, checked: Sequence[Receipt]) -> Batch | None:
    """Make a batch of what is news and belongs to none, with the words that tell readers what was checked;
    None, and nothing is written, if there is no news."""
    with service.database.reading() as session:
        if not alert_store.has_news(session):
            return None
    with service.database.writing() as session:
        latest = alert_store.latest_batch(session)
        since = latest.made_at if latest else None
        # What was ingested by hand since the last batch counts too, whichever process did it.
        known = [r for r in source_store.receipts(session, since=since) if r.new] or list(checked)
        names = {s.id: s.name for s in source_store.every(session)}
        return alert_store.make_batch(session, now, receipts.in_words(known, names))


def match_pending(service: Service, now: datetime) -> Matched:
    """Match every batch that waits against every profile. Begun again after a crash, it goes on where it
    stopped: a profile that has its match for a batch keeps it."""
    with service.database.reading() as session:
        waiting = alert_store.unmatched_batches(session)
    total = Matched()
    for batch in waiting:
        done = match_shard(service, batch.id, now)
        with service.database.writing() as session:
            alert_store.finish_batch(session, batch.id, now)
        total = Matched(
            total.batches + 1, total.papers + done.papers, total.profiles + done.profiles,
            total.chosen + done.chosen,
        )  # fmt: skip
    return total


def match_shard(
    service: Service, batch_id: int, now: datetime, *, after: int = 0, upto: int | None = None
) -> Matched:
    """Match the profiles numbered ``after`` < number <= ``upto`` against a batch: all of them by default.

    Any number of processes may do it, at once or again: a profile that has its match for the batch keeps it.
    Many profiles are shared out over the processors of this machine, as the service says.
    """
    # Loading these takes scikit-learn, which a process that only gathers does without.
    from jobs.match_processes import FEWEST, available_cpus, match_shards  # noqa: PLC0415
    from jobs.match_shard import match_range  # noqa: PLC0415

    with service.database.reading() as session:
        number = subscriber_store.last_number(session)
    last = number if upto is None else min(upto, number)
    processes = service.match_processes or available_cpus()
    if processes < 2 or last - after < FEWEST:
        return match_range(service, batch_id, now, after + 1, last)
    shards = list(match_shards(service, batch_id, now, after + 1, last, processes))
    papers = max((done.papers for done in shards), default=0)
    return Matched(0, papers, sum(done.profiles for done in shards), sum(done.chosen for done in shards))


def welcome(service: Service, profile_ids: Iterable[int], now: datetime) -> None:
    """Give new profiles their first papers, from the latest days on hand, so that nobody starts empty."""
    from jobs import candidates  # noqa: PLC0415 - as above
    from jobs.match_shard import match_profiles  # noqa: PLC0415

    with service.database.reading() as session:
        batch = alert_store.latest_batch(session)
        latest = candidates.of_latest_days(service, session, batch.id) if batch is not None else None
    if latest is not None and latest.ranked:
        match_profiles(service, latest, profile_ids, now)
