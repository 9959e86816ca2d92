"""What a running Paperwatch is made of; built once by `app`, handed to every job."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from db.session import Database
from jobs.alerts.links import Links
from jobs.alerts.mail import Sender
from jobs.alerts.smtp import Outcome

if TYPE_CHECKING:
    # Loading it takes scikit-learn, which the web process does without until a page ranks something.
    from recommender.vectors import Edition


class Mailer(Protocol):
    """The way out for mail: `smtp.Pool`, or `outbox_folder.OutboxFolder` where there is no relay."""

    faults_in_a_row: int

    async def send(self, envelope_from: str, to: str, message: bytes) -> Outcome:
        """Hand over one mail and say what became of it; raises nothing for faults of server or network."""


@dataclass(slots=True)
class Service:
    """The database, the addresses, the way out for mail, and the edition that is loaded.

    ``mailer`` opens the way out; its connections are closed when the context ends.
    """

    database: Database
    links: Links
    sender: Sender
    mailer: Callable[[], AbstractAsyncContextManager[Mailer]]
    edition: Edition | None = field(default=None)
