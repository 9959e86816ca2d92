"""A real mail server on loopback that keeps what it takes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aiosmtpd.controller import Controller

from jobs.alerts.smtp import SmtpSettings
from tests.processes import free_port

CONNECTIONS = 4


class Inbox:
    """Keeps which mail came to whom, and the mails themselves."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, str]] = []
        self.mails: list[bytes] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802  # aiosmtpd's name
        raw = envelope.original_content
        head = raw.partition(b"\r\n\r\n")[0].decode()
        identity = head.partition("\r\nMessage-ID: ")[2].partition("\r\n")[0]
        self.taken.append((envelope.rcpt_tos[0], identity))
        self.mails.append(raw)
        return "250 taken"


@contextmanager
def receiving(inbox: Inbox, **more: Any) -> Iterator[int]:
    """A real mail server on a port of loopback."""
    controller = Controller(inbox, hostname="127.0.0.1", port=free_port(), data_size_limit=10**8, **more)
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop()


def relay(port: int, **more: Any) -> SmtpSettings:
    given: dict[str, Any] = {"connections": CONNECTIONS, "helo": "we.example", "timeout": 5.0}
    return SmtpSettings("127.0.0.1", port, **(given | more))
