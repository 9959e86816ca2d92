"""The command line as a person meets it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.commands import paperwatch
from tests.conftest import ROOT

SAMPLES = ROOT / "samples"


def printed(result: subprocess.CompletedProcess[str]) -> Any:
    """The JSON that a command printed."""
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_the_version_is_told_from_any_folder(tmp_path: Path) -> None:
    result = paperwatch("--version", cwd=tmp_path)
    assert result.stdout.startswith("paperwatch 0.")


def test_help_loads_nothing_heavy(tmp_path: Path) -> None:
    script = "import sys; sys.argv = ['paperwatch', '--help']\nfrom app.cli import main\n" + (
        "try:\n    main()\nexcept SystemExit:\n    pass\nfinally:\n"
        "    print([m for m in ('sqlalchemy', 'sklearn', 'numpy', 'fastapi', 'lxml') if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path, check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert result.stdout.rstrip().endswith("[]")


def test_every_command_is_in_the_readme() -> None:
    from typer.main import get_command

    from app.cli import app

    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    names = []
    for name, command in get_command(app).commands.items():  # type: ignore[attr-defined]
        inner = getattr(command, "commands", None)
        names += [f"{name} {sub}" for sub in inner] if inner else [name]
    missing = [name for name in names if f"paperwatch {name}" not in readme]
    assert missing == []


def test_the_samples_are_ingested_ranked_and_mailed(tmp_path: Path) -> None:
    ingested = printed(paperwatch("ingest", str(SAMPLES), "--json", cwd=tmp_path))
    usable = [s for s in ingested["sources"] if s["received"]]
    assert [s["format"] for s in usable] == ["daily", "weekly"]
    assert ingested["totals"]["new"] >= 36
    assert all(s["rejected"] == [] for s in usable)
    profile = printed(
        paperwatch(
            "profile", "create", "--email", "a@example.org", "--statement", "KV cache for LLM inference",
            "--term", "rivers=-1", "--mute", "author:Nobody Special", "--every", "announced", "--json",
            cwd=tmp_path,
        )
    )  # fmt: skip
    assert profile["terms"] == [["rivers", -1.0]]
    assert profile["mutes"]["authors"] == ["Nobody Special"]
    done = printed(paperwatch("once", "--json", cwd=tmp_path))
    assert done["delivered"]["sent"] == 1
    assert len(list((tmp_path / "var" / "outbox").glob("*.eml"))) == 1


def test_papers_are_listed_for_machines_with_every_field(tmp_path: Path) -> None:
    printed(paperwatch("ingest", str(SAMPLES), "--json", cwd=tmp_path))
    lines = paperwatch("papers", "--format", "jsonl", cwd=tmp_path).stdout.splitlines()
    paper = json.loads(lines[0])
    assert list(paper) == [
        "id", "version", "title", "abstract", "summary", "authors", "institutions", "categories", "area",
        "topics", "keywords", "url", "announced", "sources",
    ]  # fmt: skip
    assert paper["id"].startswith("arxiv:")
    assert paper["sources"]


@pytest.mark.parametrize(("form", "begin"), [("bibtex", "@misc{"), ("ris", "TY  - UNPB"), ("table", "day")])
def test_papers_are_listed_in_other_forms(tmp_path: Path, form: str, begin: str) -> None:
    printed(paperwatch("ingest", str(SAMPLES), "--json", cwd=tmp_path))
    assert paperwatch("papers", "--format", form, cwd=tmp_path).stdout.startswith(begin)


def test_what_cannot_be_read_is_named_and_ends_with_one(tmp_path: Path) -> None:
    (tmp_path / "picture.md").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(200))
    result = paperwatch("ingest", "picture.md", "missing.md", cwd=tmp_path)
    assert result.returncode == 1
    assert "picture.md" in result.stderr
    assert "missing.md" in result.stderr
    assert "Traceback" not in result.stderr


def test_strangers_words_are_printed_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "odd.md").write_text("root:x:0:0 [red]no digest[/red] :smile:\n")
    result = paperwatch("ingest", "odd.md", cwd=tmp_path)
    assert "root:x:0:0 [red]no digest[/red]" in result.stderr
    (tmp_path / "heart: [b]s").mkdir()
    paperwatch("sources", "add", "heart: [b]s", "--name", "with a :heart: [b]", cwd=tmp_path)
    assert "with a :heart: [b]" in paperwatch("sources", "list", cwd=tmp_path).stdout


def test_one_unreadable_file_does_not_spoil_the_others(tmp_path: Path) -> None:
    result = paperwatch("ingest", str(SAMPLES), "missing.md", "--json", cwd=tmp_path)
    assert result.returncode == 0
    assert json.loads(result.stdout)["totals"]["new"] >= 36


def test_an_empty_file_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "empty.md").touch()
    result = paperwatch("ingest", "empty.md", "--json", cwd=tmp_path)
    assert result.returncode == 0
    assert json.loads(result.stdout)["sources"][0]["note"]


def test_wrong_usage_ends_with_two(tmp_path: Path) -> None:
    assert paperwatch("ingest", cwd=tmp_path).returncode == 2
    assert paperwatch("papers", "--format", "poem", cwd=tmp_path).returncode == 2
    assert (
        paperwatch("profile", "create", "--email", "nobody", "--statement", "x", cwd=tmp_path).returncode == 2
    )


def test_a_profile_is_shown_listed_and_deleted(tmp_path: Path) -> None:
    create = ("profile", "create", "--name", "Rivers", "--statement", "rivers", "--like", "2510.15545v2")
    made = printed(paperwatch(*create, "--json", cwd=tmp_path))
    assert made["seeds"] == ["arxiv:2510.15545"]
    assert made["email"] == ""
    assert printed(paperwatch("profile", "show", "Rivers", "--json", cwd=tmp_path)) == made
    assert printed(paperwatch("profile", "list", "--json", cwd=tmp_path)) == [made]
    assert paperwatch("profile", "delete", "Rivers", cwd=tmp_path).returncode == 0
    assert printed(paperwatch("profile", "list", "--json", cwd=tmp_path)) == []
    gone = paperwatch("profile", "show", "Rivers", cwd=tmp_path)
    assert (gone.returncode, "profile list" in gone.stderr) == (1, True)


def test_a_setting_that_is_wrong_ends_in_one_line(tmp_path: Path) -> None:
    result = paperwatch("papers", cwd=tmp_path, PAPERWATCH_PORT="0")
    assert result.returncode == 1
    assert result.stderr.startswith("paperwatch: PAPERWATCH_PORT='0'")
    assert result.stderr.count("\n") == 1


def test_a_folder_that_cannot_be_written_ends_in_one_line_that_names_the_doctor(tmp_path: Path) -> None:
    (tmp_path / "var").write_text("in the way")
    result = paperwatch("operator", cwd=tmp_path)
    assert result.returncode == 1
    assert "doctor" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_the_folder_of_state_is_private_from_the_start(tmp_path: Path) -> None:
    assert paperwatch("papers", cwd=tmp_path).returncode == 0
    assert (tmp_path / "var").stat().st_mode & 0o077 == 0
