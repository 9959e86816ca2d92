"""The pool against real servers: aiosmtpd for the protocol, a scripted one for what goes wrong."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from jobs.alerts.smtp import Outcome, Pace, Paces, Pool, SmtpSettings, classify

pytestmark = pytest.mark.smtp

MAIL = b"From: d@p.example\r\nSubject: x\r\n\r\nfirst\r\n.second starts with a full stop\r\n..\r\nlast\r\n"


class Mailbox:
    """An aiosmtpd handler that keeps what it is given."""

    def __init__(self) -> None:
        self.taken: list[Envelope] = []
        self.peers: set[object] = set()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.taken.append(envelope)
        self.peers.add(session.peer)
        return "250 taken"


@asynccontextmanager
async def serving(
    factory: Callable[[], asyncio.Protocol], tls: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """The protocol on a port of 127.0.0.1, closed afterwards."""
    server = await asyncio.get_running_loop().create_server(factory, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def real(mailbox: Mailbox, **settings: object) -> Callable[[], asyncio.Protocol]:
    """aiosmtpd with this mailbox."""
    return partial(SMTP, mailbox, hostname="server.example", **settings)  # type: ignore[arg-type]


def to(port: int, **changed: object) -> SmtpSettings:
    """Settings for the port, greeting with a fixed name and waiting at most two seconds."""
    return SmtpSettings("127.0.0.1", port, **{"helo": "we.example", "timeout": 2.0, **changed})  # type: ignore[arg-type]


class Scripted:
    """A server that answers as told: replies by verb, each list from its front, its last one for ever.

    ``DONE`` is the reply after the message. The reply ``drop`` closes the connection, ``hang`` says nothing.
    """

    def __init__(self, **replies: list[str]) -> None:
        usual = {"HELLO": ["220 hi"], "EHLO": ["250 ok"], "MAIL": ["250 ok"], "RCPT": ["250 ok"]}
        usual |= {"DATA": ["354 go"], "DONE": ["250 taken"], "RSET": ["250 ok"], "QUIT": ["221 bye"]}
        self.replies = {**usual, **replies}
        self.heard: list[str] = []
        self.taken = 0
        self._open: set[asyncio.StreamWriter] = set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[int]:
        """Serve on a port of 127.0.0.1."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            for writer in self._open:
                writer.close()

    def drop_all(self) -> None:
        """Close every connection, as a server does with idle ones."""
        for writer in self._open:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        reply = self._answer("HELLO", writer)
        while reply != "drop" and (line := await reader.readline()):
            verb = line[:4].decode().strip().upper()
            self.heard.append(verb)
            reply = self._answer(verb, writer)
            if verb == "DATA" and reply.startswith("354"):
                await reader.readuntil(b"\r\n.\r\n")
                self.taken += 1
                reply = self._answer("DONE", writer)

    def _answer(self, verb: str, writer: asyncio.StreamWriter) -> str:
        queue = self.replies[verb]
        reply = queue.pop(0) if len(queue) > 1 else queue[0]
        if reply == "drop":
            writer.close()
        elif reply != "hang":
            writer.write(f"{reply}\r\n".encode())
        return reply


async def send_one(server: Scripted, mails: int = 1, **settings: object) -> list[Outcome]:
    """The outcomes of so many mails, one after the other, over one connection."""
    async with server.running() as port, Pool(to(port, connections=1, **settings)) as pool:
        return [await pool.send("d@p.example", "ada@example.org", MAIL) for _ in range(mails)]


async def test_the_server_gets_the_very_bytes_over_kept_connections() -> None:
    mailbox = Mailbox()
    async with serving(real(mailbox)) as port, Pool(to(port, connections=3)) as pool:
        outcomes = await asyncio.gather(
            *(pool.send("d@p.example", f"r{n}@example.org", MAIL) for n in range(40))
        )
    assert {outcome.state for outcome in outcomes} == {"sent"}
    assert {outcome.code for outcome in outcomes} == {250}
    assert {envelope.original_content for envelope in mailbox.taken} == {MAIL}
    assert sorted(e.rcpt_tos[0] for e in mailbox.taken) == sorted(f"r{n}@example.org" for n in range(40))
    assert {envelope.mail_from for envelope in mailbox.taken} == {"d@p.example"}
    assert len(mailbox.peers) == 3


