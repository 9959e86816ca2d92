"""A run in the log: a line a stage, with counts, seconds and the run's id, whoever wrote it."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest
import structlog
from structlog.testing import capture_logs

from app import logs
from db import source_store
from jobs import match, stages
from jobs.pipeline import run_once
from jobs.service import Service
from tests.conftest import NOW
from tests.readers import subscribe_reader, write_digest


@pytest.fixture(autouse=True)
def other_loggers() -> Iterator[None]:
    """Leave logging as it was."""
    root, before = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**before)


def test_each_stage_that_did_something_is_one_line_with_counts_and_seconds(
    service: Service, tmp_path: Path
) -> None:
    write_digest(tmp_path / "d", "one.md", wanted=5, unwanted=6)
    subscribe_reader(service)
    with service.database.writing() as session:
        source_store.add(
            session, name="d", kind="folder", location=str(tmp_path / "d"), every_minutes=1, now=NOW
        )
    ticks = count()
    service.stopwatch = lambda: float(next(ticks))
    with capture_logs() as lines:
        run_once(service, NOW, "r1")
    told = {line["stage"]: line for line in lines if line["event"] == "stage"}
    names = ["ingest", "edition", "gather", "match", "shadow", "bounces", "deliver", "library", "thinning"]
    assert list(told) == names
    assert {line["seconds"] for line in told.values()} == {1.0}
    assert told["ingest"]["new"] == 11
    assert told["ingest"]["sources"] == 1
    assert told["match"]["profiles"] == 1
    assert (told["deliver"]["queued"], told["deliver"]["sent"]) == (1, 1)
    with capture_logs() as lines:
        run_once(service, NOW, "r2")
    assert {line["log_level"] for line in lines if line["event"] == "stage"} == {"debug"}, "nothing to do"
    with capture_logs() as lines:
        run_once(service, NOW + timedelta(minutes=2), "r3")
    (looked,) = [line for line in lines if line["event"] == "stage" and line["stage"] == "ingest"]
    assert (looked["sources"], looked["log_level"]) == (1, "debug"), "a look that found nothing"


def test_a_stage_that_fails_is_logged_and_passed_on(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ValueError("no batch")

    monkeypatch.setattr(match, "gather", broken)
    with capture_logs() as lines, pytest.raises(ValueError, match="no batch"):
        run_once(service, NOW, "r1")
    (failed,) = [line for line in lines if line["event"] == "stage failed"]
    assert (failed["stage"], failed["error"], failed["log_level"]) == (
        "gather", "ValueError: no batch", "error"
    )  # fmt: skip


def test_every_line_carries_the_run_be_it_ours_or_a_librarys(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info")
    with structlog.contextvars.bound_contextvars(run="r7"):
        structlog.get_logger().info("ours", papers=3)
        logging.getLogger("somebody").warning("theirs: %s", 5)
    structlog.get_logger().debug("not at this level")
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(line["event"], line["run"]) for line in lines] == [("ours", "r7"), ("theirs: 5", "r7")]
    assert lines[1]["logger"] == "somebody"
    assert lines[1]["level"] == "warning"


@pytest.mark.parametrize("terminal", [True, False])
def test_a_fault_is_logged_with_its_place_and_without_what_its_variables_held(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal)
    logs.configure("info")
    password = "-".join(("open", "sesame"))
    try:
        raise ValueError("a fault")
    except ValueError:
        structlog.get_logger().exception("ours", wanted=len(password))
        logging.getLogger("somebody").exception("theirs")
    told = capsys.readouterr().err
    assert told.count("ValueError") >= 2
    assert "test_jobs_stages.py" in told
    assert password not in told


def test_counts_of_several_parts_are_added_up() -> None:
    assert stages.counts([]) == {}
    assert stages.counts(3) == {"done": 3}
    assert stages.counts(None) == {}
