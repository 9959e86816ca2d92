"""``paperwatch outbox``: what an operator sees of mail, and does about it."""

from __future__ import annotations

import email
from email import policy
from pathlib import Path

import pytest

from tests.commands import paperwatch
from tests.mail_server import Inbox, receiving
from tests.processes import free_port
from tests.test_app_cli import SAMPLES, printed

ADDRESS = "reader@example.org"


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A folder whose service has one reader with a digest in the outbox, which no relay takes."""
    printed(paperwatch("ingest", str(SAMPLES), "--json", cwd=tmp_path))
    made = paperwatch(
        "profile", "create", "--email", ADDRESS, "--name", "Caches", "--every", "announced", "--json",
        "--statement", "KV cache for LLM inference", cwd=tmp_path,
    )  # fmt: skip
    printed(made)
    return tmp_path


def nowhere() -> dict[str, str]:
    """A relay that does not answer."""
    return {
        "PAPERWATCH_SMTP_HOST": "127.0.0.1",
        "PAPERWATCH_SMTP_PORT": str(free_port()),
        "PAPERWATCH_SMTP_TLS": "none",
    }


def test_a_mail_is_previewed_listed_shown_cancelled_and_sent_after_all(here: Path) -> None:
    preview = paperwatch("outbox", "preview", "Caches", cwd=here)
    assert f"to {ADDRESS}, when papers are announced" in preview.stderr
    assert "papers for Caches" in preview.stdout

    down = nowhere()
    assert printed(paperwatch("once", "--json", cwd=here, **down))["delivered"]["retried"] == 1
    listed = printed(paperwatch("outbox", "list", "--json", cwd=here))
    (mail,) = listed["mails"]
    assert (mail["state"], mail["to"], mail["kind"], mail["attempts"]) == ("queued", ADDRESS, "digest", 1)
    assert (listed["states"], listed["faults"], listed["paused_until"]) == ({"queued": 1}, 1, None)
    assert "Connect" in mail["error"]
    words = paperwatch("outbox", "list", "--email", ADDRESS, cwd=here).stdout
    assert "1 queued" in words
    assert "tried 1×, next at" in words

    number = str(mail["id"])
    shown = paperwatch("outbox", "show", number, cwd=here)
    assert f"To: {ADDRESS}\n" in shown.stdout
    assert "papers for Caches" in shown.stdout
    raw = email.message_from_string(
        paperwatch("outbox", "show", number, "--raw", cwd=here).stdout, policy=policy.default
    )
    assert raw["Message-ID"] == mail["message_id"]

    assert paperwatch("outbox", "cancel", number, cwd=here).stdout == f"cancelled: {number}\n"
    assert printed(paperwatch("once", "--json", cwd=here))["delivered"]["sent"] == 0
    assert paperwatch("outbox", "retry", "--state", "cancelled", cwd=here).stdout == f"due now: {number}\n"
    assert printed(paperwatch("once", "--json", cwd=here))["delivered"]["sent"] == 1
    again = paperwatch("outbox", "retry", number, "999", cwd=here)
    assert again.returncode == 1
    assert f"{number} is sent; there is no mail 999" in again.stderr


def test_a_test_mail_goes_the_way_of_all_mail_and_its_fate_is_told(tmp_path: Path) -> None:
    inbox = Inbox()
    with receiving(inbox) as port:
        relay = {**nowhere(), "PAPERWATCH_SMTP_PORT": str(port)}
        sent = paperwatch("outbox", "test", "op@example.org", cwd=tmp_path, **relay)
    assert sent.stdout == "sent to op@example.org: 250 taken\n"
    (mail,) = inbox.mails
    assert b"Subject: Paperwatch can send mail\r\n" in mail
    assert b"To: op@example.org\r\n" in mail

    down = paperwatch("outbox", "test", "op@example.org", cwd=tmp_path, **nowhere())
    assert down.returncode == 1
    assert "not sent to op@example.org" in down.stderr
    assert down.stderr.count("\n") == 1
    odd = paperwatch("outbox", "test", "op@example.org\r\nBcc: all@example.org", cwd=tmp_path)
    assert (odd.returncode, "no e-mail address" in odd.stderr) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("show", "7"), 1, "no mail 7"),
        (("list", "--state", "lost"), 2, "must be one of queued"),
        (("list", "--email", "nobody@example.org"), 1, "nobody here has the address"),
        (("cancel",), 2, "say which"),
        (("preview", "None"), 1, "no profile 'None'"),
        (("bounces",), 1, "PAPERWATCH_BOUNCES is not set"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    tmp_path: Path, arguments: tuple[str, ...], status: int, words: str
) -> None:
    result = paperwatch("outbox", *arguments, cwd=tmp_path)
    assert result.returncode == status
    assert words in result.stderr
    assert result.stderr.count("\n") == 1


def test_bounces_are_read_from_their_folder_and_shown(here: Path) -> None:
    from tests.test_jobs_bounces import dsn

    assert printed(paperwatch("once", "--json", cwd=here))["delivered"]["sent"] == 1
    (mail,) = printed(paperwatch("outbox", "list", "--json", cwd=here))["mails"]
    folder = here / "bounces"
    folder.mkdir()
    (folder / "1.eml").write_bytes(dsn(ADDRESS, "5.1.1", "smtp; 550 5.1.1 no such user", mail["message_id"]))
    setting = {"PAPERWATCH_BOUNCES": str(folder)}
    words = paperwatch("outbox", "bounces", cwd=here, **setting).stdout
    assert "1 hard, 0 soft, 0 other; 1 addresses suppressed, 0 unsubscribed" in words
    assert f"hard  {ADDRESS}  550 5.1.1 no such user" in words
    assert printed(paperwatch("outbox", "bounces", "--json", cwd=here, **setting))["hard"] == 0
    assert printed(paperwatch("profile", "show", "Caches", "--json", cwd=here))["state"] == "suppressed"

    listed = paperwatch("outbox", "suppressed", cwd=here).stdout
    assert f"{ADDRESS}  mail bounced: 550 5.1.1 no such user" in listed
    (known,) = printed(paperwatch("outbox", "suppressed", "--json", cwd=here))
    assert (known["email"], known["asked_again_at"]) == (ADDRESS, None)
    assert known["confirmed_at"]
    lifted = paperwatch("outbox", "lift", ADDRESS, cwd=here)
    assert lifted.stdout.splitlines()[-1] == f"{ADDRESS} is confirmed and gets its digests again"
    assert paperwatch("outbox", "suppressed", cwd=here).stdout == "no address is suppressed\n"
    again = paperwatch("outbox", "lift", ADDRESS, cwd=here)
    assert (again.returncode, "is confirmed, not suppressed" in again.stderr) == (1, True)