@pytest.mark.parametrize("body", [b"lone\nnewlines\n.\nend", b".\r\n", b"no end", b"a\rb\r\n"])
async def test_odd_line_ends_do_not_end_a_message_early(body: bytes) -> None:
    mailbox = Mailbox()
    async with serving(real(mailbox)) as port, Pool(to(port)) as pool:
        outcome = await pool.send("d@p.example", "ada@example.org", b"Subject: x\r\n\r\n" + body)
    assert outcome.state == "sent"
    (envelope,) = mailbox.taken
    assert isinstance(envelope.original_content, bytes)
    whole = b"".join(body.split())
    assert b"".join(envelope.original_content.split()) == b"Subject:x" + whole


@pytest.mark.parametrize(
    ("verb", "reply", "state", "about"),
    [
        ("MAIL", "421 4.3.2 closing", "retry", "server"),
        ("MAIL", "451 try later", "retry", "server"),
        ("MAIL", "550 5.7.1 not you", "failed", "sender"),
        ("MAIL", "552 too big", "failed", "message"),
        ("MAIL", "530 5.7.0 authentication required", "retry", "server"),
        ("RCPT", "450 4.2.1 greylisted", "retry", ""),
        ("RCPT", "452 4.2.2 full", "retry", ""),
        ("RCPT", "550 5.1.1 no such user", "failed", "address"),
        ("RCPT", "550 nobody", "failed", "address"),
        ("RCPT", "550 5.7.1 blocked by policy", "failed", "message"),
        ("RCPT", "552 5.2.2 mailbox full", "failed", "message"),
        ("RCPT", "554 5.2.1 disabled", "failed", "address"),
        ("DATA", "451 later", "retry", ""),
        ("DATA", "554 no valid recipients", "failed", "message"),
        ("DONE", "421 4.4.2 closing", "retry", "server"),
        ("DONE", "451 4.7.1 later", "retry", ""),
        ("DONE", "550 5.7.1 looks like spam", "failed", "message"),
        ("DONE", "552 5.3.4 too big", "failed", "message"),
        ("DONE", "554 5.6.0 malformed", "failed", "message"),
        ("DONE", "250- odd\r\n250 fine", "sent", ""),
    ],
)
async def test_every_refusal_has_its_outcome_and_the_next_mail_goes_through(
    verb: str, reply: str, state: str, about: str
) -> None:
    server = Scripted(**{verb: [reply, "354 go" if verb == "DATA" else "250 ok"]})
    first, second = await send_one(server, mails=2)
    assert (first.state, first.about) == (state, about)
    assert first.code == int(reply[:3])
    assert not first.uncertain
    assert second.state == "sent"
    assert server.heard.count("RSET") == (0 if state == "sent" or reply.startswith("421") else 1)


@pytest.mark.parametrize("verb", ["HELLO", "EHLO", "MAIL", "RCPT", "DATA"])
async def test_a_connection_lost_before_the_message_is_a_reason_to_try_again(verb: str) -> None:
    server = Scripted(**{verb: ["drop"]}, HELO=["drop"])
    (outcome,) = await send_one(server)
    assert (outcome.state, outcome.code, outcome.about) == ("retry", 0, "server")
    assert server.taken == 0


async def test_a_connection_lost_after_the_message_leaves_it_uncertain() -> None:
    server = Scripted(DONE=["drop", "250 taken"])
    first, second = await send_one(server, mails=2)
    assert (first.state, first.about, first.uncertain) == ("retry", "server", True)
    assert second.state == "sent"
    assert server.taken == 2


