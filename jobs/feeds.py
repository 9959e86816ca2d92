"""What a feed holds, from the database to its bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from itertools import groupby
from operator import attrgetter
from typing import Literal

from db import alert_store, feed_store, label_store, search_store, subscriber_store
from db.feed_store import Counted
from db.session import Session
from jobs.alerts.digest import Item
from jobs.alerts.feed import Channel, Entry, render
from jobs.alerts.readable import readable
from jobs.service import Service
from profiles.profile import Profile

ENTRIES = 50  # of a feed's newest page, and about as many of an older one


@dataclass(frozen=True, slots=True)
class Asked:
    """Which feed of the profile with this token, in which form (rss, atom, json).

    ``what`` is its papers, those that its reader saved, or an older page: the batches ``first`` to ``last``.
    For the public feed of a topic the token is the topic's slug.
    """

    token: str
    form: str
    what: Literal["papers", "saved", "archive", "topic"] = "papers"
    first: int = 0
    last: int = 0


def rendered(service: Service, asked: Asked, updated: datetime, now: datetime) -> bytes | None:
    """The feed as bytes, last changed at ``updated``; None where there is no such feed."""
    if asked.what == "topic":
        return _topic(service, asked, updated)
    with service.database.reading() as session:
        profile = subscriber_store.profile_by_token(session, asked.token)
        counts = feed_store.chosen_counts(session, profile.id) if profile else []
        if profile is None or (asked.what == "archive" and (asked.first, asked.last) not in pages(counts)):
            return None
        if asked.what == "saved":
            entries = _saved(service, session, profile, now)
        else:
            entries = _papers(service, session, profile, asked, counts, now)
    return render(
        asked.form, _channel(service, profile, asked, pages(counts), updated), entries, service.links
    )


def _topic(service: Service, asked: Asked, updated: datetime) -> bytes | None:
    """The newest papers of a topic, for everybody: no reasons, no links to rate by."""
    with service.database.reading() as session:
        label = label_store.find(session, "topic", asked.token)
        found = label_store.papers_of_label(session, "topic", asked.token, at_most=ENTRIES)
    if label is None:
        return None
    name, links = readable(label.name), service.links
    channel = Channel(
        title=f"{name}: new papers", self_url=links.topic_feed(asked.token, asked.form), home_url=links.home,
        # The same on every server: so are the papers of a topic, and the id stays when a server moves.
        feed_id=f"topic {asked.token}", updated=updated, description=f"The newest papers on {name}",
    )  # fmt: skip
    entries = [
        Entry(Item(one.stored.paper, 0.0, "weak", ""), _day(one))
        for one in found
        if not one.stored.paper.withdrawn
    ]
    return render(asked.form, channel, entries, service.links)


def _day(found: label_store.Found) -> datetime:
    """When a public feed shows a paper as published: the beginning of the day that announced it, or on which
    it was first seen."""
    return datetime.combine(search_store.day_of(found.number), time(), UTC)


def pages(counts: Sequence[Counted]) -> list[tuple[int, int]]:
    """The older pages of a feed with these papers by batch, as (first batch, last batch), oldest first.

    A page is closed by the batch that fills it, or by the first one of the next quarter, so that what it
    holds never changes (RFC 5005, section 4); what is left over is on the newest page only. Where old matches
    are deleted in the end, pages of the oldest quarter alone begin elsewhere.
    """
    found: list[tuple[int, int]] = []
    for _, group in groupby(counts, attrgetter("quarter")):
        of_quarter = list(group)
        begin = held = 0
        for one in of_quarter:
            begin, held = begin or one.batch, held + one.papers
            if held >= ENTRIES or (one is of_quarter[-1] and one is not counts[-1]):
                found.append((begin, one.batch))
                begin = held = 0
    return found


def _papers(
    service: Service, session: Session, profile: Profile, asked: Asked, counts: Sequence[Counted],
    now: datetime,
) -> list[Entry]:  # fmt: skip
    # Loading this takes scikit-learn, which a process that only tells readers "no change" does without.
    from jobs import reading  # noqa: PLC0415

    if asked.what == "archive":
        between, at_most = (asked.first, asked.last), sum(one.papers for one in counts)
    else:
        between, at_most = _newest(counts), ENTRIES
    matches = alert_store.matches_of(
        session, profile.id, at_most=len(counts) or 1, between=between, filled=True
    )
    found = reading.of_matches(service, session, profile, matches, now, at_most)
    return [Entry(entry.item, entry.at) for entry in found]


def _saved(service: Service, session: Session, profile: Profile, now: datetime) -> list[Entry]:
    from jobs import reading  # noqa: PLC0415 - as above

    return [Entry(e.item, e.at) for e in reading.saved(service, session, profile, now, ENTRIES)]


def _newest(counts: Sequence[Counted]) -> tuple[int, int]:
    """The fewest latest batches that fill a page."""
    held = 0
    for one in reversed(counts):
        held += one.papers
        if held >= ENTRIES:
            return one.batch, counts[-1].batch
    return (counts[0].batch, counts[-1].batch) if counts else (0, 0)


def _channel(
    service: Service, profile: Profile, asked: Asked, older: Sequence[tuple[int, int]], updated: datetime
) -> Channel:
    links, token, form = service.links, profile.feed_token, asked.form
    # The profile's number would repeat between servers; its birth does not, and stays when it moves.
    feed_id = f"profile {profile.id} of {profile.created_at.isoformat()}"
    if asked.what == "saved":
        return Channel(
            title=f"{profile.name}: saved", self_url=links.saved_feed(token, form), home_url=links.home,
            feed_id=f"saved of {feed_id}", updated=updated, profile_id=profile.id,
            description=f"Papers saved in {profile.name}, the latest first",
        )  # fmt: skip
    addresses = [links.archive_feed(token, first, last, form) for first, last in older]
    current = links.feed(token, form)
    own = current if asked.what == "papers" else links.archive_feed(token, asked.first, asked.last, form)
    oldest_first = ["", *addresses, current, ""]
    at = oldest_first.index(own)
    return Channel(
        title=profile.name, self_url=own, home_url=links.home, feed_id=feed_id, updated=updated,
        profile_id=profile.id, description=f"New papers for {profile.name}, ranked, each with the reason why",
        next_url=oldest_first[at - 1], previous_url=oldest_first[at + 1],
         current_url=current if asked.what == "archive" else "",
    )  # fmt: skip
