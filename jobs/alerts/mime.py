"""The bytes of a mail: headers that nothing can break out of, and a text and an HTML part."""

from __future__ import annotations

import binascii
import re
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from functools import lru_cache
from hashlib import sha256

from email_validator import EmailNotValidError, validate_email

from jobs.alerts.readable import clean

# RFC 5322, section 2.1.1: no line over 998 bytes without its CRLF; a margin for servers that add to a line.
_MAX_LINE = 990
# RFC 2047: an encoded word is at most 75 characters; 45 bytes make 60 in base64, plus =?utf-8?B? and ?=.
_WORD_BYTES = 45
_LOCAL_PART = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*")
_MESSAGE_ID = re.compile(r"<[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,200}@[A-Za-z0-9.:\[\]-]{1,200}>")
_HEADER_VALUE = re.compile(r"[\x20-\x7e]{1,900}")
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_SPECIALS = re.compile(r'[()<>\[\]:;@\\,."]')


class MailError(ValueError):
    """A mail that cannot be made; the message names the field and what is wrong with it."""


@lru_cache(maxsize=4096)
def mailbox(address: str) -> str:
    """The address as it may stand in a header or an SMTP command: checked, its domain in ASCII (IDNA).

    Raises `MailError` for anything else than one plain address, line breaks and further recipients included.
    """
    local, at, host = address.rpartition("@")
    if not host.isascii():
        host = _ascii_domain(host)
    if not at or len(local) > 64 or not _LOCAL_PART.fullmatch(local) or not _HOST.fullmatch(host):
        raise MailError(f"{address!r} is no e-mail address that can be written to")
    return f"{local}@{host}"


def _ascii_domain(host: str) -> str:
    """The domain as the DNS has it (IDNA 2008), empty for what is none.

    Python's own codec is IDNA 2003, by which a mail to straße.de goes to strasse.de, which is somebody else.
    """
    try:
        return validate_email(
            f"a@{host}", check_deliverability=False, globally_deliverable=False
        ).ascii_domain
    except EmailNotValidError:
        return ""


@lru_cache(maxsize=256)
def named_mailbox(name: str, address: str) -> str:
    """``Paperwatch <digest@example.org>``, the name quoted or encoded as it needs."""
    name = clean(name)
    if not name:
        return mailbox(address)
    if name.isascii() and _SPECIALS.search(name):
        name = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f"{unstructured(name)} <{mailbox(address)}>"


def unstructured(text: str) -> str:
    """Free text for a header: as it is where it is short ASCII, else RFC 2047 words on folded lines."""
    text = clean(text)
    # A text that looks like an encoded word would be decoded into something else by the reader's program.
    if text.isascii() and len(text) < 900 and "=?" not in text:
        return text
    raw, words, start = text.encode("utf-8", "replace"), [], 0
    while start < len(raw):
        end = min(start + _WORD_BYTES, len(raw))
        while end < len(raw) and raw[end] & 0xC0 == 0x80:  # never within a character (RFC 2047, section 5)
            end -= 1
        words.append(raw[start:end])
        start = end
    return "\r\n ".join(f"=?utf-8?B?{b64encode(w).decode('ascii')}?=" for w in words)


def message_id(value: str) -> str:
    """The Message-ID, checked; raises `MailError` unless it is ``<left@right>`` in plain characters."""
    if not _MESSAGE_ID.fullmatch(value):
        raise MailError(f"{value!r} is no Message-ID such as <digest-7@example.org>")
    return value


def date(at: datetime) -> str:
    """The Date header of an aware moment, with its own offset."""
    if at.tzinfo is None:
        raise MailError(f"{at!r} has no time zone; a mail needs an aware time")
    return format_datetime(at)


def quoted(text: str) -> bytes:
    """The text as quoted-printable UTF-8 with CRLF line ends (RFC 2045, section 6.7)."""
    return _quoted_lines(text.replace("\n", "\r\n").encode("utf-8", "replace"))


