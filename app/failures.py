"""Errors that a person can mend, as one line instead of a traceback."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


class CommandError(Exception):
    """A command that cannot be carried out; the message says why and what to do. ``status`` is 1 or 2."""

    def __init__(self, message: str, *, status: int = 1) -> None:
        super().__init__(message)
        self.status = status


@contextmanager
def explained() -> Iterator[None]:
    """Turn the errors that name their own cure into a line on stderr and an exit status."""
    try:
        yield
    except CommandError as exc:
        _say(str(exc).splitlines()[0])
        sys.exit(exc.status)
    except BrokenPipeError:
        # The reader of a pipe had enough (`paperwatch papers | head`); Python would complain at exit.
        sys.stderr.close()
        sys.exit(0)
    except OSError as exc:
        if not exc.filename:
            raise
        _say(f"{exc.filename}: {exc.strerror}; `paperwatch doctor` tells whether the data folder can be used")
        sys.exit(1)
    except Exception as exc:
        if type(exc).__name__ not in {
            "SettingsError",
            "UnknownProfileError",
            "SourceError",
            "CopyError",
            "OperationalError",
        }:
            raise
        more = "; `paperwatch doctor` tells more" if type(exc).__name__ == "OperationalError" else ""
        _say(f"{str(exc).splitlines()[0]}{more}")
        sys.exit(1)


def _say(what: str) -> None:
    print(f"paperwatch: {what}", file=sys.stderr)  # noqa: T201
