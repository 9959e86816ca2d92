"""The local outbox: a folder of ``.eml`` files, for a server without a mail relay."""

from __future__ import annotations

import email
import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from email.parser import BytesHeaderParser
from email.utils import getaddresses
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Self

from jobs.alerts.smtp import Outcome

_NAME = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{16}\.eml")


class LetterError(LookupError):
    """A letter that is not in the outbox, or cannot be read; the message names it."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail in the outbox, as a list shows it. ``at`` is its Date header in UTC, ``size`` in bytes."""

    name: str
    to: str
    subject: str
    at: datetime
    size: int


@dataclass(frozen=True, slots=True)
class OpenLetter:
    """A mail in the outbox, opened: its headers in their order, its text, its HTML, and its bytes."""

    letter: Letter
    headers: tuple[tuple[str, str], ...]
    text: str
    html: str
    raw: bytes


class OutboxFolder:
    """Takes mail as `smtp.Pool` does, and keeps it as files that the browser can show."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.faults_in_a_row = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    async def send(
        self,
        envelope_from: str,  # noqa: ARG002 - as Pool's
        to: str,  # noqa: ARG002
        message: bytes,
        taken: Callable[[], None] = lambda: None,
    ) -> Outcome:
        """Write the mail; a full or missing disk is a reason to try again."""
        try:
            path = self.write(message)
        except (OSError, ValueError) as exc:
            self.faults_in_a_row += 1
            return Outcome("retry", 0, f"outbox {self.folder}: {exc}", "server")
        self.faults_in_a_row = 0
        taken()
        return Outcome("sent", 250, path.name)

    def write(self, message: bytes) -> Path:
        """Write a mail whole or not at all. The same Message-ID is the same file, so a retry repeats nothing.

        Raises OSError where it cannot be written, ValueError where the bytes have no Date or Message-ID.
        """
        headers = BytesHeaderParser(policy=policy.SMTP).parsebytes(message)
        if headers["Date"] is None or headers["Message-ID"] is None:
            raise ValueError("a mail for the outbox needs a Date and a Message-ID")
        at = headers["Date"].datetime.astimezone(UTC)
        identity = sha256(str(headers["Message-ID"]).encode("utf-8", "replace")).hexdigest()[:16]
        path = self.folder / f"{at:%Y%m%dT%H%M%SZ}-{identity}.eml"
        self.folder.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}.part")
        try:
            with partial.open("wb") as file:
                file.write(message)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
        return path

    def letters(self, limit: int = 200) -> list[Letter]:
        """The newest letters first. Files that are none of ours are passed over."""
        if not self.folder.is_dir():
            return []
        names = sorted((p.name for p in self.folder.iterdir() if _NAME.fullmatch(p.name)), reverse=True)
        return [self._letter(name, (self.folder / name).read_bytes()) for name in names[:limit]]

    def read(self, name: str) -> OpenLetter:
        """One letter by its name. Raises `LetterError` for a name that is not in the folder."""
        if not _NAME.fullmatch(name):
            raise LetterError(f"{name!r} is no letter of the outbox")
        try:
            raw = (self.folder / name).read_bytes()
        except OSError as exc:
            raise LetterError(f"{name} is not in the outbox: {exc.strerror}") from exc
        message = email.message_from_bytes(raw, policy=policy.default)
        return OpenLetter(
            letter=self._letter(name, raw),
            headers=tuple((key, str(value)) for key, value in message.items()),
            text=_part(message, "plain"),
            html=_part(message, "html"),
            raw=raw,
        )

    def forget(self, address: str) -> int:
        """Delete every letter to this address; how many they were."""
        wanted, gone = address.casefold(), 0
        for letter in self.letters(limit=sys.maxsize):
            if wanted in {to.casefold() for _, to in getaddresses([letter.to])}:
                (self.folder / letter.name).unlink(missing_ok=True)
                gone += 1
        return gone

    def _letter(self, name: str, raw: bytes) -> Letter:
        headers = BytesHeaderParser(policy=policy.default).parsebytes(raw)
        at = datetime.strptime(name[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        return Letter(name, str(headers["To"] or ""), str(headers["Subject"] or ""), at, len(raw))


def _part(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    return str(part.get_content()) if part is not None else ""
