"""The only SMTP: a pool of kept connections that reports what became of each mail."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Self

import aiosmtplib

from jobs.alerts.mime import MailError, mailbox
from jobs.alerts.readable import clean

State = Literal["sent", "retry", "failed"]
About = Literal["", "address", "message", "sender", "server"]
_ENHANCED = re.compile(r"\b([245])\.(\d{1,3})\.(\d{1,3})\b")
# RFC 3463: bad mailbox, bad domain, bad syntax, moved, mailbox disabled; not 5.2.2, which is a full mailbox.
_ADDRESS_GONE = {(1, 0), (1, 1), (1, 2), (1, 3), (1, 6), (1, 10), (2, 1)}
# A refused login or missing encryption is the operator's to mend; no mail may be lost to it.
_OPERATORS = {530, 534, 535, 538}


@dataclass(frozen=True, slots=True)
class SmtpSettings:
    """The relay: ``tls`` is none, starttls or tls; rates are per second, 0 being no limit.

    ``ca_file`` names a PEM file of further trusted authorities. ``helo`` is the name we greet with.
    ``timeout`` in seconds bounds every wait for the server. ``handovers`` is how many mails may await the
    answer to their last byte at once, 0 being one for every four connections: those are the mails that a
    crash may repeat. Their wait is one of four that a mail takes (MAIL, RCPT, DATA, the end), so that a
    quarter of the connections in it keeps all of them busy.
    """

    host: str
    port: int = 25
    tls: Literal["none", "starttls", "tls"] = "none"
    user: str = ""
    password: str = ""
    connections: int = 4
    per_second: float = 0.0
    per_domain_per_second: float = 0.0
    timeout: float = 60.0
    ca_file: str = ""
    helo: str = ""
    handovers: int = 0

    def __repr__(self) -> str:
        return f"SmtpSettings(host={self.host!r}, port={self.port}, tls={self.tls!r}, user={self.user!r})"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one mail: sent, retry (later, same Message-ID), or failed for good.

    ``code`` is the server's reply, 0 where there was none. ``about`` says what a fault is about: an
    ``address`` that should get no more mail, this ``message``, our ``sender`` address, or the ``server``.
    ``uncertain`` marks a mail whose receipt the server may have lost: it may have arrived already.
    """

    state: State
    code: int
    text: str
    about: About = ""
    uncertain: bool = False


