"""The files for containers and systemd name what exists: commands, settings, folders, secrets."""

from __future__ import annotations

import configparser
import json
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from app.cli import app
from app.settings import PREFIX, Settings, load
from tests.conftest import ROOT

COMPOSE = ["docker-compose.yml", "compose.sqlite.yml"]
COMMANDS = get_command(app).commands  # type: ignore[attr-defined]
UNITS = sorted((ROOT / "deploy" / "systemd").glob("*.service"))


def _compose(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / name).read_text())
    return found


def _ours(name: str) -> dict[str, dict[str, Any]]:
    services = _compose(name)["services"]
    return {key: each for key, each in services.items() if key != "database"}


@pytest.mark.parametrize("name", COMPOSE)
def test_compose_runs_commands_that_exist(name: str) -> None:
    ran = set()
    for service in _ours(name).values():
        program, command, *_ = service["command"]
        assert program == "paperwatch"
        assert command in COMMANDS
        ran.add(command)
    assert ran == ({"web", "schedule", "work"} if name == "docker-compose.yml" else {"web", "schedule"})


@pytest.mark.parametrize("name", COMPOSE)
def test_compose_sets_settings_that_exist_and_fit(name: str, tmp_path: Path) -> None:
    for service in _ours(name).values():
        plain = {}
        for key, value in service["environment"].items():
            plain[key] = re.sub(r"\$\{\w+:-(.*)\}", r"\1", str(value))
            if key.endswith("_FILE"):
                secret = Path(value).name
                assert value == f"/run/secrets/{secret}"
                assert secret in service["secrets"]
                plain[key] = str(tmp_path / secret)
                (tmp_path / secret).write_text("postgresql+psycopg://a@b/c" if "url" in secret else "x")
        settings = load(plain)
        assert settings.watched
        assert settings.database.startswith("postgresql" if name == COMPOSE[0] else "sqlite")


@pytest.mark.parametrize("name", COMPOSE)
def test_containers_write_only_where_state_belongs(name: str) -> None:
    for key, service in _compose(name)["services"].items():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        writable = [volume for volume in service["volumes"] if not volume.endswith(":ro")]
        assert writable == (["database:/var/lib/postgresql/data"] if key == "database" else ["data:/data"])


@pytest.mark.parametrize("name", COMPOSE)
def test_compose_refers_to_nothing_that_is_not_there(name: str) -> None:
    whole, text = _compose(name), (ROOT / name).read_text()
    for variable in re.findall(r"\$\{(\w+)", text):
        assert variable.removeprefix(PREFIX).lower() in Settings.model_fields
    for key, service in whole["services"].items():
        named = {v.partition(":")[0] for v in service["volumes"] if not v.startswith(".")}
        assert named <= set(whole["volumes"])
        assert set(service.get("secrets", ())) <= set(whole.get("secrets", {}))
        for other in service.get("depends_on", {}):
            assert "healthcheck" in whole["services"][other], f"{key} waits for it to be healthy"


@pytest.mark.parametrize("name", COMPOSE)
def test_the_web_service_is_asked_where_it_listens_and_believes_the_proxy_in_front(name: str) -> None:
    web = _ours(name)["web"]
    inside = web["ports"][0].rpartition(":")[2]
    assert int(inside) == Settings.model_fields["port"].default
    assert f"//127.0.0.1:{inside}/readyz" in web["healthcheck"]["test"][-1]
    assert web["healthcheck"]["test"][1] == "python", "the image has no other HTTP client"
    trusted = re.sub(r"\$\{\w+:-(.*)\}", r"\1", web["environment"]["PAPERWATCH_TRUSTED_PROXIES"])
    from uvicorn.middleware.proxy_headers import _TrustedHosts

    assert "172.18.0.1" in _TrustedHosts(trusted), "where a container sees its host"
    assert "203.0.113.7" not in _TrustedHosts(trusted)


