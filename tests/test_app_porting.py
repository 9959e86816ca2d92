"""``paperwatch profile export | import``, on real digests."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from app.cli import app
from app.failures import CommandError
from db import subscriber_store
from jobs import porting, subscribe
from jobs.service import Service
from profiles.portable import parse
from profiles.profile import Profile
from profiles.request import request
from tests.conftest import NOW

# The commands open the database of the settings, which is SQLite in the test's folder.
pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)

LIKED = ("2510.10302", "2510.08544")


def run(*arguments: str, typed: bytes | None = None) -> Result:
    """The command, in this process."""
    return CliRunner().invoke(app, ["profile", *arguments], input=typed)


def complaint(result: Result) -> str:
    """The one line that the command ends with."""
    assert isinstance(result.exception, CommandError), result.output
    return str(result.exception)


@pytest.fixture
def reader(ingested: Service) -> Profile:
    """A reader of serving systems who liked two papers of the samples."""
    wanted = request(
        email="ada@example.org", name="Serving", statement="LLM serving", terms=["KV cache=2"],
        authors=["Ada Example"], mutes=["blockchain"], per_day=7,
    )  # fmt: skip
    profile = subscribe.create(ingested, wanted, NOW, confirmed="in a test")
    with ingested.database.writing() as session:
        for key in LIKED:
            assert subscribe.rate(session, profile.id, f"arxiv:{key}", "like", NOW, "page")
    return profile


def test_the_file_says_what_the_reader_stated_and_what_was_learned(reader: Profile) -> None:
    text = run("export", "Serving").stdout
    for line in ("name: Serving", "statement: LLM serving", "term: KV cache = 2", "author: Ada Example",
                 "mute-term: blockchain", "per-day: 7"):  # fmt: skip
        assert f"\n{line}\n" in text
    learned = dict(parse(text, "x").learned)
    assert max(learned.values()) == 1
    # The papers that were liked speak of these; the reader's own words are not repeated as learned ones.
    assert {"speculative decoding", "prefill"} & {term.lower() for term in learned}
    assert "kv cache" not in {term.lower() for term in learned}


def test_an_export_is_imported_as_the_same_profile(service: Service, reader: Profile, tmp_path: Path) -> None:
    file = tmp_path / "serving.txt"
    assert run("export", "Serving", "-o", str(file)).exit_code == 0
    result = run("import", str(file), "--email", "grace@example.org")
    assert result.stdout.startswith("imported 'Serving' as profile ")
    with service.database.reading() as session:
        copy = subscriber_store.profile_named(session, "grace@example.org/Serving")
    assert (copy.name, copy.interests, copy.per_day) == (reader.name, reader.interests, reader.per_day)
    assert copy.feed_token != reader.feed_token


def test_an_edited_file_changes_the_profile_and_keeps_its_ratings(service: Service, reader: Profile) -> None:
    text = run("export", "Serving").stdout.replace("per-day: 7", "per-day: 3")
    text += "term: prefill = 1.5\ncategory: cs.DC\n"
    assert run("import", "-", "--profile", "Serving", typed=text.encode()).exit_code == 0
    with service.database.reading() as session:
        changed = subscriber_store.profile_named(session, "Serving")
        events = subscriber_store.feedback(session, [reader.id])
    assert changed == replace(
        reader, per_day=3,
        interests=replace(
            reader.interests, terms=(*reader.interests.terms, ("prefill", 1.5)), categories=("cs.DC",)
        ),
    )  # fmt: skip
    assert len(events[reader.id]) == 2
    # Stated now, it is learned no longer.
    assert "prefill" not in {t.lower() for t, _ in porting.portable(service, changed, NOW).learned}


def test_bad_lines_are_all_reported_and_nothing_is_changed(
    service: Service, reader: Profile, tmp_path: Path
) -> None:
    file = tmp_path / "bad.txt"
    file.write_text("paperwatch-profile: 1\nname: Serving\ntrem: x\nterm: y = 7\n", encoding="utf-8")
    result = run("import", str(file), "--profile", "Serving")
    assert f"{file}:3: no key 'trem'; did you mean 'term'?" in result.stderr
    assert complaint(result).startswith(f"{file}:4: The strength of 'y'")
    with service.database.reading() as session:
        assert subscriber_store.profile_named(session, "Serving") == reader


def test_a_reference_library_becomes_a_profile_or_adds_to_one(
    service: Service, reader: Profile, tmp_path: Path
) -> None:
    file = tmp_path / "thesis.bib"
    entries = f"@misc{{a, eprint={{{LIKED[0]}}}}}\n@misc{{b, title={{A paper nobody here has seen}}}}"
    file.write_text(entries, encoding="utf-8")
    assert run("import", str(file)).stdout.startswith("imported 'thesis' as profile")
    run("import", str(file), "--profile", "Serving")
    with service.database.reading() as session:
        made = subscriber_store.profile_named(session, "thesis")
        changed = subscriber_store.profile_named(session, "Serving")
    assert made.interests.seeds == (f"arxiv:{LIKED[0]}",)
    assert made.interests.statement == "A paper nobody here has seen."
    assert changed.interests == replace(reader.interests, seeds=(f"arxiv:{LIKED[0]}",))
    assert "no entry with a title or an id" in complaint(run("import", "-", typed=b"@misc{a, x={}}"))


@pytest.mark.parametrize(
    ("content", "arguments", "wrong"),
    [
        (b"paperwatch-profile: 1\nname: Serving\nterm: x\n", ("--email", "ada@example.org"),
         "There is a profile named 'Serving' for this address; give another name. Or change it with"),
        (b"paperwatch-profile: 1\nname: Empty\nmute-term: x\n", (), "states no interest"),
        (b"paperwatch-profile: 1\nname: a\nterm: x\n", ("--email", "nobody"), "'nobody' is no e-mail"),
        (b"paperwatch-profile: 1\nname: a\n\xff\n", (), "standard input:3: this is no UTF-8 text"),
        (b"paperwatch-profile: 1\nname: a\nterm: x\n", ("--email", "a@b.org", "--profile", "1"),
         "give one of the two"),
    ],
)  # fmt: skip
def test_what_cannot_be_imported_says_why(
    reader: Profile, content: bytes, arguments: tuple[str, ...], wrong: str
) -> None:
    result = run("import", "-", *arguments, typed=content)
    assert wrong in complaint(result) or wrong in result.stderr


def test_a_missing_file_and_an_unwritable_one_are_named(reader: Profile, tmp_path: Path) -> None:
    assert complaint(run("import", str(tmp_path / "no.txt"))).endswith("no.txt: No such file or directory")
    assert "No such file" in complaint(run("export", "Serving", "-o", str(tmp_path / "no" / "x.txt")))


def test_a_sister_profile_of_that_name_is_not_overwritten(service: Service, reader: Profile) -> None:
    other = request(email="ada@example.org", name="Edge", statement="edge devices")
    subscribe.create(service, other, NOW, confirmed="in a test")
    text = run("export", "Edge").stdout.replace("name: Edge", "name: Serving")
    result = run("import", "-", "--profile", "Edge", typed=text.encode())
    assert "another profile named 'Serving'" in complaint(result)