class Pool:
    """N kept connections to one relay.

    ``send`` may be called from any number of tasks at once; connections open when first needed, stay open,
    and are opened again when the server has closed them. ``faults_in_a_row`` counts mails that failed
    through the server or our own settings since the last one that went through.
    """

    def __init__(self, settings: SmtpSettings) -> None:
        if settings.connections < 1:
            raise ValueError(f"{settings.connections} connections cannot send; set at least 1")
        self._settings = settings
        self.connections = settings.connections
        self._idle: asyncio.LifoQueue[_Connection] = asyncio.LifoQueue()
        gate = asyncio.Semaphore(settings.handovers or -(-settings.connections // 4))
        self._connections = [_Connection(settings, gate) for _ in range(settings.connections)]
        for connection in self._connections:
            self._idle.put_nowait(connection)
        self._all = Pace(settings.per_second)
        self._domains = Paces(settings.per_domain_per_second)
        self.faults_in_a_row = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.gather(*(connection.quit() for connection in self._connections))

    async def send(
        self, envelope_from: str, to: str, message: bytes, taken: Callable[[], None] = lambda: None
    ) -> Outcome:
        """Hand one mail to the relay and say what became of it.

        ``message`` is complete ASCII bytes with CRLF line ends. ``taken`` is called at once when the relay
        has answered that it took the mail. Raises nothing for SMTP or connection faults.
        """
        try:
            sender = mailbox(envelope_from)
        except MailError as exc:
            self.faults_in_a_row += 1
            return Outcome("retry", 0, f"sender: {exc}", "sender")
        try:
            recipient = mailbox(to)
        except MailError as exc:
            return Outcome("failed", 0, str(exc), "address")
        await self._domains.turn(recipient.rpartition("@")[2].lower())
        await self._all.turn()
        connection = await self._idle.get()
        try:
            outcome = await connection.send(sender, recipient, message, taken)
        finally:
            self._idle.put_nowait(connection)
        self.faults_in_a_row = self.faults_in_a_row + 1 if outcome.about in {"server", "sender"} else 0
        return outcome


class Pace:
    """Turns at an even pace: at most ``per_second``, 0 being no limit. Its clock is the running loop's."""

    def __init__(self, per_second: float) -> None:
        self._interval = 1 / per_second if per_second > 0 else 0.0
        self.free_at = 0.0

    async def turn(self) -> None:
        """Wait for the next free turn."""
        if self._interval:
            now = asyncio.get_running_loop().time()
            at = max(now, self.free_at)
            self.free_at = at + self._interval
            await asyncio.sleep(at - now)


class Paces:
    """One pace per name, forgetting those that are free again, so that memory stays flat."""

    def __init__(self, per_second: float) -> None:
        self._per_second = per_second
        self._paces: dict[str, Pace] = {}

    async def turn(self, name: str) -> None:
        """Wait for the next free turn of this name."""
        if not self._per_second:
            return
        if len(self._paces) > 4096:
            now = asyncio.get_running_loop().time()
            self._paces = {key: pace for key, pace in self._paces.items() if pace.free_at > now}
        await self._paces.setdefault(name, Pace(self._per_second)).turn()


class _Connection:
    """One connection, opened when needed and again after it was lost."""

    def __init__(self, settings: SmtpSettings, gate: AbstractAsyncContextManager[None]) -> None:
        self._settings = settings
        self._gate = gate
        self._client: aiosmtplib.SMTP | None = None
        self._step = ""

    async def send(self, sender: str, to: str, message: bytes, taken: Callable[[], None]) -> Outcome:
        """One mail over this connection. A kept connection that proves dead is opened anew, once."""
        kept = self._client is not None and self._client.is_connected
        try:
            client = await self._connected()
        except aiosmtplib.SMTPResponseException as exc:
            self._drop()
            return Outcome("retry", exc.code, self._connect_fault(exc), "server")
        except (aiosmtplib.SMTPException, OSError, ValueError) as exc:
            self._drop()
            return Outcome("retry", 0, self._connect_fault(exc), "server")
        outcome = await self._transaction(client, sender, to, message, taken)
        # A server may close an idle connection at any time (RFC 5321, section 4.5.3.2); at the first command
        # of a mail that says nothing about the mail.
        if kept and self._step == "MAIL" and outcome.code in {0, 421}:
            return await self.send(sender, to, message, taken)
        return outcome

    async def quit(self) -> None:
        """Say goodbye and close; a server that does not answer is not waited for longer than a second."""
        client, self._client = self._client, None
        if client is None:
            return
        try:
            await asyncio.wait_for(client.quit(), 1.0)
        except (aiosmtplib.SMTPException, OSError, TimeoutError):
            pass
        finally:
            client.close()

    async def _connected(self) -> aiosmtplib.SMTP:
        if self._client is not None and self._client.is_connected:
            return self._client
        settings = self._settings
        context = None
        if settings.tls != "none":
            context = ssl.create_default_context()
            if settings.ca_file:
                context.load_verify_locations(settings.ca_file)
        client = aiosmtplib.SMTP(
            hostname=settings.host,
            port=settings.port,
            use_tls=settings.tls == "tls",
            start_tls=settings.tls == "starttls",
            tls_context=context,
            username=settings.user or None,
            password=settings.password if settings.user else None,
            local_hostname=settings.helo or None,
            timeout=settings.timeout,
        )
        # Kept even where connecting fails half-way, so that `_drop` closes it.
        self._client = client
        await client.connect()
        return client

    async def _transaction(
        self, client: aiosmtplib.SMTP, sender: str, to: str, message: bytes, taken: Callable[[], None]
    ) -> Outcome:
        size = [f"SIZE={len(message)}"] if client.supports_extension("size") else []
        self._step = "MAIL"
        try:
            await client.mail(sender, options=size)
            self._step = "RCPT"
            await client.rcpt(to)
            self._step = "DATA"
            reply = await self._data(client, message, taken)
        except aiosmtplib.SMTPResponseException as exc:
            await self._after_refusal(client, exc.code)
            return classify(self._step, exc.code, exc.message)
        except (aiosmtplib.SMTPException, OSError) as exc:
            self._drop()
            lost = f"{self._step}: {clean(str(exc)) or type(exc).__name__}"
            return Outcome("retry", 0, lost, "server", uncertain=self._step == "BODY")
        except BaseException:
            # Cancelled between a command and its reply: the next mail would take that reply for its own.
            self._drop()
            raise
        return Outcome("sent", reply.code, clean(reply.message))

    async def _data(
        self, client: aiosmtplib.SMTP, message: bytes, taken: Callable[[], None]
    ) -> aiosmtplib.SMTPResponse:
        """The DATA command for bytes that have CRLF line ends already.

        aiosmtplib's own passes the message through two regular expressions, which costs more than all the
        rest of sending (0.6 of 0.9 ms for 50 kB). Raises what it raises.
        """
        protocol, timeout = client.protocol, self._settings.timeout
        ends = message.count(b"\r\n")
        if protocol is None or message.count(b"\n") != ends or message.count(b"\r") != ends:
            async with self._gate:
                self._step = "BODY"
                reply = await client.data(message)
                taken()
            return reply
        reply = await client.execute_command(b"DATA", timeout=timeout)
        if reply.code != aiosmtplib.SMTPStatus.start_input:
            raise aiosmtplib.SMTPDataError(reply.code, reply.message)
        # A full stop at the start of a line is doubled (RFC 5321, section 4.5.2).
        body = message.replace(b"\r\n.", b"\r\n..")
        body = b"." + body if body.startswith(b".") else body
        protocol.write(body if body.endswith(b"\r\n") else body + b"\r\n")
        # Until its last line is there the server takes nothing, so the mail may wait its turn here.
        async with self._gate:
            self._step = "BODY"
            protocol.write(b".\r\n")
            reply = await protocol.read_response(timeout=timeout)
            if reply.code != aiosmtplib.SMTPStatus.completed:
                raise aiosmtplib.SMTPDataError(reply.code, reply.message)
            taken()
        return reply

    async def _after_refusal(self, client: aiosmtplib.SMTP, code: int) -> None:
        """Make the connection ready for the next mail, or drop it where the server is closing it."""
        if code == 421 or not client.is_connected:
            self._drop()
            return
        try:
            await client.rset()
        except (aiosmtplib.SMTPException, OSError):
            self._drop()

    def _drop(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _connect_fault(self, exc: Exception) -> str:
        where = f"{self._settings.host}:{self._settings.port}"
        if isinstance(exc, aiosmtplib.SMTPAuthenticationError):
            words = f"{where} refused the login of {self._settings.user!r}: {clean(exc.message)}"
            return f"{words}; check the user and the password"
        return f"{where}: {clean(str(exc)) or type(exc).__name__}"


def classify(step: str, code: int, text: str) -> Outcome:
    """What a refusal at MAIL, RCPT, DATA or after the BODY means: 4xx is tried again, 5xx is final.

    The enhanced code (RFC 3463) decides what it is about where there is one, else the step does. A reply
    that is neither 4xx nor 5xx is a fault of the server and tried again.
    """
    words = f"{step}: {clean(text)}"
    if 400 <= code < 500 or code in _OPERATORS or not 500 <= code < 600:
        general = code == 421 or code in _OPERATORS or step == "MAIL" or not 400 <= code < 500
        return Outcome("retry", code, words, "server" if general else "")
    enhanced = _ENHANCED.search(text)
    if enhanced:
        subject, detail = int(enhanced[2]), int(enhanced[3])
        if (subject, detail) in _ADDRESS_GONE and step != "MAIL":
            return Outcome("failed", code, words, "address")
        if subject == 1 and detail in {7, 8}:
            return Outcome("failed", code, words, "sender")
        return Outcome("failed", code, words, "sender" if step == "MAIL" and subject != 3 else "message")
    if step == "RCPT" and code in {550, 551, 553}:
        return Outcome("failed", code, words, "address")
    return Outcome("failed", code, words, "sender" if step == "MAIL" and code != 552 else "message")
