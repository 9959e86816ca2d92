"""The local outbox: whole files, no repeats, nothing read from elsewhere."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from jobs.alerts import notes
from jobs.alerts.mail import Sender
from jobs.alerts.outbox_folder import LetterError, OutboxFolder

SENDER = Sender("Paperwatch", "digest@papers.example.org")


def letter(number: int, hour: int = 7) -> bytes:
    """A confirmation mail."""
    at = datetime(2025, 10, 28, hour, tzinfo=UTC)
    link = f"https://papers.example.org/confirm/{number}"
    return notes.render_confirmation("ada@example.org", link, at, f"<n{number}@papers.example.org>", SENDER)


async def test_a_mail_is_kept_and_can_be_opened(tmp_path: Path) -> None:
    async with OutboxFolder(tmp_path / "outbox") as outbox:
        assert outbox.letters() == []
        outcome = await outbox.send("digest@papers.example.org", "ada@example.org", letter(1))
    assert (outcome.state, outcome.code) == ("sent", 250)
    (found,) = outbox.letters()
    assert (found.to, found.subject) == ("ada@example.org", "Confirm your paper alerts")
    assert found.at == datetime(2025, 10, 28, 7, tzinfo=UTC)
    opened = outbox.read(found.name)
    assert opened.raw == letter(1)
    assert opened.letter == found
    assert "https://papers.example.org/confirm/1" in opened.text
    assert "https://papers.example.org/confirm/1" in opened.html
    assert ("Auto-Submitted", "auto-generated") in opened.headers


async def test_the_newest_letter_comes_first_and_a_repeated_one_is_one(tmp_path: Path) -> None:
    outbox = OutboxFolder(tmp_path)
    for number, hour in ((1, 7), (2, 9), (3, 8), (2, 9)):
        await outbox.send("d@p.example", "ada@example.org", letter(number, hour))
    assert [found.at.hour for found in outbox.letters()] == [9, 8, 7]
    assert [found.at.hour for found in outbox.letters(limit=1)] == [9]
    assert {path.suffix for path in tmp_path.iterdir()} == {".eml"}


async def test_the_letters_to_one_address_are_forgotten(tmp_path: Path) -> None:
    outbox = OutboxFolder(tmp_path)
    for number in (1, 2):
        await outbox.send("d@p.example", "ada@example.org", letter(number))
    await outbox.send("d@p.example", "bo", letter(3).replace(b"ada@example.org", b"bada@example.org"))
    assert outbox.forget("Ada@example.org") == 2
    assert [found.to for found in outbox.letters()] == ["bada@example.org"]


async def test_a_folder_that_cannot_be_written_is_a_reason_to_try_again(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    outbox = OutboxFolder(tmp_path / "file" / "outbox")
    for count in (1, 2):
        outcome = await outbox.send("d@p.example", "ada@example.org", letter(1))
        assert (outcome.state, outcome.about) == ("retry", "server")
        assert outbox.faults_in_a_row == count
    assert "file" in outcome.text
    assert outbox.letters() == []


async def test_a_full_disk_leaves_no_half_of_a_mail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outbox = OutboxFolder(tmp_path)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", full)
        outcome = await outbox.send("d@p.example", "ada@example.org", letter(1))
    assert outcome.state == "retry"
    assert "No space left" in outcome.text
    assert list(tmp_path.iterdir()) == []
    assert (await outbox.send("d@p.example", "ada@example.org", letter(1))).state == "sent"
    assert outbox.faults_in_a_row == 0


@pytest.mark.parametrize(
    "name", ["", "..", "../secret.eml", "/etc/passwd", "20251028T070000Z-0123456789abcdef.eml"]
)
def test_only_letters_of_the_folder_can_be_read(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.eml").write_bytes(b"Subject: secret\r\n\r\n")
    with pytest.raises(LetterError, match="outbox"):
        OutboxFolder(tmp_path / "outbox").read(name)


async def test_files_that_are_no_letters_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "20251028T070000Z-0123456789abcdef.123.part").write_bytes(b"half")
    assert OutboxFolder(tmp_path).letters() == []


async def test_what_is_no_mail_is_refused(tmp_path: Path) -> None:
    outcome = await OutboxFolder(tmp_path).send("d@p.example", "ada@example.org", b"hello")
    assert (outcome.state, outcome.text.endswith("needs a Date and a Message-ID")) == ("retry", True)
