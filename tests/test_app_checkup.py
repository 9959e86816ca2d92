"""The doctor: everything that may be wrong with machine, settings and service is found, with its cure."""

from __future__ import annotations

import json
import shutil
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from sqlalchemy import insert

from app import checkup
from app.commands import doctor as command
from app.settings import Settings, SettingsError, load, operator_key
from db import source_store, stats_store
from db.records import Receipt
from db.relay_store import Relay
from db.session import Database
from db.stats_store import Post
from db.tables import BatchRow, LeaseRow, TurnRow
from jobs import diagnosis, overview
from jobs.service import Service
from tests.conftest import NOW
from tests.months import DAY, HOUR, MINUTE, a_month, add_source

LONG = "abcdefghijklmnopqrstuvwxyz0123456789"


def whats(findings: Any) -> list[str]:
    found = list(findings)
    assert all(each.why and each.to_do for each in found)
    return [each.what.removeprefix("PAPERWATCH_") for each in found]


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ({}, []),
        ({"port": 9000}, []),
        ({"secret": LONG}, []),
        ({"base_url": "https://papers.example.org", "port": 9000}, []),
        ({"base_url": "http://127.0.0.1:8000", "port": 9000}, ["BASE_URL"]),
        ({"host": "192.0.2.1", "base_url": "http://localhost:8000"}, ["BASE_URL"]),
        ({"secret": "short"}, ["SECRET"]),
        ({"secret": "a" * 40}, ["SECRET"]),
        ({"base_url": "https://papers.example.org", "metrics": "open"}, ["METRICS"]),
        ({"bounces": Path("/no/such/folder")}, ["BOUNCES"]),
        ({"watch": "/no/such/folder"}, ["WATCH"]),
        (
            {"smtp_host": "m", "smtp_password": "p", "smtp_tls": "none"},
            ["MAIL_FROM", "BASE_URL", "SMTP_TLS"],
        ),
    ],
)  # fmt: skip
def test_settings_that_do_not_work_together(given: dict[str, Any], what: list[str]) -> None:
    assert whats(checkup.of_settings(Settings(**given))) == what


class Usage(NamedTuple):
    total: int
    used: int
    free: int


def test_the_folder_is_private_and_has_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(data=tmp_path / "var")
    assert whats(checkup.of_folder(settings)) == [], "not made yet"
    operator_key(settings)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**12, 0, 10**12))
    assert whats(checkup.of_folder(settings)) == []
    (settings.data / "operator-key").chmod(0o644)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**12, 10**12, 10**8))
    secret, disk = checkup.of_folder(settings)
    assert secret.to_do == f"`chmod 600 {settings.data / 'operator-key'}`"
    assert "0.1 GB are left" in disk.why


def test_a_relay_that_takes_no_connection_is_found() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        settings = Settings(smtp_host="127.0.0.1", smtp_port=server.getsockname()[1])
        assert whats(checkup.of_relay(settings)) == []
    (found,) = checkup.of_relay(settings)
    assert "takes no connection: Connection refused" in found.why
    assert whats(checkup.of_relay(Settings())) == []


@pytest.mark.parametrize(
    ("now", "ahead", "server", "number"),
    [
        (NOW, None, None, 0),
        (NOW, NOW + MINUTE, NOW + timedelta(seconds=1), 0),
        (NOW, NOW + HOUR, None, 1),
        (NOW, None, NOW - MINUTE, 1),
        (datetime(1970, 1, 1, tzinfo=UTC), NOW, NOW, 2),
    ],
    ids=["well", "seconds apart", "set back", "apart from the server", "no battery"],
)
def test_a_clock_that_is_wrong(
    now: datetime, ahead: datetime | None, server: datetime | None, number: int
) -> None:
    assert whats(checkup.of_clock(now, ahead, server)) == ["clock"] * number


def test_what_was_recorded_ahead_of_the_clock_is_found(service: Service) -> None:
    number = add_source(service)
    with service.database.writing() as session:
        source_store.record(session, "r", [Receipt(number, NOW, "x")])
    with service.database.reading() as session:
        assert stats_store.ahead(session, NOW + MINUTE) is None
        assert stats_store.ahead(session, NOW - HOUR) == NOW
        clock = stats_store.server_clock(session)
    assert (clock is None) == service.database.is_sqlite


def test_a_silent_scheduler_is_found_and_a_living_one_is_not() -> None:
    alive, silent = Post("a/1", NOW + MINUTE), Post("a/1", NOW - HOUR)
    assert diagnosis.of_scheduler(alive, NOW, NOW) == []
    assert diagnosis.of_scheduler(None, None, NOW) == []
    assert diagnosis.of_scheduler(None, NOW - HOUR, NOW) == []
    (found,) = diagnosis.of_scheduler(silent, NOW, NOW)
    assert "a/1, gave no sign of life" in found.why
    (found,) = diagnosis.of_scheduler(None, NOW - DAY, NOW)
    assert "none runs; the last run began at 2025-11-19 12:00 UTC" in found.why


def test_mail_that_is_paused_is_found() -> None:
    paused = Relay(20, 1, NOW - MINUTE, NOW + HOUR, "550 no")
    (found,) = diagnosis.of_relay(paused, NOW)
    assert "paused until 13:00 UTC after 20 faults in a row: 550 no" in found.why
    assert diagnosis.of_relay(paused, NOW + 2 * HOUR) == []


def test_work_that_nobody_does_is_found(database: Database) -> None:
    a_month(database)
    with database.writing() as session:
        made = {"made_at": NOW - 5 * HOUR, "papers": 3, "receipt": "", "matched_at": None}
        session.execute(insert(BatchRow).values(made))
        session.execute(insert(LeaseRow).values(name="scheduler", holder="a/1", until=NOW + MINUTE))
        turn = {"slot": NOW - HOUR, "run": "r", "taker": "a", "started_at": NOW - HOUR, "report": {}}
        session.execute(insert(TurnRow).values(turn | {"job": "run", "error": "ValueError: no batch"}))
    trouble = overview.trouble(database, overview.standing(database, NOW))
    assert any(
        "new papers wait to be matched since 2025-11-20 07:00" in each.why for each in trouble.findings
    )
    assert trouble.turns == ((NOW - HOUR, "run", "ValueError: no batch"),)
    late = overview.trouble(database, overview.standing(database, NOW + DAY))
    assert any("digests wait to be written" in each.why for each in late.findings)


def test_a_database_that_does_not_answer_is_a_finding(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PAPERWATCH_DATABASE_URL", "postgresql+psycopg://nobody@127.0.0.1:1/none")
    assert command.doctor(as_json=True, quick=False) == 1
    (found,) = json.loads(capsys.readouterr().out)["findings"]
    assert found["what"] == "database"
    assert "does not answer" in found["why"]


def test_damage_to_the_database_is_found_unless_quick(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from db import migrate

    database = Database(load().database)
    migrate.upgrade(database)
    with database.writing() as session:
        session.connection().exec_driver_sql("DROP INDEX ix_feedback_said")
    database.dispose()
    assert command.doctor(as_json=True, quick=False) == 1
    told = json.loads(capsys.readouterr().out)["findings"]
    assert any("ix_feedback_said" in each["why"] and "restore" in each["to_do"] for each in told)
    command.doctor(as_json=True, quick=True)
    assert "ix_feedback_said" not in capsys.readouterr().out


def test_a_wrong_key_is_not_printed() -> None:
    with pytest.raises(SettingsError) as caught:
        load({"PAPERWATCH_OPERATOR_KEY": "hunter2"})
    assert "hunter2" not in str(caught.value)
    assert "16 characters" in str(caught.value)