async def test_a_connection_that_the_server_closed_while_idle_is_opened_again_without_a_word() -> None:
    server = Scripted()
    async with server.running() as port, Pool(to(port, connections=1)) as pool:
        assert (await pool.send("d@p.example", "ada@example.org", MAIL)).state == "sent"
        server.drop_all()
        await asyncio.sleep(0.01)
        assert (await pool.send("d@p.example", "ada@example.org", MAIL)).state == "sent"
        server.replies["MAIL"] = ["421 idle too long", "250 ok"]
        assert (await pool.send("d@p.example", "ada@example.org", MAIL)).state == "sent"
    assert server.taken == 3


async def test_a_mail_that_is_cancelled_does_not_confuse_the_next_one() -> None:
    server = Scripted(RCPT=["hang", "250 ok"])
    async with server.running() as port, Pool(to(port, connections=1)) as pool:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(pool.send("d@p.example", "ada@example.org", MAIL), 0.05)
        assert (await pool.send("d@p.example", "ada@example.org", MAIL)).state == "sent"
    assert server.heard.count("EHLO") == 2


@pytest.mark.parametrize("verb", ["HELLO", "RCPT", "DONE"])
async def test_a_server_that_says_nothing_is_not_waited_for_for_ever(verb: str) -> None:
    (outcome,) = await send_one(Scripted(**{verb: ["hang"]}), timeout=0.1)
    assert (outcome.state, outcome.about) == ("retry", "server")
    assert outcome.uncertain == (verb == "DONE")


async def test_a_server_that_is_down_is_a_reason_to_try_again() -> None:
    async with Scripted().running() as port:
        pass
    async with Pool(to(port)) as pool:
        outcomes = [await pool.send("d@p.example", "ada@example.org", MAIL) for _ in range(3)]
        assert {(outcome.state, outcome.about) for outcome in outcomes} == {("retry", "server")}
        assert str(port) in outcomes[0].text
        assert pool.faults_in_a_row == 3


async def test_faults_in_a_row_count_the_servers_only_and_end_with_a_success() -> None:
    server = Scripted(DONE=["421 no", "550 5.1.1 nobody", "421 no", "421 no", "250 taken"])
    async with server.running() as port, Pool(to(port, connections=1)) as pool:
        counts = []
        for _ in range(5):
            await pool.send("d@p.example", "ada@example.org", MAIL)
            counts.append(pool.faults_in_a_row)
    assert counts == [1, 0, 1, 2, 0]


async def test_an_address_that_could_inject_a_command_never_reaches_the_server() -> None:
    server = Scripted()
    async with server.running() as port, Pool(to(port)) as pool:
        outcome = await pool.send("d@p.example", "ada@example.org>\r\nRCPT TO:<eve@example.org", MAIL)
        assert (outcome.state, outcome.about) == ("failed", "address")
        outcome = await pool.send("d@p.example\r\nRSET", "ada@example.org", MAIL)
        assert (outcome.state, outcome.about) == ("retry", "sender")
    assert server.heard == []


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 with its key, made for this run."""
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost"
    command += " -addext subjectAltName=IP:127.0.0.1"
    subprocess.run(
        [*command.split(), "-keyout", path, "-out", f"{path}.crt"], check=True, capture_output=True
    )
    with path.open("a") as file:
        file.write(Path(f"{path}.crt").read_text())
    return path


def tls_context(certificate: Path) -> ssl.SSLContext:
    """The server's side."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    return context


def login(*request: object) -> AuthResult:
    """One user is known; what aiosmtpd passes ends with the name and the password."""
    return AuthResult(success=request[-1] == LoginPassword(b"paperwatch", b"s3cret"))


async def test_mail_goes_over_starttls_with_a_login(certificate: Path) -> None:
    mailbox = Mailbox()
    server = real(mailbox, tls_context=tls_context(certificate), require_starttls=True, authenticator=login)
    async with serving(server) as port:
        settings = to(port, tls="starttls", user="paperwatch", password="s3cret", ca_file=str(certificate))
        async with Pool(settings) as pool:
            assert (await pool.send("d@p.example", "ada@example.org", MAIL)).state == "sent"
    assert len(mailbox.taken) == 1