def test_the_image_keeps_its_state_where_compose_mounts_it() -> None:
    text = (ROOT / "Dockerfile").read_text()
    (folder,) = re.findall(r"^VOLUME (\S+)$", text, re.MULTILINE)
    settings = dict(re.findall(rf"({PREFIX}\w+)=(\S+)", text))
    assert settings["PAPERWATCH_DATA"] == folder
    assert str(load(settings).data) == folder
    assert f"install -d -o paperwatch {folder}" in text, "the user may write there"
    for name in COMPOSE:
        assert all(f"data:{folder}" in service["volumes"] for service in _ours(name).values())


def test_what_the_image_copies_is_there_and_not_left_out() -> None:
    text = (ROOT / "Dockerfile").read_text()
    ignored = (ROOT / ".dockerignore").read_text().split()
    for line in re.findall(r"^COPY (?!--from)(.*)$", text, re.MULTILINE):
        for source in line.split()[:-1]:
            assert (ROOT / source).exists()
            assert source not in ignored
    assert {"secrets", "var", ".env"} <= set(ignored), "no secret gets into an image"


def test_the_secrets_script_makes_what_compose_wants_and_keeps_it(tmp_path: Path) -> None:
    (tmp_path / "deploy").mkdir()
    script = shutil.copy(ROOT / "deploy" / "secrets.sh", tmp_path / "deploy")
    made = {}
    for _ in range(2):
        subprocess.run([script], check=True, capture_output=True)
        now = {each.name: each.read_text() for each in (tmp_path / "secrets").iterdir()}
        assert made in ({}, now)
        made = now
    wanted = _compose("docker-compose.yml")["secrets"]
    assert {Path(each["file"]).name for each in wanted.values()} == set(made)
    assert made["database_password"] in made["database_url"]
    assert len(made["database_password"]) == len(made["link_secret"]) == 48
    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o700
    database = _compose("docker-compose.yml")["services"]["database"]["environment"]
    assert f"//{database['POSTGRES_USER']}:" in made["database_url"]
    assert made["database_url"].endswith(f"@database/{database['POSTGRES_DB']}")


def test_the_image_copies_every_room_and_runs_a_command_that_exists() -> None:
    text = (ROOT / "Dockerfile").read_text()
    copied = set(re.findall(r"^COPY (\w+) \w+$", text, re.MULTILINE))
    assert {"app", "jobs", "db", "profiles", "recommender", "samples"} <= copied
    (command,) = re.findall(r"^CMD (\[.*\])$", text, re.MULTILINE)
    assert json.loads(command)[1] in COMMANDS
    assert re.search(r"^USER paperwatch$", text, re.MULTILINE)


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_a_unit_runs_a_command_that_exists_with_nothing_to_spare(unit: Path, tmp_path: Path) -> None:
    parsed = configparser.RawConfigParser(strict=False)
    parsed.optionxform = str  # type: ignore[assignment,method-assign]
    parsed.read(unit)
    service = parsed["Service"]
    program, command, *_ = service["ExecStart"].split()
    assert program.endswith("/bin/paperwatch")
    assert command in COMMANDS
    for name in re.findall(rf"{PREFIX}(\w+)=", service["Environment"]):
        assert name.lower() in Settings.model_fields
    for hardened in ("NoNewPrivileges=yes", "ProtectSystem=strict", "CapabilityBoundingSet="):
        assert f"\n{hardened}\n" in unit.read_text()
    assert service["User"] == "paperwatch"
    if verify := shutil.which("systemd-analyze"):
        # It looks for the programme, which is not installed where tests run.
        copy = tmp_path / unit.name
        copy.write_text(unit.read_text().replace(program, sys.executable))
        said = subprocess.run(
            [verify, "verify", "--man=no", str(copy)], capture_output=True, text=True, check=False
        )
        assert [line for line in said.stderr.splitlines() if unit.name in line] == []


def test_there_is_a_unit_for_each_process() -> None:
    assert [unit.stem for unit in UNITS] == ["paperwatch-schedule", "paperwatch-web", "paperwatch-work"]