def _quoted_lines(lines: bytes) -> bytes:
    """What `binascii` makes of lines that end in CRLF; where there is only one it breaks it with a bare line
    feed, which servers refuse since it lets mails be smuggled."""
    return binascii.b2a_qp(lines, istext=True).replace(b"=\n", b"=\r\n")


@dataclass(frozen=True, slots=True)
class Attachment:
    """A text file that goes with a mail: its name in plain ASCII, its media type, and what it says."""

    name: str
    media_type: str
    text: str


def message(
    headers: Sequence[tuple[str, str]], text: bytes, html: bytes, attachments: Sequence[Attachment] = ()
) -> bytes:
    """The whole mail: the headers in their order, then multipart/alternative of text and HTML, in
    multipart/mixed with the attachments where there are any.

    Header values are single lines of ASCII, or the folded words that `unstructured` makes. ``text`` is
    `quoted` already, which leaves it readable as it is. ``html`` is ASCII with CRLF line ends; where
    all of it fits a line's limit it goes out as it is, else quoted-printable.
    """
    lines = [f"{name}: {_checked(name, value)}" for name, value in headers]
    rich, encoding = (html, "7bit") if _lines_fit(html) else (_quoted_lines(html), "quoted-printable")
    boundary = _boundary(lines, text, rich)
    parts = [
        _part("text/plain; charset=utf-8", "quoted-printable", text),
        _part("text/html; charset=utf-8", encoding, rich),
    ]
    kind, body = "alternative", _multipart(boundary, parts)
    if attachments:
        inner = f'Content-Type: multipart/alternative; boundary="{boundary}"\r\n\r\n'.encode("ascii")
        parts = [inner + body, *map(_attached, attachments)]
        kind, boundary = "mixed", _boundary([boundary], *parts)
        body = _multipart(boundary, parts)
    content = f'Content-Type: multipart/{kind}; boundary="{boundary}"'
    head = "\r\n".join([*lines, "MIME-Version: 1.0", content, "\r\n"])
    return head.encode("ascii") + body


def _multipart(boundary: str, parts: Sequence[bytes]) -> bytes:
    line = f"--{boundary}".encode("ascii")
    return b"".join(b"%b\r\n%b\r\n" % (line, part) for part in parts) + line + b"--\r\n"


def _part(content_type: str, encoding: str, body: bytes, more: str = "") -> bytes:
    head = f"Content-Type: {content_type}\r\nContent-Transfer-Encoding: {encoding}\r\n{more}\r\n"
    return head.encode("ascii") + body


def _attached(file: Attachment) -> bytes:
    name = _checked("filename", file.name)
    if not _FILE_NAME.fullmatch(name):
        raise MailError(f"{name!r} is no plain file name for an attachment")
    where = f'Content-Disposition: attachment; filename="{name}"\r\n'
    return _part(_checked("type", file.media_type), "quoted-printable", quoted(file.text), where)


def _lines_fit(body: bytes) -> bool:
    """Whether no line is over the limit, found in steps of a line's length."""
    start = 0
    while len(body) - start > _MAX_LINE:
        end = body.rfind(b"\r\n", start, start + _MAX_LINE + 2)
        if end < 0:
            return False
        start = end + 2
    return True


def _boundary(headers: Sequence[str], *parts: bytes) -> str:
    """A line that occurs in no part; drawn from the headers, so that the same mail has the same bytes."""
    seed = "\n".join(headers).encode("ascii")
    while True:
        seed = sha256(seed).hexdigest().encode("ascii")
        # "=_" can never stand in quoted-printable text (RFC 2045, section 6.7).
        boundary = b"=_" + seed[:24]
        if not any(boundary in part for part in parts):
            return boundary.decode("ascii")


def _checked(name: str, value: str) -> str:
    if not all(_HEADER_VALUE.fullmatch(line) for line in value.split("\r\n ")):
        raise MailError(f"{name}: {value[:80]!r} cannot stand in a header")
    return value
