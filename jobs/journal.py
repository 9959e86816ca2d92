"""What the mail server has taken and the database may not know yet, kept in a file that outlives the process.

A commit takes milliseconds; a write to a file is done in microseconds, and what was written survives the
process (though not a power cut). So a sender that is killed is followed by one that knows what it had done.
"""

from __future__ import annotations

import fcntl
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

_SLOT = 512  # bytes: within one page, so that a slot is written whole or not at all
_ENTRY = re.compile(rb"(<[\x21-\x7e]{3,420}>) (\d{1,9}) ([\d.:+T-]{20,40}) *\n")


@dataclass(frozen=True, slots=True)
class Taken:
    """The server took the mail with this Message-ID at this attempt."""

    message_id: str
    attempt: int
    at: datetime


class Journal:
    """The file of one sender: a slot for each mail that it may have on its way.

    A slot holds the last mail that was taken there. It may be written over only once that one is in the
    database, so nothing ever has to be cleared.
    """

    def __init__(self, folder: Path, slots: int) -> None:
        self._folder = folder
        self._slots = slots
        self._path: Path | None = None
        self._file = -1

    def open(self) -> None:
        """Make the file, unless it is there. Raises OSError where it cannot be made."""
        if self._path is not None:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        name = f"{os.getpid()}-{os.urandom(6).hex()}"
        made = self._folder / f"{name}.new"
        file = os.open(made, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            # The lock is how others know that this sender lives: it ends with the process, however that ends.
            fcntl.flock(file, fcntl.LOCK_EX)
            os.write(file, bytes(self._slots * _SLOT))
            path = made.rename(self._folder / f"{name}.taken")
        except BaseException:
            os.close(file)
            made.unlink(missing_ok=True)
            raise
        self._file, self._path = file, path

    def note(self, slot: int, taken: Taken) -> None:
        """The server has just taken this mail. Raises OSError where that cannot be written."""
        entry = f"{taken.message_id} {taken.attempt} {taken.at.isoformat()}".encode("ascii")
        os.pwrite(self._file, entry.ljust(_SLOT - 1) + b"\n", slot * _SLOT)

    def close(self, *, keep: bool) -> None:
        """Be done with it; ``keep`` leaves it to the next sender, where not all of it is in the database."""
        path, self._path = self._path, None
        if path is None:
            return
        if not keep:
            path.unlink(missing_ok=True)
        os.close(self._file)


@dataclass(frozen=True, slots=True)
class LeftBehind:
    """The journal of a sender that is no more: what it says, to be forgotten once that is in the database."""

    path: Path
    taken: tuple[Taken, ...]

    def forget(self) -> None:
        """It is in the database."""
        self.path.unlink(missing_ok=True)


def left_behind(folder: Path) -> list[LeftBehind]:
    """The journals in this folder whose senders live no more."""
    found = []
    for path in sorted(folder.glob("*.taken")) if folder.is_dir() else ():
        with suppress(FileNotFoundError), path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            entries = _ENTRY.finditer(file.read())
            taken = [Taken(e[1].decode(), int(e[2]), datetime.fromisoformat(e[3].decode())) for e in entries]
            found.append(LeftBehind(path, tuple(taken)))
    return found
