"""What pages ask of the jobs, each loaded when it is first asked for.

The jobs bring scikit-learn along, which takes 80 MB and half a second: a process that only serves feeds from
memory and static pages does without.
"""

# ruff: noqa: PLC0415 - the imports inside the functions are what this module is for

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from threading import Lock
from typing import TYPE_CHECKING, Any

from db import subscriber_store
from db.records import Stored
from db.session import Session
from jobs.service import Service
from profiles.answers import Answers
from profiles.feedback import Opinion
from profiles.profile import Profile, Subscriber
from profiles.request import Request, RequestError
from recommender.interest import Examples, Interests
from recommender.paper import Paper

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.background import BackgroundTasks

    from app.web.context import Web
    from db.mine_store import Digest
    from jobs.alerts.digest import Item
    from jobs.backtest import Backtest
    from jobs.importing import Imported
    from jobs.mine import Kept, Volume
    from jobs.preview import Preview, WhatIf
    from jobs.reading import Brought, Entry
    from profiles.edits import Wanted

# Each week that is tried takes about a second; one back-test at a time leaves a core to everybody else.
_TRIALS = 10
_backtesting = Lock()
_MOST_PROFILES = 20  # of one address, beyond which the subscribe page adds none


@dataclass(frozen=True, slots=True)
class Tested:
    """A back-test in numbers, for the first ``cut`` papers of a week; as a sentence, and as SVG, which is
    empty where nothing was tried."""

    found: Backtest
    cut: int
    sentence: str
    plot: str


def preview(
    service: Service, interests: Interests, *, per_day: int, days: int, examples: Examples = (),
    reasons: int | None = None, parts: int | None = None,
) -> Preview:  # fmt: skip
    """What these interests would have brought in the latest days, with these ratings; nothing is stored.

    Only the first so many ``reasons`` are worked out, if a number is given, and of each score so many
    ``parts`` and their rest.
    """
    from jobs import preview as job

    return job.preview(
        service, interests, per_day=per_day, days=days, examples=examples, reasons=reasons, parts=parts
    )


def warm(service: Service, days: int) -> None:
    """Make the latest days ready, so that a preview of them is quick."""
    from jobs import preview as job

    job.warm(service, days=days)


def ratings(service: Service, profile: Profile, now: datetime) -> Examples:
    """The papers that a profile's reader rated, without those that the profile names itself."""
    from jobs import learning

    with service.database.reading() as session:
        judged = learning.examples(session, [profile], now)[profile.id]
    return [example for example in judged if example.opinion != "seed"]


def is_library(text: str) -> bool:
    """Whether pasted text is a reference library rather than words."""
    if not any(mark in text for mark in "@<[{") and "TY  -" not in text:
        return False
    from jobs.libraries import looks_like_one

    return looks_like_one(text)


def imported(service: Service, data: bytes, where: str, *, field: str) -> Imported:
    """A reference library with its papers found. Raises `RequestError` on ``field`` for a bad one."""
    from jobs import importing
    from jobs.sources.parsed import SourceError

    try:
        return importing.library(service, data, where)
    except SourceError as exc:
        raise RequestError(field, f"{exc}.") from exc


def papers_by(service: Service, name: str) -> Sequence[Paper]:
    """The newest papers on hand by an author of this name."""
    from jobs import importing

    return importing.papers_by(service, name)


def means_orcid(text: str) -> bool:
    """Whether what was typed for a name is meant as an ORCID iD."""
    from jobs import orcid

    return orcid.means_one(text)


class NotNowError(RequestError):
    """What is asked elsewhere is not to be had just now; the same request may be answered in a while."""


def works(service: Service, typed: str) -> Imported:
    """The works that ORCID lists for an iD, with those on hand found. Raises `RequestError` on ``byline``,
    a `NotNowError` where ORCID does not answer."""
    from jobs import orcid

    try:
        return orcid.works(service, typed)
    except orcid.OrcidError as exc:
        raise (NotNowError if exc.temporary else RequestError)("byline", str(exc)) from exc


def ask_ten(service: Service, answers: Answers) -> list[Paper]:
    """The papers to ask somebody about who gave these answers so far."""
    from jobs import picking

    return picking.ask(service, answers)


