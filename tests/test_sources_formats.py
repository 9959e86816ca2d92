"""Formats are told by content; bytes become text whatever their encoding; the samples are read whole."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from jobs.sources import decode, formats
from jobs.sources.parsed import SourceError

ROOT = Path(__file__).parents[1]
DATA = ROOT / "tests" / "data" / "digests"
SAMPLES = ROOT / "samples"
SHARED = ROOT.parent / "shared"

WEEKLY = "# 20260105-20260111\n\n## 2026-01-05\n\n- **[arXiv2601] Größe**\n  - **authors:** José Núñez\n"
DAILY = "# ArXiv 新论文更新（2026-01-07)\n\n### [A title](https://arxiv.org/abs/2601.00001)\n**作者**：José\n"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (WEEKLY, "weekly"),
        (DAILY, "daily"),
        ("# 20260105-20260111 (cs.OS)\n", "weekly"),
        ("---\nslug: /x\n---\n# 2026-01-05 - 2026-01-11\n", "weekly"),
        ("---\nsidebar_position: 2\n---\n\n# Daily\n## 20251012\n", "weekly"),
        ("- [arXiv260504] A title [link](https://arxiv.org/abs/2605.00001)\n", "weekly"),
        ("## [A title](https://arxiv.org/abs/2601.00001)\n**作者**：José\n", "daily"),
        ("", "empty"),
        ("\n \t\r\n", "empty"),
        ("\ufeff", "empty"),
    ],
)
def test_a_format_is_recognised_by_what_the_text_says(text: str, name: str):
    known = formats.recognise(text.encode())
    assert formats.parse(text.encode()).format == known.NAME == name


@pytest.mark.parametrize(
    "text",
    [
        "# My project\n\nInstall it with `make`.\n\n- one\n- **two**\n",
        "# Changelog\n\n## 2026-01-05\n\n- Fixed a bug\n- See https://arxiv.org/abs/2601.00001\n",
        "# Reading list\n\n- [A title](https://arxiv.org/abs/2601.00001) by Ada\n",
        "## Papers\n\n### [A title](https://arxiv.org/abs/2601.00001)\n\nA note of mine.\n",
        "# Release 20260105\n\ntags: a, b\n",
        "Dear all,\n\nplease find the list below.\n",
        '{"tags": [], "link": "http://arxiv.org/abs/2601.00001"}',
        "\n" * 5000,
    ],
)
def test_other_text_is_refused_with_what_it_begins_with(text: str):
    with pytest.raises(SourceError, match="no digest or feed that Paperwatch knows: it begins") as refused:
        formats.parse(text.encode())
    assert "weekly" in str(refused.value)


def test_a_readme_is_no_digest():
    for readme in [*ROOT.glob("*.md"), SAMPLES / "README.md"]:
        if readme.read_bytes().strip():
            with pytest.raises(SourceError):
                formats.recognise(readme.read_bytes())


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "binary data"),
        (b"# 20260105-20260111\n\0\0\0", "binary data"),
        (bytes(range(1, 32)) * 20, "binary data"),
        (b"\x1f\x8b\x08" + b"x" * 50, "gzip data"),
        (b"PK\x03\x04" + b"x" * 50, "zip data"),
    ],
)
def test_binary_data_is_refused_by_name(data: bytes, why: str):
    with pytest.raises(SourceError, match=why):
        formats.parse(data)


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "latin-1"]
)
@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_a_digest_reads_the_same_in_every_encoding_and_with_every_line_end(encoding: str, ends: str):
    data = WEEKLY.replace("\n", ends).encode(encoding)
    assert formats.parse(data) == formats.parse(WEEKLY.encode())


def test_utf_16_with_its_mark_holds_chinese_text_too():
    assert formats.parse(DAILY.encode("utf-16")) == formats.parse(DAILY.encode())


def test_one_line_of_latin_1_costs_no_other_line_its_accents():
    data = "José\nБорис\n".encode() + "Núñez “x”\n".encode("cp1252") + "王五\n".encode()
    assert decode.text(data) == "José\nБорис\nNúñez “x”\n王五\n"


def test_a_character_cut_at_the_end_is_dropped_and_the_rest_is_still_utf_8():
    assert decode.text("Größe 王".encode()[:-1]) == "Größe "
    assert decode.text("Größe".encode("utf-16")[:-1]) == "Größ"


def test_stray_control_characters_become_spaces_and_tabs_stay():
    assert decode.text(b"a\x0cb\x1bc\td\n" + b"text " * 9) == "a b c\td\n" + "text " * 9


@pytest.mark.parametrize("name", ["weekly-20251027-20251102.md", "daily-2025-11-20.md"])
def test_the_samples_are_read_whole_and_without_a_rejection(name: str):
    parsed = formats.parse((SAMPLES / name).read_bytes())

    assert parsed.format == name.partition("-")[0]
    assert parsed.rejected == ()
    assert 15 <= len(parsed.papers) <= 25
    for paper in parsed.papers:
        assert paper.id.startswith("arxiv:")
        assert paper.announced is not None
        assert paper.authors
        assert paper.text
        assert (paper.area and paper.topics and paper.keywords and paper.institutions) or paper.categories


def test_the_demo_profile_likes_papers_that_are_in_the_samples():
    profile = json.loads((SAMPLES / "demo-profile.json").read_text())
    ids = {p.id for path in SAMPLES.glob("*-20*.md") for p in formats.parse(path.read_bytes()).papers}

    assert profile["statement"]
    assert {f"arxiv:{name}" for name in profile["like"]} <= ids


def test_no_sentence_of_the_samples_stands_in_the_reference_digests():
    digests = [path.read_text() for path in (SHARED / "data" / "digests").glob("*/*.md")]
    if not digests:
        pytest.skip("no reference digests ../shared/data/digests beside this checkout")
    everything = "\n".join(digests)
    for path in SAMPLES.glob("*-20*.md"):
        for paper in formats.parse(path.read_bytes()).papers:
            for sentence in paper.text.split(". "):
                assert sentence.strip(".") not in everything


def test_both_reference_digests_are_read_in_a_fraction_of_a_second():
    paths = [
        SHARED / "data/digests" / name for name in ("weekly/20251027-20251102.md", "daily/2025-11-20.md")
    ]
    if not all(path.exists() for path in paths):
        pytest.skip("no reference digests ../shared/data/digests beside this checkout")
    payloads = [path.read_bytes() for path in paths]
    started = time.process_time()
    for data in payloads:
        formats.parse(data)
    # Measured 0.08 s; the limit leaves room for a busy machine.
    assert time.process_time() - started < 1


def test_every_golden_result_has_its_digest_and_every_digest_its_result():
    assert {p.stem for p in DATA.glob("*.json")} == {p.stem for p in DATA.glob("*.md")}
