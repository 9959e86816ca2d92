"""Settings fail loudly, and the README names them all."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.settings import PREFIX, Settings, SettingsError, load, secret
from tests.conftest import ROOT


def test_without_any_setting_everything_has_a_default() -> None:
    settings = load({})
    assert settings.base_url == "http://127.0.0.1:8000"
    assert settings.database.startswith("sqlite:///")
    assert settings.outbox_is_shown


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"PAPERWATCH_PORT": "many"}, "PAPERWATCH_PORT='many'"),
        ({"PAPERWATCH_SMTP_TLS": "maybe"}, "PAPERWATCH_SMTP_TLS='maybe'"),
        ({"PAPERWATCH_BASE_URL": "papers.example.org"}, "must begin with http"),
        ({"PAPERWATCH_DATABASE_URL": "mysql://x"}, "PAPERWATCH_DATABASE_URL=…: must be sqlite:///PATH or"),
        ({"PAPERWATCH_DATABASE_URL": "postgresql://x/y"}, "postgresql[+]psycopg://"),
        ({"PAPERWATCH_SMPT_HOST": "mail"}, "PAPERWATCH_SMPT_HOST is no setting"),
        (
            {"PAPERWATCH_SMTP_PASSWORD_FILE": "/nowhere/at/all"},
            "PAPERWATCH_SMTP_PASSWORD_FILE=/nowhere/at/all",
        ),
    ],
    ids=[
        "no number",
        "unknown word",
        "no scheme",
        "no such database",
        "no driver",
        "misspelt name",
        "missing file",
    ],
)
def test_a_setting_that_cannot_be_right_is_named(given: dict[str, str], complaint: str) -> None:
    with pytest.raises(SettingsError, match=complaint.replace("(", r"\(")):
        load(given)


def test_a_secret_may_stand_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("open sesame\n")
    assert load({"PAPERWATCH_SMTP_PASSWORD_FILE": str(file)}).smtp_password == "open sesame"


def test_the_secret_is_made_once_and_kept_private(tmp_path: Path) -> None:
    settings = load({"PAPERWATCH_DATA": str(tmp_path / "var")})
    first = secret(settings)
    assert len(first) >= 32
    assert secret(settings) == first
    assert (tmp_path / "var" / "secret").stat().st_mode & 0o077 == 0


_ASKS = """
import sys, time
from pathlib import Path
from app.settings import load, operator_key, secret
settings = load()
print("ready", flush=True)
while not Path("go").exists():
    time.sleep(0.001)
print(secret(settings), operator_key(settings))
"""


def test_processes_that_start_at_once_have_the_same_whole_keys(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PAPERWATCH_DATA": "var"}
    asking = [
        subprocess.Popen(
            [sys.executable, "-c", _ASKS], cwd=tmp_path, env=environment, text=True, stdout=subprocess.PIPE
        )
        for _ in range(4)
    ]
    for one in asking:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
    (tmp_path / "go").touch()
    told = {one.communicate(timeout=60)[0] for one in asking}
    assert len(told) == 1
    assert [len(key) for key in told.pop().split()] == [43, 43]
    assert sorted(path.name for path in (tmp_path / "var").iterdir()) == ["operator-key", "secret"]


def test_an_empty_key_file_is_refused(tmp_path: Path) -> None:
    settings = load({"PAPERWATCH_DATA": str(tmp_path)})
    (tmp_path / "secret").touch()
    with pytest.raises(SettingsError, match="is empty"):
        secret(settings)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({}, True),
        ({"PAPERWATCH_HOST": "0.0.0.0"}, False),  # noqa: S104  # the case that is tested
        ({"PAPERWATCH_SMTP_HOST": "mail.example.org"}, False),
        ({"PAPERWATCH_HOST": "0.0.0.0", "PAPERWATCH_SHOW_OUTBOX": "true"}, True),  # noqa: S104
    ],
    ids=["at home", "open to the network", "with a relay", "asked for"],
)
def test_the_outbox_is_shown_only_at_home(given: dict[str, str], shown: bool) -> None:
    assert load(given).outbox_is_shown is shown


def test_every_setting_is_in_the_readme_with_its_default() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = {
        line.split("|")[1].strip(" `"): line
        for line in readme.splitlines()
        if line.startswith(f"| `{PREFIX}")
    }
    expected = {f"{PREFIX}{name.upper()}": field for name, field in Settings.model_fields.items()}
    assert set(rows) == set(expected)
    for variable, field in expected.items():
        assert str(field.description) in rows[variable]
