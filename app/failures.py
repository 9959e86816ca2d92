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
        _say(exc)
        sys.exit(exc.status)
    except BrokenPipeError:
        # The reader of a pipe had enough (`paperwatch papers | head`); Python would complain at exit.
        sys.stderr.close()
        sys.exit(0)
    except Exception as exc:
        if type(exc).__name__ not in {
            "SettingsError",
            "UnknownProfileError",
            "SourceError",
            "CopyError",
            "OperationalError",
        }:
            raise
        _say(exc)
        sys.exit(1)


def _say(exc: Exception) -> None:
    print(f"paperwatch: {str(exc).splitlines()[0]}", file=sys.stderr)  # noqa: T201
