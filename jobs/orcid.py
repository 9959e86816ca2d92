"""A researcher's works by their ORCID iD: asked of ORCID's public API, and found among the papers on hand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from threading import BoundedSemaphore
from typing import Any

import structlog

from jobs import importing
from jobs.alerts.wording import ellipsis
from jobs.importing import Imported
from jobs.libraries import Entry, Library, entry_of
from jobs.service import Service
from jobs.sources import safe_json
from jobs.sources.fetch import FetchError
from jobs.sources.parsed import SourceError

log = structlog.get_logger()

_ID = re.compile(r"(?<![0-9])([0-9]{4})[- ]?([0-9]{4})[- ]?([0-9]{4})[- ]?([0-9]{3}[0-9X])(?![0-9A-Z])", re.I)
# No name has so many; an iD that was cut or mistyped still does.
_DIGITS = 8
# Each holds a thread of the web process for some seconds. ORCID takes 12 anonymous requests a second from one
# address (info.orcid.org, "API usage quotas and limits"), and most answers take longer than a sixth of one.
_PLACES = BoundedSemaphore(2)
_WAIT_SECONDS = 1.0
# The work itself, or another version of it; "part-of" is the book or the series that it stands in.
_SAME = {"self", "version-of"}
_LONGEST = 2_000  # characters of a title or an id that are looked at
_INSTEAD = "give your name instead, or paste arXiv ids or DOIs"


class OrcidError(Exception):
    """An iD that brought no works; the message says why and what to do instead. ``temporary``: the same may
    bring some in a while."""

    def __init__(self, message: str, *, temporary: bool = False) -> None:
        super().__init__(message)
        self.temporary = temporary


def means_one(text: str) -> bool:
    """Whether somebody who typed this meant an ORCID iD and not a name."""
    return "orcid" in text.casefold() or sum(c.isdigit() for c in text) >= _DIGITS


def orcid_id(text: str) -> str:
    """The iD in what was typed, such as ``0000-0002-1825-0097``, bare or as a link.

    Raises `OrcidError` for what holds none, or one whose check digit (ISO 7064 MOD 11-2) is wrong.
    """
    found = _ID.search(text)
    if found is None:
        raise OrcidError(
            f"“{ellipsis(text.strip(), 60)}” is no ORCID iD, which has 16 digits: 0000-0002-1825-0097, "
            "or the same as a link."
        )
    written = "-".join(found.groups()).upper()
    if _check_digit(written[:-1]) != written[-1]:
        raise OrcidError(
            f"{written} is no ORCID iD: the last digit does not fit the others. One is mistyped."
        )
    return written


def _check_digit(digits: str) -> str:
    """ISO 7064 MOD 11-2, as ORCID's "Structure of the ORCID Identifier" has it."""
    total = 0
    for digit in digits.replace("-", ""):
        total = (total + int(digit)) * 2
    rest = (12 - total % 11) % 11
    return "X" if rest == 10 else str(rest)


def works(service: Service, text: str) -> Imported:
    """The works that ORCID lists for the iD in this text, as a library: those on hand, and other titles.

    One request to ORCID, of which the service's fetcher says how long it may take. Raises `OrcidError`.
    """
    if not service.orcid.address:
        raise OrcidError(f"An ORCID iD cannot be looked up here; {_INSTEAD}.")
    orcid = orcid_id(text)
    found = parse(_asked(service, orcid), f"ORCID {orcid}")
    if not found.entries:
        raise OrcidError(f"ORCID lists no public works of {orcid}; {_INSTEAD}.")
    with service.database.reading() as session:
        return importing.resolved(session, found)


def _asked(service: Service, orcid: str) -> bytes:
    """ORCID's answer, once one of the places is free."""
    if not _PLACES.acquire(timeout=_WAIT_SECONDS):
        why = f"Others are looking up theirs just now. Try again in a moment, or {_INSTEAD}."
        raise OrcidError(why, temporary=True)
    try:
        return service.orcid.fetcher.get(f"{service.orcid.address}/{orcid}/works").body
    except FetchError as error:
        if error.status == 404:
            raise OrcidError(f"ORCID knows no {orcid}. Compare it with your ORCID page.") from error
        if error.status in {409, 410}:
            raise OrcidError(f"ORCID shows nothing of {orcid} (locked or given up); {_INSTEAD}.") from error
        # The iD is a person's; the operator needs only what went wrong.
        log.warning("ORCID was asked in vain", why=str(error).replace(orcid, "…"))
        why = f"ORCID did not answer. Try again in some minutes, or {_INSTEAD}."
        raise OrcidError(why, temporary=True) from error
    finally:
        _PLACES.release()


def parse(data: bytes, what: str) -> Library:
    """The works in an answer of ``/v3.0/<iD>/works``, the latest first.

    ORCID groups what several parties say of one work; the first of a group is the one that its owner prefers.
    Raises `OrcidError` for what is no such answer.
    """
    try:
        found = safe_json.document(data, what)
    except SourceError as error:
        log.warning("ORCID's answer cannot be read", why=str(error).replace(what, "ORCID"))
        found = None
    groups = _inside(found, "group")
    if not isinstance(groups, list):
        why = f"What ORCID answered cannot be read. Try again later, or {_INSTEAD}."
        raise OrcidError(why, temporary=True)
    dated = [_work(number, group) for number, group in enumerate(groups, start=1)]
    latest = sorted(dated, key=lambda pair: pair[0], reverse=True)
    return Library(what, tuple(entry for _, entry in latest if entry.title or entry.key))


def _work(number: int, group: Any) -> tuple[str, Entry]:
    """A group's date of publication, as far as it is known, and its entry."""
    held = _inside(group, "work-summary")
    summaries = held if isinstance(held, list) else []
    titles = (_inside(summary, "title", "title", "value") for summary in summaries)
    title = next((title[:_LONGEST] for title in titles if isinstance(title, str)), "")
    ids = [pair for part in (group, *summaries) for pair in _ids(part)]
    return max(map(_date, summaries), default=""), entry_of(f"work {number}", title, (), ids)


def _ids(part: Any) -> Iterator[tuple[str, str]]:
    held = _inside(part, "external-ids", "external-id")
    for each in held if isinstance(held, list) else []:
        kind, relation = (
            str(_inside(each, f"external-id-{name}")).casefold().replace("_", "-")
            for name in ("type", "relationship")
        )
        value = _inside(each, "external-id-normalized", "value") or _inside(each, "external-id-value")
        if kind in {"arxiv", "doi"} and relation in _SAME and isinstance(value, str):
            yield kind, value[:_LONGEST]


def _date(summary: Any) -> str:
    parts = [_inside(summary, "publication-date", name, "value") for name in ("year", "month", "day")]
    return "-".join(str(part or "").zfill(2) for part in parts)


def _inside(value: Any, *names: str) -> Any:
    """What stands under these names, one inside the other; None where one is missing."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value