def latest(
    service: Service, profile: Profile, now: datetime, *, at_most: int, start: int = 0, parts: int | None
) -> list[Entry]:
    """What a profile was given, the newest first, with reasons, from place ``start`` on; of each score so
    many ``parts`` and their rest, or all."""
    from jobs import reading

    return reading.latest(service, profile, now, at_most, start, parts)


def kept(
    service: Service, profiles: Sequence[Profile], *, start: int, at_most: int,
    opinions: Sequence[str] = ("like", "save"),
) -> tuple[list[Kept], int]:  # fmt: skip
    """What the readers of these profiles liked or saved, and how much of it there is."""
    from jobs import mine

    return mine.kept(service, profiles, start=start, at_most=at_most, opinions=opinions)


def taken_along(service: Service, profiles: Sequence[Profile], opinions: Sequence[str]) -> list[Paper]:
    """The papers that these profiles' reader has such an opinion of, each once, the latest first."""
    from jobs import mine

    return mine.taken_along(service, profiles, opinions)


def volumes(service: Service, profiles: Sequence[Profile], now: datetime) -> dict[int, Volume]:
    """How many papers each of these profiles got lately."""
    from jobs import mine

    return mine.volumes(service, profiles, now)


def digest_papers(service: Service, digest: Digest) -> dict[int, Paper]:
    """The papers of a digest by row number."""
    from jobs import mine

    return mine.digest_papers(service, digest)


def everything(service: Service, person: Subscriber, now: datetime) -> dict[str, Any]:
    """All that is kept of a subscriber."""
    from jobs import mine

    return mine.everything(service, person, now)


def portable(service: Service, profile: Profile, now: datetime) -> str:
    """A profile as a text file."""
    from jobs import porting
    from profiles.portable import export

    return export(porting.portable(service, profile, now))


def strongest(service: Service, profile: Profile, now: datetime, *, at_most: int) -> list[tuple[str, float]]:
    """The terms that weigh most in a profile, stated or learned, each with its weight."""
    from jobs import learning
    from recommender.strongest import strongest_terms

    with service.database.reading() as session:
        weights = learning.weights_of(service, session, profile, now)
        return strongest_terms(learning.edition(service, session), weights, at_most)


def what_if(service: Service, profile: Profile, after: Wanted, now: datetime, *, days: int) -> WhatIf:
    """What the latest days would bring the profile as it is, and as it would be, without reasons."""
    from jobs import preview as job

    return job.what_if(service, profile, after, now, days=days, reasons=0)


def backtest(service: Service, profile: Profile) -> Tested:
    """What a back-test of the latest likes found."""
    from jobs import backtest_plot
    from jobs.backtest import CUT, sentence
    from jobs.backtest import backtest as job

    with _backtesting:
        found = job(service, profile, at_most=_TRIALS)
    return Tested(found, CUT, sentence(found), backtest_plot.svg_plot(found, profile.name))


def explained(
    service: Service, profile: Profile, given: Stored, now: datetime, parts: int | None = None, *,
    anew: bool = False,
) -> Item:  # fmt: skip
    """A paper as it looks to a profile; of its score so many ``parts`` and their rest, or all. Its strength
    is the word with which the profile was given it, or measured ``anew``."""
    from jobs import reading

    return reading.explained_paper(service, profile, given, now, parts, anew=anew)


def paper(session: Session, key: str) -> Stored | None:
    """A stored paper by its key or an alias, with its sources."""
    from db import paper_store

    return paper_store.by_keys(session, [key], with_sources=True).get(key)


def similar(service: Service, given: Stored, *, at_most: int) -> list[Stored]:
    """Papers of the latest weeks that are near to one, nearest first."""
    from jobs import similar as job

    return job.similar(service, given, at_most=at_most)


def open_feed(service: Service, wanted: Request, now: datetime) -> Profile:
    """Store a subscription without an address: a feed that begins at once."""
    from jobs import subscribe as job

    return job.create(service, wanted, now)


