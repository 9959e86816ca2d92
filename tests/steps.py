"""What something costs, counted in SQLite's own steps: the same each time, however busy the machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from db.session import Database


class Steps:
    """How many steps SQLite took, in tens."""

    def __init__(self) -> None:
        self.tens = 0

    def __call__(self) -> int:
        """One more."""
        self.tens += 1
        return 0


@contextmanager
def counted(database: Database) -> Iterator[Steps]:
    """Count the steps of what is done with this SQLite database meanwhile, one session after the other."""
    steps = Steps()
    _hand(database, steps)
    yield steps
    _hand(database, None)
    assert steps.tens


def _hand(database: Database, steps: Steps | None) -> None:
    with database.engine.connect() as connection:
        driven = connection.connection.driver_connection
        assert driven is not None
        driven.set_progress_handler(steps, 10)
