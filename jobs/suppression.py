"""The end of a suppression, which an operator decides: a mailbox that refused mail may be there again."""

from __future__ import annotations

from datetime import datetime

import structlog

from db import subscriber_store
from jobs import deliver
from jobs.service import Service

log = structlog.get_logger()


class NotSuppressedError(LookupError):
    """An address whose mail is not suppressed; the message says what it is."""


def lift(service: Service, address: str, now: datetime) -> str:
    """Write to the address again; the state that it has now.

    It is confirmed only if its owner had agreed to mail before; else a confirmation is queued. Raises
    `NotSuppressedError`.
    """
    with service.database.writing() as session:
        person = subscriber_store.by_email(session, address.strip())
        if person is None:
            raise NotSuppressedError(f"nobody here has the address {address!r}")
        note = f"lifted by the operator; suppressed {person.state_at:%Y-%m-%d}, {person.state_note}"
        state = subscriber_store.lift(session, person.id, now, note)
        if not state:
            raise NotSuppressedError(f"{address} is {person.state}, not suppressed")
        if state == "unconfirmed":
            deliver.queue_link(service, session, person, "confirmation", now)
    log.info("suppression lifted", address=address, state=state, before=person.state_note)
    return state
