"""A database copied into another of either kind holds the same rows, and goes on from there."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import MetaData, text

from db import (
    alert_store,
    backup,
    copying,
    match_store,
    migrate,
    model_store,
    search_store,
    subscriber_store,
)
from db.copying import CopyError
from db.records import Pick
from db.session import Database
from jobs import indexing
from jobs.service import Service
from tests.conftest import NOW, create
from tests.full_database import ROWS, everything, fill

Maker = Callable[..., Database]
KINDS = pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])


def made_on_postgres(address: str, template: str = "template_paperwatch") -> Database:
    """A further database on the tests' PostgreSQL."""
    name = f"t{uuid.uuid4().hex[:16]}"
    create(address, name, template)
    return Database(address.format(name=name))


@pytest.fixture
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Maker]:
    """Makes further empty databases of a kind."""
    made: list[Database] = []

    def one(kind: str, revision: str = "head") -> Database:
        if kind == "postgresql":
            made.append(made_on_postgres(request.getfixturevalue("postgres"), "template1"))
        else:
            made.append(Database(f"sqlite:///{tmp_path / uuid.uuid4().hex}.db"))
        migrate.upgrade(made[-1], revision)
        return made[-1]

    yield one
    for each in made:
        each.dispose()


def _all(database: Database) -> dict[str, list[dict[str, Any]]]:
    with database.reading() as session:
        found = everything(session)
    for paper in found["paper"]:
        del paper["indexed_at"], paper["search_number"]  # the search of the copy is made anew
    return found


def _filled(database: Database) -> Database:
    with database.writing() as session:
        fill(session)
    if not database.is_sqlite:
        with database.writing() as session:
            copying._count_on(session)
    return database


@KINDS
def test_every_row_of_every_table_arrives_as_it_was(database: Database, make: Maker, kind: str) -> None:
    old, new = _filled(database), make(kind)
    done = copying.copy(old, new)
    assert set(done.values()) == {ROWS}
    assert _all(new) == _all(old)


@KINDS
def test_new_rows_of_the_copy_do_not_collide(database: Database, make: Maker, kind: str) -> None:
    new = make(kind)
    copying.copy(_filled(database), new)
    with new.writing() as session:
        person = subscriber_store.add_subscriber(session, "new@example.org", "confirmed", NOW, "")
    assert person.id == ROWS + 1


@pytest.mark.postgres
def test_postgresql_knows_at_once_how_large_the_copied_tables_are(database: Database, make: Maker) -> None:
    new = make("postgresql")
    copying.copy(_filled(database), new)
    with new.reading() as session:
        known = session.execute(text("SELECT DISTINCT tablename FROM pg_stats WHERE schemaname = 'public'"))
        assert {"profile", "model", "match"} <= set(known.scalars())


def test_a_target_with_rows_is_refused_and_stays_as_it_was(database: Database, make: Maker) -> None:
    other = make("sqlite")
    with other.writing() as session:
        subscriber_store.add_subscriber(session, "here@example.org", "confirmed", NOW, "")
    before = _all(other)
    with pytest.raises(CopyError, match="subscriber has rows; choose an empty"):
        copying.copy(_filled(database), other)
    assert _all(other) == before
    copying.copy(database, other, replace=True)
    assert _all(other) == _all(database)


def test_a_database_of_another_revision_is_refused(database: Database, tmp_path: Path) -> None:
    empty = Database(f"sqlite:///{tmp_path / 'empty.db'}")
    with pytest.raises(CopyError, match=r"source is at revision None.*db upgrade"):
        copying.copy(empty, database)
    empty.dispose()


def test_what_is_written_during_a_copy_is_in_it_whole_or_not_at_all(database: Database, make: Maker) -> None:
    _filled(database)
    added = False

    def meanwhile(table: str, _rows: int) -> None:
        nonlocal added
        if not added:
            added = True
            with database.writing() as session:
                person = subscriber_store.add_subscriber(session, "late@example.org", "confirmed", NOW, "")
                assert person.id == ROWS + 1

    before = _all(database)
    new = make("sqlite")
    copying.copy(database, new, told=meanwhile)
    assert added
    assert _all(new) == before != _all(database)


