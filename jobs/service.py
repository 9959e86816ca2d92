"""What a running Paperwatch is made of; built once by `app`, handed to every job."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from db.session import Database
from jobs.alerts.links import Links
from jobs.alerts.mail import Sender
from jobs.alerts.smtp import Outcome
from jobs.shelf import Shelf
from jobs.sources.fetch import Fetched, FetchError, Validators

if TYPE_CHECKING:
    # Loading it takes scikit-learn, which the web process does without until a page ranks something.
    from jobs.news import News
    from recommender.vectors import Edition
    from recommender.weights import Weights


class Mailer(Protocol):
    """The way out for mail: `smtp.Pool`, or `outbox_folder.OutboxFolder` where there is no relay."""

    faults_in_a_row: int

    async def send(
        self, envelope_from: str, to: str, message: bytes, taken: Callable[[], None] = ...
    ) -> Outcome:
        """Hand over one mail and say what became of it; raises nothing for faults of server or network.

        ``taken`` is called at the very moment when it is known that the mail was taken.
        """


_NONE = Validators()


class Getter(Protocol):
    """The way out for requests: `jobs.sources.fetch.Fetcher`."""

    def get(self, url: str, validators: Validators = _NONE) -> Fetched:
        """Fetch an address; whatever fails is a `FetchError`."""


class Offline:
    """For a service that fetches nothing."""

    def get(self, url: str, validators: Validators = _NONE) -> Fetched:  # noqa: ARG002
        """Refuse with a `FetchError`."""
        raise FetchError(f"{url}: this service was built without a fetcher; nothing is fetched")


@dataclass(frozen=True, slots=True)
class ArxivAddresses:
    """Where arXiv's feeds, its OAI-PMH archive and its search API are."""

    feeds: str = "https://rss.arxiv.org/rss"
    oai: str = "https://oaipmh.arxiv.org/oai"
    api: str = "https://export.arxiv.org/api/query"


@dataclass(frozen=True, slots=True)
class OrcidApi:
    """Where ORCID's public API is, empty where it is never asked, and the way there: quick or not at all."""

    address: str = ""
    fetcher: Getter = field(default_factory=Offline)


@dataclass(frozen=True, slots=True)
class Keep:
    """How long things are kept: what readers were sent, and the log of checks and runs."""

    readers: timedelta = timedelta(days=366)
    log: timedelta = timedelta(days=30)


@dataclass(slots=True)
class Service:
    """The database, the addresses, the ways out for mail and requests, and the edition that is loaded, with
    the name under which the database keeps it (empty for the shipped one).

    ``mailer`` opens the way out for mail; its connections are closed when the context ends. ``jitter`` draws
    from [0, 1), so that not all installations ask a server at the same moment. ``bounces`` is the folder of
    delivery reports, if there is one; ``journal`` the one where senders note what the server has taken.
    ``shelf`` keeps the latest days as vectors, ``latest_news`` the same made ready for new profiles, ``news``
    the batch that is being matched, by at most ``match_processes`` processes (0: one a processor),
    ``learned`` the weights that pages asked for last, by profile, with what they were learned on. ``sign``
    puts the domain's signature on a mail. ``stage`` is the one that a run is at, empty between runs.
    """

    database: Database
    links: Links
    sender: Sender
    mailer: Callable[[], AbstractAsyncContextManager[Mailer]]
    edition: Edition | None = field(default=None)
    edition_kept_as: str = ""
    shelf: Shelf = field(default_factory=Shelf)
    news: News | None = field(default=None)
    latest_news: News | None = field(default=None)
    learned: dict[int, tuple[tuple[str, int], Weights]] = field(default_factory=dict)
    match_processes: int = 1
    fetcher: Getter = field(default_factory=Offline)
    arxiv: ArxivAddresses = ArxivAddresses()
    orcid: OrcidApi = field(default_factory=OrcidApi)
    jitter: Callable[[], float] = lambda: 0.0
    bounces: Path | None = None
    stopwatch: Callable[[], float] = time.perf_counter
    journal: Path | None = None
    keep: Keep = Keep()
    sign: Callable[[bytes], bytes] = bytes
    stage: str = ""
