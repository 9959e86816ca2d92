"""What comes back by mail: delivery reports, and mails that ask to be unsubscribed."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path

import structlog

from db import alert_store, bounce_store, subscriber_store
from db.session import Session
from jobs import leaving
from jobs.alerts import bounce_report
from jobs.alerts.bounce_report import Report
from jobs.alerts.links import LinkError
from jobs.service import Service
from profiles.profile import Subscriber

log = structlog.get_logger()

_AT_ONCE = 500
_LARGEST = 10_000_000  # bytes; a report returns our own mail, which is far smaller


@dataclass(frozen=True, slots=True)
class Bounced:
    """How many reports were hard, soft, or neither (late, or no report, or about nobody here), how many
    addresses were suppressed for them, how many mails asked to be unsubscribed, and which files could not be
    read, with the reason. All are 0 for a mail that was read before."""

    hard: int = 0
    soft: int = 0
    other: int = 0
    suppressed: int = 0
    left: int = 0
    faults: tuple[str, ...] = ()


class BounceError(Exception):
    """A folder that cannot be read; the message names it and says what it should be."""


def read(service: Service, now: datetime) -> Bounced:
    """Check the service's own folder, if it has one; a folder that is missing is logged and stops no run."""
    if service.bounces is None:
        return Bounced()
    try:
        return check(service, service.bounces, now)
    except BounceError as error:
        log.error("bounces cannot be read", error=str(error))
        return Bounced()


def check(service: Service, folder: Path, now: datetime) -> Bounced:
    """Read the reports that are new in ``folder``, a Maildir or a folder of .eml files, and act on them.

    An address that takes no mail any more is suppressed with the reason. What was read is moved: in a Maildir
    to ``cur`` as seen, else into the folder ``read`` beside it; where that fails, it still counts only once.
    Raises `BounceError` if there is no such folder.
    """
    if not folder.is_dir():
        raise BounceError(
            f"{folder} is no folder; PAPERWATCH_BOUNCES names a Maildir or a folder of .eml files"
        )
    counts: Counter[str] = Counter()
    faults: list[str] = []
    for path in islice(_new(folder), _AT_ONCE):
        try:
            if path.stat().st_size > _LARGEST:
                raise OSError(f"larger than {_LARGEST:,} bytes")
            counts.update(_take(service, path.read_bytes(), now))
            _put_away(path)
        except OSError as exc:
            faults.append(f"{path.name}: {exc.strerror or exc}")
    return _bounced(counts, faults)


def take(service: Service, raw: bytes, now: datetime) -> Bounced:
    """Act on one mail that was handed over; the same mail again counts as nothing."""
    return _bounced(Counter(_take(service, raw, now)))


def _bounced(counts: Counter[str], faults: Sequence[str] = ()) -> Bounced:
    hard, soft, other, suppressed, left = (
        counts[word] for word in ("hard", "soft", "other", "suppressed", "left")
    )
    return Bounced(hard, soft, other, suppressed, left, tuple(faults))


def _new(folder: Path) -> Iterator[Path]:
    is_maildir = (folder / "new").is_dir()
    found = (folder / "new").iterdir() if is_maildir else folder.glob("*.eml")
    yield from sorted(p for p in found if p.is_file() and not p.name.startswith("."))


def _put_away(path: Path) -> None:
    if path.parent.name == "new":
        target = path.parent.parent / "cur" / f"{path.name.partition(':')[0]}:2,S"
    else:
        target = path.parent / "read" / path.name
    target.parent.mkdir(exist_ok=True)
    path.replace(target)


def _take(service: Service, raw: bytes, now: datetime) -> list[str]:
    """Record one mail and act on it; what it counts as, in words, none if it was known."""
    if token := bounce_report.unsubscribe_token(raw):
        return _leave(service, token, now)
    reports = bounce_report.parse(raw)
    with service.database.writing() as session:
        about = [(report, *_about(session, report)) for report in reports]
        known = [(report, person, proven) for report, person, proven in about if person is not None]
        # A report is about one mail of ours, which has one recipient; the gravest entry counts.
        grave = {"hard": 0, "soft": 1, "other": 2}
        worst = min(known, key=lambda entry: grave[entry[0].kind], default=None)
        report, person, proven = worst or (Report("other", "", "", "", ""), None, False)
        new = bounce_store.add(
            session, hashlib.sha256(raw).hexdigest(), person.id if person else None, now,
            kind=report.kind, status=report.status, why=report.why,
        )  # fmt: skip
        if not new:
            return []
        why = f"mail bounced: {report.why}"
        gone = person is not None and proven and report.kind == "hard"
        if gone and person and subscriber_store.suppress(session, person.id, now, why):
            return ["hard", "suppressed"]
        return [report.kind]


def _leave(service: Service, token: str, now: datetime) -> list[str]:
    """Unsubscribe whom the token is about; whoever sent the mail, only the reader's own mails hold it."""
    try:
        claim = service.links.verify("unsubscribe", token, now)
    except LinkError:
        return ["other"]
    left = leaving.leave(service, claim.subscriber_id or 0, claim.profile_id, now, "left by mail")
    return ["left"] if left else []


def _about(session: Session, report: Report) -> tuple[Subscriber | None, bool]:
    """Whom the report is about, and whether it proves to be the answer to a mail of ours by its Message-ID,
    which only we and its recipient know.

    Anybody can send a report, and must not be able to end somebody's mail by naming an address: a report
    without our Message-ID is shown to the operator, no more.
    """
    if report.message_id:
        mail = alert_store.mail_with_id(session, report.message_id)
        person = subscriber_store.subscriber(session, mail.subscriber_id) if mail else None
        return person, person is not None
    return subscriber_store.by_email(session, report.address), False