def test_a_backup_file_is_one_moment_and_restores_into_the_same(
    database: Database, make: Maker, tmp_path: Path
) -> None:
    _filled(database)
    path = tmp_path / "held.db"
    with database.reading() as busy:
        everything(busy)  # a reader at work holds up nothing
        backup.to_file(database, path)
    before = _all(database)
    with database.writing() as session:
        subscriber_store.add_subscriber(session, "later@example.org", "confirmed", NOW, "")
    backup.from_file(path, database, replace=True)
    assert _all(database) == before
    with pytest.raises(CopyError, match="not empty"):
        backup.from_file(path, database, replace=False)


@KINDS
def test_an_installation_of_the_first_schema_is_upgraded_with_all_that_is_in_it(
    make: Maker, kind: str
) -> None:
    database, first = _filled_at(make, kind, "0001")
    assert len(first.tables) > 15
    for changed in ("match", "model"):
        first.remove(first.tables[changed])
    with database.reading() as session:
        before = everything(session, first)
    migrate.upgrade(database)
    assert migrate.faults(database) == []
    with database.reading() as session:
        assert everything(session, first) == before
        for profile in (1, 2, 3):
            (match,) = alert_store.matches_of(session, profile)
            assert (match.batch_id, match.ranked) == (profile, 7 * profile)
            assert match.chosen == (Pick(2, 0.5, "strong", (3, 1)), Pick(1, 0.25, "weak", (), 0.125))
            assert match.near == (Pick(3, 0.125, "near"),)
        blocks = match_store.recent_scores(session, 1, 3, NOW - timedelta(days=60))
        assert [(b.batch_id, b.ranked, b.profiles.tolist(), b.chosen.tolist()) for b in blocks] == [
            (n, 7 * n, [n], [2]) for n in (1, 2, 3)
        ]
        assert blocks[0].best[0, :4].tolist() == [0.5, 0.25, 0.125, 0]
        # Weights have another form: they are learned anew.
        assert model_store.models(session, [1, 2, 3]) == {}


@KINDS
def test_an_installation_of_the_second_schema_is_upgraded_with_all_that_is_in_it(
    make: Maker, kind: str
) -> None:
    database, second = _filled_at(make, kind, "0002")
    with database.writing() as session:
        session.execute(text("UPDATE paper SET batch_id = NULL WHERE id = 3"))
        before = everything(session, second)
    migrate.upgrade(database)
    assert migrate.faults(database) == []
    with database.reading() as session:
        assert everything(session, second) == before
        assert alert_store.has_news(session)


def _filled_at(make: Maker, kind: str, revision: str) -> tuple[Database, MetaData]:
    """A database of an earlier version with rows in every table, and its tables."""
    database, tables = make(kind, revision), MetaData()
    tables.reflect(database.engine)
    for name in list(tables.tables):
        if name == "alembic_version" or not migrate.compared(name, "table", None):
            tables.remove(tables.tables[name])
    with database.writing() as session:
        fill(session, tables)
    return database, tables


def test_a_database_that_is_replaced_keeps_no_text_of_the_one_before(ingested: Service, make: Maker) -> None:
    """The samples are searched for, replaced by an empty database, and found no more."""
    assert indexing.index(ingested, NOW)
    with ingested.database.reading() as session:
        assert not search_store.is_empty(session)
    copying.copy(make("sqlite"), ingested.database, replace=True)
    with ingested.database.reading() as session:
        assert search_store.is_empty(session)


def test_faults_are_told_and_mended_by_nothing(make: Maker) -> None:
    old = make("sqlite", "0001")
    assert migrate.faults(old) == [f"the schema is at revision 0001, this version wants {migrate.newest()}"]
    new = make("sqlite")
    assert migrate.faults(new) == []
    with new.engine.connect() as connection:
        connection.exec_driver_sql("ROLLBACK")
        connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
        connection.exec_driver_sql("INSERT INTO alias (key, paper_id) VALUES ('doi:10.1/x', 99)")
    assert migrate.faults(new) == ["row 1 of alias refers to a paper that is not there"]
