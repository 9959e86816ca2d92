"""Backup and restore as an operator does them: by commands, with a whole installation."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import stat
import tarfile
import uuid
from pathlib import Path

import pytest

from app import build
from app.settings import load
from db import copying
from db.session import Database
from jobs.pipeline import run_once
from tests.commands import paperwatch
from tests.conftest import create
from tests.full_database import everything
from tests.readers import subscribe_reader, write_digest
from tests.test_app_cli import SAMPLES


def _ok(*arguments: str, cwd: Path, **environment: str) -> str:
    result = paperwatch(*arguments, cwd=cwd, **environment)
    assert result.returncode == 0, result.stderr
    return result.stdout


def _here(folder: Path, url: str = "") -> dict[str, str]:
    """The settings of an installation in this folder."""
    return {"PAPERWATCH_DATA": str(folder), "PAPERWATCH_DATABASE_URL": url}


def _rows(url: str) -> dict[str, list[dict[str, object]]]:
    database = Database(url)
    with database.reading() as session:
        found = everything(session)
    database.dispose()
    for paper in found["paper"]:
        del paper["indexed_at"], paper["search_number"]
    return found


@pytest.fixture(scope="module")
def _model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    settings = load(_here(folder / "old") | {"PAPERWATCH_WATCH": str(folder / "digests")})
    write_digest(folder / "digests", "tuesday.md", wanted=3)
    service = build.service(settings)
    subscribe_reader(service, build.now())
    run_once(service, build.now(), "first")
    service.database.dispose()
    return folder / "old"


@pytest.fixture
def installation(_model: Path, tmp_path: Path) -> Path:
    """The data folder of a service with papers, a reader, and a digest that was sent."""
    assert list((_model / "outbox").glob("*.eml"))
    return Path(shutil.copytree(_model, tmp_path / "old"))


@pytest.mark.parametrize("name", ["kept.tar", "kept.tar.gz"])
def test_a_restored_installation_is_the_one_that_was_kept(
    installation: Path, tmp_path: Path, name: str
) -> None:
    file, new = tmp_path / name, tmp_path / "new"
    assert "keep it safe" in _ok("backup", str(file), cwd=tmp_path, **_here(installation))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir() if "partial" in each.name or each.name[0] == "."] == []
    _ok("restore", str(file), cwd=tmp_path, **_here(new))
    assert _rows(f"sqlite:///{new}/paperwatch.db") == _rows(f"sqlite:///{installation}/paperwatch.db")
    assert (new / "secret").read_text() == (installation / "secret").read_text()
    mails = {each.name: each.read_bytes() for each in (installation / "outbox").iterdir()}
    assert {each.name: each.read_bytes() for each in (new / "outbox").iterdir()} == mails
    assert "whole and up to date" in _ok("db", "check", cwd=tmp_path, **_here(new))
    # Nothing that was sent before is sent again.
    assert "sent 0" in _ok("once", cwd=tmp_path, **_here(new))


def test_restoring_over_something_wants_to_be_told_so(installation: Path, tmp_path: Path) -> None:
    file, other = tmp_path / "kept.tar", tmp_path / "other"
    _ok("backup", str(file), cwd=tmp_path, **_here(installation))
    _ok("ingest", str(SAMPLES / "daily-2025-11-20.md"), cwd=tmp_path, **_here(other))
    before = _rows(f"sqlite:///{other}/paperwatch.db")
    for said in ("secret differs", "not empty"):
        refused = paperwatch("restore", str(file), cwd=tmp_path, **_here(other))
        assert refused.returncode == 1
        assert said in refused.stderr
        (other / "secret").write_text((installation / "secret").read_text())
    assert "--replace" in refused.stderr
    assert _rows(f"sqlite:///{other}/paperwatch.db") == before
    misnamed = paperwatch("backup", str(tmp_path / "kept.zip"), cwd=tmp_path, **_here(installation))
    assert (misnamed.returncode, ".tar.gz" in misnamed.stderr) == (2, True)
    _ok("restore", str(file), "--replace", cwd=tmp_path, **_here(other))
    assert _rows(f"sqlite:///{other}/paperwatch.db") == _rows(f"sqlite:///{installation}/paperwatch.db")


def test_a_damaged_or_foreign_archive_restores_nothing(installation: Path, tmp_path: Path) -> None:
    file, new = tmp_path / "kept.tar", tmp_path / "new"
    _ok("backup", str(file), cwd=tmp_path, **_here(installation))
    whole = file.read_bytes()
    middle = whole.index(b"SQLite format 3") + 5000
    for content, said in (
        (whole[:middle] + b"\xff" * 64 + whole[middle + 64 :], "paperwatch.db is damaged"),
        (whole[: len(whole) // 2], "cannot be read as a backup"),
        (b"no archive at all", "cannot be read as a backup"),
        (_foreign("../../escaped"), "not in its manifest"),
    ):
        file.write_bytes(content)
        refused = paperwatch("restore", str(file), cwd=tmp_path, **_here(new))
        assert refused.returncode == 1
        assert said in refused.stderr
        assert not (new / "paperwatch.db").exists()
        assert not (tmp_path / "escaped").exists()


def _foreign(name: str) -> bytes:
    """An archive whose manifest vouches for a file that leads out of the folder."""
    manifest = {"format": 1, "rows": {}, "sha256": {name: hashlib.sha256(b"x").hexdigest()}}
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for member, content in (("manifest.json", json.dumps(manifest).encode()), (name, b"x")):
            head = tarfile.TarInfo(member)
            head.size = len(content)
            archive.addfile(head, io.BytesIO(content))
    return made.getvalue()


def test_a_secret_of_its_own_is_not_silently_another_one(installation: Path, tmp_path: Path) -> None:
    file, new = tmp_path / "kept.tar", tmp_path / "new"
    _ok("backup", str(file), cwd=tmp_path, **_here(installation))
    refused = paperwatch("restore", str(file), cwd=tmp_path, **_here(new), PAPERWATCH_SECRET="another")
    assert refused.returncode == 1
    assert "PAPERWATCH_SECRET differs" in refused.stderr


@pytest.mark.postgres
def test_an_embedded_installation_moves_to_postgresql_and_back(
    installation: Path, tmp_path: Path, postgres: str
) -> None:
    name = f"t{uuid.uuid4().hex[:16]}"
    create(postgres, name, "template1")
    url, embedded = postgres.format(name=name), f"sqlite:///{installation}/paperwatch.db"
    said = _ok("db", "copy", embedded, url, cwd=tmp_path)
    assert "rows copied" in said
    assert _rows(url) == _rows(embedded)
    # It goes on there, and what comes then is in the backup that goes back into SQLite.
    moved = _here(installation, url)
    _ok("ingest", str(SAMPLES / "weekly-20251027-20251102.md"), cwd=tmp_path, **moved)
    _ok("once", cwd=tmp_path, **moved)
    file, back = tmp_path / "kept.tar.gz", tmp_path / "back"
    _ok("backup", str(file), cwd=tmp_path, **moved)
    _ok("restore", str(file), cwd=tmp_path, **_here(back))
    assert _rows(f"sqlite:///{back}/paperwatch.db") == _rows(url) != _rows(embedded)
    again = paperwatch("db", "copy", embedded, url, cwd=tmp_path)
    assert again.returncode == 1
    assert "not empty" in again.stderr


def test_a_misspelt_source_is_refused_and_makes_no_database(tmp_path: Path) -> None:
    result = paperwatch("db", "copy", "sqlite:///nothing.db", f"sqlite:///{tmp_path}/x.db", cwd=tmp_path)
    assert result.returncode == 2
    assert list(tmp_path.glob("*.db")) == []
    assert paperwatch("db", "copy", "mysql://x", "sqlite:///x.db", cwd=tmp_path).returncode == 2


def test_check_tells_what_is_wrong(tmp_path: Path) -> None:
    empty = paperwatch("db", "check", cwd=tmp_path, **_here(tmp_path))
    assert empty.returncode == 1
    assert "at revision none" in empty.stdout
    assert "revision" in _ok("db", "upgrade", cwd=tmp_path, **_here(tmp_path))
    _ok("db", "check", cwd=tmp_path, **_here(tmp_path))
    database = Database(f"sqlite:///{tmp_path}/paperwatch.db")
    assert not any(copying.counts(database).values())
    database.dispose()
