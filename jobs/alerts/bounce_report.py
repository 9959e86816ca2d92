"""Reading delivery reports: who did not get which mail, and whether they ever will (pure).

Reports by the standard (RFC 3464) say it in fields, with more detail than a set of addresses can hold, and
are read here. The free text of single servers, such as qmail's and old Exchange's, is read by flufl.bounce.
"""

from __future__ import annotations

import email
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from typing import Literal

from flufl.bounce import all_failures

from jobs.alerts.readable import clean
from jobs.alerts.smtp import classify

Kind = Literal["hard", "soft", "other"]
_STATUS = re.compile(r"\b([245])\.(\d{1,3})\.(\d{1,3})\b")
_REPLY = re.compile(r"\b([45]\d\d)\b")
# The form that `mail.render` offers in List-Unsubscribe; an answer to it begins with "Re:".
_ASKS = re.compile(r"(?:re: *)?unsubscribe +([A-Za-z0-9._-]{10,400})", re.IGNORECASE)
# Our own mail as free-text reports return it, below their own head.
_RETURNED_ID = re.compile(rb"^[ \t>]*Message-ID:[ \t]*(<[^<>\s]{5,200}>)", re.IGNORECASE | re.MULTILINE)
_LONGEST = 500


@dataclass(frozen=True, slots=True)
class Report:
    """What a report says of one recipient.

    ``kind`` is hard where the address takes no mail any more, soft where this mail did not arrive but the
    next one may, other where it arrived late, or somewhere else, or may still arrive. ``message_id`` is that
    of our mail, with its angle brackets, empty where the report does not return it.
    """

    kind: Kind
    address: str
    status: str
    why: str
    message_id: str


def parse(raw: bytes) -> list[Report]:
    """What a mail reports, one entry a recipient; empty for a mail that is no delivery report."""
    message = email.message_from_bytes(raw)
    identity = _returned_id(message)
    found: list[Report] = []
    for part in message.walk():
        if part.get_content_type() == "message/delivery-status":
            # The first block is about the report itself; blocks of recipients name them.
            found += [_report(block, identity) for block in _blocks(part) if "Final-Recipient" in block]
    return found or _free_text(message, raw)


def _free_text(message: Message, raw: bytes) -> list[Report]:
    """What a report in the words of a single server says."""
    try:
        temporary, permanent = all_failures(message)
    except Exception:  # a stranger's mail: its detectors raise whatever a part's oddity leads to
        return []
    body = re.split(rb"\r?\n\r?\n", raw, maxsplit=1)[-1]
    returned = _RETURNED_ID.search(body)
    identity = returned[1].decode("ascii", "replace") if returned else ""
    kinds: list[tuple[Kind, bytes]] = [("hard", a) for a in sorted(permanent)]
    kinds += [("soft", a) for a in sorted(temporary - permanent)]
    return [
        Report(kind, clean(address.decode("utf-8", "replace")).lower(), "", "said in free text", identity)
        for kind, address in kinds
    ]


def unsubscribe_token(raw: bytes) -> str:
    """The token of a mail that asks to be unsubscribed, as mail programs write it from List-Unsubscribe;
    empty for any other mail."""
    head = email.message_from_bytes(raw.partition(b"\r\n\r\n")[0].partition(b"\n\n")[0])
    asked = _ASKS.fullmatch(_field(head, "Subject"))
    return asked[1] if asked else ""


def _blocks(part: Message) -> Iterator[Message]:
    payload = part.get_payload()
    if isinstance(payload, list):
        yield from (block for block in payload if isinstance(block, Message))


def _report(block: Message, identity: str) -> Report:
    action, status, diagnostic = (_field(block, n) for n in ("Action", "Status", "Diagnostic-Code"))
    address = _address(_field(block, "Original-Recipient")) or _address(_field(block, "Final-Recipient"))
    said = diagnostic.partition(";")[2].strip() or diagnostic
    why = clean(f"{status} {said}" if said and status not in said else said or status)[:_LONGEST]
    return Report(_kind(action.lower(), status, said), address, status[:16], why, identity)


def _kind(action: str, status: str, said: str) -> Kind:
    if action != "failed":
        return "other"
    enhanced, reply = _STATUS.search(status), _REPLY.search(said)
    # x.0.0 means "no further status": what the refusing server said counts then (RFC 3463, section 2).
    vague = enhanced is None or (enhanced[2], enhanced[3]) == ("0", "0")
    code = int(reply[1]) if reply else 550 if status.startswith("5") and not vague else 450
    text = said if vague else status
    return "hard" if classify("RCPT", code, text).about == "address" else "soft"


def _returned_id(message: Message) -> str:
    """The Message-ID of the mail that came back, whole or as its headers alone."""
    for part in message.walk():
        if part.get_content_type() == "text/rfc822-headers":
            payload = part.get_payload(decode=True)
            if isinstance(payload, bytes):
                return _field(email.message_from_bytes(payload), "Message-ID")
        if part.get_content_type() == "message/rfc822" and part is not message:
            for inner in _blocks(part):
                return _field(inner, "Message-ID")
    return ""


def _field(message: Message, name: str) -> str:
    return clean(str(message.get(name, "")))


def _address(field: str) -> str:
    """The address in ``rfc822; ada@example.org``; empty for other kinds of address."""
    kind, _, address = field.partition(";")
    return address.strip().strip("<>").lower() if kind.strip().lower() in {"rfc822", "utf-8"} else ""
