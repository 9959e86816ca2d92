"""Papers in the forms of other programs, read back by those programs' own rules."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from datetime import date
from pathlib import Path

import pytest
import rispy
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.alerts import csl, exports, person, ris, weekly_digest
from jobs.alerts.readable import clean
from jobs.sources import formats, weekly
from recommender.paper import Paper, abs_url, hash_key
from tests.conftest import ROOT, SHARED

PAPER = Paper(
    "arxiv:2510.02613", "Larder: Evicting <Cold> Cache Lines & $O(n^2)$ W[1]-hardness", version=3,
    abstract="It drops lines, n<m. It is {3.5}× faster | {'<'} \\alpha.", summary="A cache_thing *evicts*.",
    authors=("Rosa Lind", "Kwame van der Boateng"), institutions=("University of X, Berkeley", "Y Labs"),
    categories=("cs.DC", "cs.LG"), area="systems", topics=("caching", "eviction [lines]"), keywords=("LRU",),
    url=abs_url("arxiv:2510.02613"), doi="10.1000/xyz", comment="12 pages, 3 figures",
    code_url="https://code.example.org/larder", announced=date(2025, 10, 28),
)  # fmt: skip


def test_a_digest_that_is_written_here_is_read_as_the_same_papers() -> None:
    bare = Paper(hash_key("", "Untitled Work", ("Ann Other",)), "Untitled Work", authors=("Ann Other",))
    linked = Paper(
        hash_key("https://p.example.org/1", "T"), "T", url="https://p.example.org/1", authors=("A B",),
        authors_complete=False, announced=date(2025, 10, 27), institutions=("One, Two and Three",),
    )  # fmt: skip
    written = weekly_digest.render([PAPER, linked, bare]).encode()
    assert weekly.recognises(written)
    read = weekly.parse(written)
    assert read.rejected == ()
    assert list(read.papers) == [bare, linked, PAPER], "by day, those without one first"


@pytest.mark.parametrize("path", sorted((ROOT / "samples").glob("*-20*.md")), ids=lambda path: path.name)
def test_the_samples_survive_a_round_trip(path: Path) -> None:
    _assert_round_trip(path)


def test_the_reference_digests_survive_a_round_trip() -> None:
    found = sorted((SHARED / "data" / "digests").glob("*/2025*.md"))[:3]
    if not found:
        pytest.skip("needs the digests in ../shared")
    for path in found:
        _assert_round_trip(path)


def _assert_round_trip(path: Path) -> None:
    papers = formats.parse(path.read_bytes()).papers
    again = {paper.id: paper for paper in weekly.parse(weekly_digest.render(papers).encode()).papers}
    for paper in papers:
        # What arXiv says of an announcement has no place in a digest, nor that unnamed authors are not all.
        whole = paper.authors_complete or not paper.authors
        assert again[paper.id] == replace(paper, announce_type="", authors_complete=whole)
    assert len(again) == len(papers) > 0


NASTY = st.text(
    st.one_of(st.sampled_from(list("<&]>\"'\\{}[]()^_~|*#`-:;, ab1.é")), st.characters()), max_size=40
)


@settings(max_examples=200, deadline=None)
@given(title=NASTY, abstract=NASTY, comment=NASTY)
def test_no_text_breaks_a_digest(title: str, abstract: str, comment: str) -> None:
    paper = replace(
        PAPER, title=f"On {title} things", abstract=f"So {abstract} it is", comment=f"c {comment} d"
    )
    (read,) = weekly.parse(weekly_digest.render([paper]).encode()).papers
    for field in fields(Paper):
        written = getattr(paper, field.name)
        if field.name in ("title", "abstract", "comment"):
            written = clean(written)
        assert getattr(read, field.name) == written, field.name


def test_ris_is_what_reference_managers_read() -> None:
    first, second = rispy.loads(ris.render([PAPER, replace(PAPER, journal_ref="J. Caches 1")]))
    assert first["type_of_reference"] == "UNPB" and second["type_of_reference"] == "JOUR"
    assert first["title"] == "Larder: Evicting <Cold> Cache Lines & O(n²) W[1]-hardness"
    assert first["authors"] == ["Lind, Rosa", "van der Boateng, Kwame"]
    assert (first["year"], first["doi"]) == ("2025", "10.1000/xyz")
    assert first["urls"] == ["https://arxiv.org/abs/2510.02613"]


def test_csl_has_names_in_parts_and_a_date() -> None:
    (found,) = json.loads(csl.render([PAPER]))
    assert found["author"] == [
        {"family": "Lind", "given": "Rosa"}, {"family": "van der Boateng", "given": "Kwame"},
    ]  # fmt: skip
    assert found["issued"] == {"date-parts": [[2025, 10, 28]]}
    assert (found["type"], found["number"], found["DOI"]) == ("article", "arXiv:2510.02613", "10.1000/xyz")


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("Rosa Lind", ("Lind", "Rosa")),
        ("Lind, Rosa", ("Lind", "Rosa")),
        ("Anna M. van der Berg", ("van der Berg", "Anna M.")),
        ("John Smith Jr.", ("Smith", "John Jr.")),
        ("Plato", ("Plato", "")),
        ("The ATLAS Collaboration", ("The ATLAS Collaboration", "")),
        ("李雷", ("李雷", "")),
    ],
)
def test_a_name_has_a_family_name_and_the_rest(name: str, parts: tuple[str, str]) -> None:
    assert person.parts(name) == parts


@pytest.mark.parametrize("form", exports.FORMS)
def test_every_form_takes_a_paper_of_which_little_is_known(form: str) -> None:
    written = exports.FORMS[form].render([Paper("hash:abc", "Only a title")])
    assert "Only a title" in written
    assert exports.FORMS[form].render([]).strip() in ("", "[]", "# Papers")
