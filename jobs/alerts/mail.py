"""Complete mails as bytes, ready for SMTP: digests, confirmations and other notes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote
from zoneinfo import ZoneInfo

from jobs.alerts import bibtex, mail_html, mail_text, markdown, mime, wording
from jobs.alerts.digest import Attached, Digest
from jobs.alerts.digest_links import DigestLinks
from jobs.alerts.links import Links
from jobs.alerts.readable import clean


@dataclass(frozen=True, slots=True)
class Sender:
    """Whom mail comes from: the name shown, the address, and the mailbox that takes unsubscribe mails.

    Without ``unsubscribe_mailbox`` the address itself is named for that.
    """

    name: str
    address: str
    unsubscribe_mailbox: str = ""


def render(digest: Digest, links: Links, sender: Sender) -> bytes:
    """The digest as complete RFC 5322 bytes with CRLF line ends, ASCII throughout.

    The same digest gives the same bytes. Raises `mime.MailError` for an address that cannot be written to.
    """
    signed = DigestLinks.of(digest, links)
    subject = wording.subject(digest)
    text = mail_text.render(digest, signed)
    html = mail_html.render(digest, signed, subject, clean(sender.name) or "Paperwatch")
    attached = [_FORMS[form](digest) for form in digest.attach]
    return mime.message(_digest_headers(digest, signed, subject, sender), text, html, attached)


def _markdown(digest: Digest) -> mime.Attachment:
    return mime.Attachment(f"{_file(digest)}.md", "text/markdown; charset=utf-8", markdown.render(digest))


def _bibtex(digest: Digest) -> mime.Attachment:
    papers = [item.paper for section in digest.sections for item in section.items]
    return mime.Attachment(
        f"{_file(digest)}.bib", "application/x-bibtex; charset=utf-8", bibtex.render(papers)
    )


_FORMS: dict[Attached, Callable[[Digest], mime.Attachment]] = {"markdown": _markdown, "bibtex": _bibtex}


def _file(digest: Digest) -> str:
    return f"papers-{digest.at.astimezone(ZoneInfo(digest.zone)):%Y-%m-%d}"


def _digest_headers(
    digest: Digest, links: DigestLinks, subject: str, sender: Sender
) -> list[tuple[str, str]]:
    mailbox = quote(mime.mailbox(sender.unsubscribe_mailbox or sender.address), safe="@")
    return [
        *envelope(sender, digest.to, subject, digest.at.astimezone(ZoneInfo(digest.zone))),
        ("Message-ID", mime.message_id(digest.message_id)),
        ("List-Id", _list_id(digest, links, sender)),
        (
            "List-Unsubscribe",
            f"<{links.unsubscribe}>, <mailto:{mailbox}?subject=unsubscribe%20{links.unsubscribe_token}>",
        ),
        ("List-Help", f"<{links.home}>"),
        # RFC 8058: tells the mail program that a POST to the address above is enough.
        ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
        ("Auto-Submitted", "auto-generated"),
    ]


def envelope(sender: Sender, to: str, subject: str, at: datetime) -> list[tuple[str, str]]:
    """The headers that every mail begins with; ``at`` is aware and shown with its own offset."""
    return [
        ("From", mime.named_mailbox(sender.name, sender.address)),
        ("To", mime.mailbox(to)),
        ("Subject", mime.unstructured(subject)),
        ("Date", mime.date(at)),
    ]


def _list_id(digest: Digest, links: DigestLinks, sender: Sender) -> str:
    """RFC 2919: names the list for the reader's filters, and never changes with what is in the mail."""
    host = links.host if any(c.isalpha() for c in links.host) else "localhost"
    about = "" if digest.list_profile is None else f"profile-{digest.list_profile}."
    return (
        f"{mime.unstructured(clean(sender.name).replace('<', '').replace('>', ''))} <{about}digests.{host}>"
    )
