"""The container files name what exists: commands, settings, folders."""

from __future__ import annotations

import json
import re
from typing import Any

import yaml
from typer.main import get_command

from app.cli import app
from app.settings import load
from tests.conftest import ROOT


def _services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    return found


def test_compose_runs_commands_that_exist() -> None:
    commands = get_command(app).commands  # type: ignore[attr-defined]
    for name, service in _services().items():
        program, command, *_ = service["command"]
        assert program == "paperwatch", name
        assert command in commands, name


def test_compose_sets_settings_that_exist_and_fit() -> None:
    for service in _services().values():
        plain = {
            name: re.sub(r"\$\{\w+:-(.*)\}", r"\1", str(value))
            for name, value in service["environment"].items()
        }
        assert load(plain).watched


def test_containers_write_only_where_state_belongs() -> None:
    for service in _services().values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        writable = [volume for volume in service["volumes"] if not volume.endswith(":ro")]
        assert writable == ["data:/data"]


def test_the_image_copies_every_room_and_runs_a_command_that_exists() -> None:
    text = (ROOT / "Dockerfile").read_text()
    copied = set(re.findall(r"^COPY (\w+) \w+$", text, re.MULTILINE))
    assert {"app", "jobs", "db", "profiles", "recommender", "samples"} <= copied
    (command,) = re.findall(r"^CMD (\[.*\])$", text, re.MULTILINE)
    assert json.loads(command)[1] in get_command(app).commands  # type: ignore[attr-defined]
    assert re.search(r"^USER paperwatch$", text, re.MULTILINE)