def _subscribe(service: Service, wanted: Request, now: datetime, later: BackgroundTasks) -> None:
    """Store a subscription that anybody may have typed, unless the address has many already.

    For a confirmed address it is a feed until its owner turns its mail on: nobody must be able to write into
    the mail of another, and a profile's name stands there. Raises `RequestError` for a name that is taken.
    """
    from jobs import subscribe as job

    with service.database.reading() as session:
        person = subscriber_store.by_email(session, wanted.email)
        if person is not None and len(subscriber_store.profiles_of(session, person.id)) >= _MOST_PROFILES:
            return
    if person is not None and person.state == "confirmed":
        wanted = replace(wanted, delivery=replace(wanted.delivery, frequency="feed"))
    profile = job.create(service, wanted, now, welcome=False)
    if person is not None and person.state == "confirmed":
        # After the answer, which would tell by its time that the address is known.
        later.add_task(welcome, service, profile.id, now)


def begin(service: Service, wanted: Request, now: datetime, later: BackgroundTasks) -> None:
    """Store a subscription that anybody may have typed, and write to its address. Nothing that comes back
    tells whether the address is known."""
    # A known address may have a profile of this name. Saying so would tell strangers who reads; the mail
    # takes its owner to the profile.
    with suppress(RequestError):
        _subscribe(service, wanted, now, later)
    write_to(service, wanted.email, now)


def send_soon(web: Web, later: BackgroundTasks, now: datetime) -> None:
    """Send what is due after the answer, where mail only goes to a folder of this machine: there nobody
    should wait for the scheduler to tick."""
    if web.settings.outbox_is_shown:
        later.add_task(send_due, web.service, now)


def write_to(service: Service, email: str, now: datetime, *, only: str = "") -> None:
    """Queue one mail to the owner of an address that is known here: a link that confirms it, or where it is
    confirmed the link to their pages. Asking again within the hour sends nothing more."""
    from jobs import deliver

    with service.database.writing() as session:
        person = subscriber_store.by_email(session, email)
        if person is not None and person.state != "suppressed":
            kind = only or ("access" if person.state == "confirmed" else "confirmation")
            deliver.queue_link(service, session, person, kind, now)


def confirm(service: Service, person: Subscriber, now: datetime, note: str) -> None:
    """The address wants mail from here on."""
    from jobs import subscribe as job

    job.confirm(service, person.id, now, note)


def leave(service: Service, subscriber_id: int, profile_id: int | None, now: datetime, note: str) -> None:
    """Stop the mails of one profile, or all."""
    from jobs import leaving

    leaving.leave(service, subscriber_id, profile_id, now, note)


def erase(web: Web, person: Subscriber) -> None:
    """Forget a reader, and what the local outbox holds of them."""
    from jobs import leaving
    from jobs.alerts.outbox_folder import OutboxFolder

    leaving.erase(web.service, person, OutboxFolder(web.settings.outbox_folder), web.clock())


def rate(service: Service, profile_id: int, key: str, opinion: Opinion, now: datetime, via: str) -> bool:
    """Record an opinion; false where the paper is not on hand."""
    from jobs import subscribe as job

    with service.database.writing() as session:
        return job.rate(session, profile_id, key, opinion, now, via)


def welcome(service: Service, profile_id: int, now: datetime) -> None:
    """Give a new profile its first papers from those on hand."""
    from jobs import match

    match.welcome(service, [profile_id], now)


def send_due(service: Service, now: datetime) -> None:
    """Send what is due in the outbox."""
    from jobs import deliver

    deliver.send_due(service, now)


def send_again(service: Service, number: int, now: datetime) -> bool:
    """Make one mail of the outbox due at once; false where it was sent or is just being sent."""
    from db import alert_store
    from jobs.sending import LEASE_SECONDS

    with service.database.writing() as session:
        return bool(alert_store.retry(session, [number], now, lease_seconds=LEASE_SECONDS))


def brought(
    service: Service, profile: Profile, now: datetime, *, before: int | None, at_most: int,
    parts: int | None,
) -> list[Brought]:  # fmt: skip
    """What the latest batches brought a profile, those before a batch if one is given, with reasons; of each
    score so many ``parts`` and their rest, or all."""
    from jobs import reading

    return reading.brought(service, profile, now, before, at_most, parts)


def saved(service: Service, profile: Profile) -> list[Paper]:
    """The papers that a profile's reader saved, the latest first."""
    from jobs import saving

    return saving.saved(service, profile)
