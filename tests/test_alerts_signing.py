"""DKIM: signatures that hold on what a real server received, and keys that are refused at the start."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import dkim
import pytest

from jobs import deliver
from jobs.alerts.signing import Signer, SigningError
from jobs.alerts.smtp import Pool
from jobs.service import Service
from tests.commands import paperwatch
from tests.conftest import NOW
from tests.mail_server import Inbox, receiving, relay
from tests.outboxes import waiting

DOMAIN, SELECTOR = "papers.example.org", "pw1"


def openssl(*arguments: str) -> str:
    return subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="session")
def key() -> str:
    """An RSA key as openssl makes it today."""
    return openssl("genrsa", "2048")


def holds(raw: bytes, signer: Signer) -> bool:
    """Whether the signature holds for somebody who finds the record in the DNS and nothing else there."""
    name, value = signer.record

    def answer(asked: bytes, timeout: int = 5) -> bytes | None:
        return value.encode() if asked.decode().rstrip(".") == name else None

    return bool(dkim.verify(raw, dnsfunc=answer))


@pytest.mark.smtp
def test_what_a_server_received_carries_a_signature_that_holds(
    service: Service, key: str, tmp_path: Path
) -> None:
    signer = Signer(DOMAIN, SELECTOR, key)
    service.sign = signer.sign
    waiting(service, tmp_path / "in", 3)
    inbox = Inbox()
    with receiving(inbox) as port:
        service.mailer = lambda: Pool(relay(port))
        assert deliver.send_due(service, NOW).sent == 3
        assert deliver.send_test(service, "op@example.org", NOW).state == "sent"
    assert len(inbox.mails) == 4
    for raw in inbox.mails:
        assert raw.startswith(b"DKIM-Signature: ")
        assert holds(raw, signer)
    raw = inbox.mails[0]
    head = re.sub(rb"\s+", b" ", raw.partition(b"\r\nFrom: ")[0])
    named = re.search(rb"h=([^;]+);", head)
    assert named is not None
    signed = [name.strip() for name in named[1].split(b":")]
    assert {b"list-unsubscribe", b"list-unsubscribe-post", b"message-id", b"to", b"date"} <= set(signed)
    assert b"c=relaxed/relaxed" in head
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    for change in (
        raw.replace(b"List-Unsubscribe: <http://papers", b"List-Unsubscribe: <http://papens"),
        raw.replace(b"One-Click\r\n", b"Two-Click\r\n"),
        raw.replace(b"\r\nFrom: ", b"\r\nFrom: eve@example.net\r\nFrom: ", 1),
        raw.replace(b"\r\nSubject: ", b"\r\nSubject: cheap\r\nSubject: ", 1),
        raw.replace(b"unsubscribe", b"unsubscribf"),
    ):
        assert change != raw
        assert not holds(change, signer)
    # What servers on the way may do to a mail: more white space, empty lines at its end.
    assert holds(raw.replace(b"\r\nSubject: ", b"\r\nSubject:   ", 1) + b"\r\n\r\n", signer)


def test_the_record_is_the_public_half_of_the_key(key: str, tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text(key)
    public = "".join(openssl("rsa", "-in", str(tmp_path / "key.pem"), "-pubout").split("\n")[1:-2])
    signer = Signer(DOMAIN, SELECTOR, key)
    assert signer.record == ("pw1._domainkey.papers.example.org", f"v=DKIM1; k=rsa; p={public}")
    strings = re.findall(r'"([^"]*)"', signer.zone_line())
    assert "".join(strings) == signer.record[1]
    assert max(map(len, strings)) <= 255


@pytest.mark.parametrize("change", ["traditional", "crlf", "padded"])
def test_a_key_is_read_as_people_keep_it(key: str, change: str, tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text(key)
    kept = {
        "traditional": openssl("rsa", "-in", str(tmp_path / "key.pem"), "-traditional"),
        "crlf": key.replace("\n", "\r\n"),
        "padded": f"{key.strip()}",
    }[change]
    assert Signer(DOMAIN, SELECTOR, kept).record == Signer(DOMAIN, SELECTOR, key).record


def _keys() -> dict[str, tuple[str, str]]:
    ed25519 = openssl("genpkey", "-algorithm", "ed25519")
    locked = openssl("genrsa", "-aes256", "-passout", "pass:x", "2048")
    weak = "".join(openssl("genrsa", "768"))
    good = openssl("genrsa", "2048").splitlines()
    torn = "\n".join([*good[:5], *good[8:]])
    return {
        "nothing": ("", "none in PEM"),
        "a word": ("s3cret", "none in PEM"),
        "another kind": (ed25519, "no RSA"),
        "encrypted": (locked, "it is encrypted"),
        "weak": (weak, "768 bits"),
        "torn": (torn, "DKIM key"),
    }


@pytest.mark.parametrize("name", ["nothing", "a word", "another kind", "encrypted", "weak", "torn"])
def test_a_key_that_cannot_sign_is_refused_with_the_cure(name: str) -> None:
    key, words = _keys()[name]
    with pytest.raises(SigningError, match=words) as refused:
        Signer(DOMAIN, SELECTOR, key)
    assert "openssl genrsa" in str(refused.value)
    assert key == "" or key not in str(refused.value)


@pytest.mark.parametrize(("domain", "selector"), [("", "s"), ("a b", "s"), ("a.org", "s;x"), ("a.org", "")])
def test_a_name_that_could_not_stand_in_the_dns_is_refused(domain: str, selector: str, key: str) -> None:
    with pytest.raises(SigningError, match="is no name of letters"):
        Signer(domain, selector, key)


def test_the_operator_is_told_what_to_publish(key: str, tmp_path: Path) -> None:
    (tmp_path / "dkim.pem").write_text(key)
    on = {
        "PAPERWATCH_DKIM_KEY_FILE": str(tmp_path / "dkim.pem"), "PAPERWATCH_DKIM_SELECTOR": SELECTOR,
        "PAPERWATCH_MAIL_FROM": "Papers <papers@example.org>",
    }  # fmt: skip
    told = paperwatch("outbox", "dkim", cwd=tmp_path, **on)
    assert told.returncode == 0, told.stderr
    assert told.stdout.startswith('pw1._domainkey.example.org. IN TXT ( "v=DKIM1; k=rsa; p=')
    off = paperwatch("outbox", "dkim", cwd=tmp_path)
    assert (off.returncode, "PAPERWATCH_DKIM_KEY" in off.stderr) == (1, True)
    (tmp_path / "dkim.pem").write_text("not a key")
    broken = paperwatch("outbox", "list", cwd=tmp_path, **on)
    assert (broken.returncode, "PAPERWATCH_DKIM_KEY: the DKIM key is no RSA" in broken.stderr) == (1, True)
    assert broken.stderr.count("\n") == 1
    half = paperwatch("outbox", "list", cwd=tmp_path, **{"PAPERWATCH_DKIM_SELECTOR": "pw1"})
    assert (half.returncode, "PAPERWATCH_DKIM_KEY" in half.stderr) == (1, True)
    apart = paperwatch("doctor", cwd=tmp_path, **on | {"PAPERWATCH_DKIM_DOMAIN": "elsewhere.example"})
    assert "PAPERWATCH_DKIM_DOMAIN" in apart.stdout
