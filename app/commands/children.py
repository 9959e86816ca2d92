"""Processes that a command watches over: begun with it, ended with it, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from types import FrameType
from typing import TypeVar

Name = TypeVar("Name", str, int)


class Stop:
    """Whether SIGTERM or SIGINT came, from now on. Made before any child, so that none is left behind."""

    def __init__(self) -> None:
        self.asked = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._ask)

    def _ask(self, _signal: int, _frame: FrameType | None) -> None:
        self.asked = True


def begin(command: str) -> subprocess.Popen[bytes]:
    """A process that does a command of ours, and stops by itself if this one is gone."""
    # The other end of its standard input closes with this process, even if that is killed.
    return subprocess.Popen([sys.executable, "-m", "app.cli", command, "--child"], stdin=subprocess.PIPE)


def end(children: Mapping[Name, subprocess.Popen[bytes]], seconds: float | None = None) -> list[Name]:
    """Ask all of them to stop and wait until they have, if given so many seconds each; which were killed."""
    killed = []
    for child in children.values():
        if child.poll() is None:
            child.terminate()
    for name, child in children.items():
        try:
            child.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
            killed.append(name)
    return killed


def end_with_parent() -> None:
    """In such a process: stop as by SIGTERM when the one that began it is gone."""

    def wait() -> None:
        os.read(0, 1)  # returns when the other end is closed, however the parent died
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()
