"""The schema equals the sum of its migrations."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy.exc import StatementError

from db import migrate, source_store
from db.session import Database


def test_the_schema_is_the_sum_of_its_migrations(database: Database) -> None:
    assert migrate.differences(database) == []
    assert migrate.current(database) == migrate.newest()


def test_upgrading_twice_changes_nothing(database: Database) -> None:
    migrate.upgrade(database)
    assert migrate.differences(database) == []


def test_an_empty_database_is_at_no_revision(tmp_path: Path) -> None:
    empty = Database(f"sqlite:///{tmp_path / 'empty.db'}")
    assert migrate.current(empty) is None
    assert migrate.differences(empty)
    empty.dispose()


def test_a_time_without_zone_is_refused(database: Database) -> None:
    naive = datetime(2025, 1, 1)  # noqa: DTZ001  # the fault that is tested
    with pytest.raises(StatementError, match="no time zone"), database.writing() as session:
        source_store.add(session, name="x", kind="feed", location="x", every_minutes=1, now=naive)


def test_what_a_reading_session_changes_is_not_kept(database: Database) -> None:
    with database.reading() as session:
        source_store.add(session, name="x", kind="feed", location="x", every_minutes=1, now=None)
    with database.reading() as session:
        assert source_store.every(session) == []
