"""Mails that are no digest: confirm an address, open one's pages, test the relay."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from jobs.alerts import mail_text, mime, wording
from jobs.alerts.fragment import Fragment, fragment, text
from jobs.alerts.mail import Sender, envelope
from jobs.alerts.readable import clean

NoteName = Literal["confirmation", "magic_link", "test"]


@dataclass(frozen=True, slots=True)
class _Note:
    """The words of one kind of note. They hold nothing that a stranger typed: whoever enters somebody else's
    address must not be able to write to them through us."""

    subject: str
    heading: str
    before: tuple[str, ...]
    button: str
    after: tuple[str, ...]


_NOTES: dict[NoteName, _Note] = {
    "confirmation": _Note(
        subject="Confirm your paper alerts",
        heading="Confirm your paper alerts",
        before=(
            "Someone, probably you, asked for paper alerts to this address. They begin once you confirm.",
        ),
        button="Confirm this address",
        after=("The link is good for 14 days. If it was not you, do nothing: no further mail will come.",),
    ),
    "magic_link": _Note(
        subject="Your link to your paper alerts",
        heading="Open your paper alerts",
        before=("This link opens your profiles and settings, without a password.",),
        button="Open my pages",
        after=(
            "The link is good for 30 days and works like a key: do not pass it on. "
            "If you did not ask for it, do nothing.",
        ),
    ),
    "test": _Note(
        subject="Paperwatch can send mail",
        heading="Paperwatch can send mail",
        before=("This is the test mail that you asked for. The relay took it, and it has arrived.",),
        button="Open Paperwatch",
        after=(),
    ),
}


def render_note(
    name: NoteName, to: str, link: str, at: datetime, message_id: str, sender: Sender, zone: str = "UTC"
) -> bytes:
    """One of the notes as complete RFC 5322 bytes; ``link`` is where its button leads.

    Raises `mime.MailError` for an address that cannot be written to, ValueError for a link that is none.
    """
    if (
        urlsplit(link).scheme not in {"http", "https"}
        or not link.isascii()
        or clean(link) != link
        or " " in link
    ):
        raise ValueError(f"{link!r} is no http(s) address for a mail")
    note = _NOTES[name]
    headers = [
        *envelope(sender, to, note.subject, at.astimezone(ZoneInfo(zone))),
        ("Message-ID", mime.message_id(message_id)),
        ("Auto-Submitted", "auto-generated"),
    ]
    return mime.message(headers, mime.quoted(_text(note, link)), _html(name, link, at, sender, zone))


def render_confirmation(to: str, link: str, at: datetime, message_id: str, sender: Sender) -> bytes:
    """The only mail that an unconfirmed address gets: the link that confirms it."""
    return render_note("confirmation", to, link, at, message_id, sender)


def _text(note: _Note, link: str) -> str:
    blocks = [note.heading, *map(mail_text.wrap, note.before), f"{note.button}:\n{link}"]
    return "\n\n".join([*blocks, *map(mail_text.wrap, note.after)]) + "\n"


def _html(name: NoteName, link: str, at: datetime, sender: Sender, zone: str) -> bytes:
    note = _NOTES[name]
    where = urlsplit(link)
    return _frame().fill(
        {
            "subject": text(note.subject),
            "preheader": text(note.before[0]),
            "home": text(f"{where.scheme}://{where.netloc}/"),
            "from": text(clean(sender.name) or "Paperwatch"),
            "day": text(wording.local_day(at, zone)),
            "heading": text(note.heading),
            "body": _body(name).fill({"link": text(link)}),
            "foot": text(f"Sent by {clean(sender.name) or 'Paperwatch'} at {where.netloc}."),
        }
    )


@lru_cache(maxsize=1)
def _frame() -> Fragment:
    return fragment("frame.html")


@lru_cache(maxsize=8)
def _body(name: NoteName) -> Fragment:
    note = _NOTES[name]
    return fragment("note.html", paragraphs=note.before, button=note.button, after=note.after)