async def test_a_refused_login_is_the_operators_to_mend() -> None:
    server = Scripted(EHLO=["250-hi\r\n250 AUTH PLAIN"], AUTH=["535 5.7.8 no"])
    (refused,) = await send_one(server, user="paperwatch", password="guess")
    assert (refused.state, refused.code, refused.about) == ("retry", 535, "server")
    assert "check the user and the password" in refused.text
    assert "guess" not in refused.text
    assert "MAIL" not in server.heard


async def test_mail_goes_over_tls_from_the_first_byte(certificate: Path) -> None:
    mailbox = Mailbox()
    server = serving(real(mailbox), tls_context(certificate))
    async with server as port, Pool(to(port, tls="tls", ca_file=str(certificate))) as pool:
        assert (await pool.send("d@p.example", "ada@example.org", MAIL)).state == "sent"
    assert len(mailbox.taken) == 1


async def test_a_certificate_that_nobody_vouches_for_is_refused(certificate: Path) -> None:
    mailbox = Mailbox()
    server = serving(real(mailbox, tls_context=tls_context(certificate)))
    async with server as port, Pool(to(port, tls="starttls")) as pool:
        outcome = await pool.send("d@p.example", "ada@example.org", MAIL)
    assert (outcome.state, outcome.about) == ("retry", "server")
    assert "certificate" in outcome.text.lower()
    assert mailbox.taken == []


async def test_a_server_without_starttls_gets_no_mail_in_the_clear() -> None:
    server = Scripted(EHLO=["250 ok"])
    (outcome,) = await send_one(server, tls="starttls")
    assert (outcome.state, outcome.about) == ("retry", "server")
    assert "MAIL" not in server.heard


async def test_a_server_that_closes_in_the_middle_of_tls_is_a_reason_to_try_again() -> None:
    server = Scripted(EHLO=["250-hi\r\n250 STARTTLS"], STAR=["220 go"])

    async def hang_up() -> None:
        while "STAR" not in server.heard:
            await asyncio.sleep(0.001)
        server.drop_all()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(hang_up())
        (outcome,) = await send_one(server, tls="starttls")
    assert (outcome.state, outcome.about) == ("retry", "server")


async def test_the_rate_is_kept_over_all_connections() -> None:
    mailbox = Mailbox()
    async with serving(real(mailbox)) as port, Pool(to(port, connections=4, per_second=50)) as pool:
        start = asyncio.get_running_loop().time()
        await asyncio.gather(*(pool.send("d@p.example", "ada@example.org", MAIL) for _ in range(16)))
        took = asyncio.get_running_loop().time() - start
    assert took >= 15 / 50


async def test_a_domain_has_a_rate_of_its_own_and_holds_up_no_other() -> None:
    # One turn in a thousand seconds: were any domain held up by another, this would not end in time.
    slow = Paces(0.001)
    async with asyncio.timeout(60):
        await asyncio.gather(*(slow.turn(f"{n}.example") for n in range(5000)))
    paces = Paces(10)
    start = asyncio.get_running_loop().time()
    await asyncio.gather(*(paces.turn("0.example") for _ in range(3)))
    assert asyncio.get_running_loop().time() - start >= 0.2


async def test_no_rate_is_no_wait() -> None:
    pace = Pace(0)
    for _ in range(1000):
        await pace.turn()
    assert pace.free_at == 0


def test_a_reply_that_is_no_refusal_is_a_fault_of_the_server() -> None:
    assert classify("DATA", 354, "again?") == Outcome("retry", 354, "DATA: again?", "server")


def test_settings_do_not_show_the_password() -> None:
    assert "s3cret" not in repr(SmtpSettings("h", user="u", password="s3cret"))


def test_a_pool_needs_a_connection() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Pool(SmtpSettings("h", connections=0))
