"""The daily digest: headings, author lines, abstracts, announcements and categories in all their forms."""

from __future__ import annotations

import json
import re
import time
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.sources import daily
from jobs.sources.parsed import Parsed
from recommender.paper import Paper
from tests.reference_digests import DIGESTS, reference, stated

ROOT = Path(__file__).parents[1]
DATA = ROOT / "tests" / "data" / "digests"
TITLE = "# ArXiv 新论文更新（2026-01-07)\n\n"
ENTRY = "### [A title](https://arxiv.org/abs/2601.00001)\n"


def read(text: str) -> Parsed:
    return daily.parse((TITLE + text).encode())


def only(text: str) -> Paper:
    parsed = read(text)
    assert parsed.rejected == ()
    [paper] = parsed.papers
    return paper


def by(authors: str) -> Paper:
    return only(f"{ENTRY}**作者**：{authors}\n\nAn abstract.\n")


def shared(name: str) -> Parsed:
    return reference(daily, name)


def test_a_digest_with_every_variation_reads_as_written_down_beside_it():
    parsed = daily.parse((DATA / "daily-variations.md").read_bytes())

    assert stated(parsed) == json.loads((DATA / "daily-variations.json").read_text())


def test_the_reference_digest_gives_30_papers_with_authors_abstracts_and_categories():
    parsed = shared("2025-11-20.md")

    assert len({paper.id for paper in parsed.papers}) == len(parsed.papers) == 30
    assert all(p.authors and p.abstract and p.categories and p.authors_complete for p in parsed.papers)
    assert "arxiv:2407.16026" in {paper.id for paper in parsed.papers}
    assert parsed.batch == date(2025, 11, 20)
    assert {paper.announced for paper in parsed.papers} == {date(2025, 11, 20)}


def test_the_same_day_told_with_leading_and_with_trailing_categories_names_the_same_papers():
    leading, trailing = shared("2025-10-08-v2.md"), shared("2025-10-08-v3.md")

    assert [p.id for p in leading.papers] == [p.id for p in trailing.papers]
    assert {p.id: p.categories for p in leading.papers} == {p.id: p.categories for p in trailing.papers}
    assert [p.abstract for p in leading.papers] == [p.abstract for p in trailing.papers]
    assert {p.announce_type for p in leading.papers} == {"new", "cross", "replace"}


def test_author_lists_joined_letter_by_letter_are_given_up_in_a_whole_reference_digest():
    assert {(p.authors, p.authors_complete) for p in shared("2025-10-08-v5.md").papers} == {((), False)}


def test_no_name_in_the_reference_digests_keeps_latex_or_affiliations():
    if not (DIGESTS / daily.NAME).exists():
        pytest.skip("no reference digests ../shared/data/digests/daily beside this checkout")
    for path in (DIGESTS / daily.NAME).glob("*.md"):
        for paper in daily.parse(path.read_bytes()).papers:
            assert not any(set(name) & set("\\{}$;&") for name in paper.authors), paper
            assert all(paper.authors), paper


@pytest.mark.parametrize(
    ("written", "names", "complete"),
    [
        ("Ada Ångström", ["Ada Ångström"], True),
        ("Ada Ångström, Bo Li, and Carl Test", ["Ada Ångström", "Bo Li", "Carl Test"], True),
        ("Ada Ångström and Bo Li", ["Ada Ångström", "Bo Li"], True),
        ("Ada Ångström; Bo Li", ["Ada Ångström", "Bo Li"], True),
        ("Ångström, Ada; Li, Bo", ["Ada Ångström", "Bo Li"], True),
        ("张三、李四，王五", ["张三", "李四", "王五"], True),
        ("Carl Test, Jr., Bo Li", ["Carl Test Jr.", "Bo Li"], True),
        ("Carl Test, Ph.D., Bo Li", ["Carl Test", "Bo Li"], True),
        ("Ada Ångström et al.", ["Ada Ångström"], False),
        ("Ada Ångström, Bo Li, et al", ["Ada Ångström", "Bo Li"], False),
        ("Ada Ångström and 12 others", ["Ada Ångström"], False),
        ("Unknown", [], True),
        ("N/A", [], True),
        ("A, d, a et al.", [], False),
        ("X, i,   et al.", [], False),
        ("Q", ["Q"], True),
        ("Ada Ångström*, Bo Li$^{1,2}$, Carl Test¹", ["Ada Ångström", "Bo Li", "Carl Test"], True),
        ('Fabian B\\"ohm, P{\\i}nar Muyan-\\"Oz\\c{c}elik', ["Fabian Böhm", "Pınar Muyan-Özçelik"], True),
        ("Pawe{\\l} Nowak, Lu\\'is Fraz\\~ao", ["Paweł Nowak", "Luís Frazão"], True),
        ("Wei Wang, Wei Wang", ["Wei Wang", "Wei Wang"], True),
        ("Ada Ångström (MIT) and Bo Li (ETH)", ["Ada Ångström", "Bo Li"], True),
        ("Ada &Aring;ngstr&ouml;m", ["Ada Ångström"], True),
    ],
)
def test_author_lines_in_all_their_forms(written: str, names: list[str], complete: bool):
    paper = by(written)
    assert (list(paper.authors), paper.authors_complete) == (names, complete)


@pytest.mark.parametrize(
    ("written", "places"),
    [
        ("Ada Ångström (MIT), Bo Li (MIT)", ["MIT"]),
        ("Ada Ångström (PUCRS, IFRS)", ["PUCRS", "IFRS"]),
        ("Ada Ångström (School of Engineering, Example University, Dublin)",
         ["School of Engineering, Example University, Dublin"]),
        ("Ada Ångström (1), Bo Li (1 and 2) ((1) MIT, (2) ETH Zurich)", ["MIT", "ETH Zurich"]),
        ("Ada Ångström (on behalf of the XYZ Collaboration)", []),
        ("Bo Li (Kevin),  Yu (Kevin),  Cao (Katie), Carl Test (Katie),  Yang (Katie),  Zhao", []),
    ],
)  # fmt: skip
def test_what_stands_in_brackets_behind_a_name_is_its_institution(written: str, places: list[str]):
    assert list(by(written).institutions) == places


def test_names_that_arxivs_feed_broke_at_a_nickname_are_put_together_again():
    assert by("Pu (Luke),  Yi, Bo Li").authors == ("Pu (Luke) Yi", "Bo Li")
    assert by("Bo Li (Jing),  Janet (Jing),  Lin").authors == ("Bo Li", "Janet (Jing) Lin")


@pytest.mark.parametrize(
    "label",
    ["**作者**：", "**作者：**", "**Authors**: ", "**Author(s):** ", "作者：", "Authors: ", "- **作者**："],
)
def test_author_labels_in_all_their_forms(label: str):
    paper = only(f"{ENTRY}{label}Ada Ångström,\nBo Li\n\nAn abstract.\n")
    assert (paper.authors, paper.abstract) == (("Ada Ångström", "Bo Li"), "An abstract.")


@pytest.mark.parametrize(
    "title",
    [
        "# ArXiv 新论文更新（2026-01-07)",
        "# ArXiv 新论文更新（2026-01-07）",
        "# ArXiv 新论文更新 (2026-01-07)",
        "# ArXiv 新论文更新（2026-01-07 11:06 UTC）",
        "# arXiv new papers 2026/01/07",
        "## ArXiv 新论文更新（20260107）",
        "# ArXiv 新论文更新（2026年1月7日）",
    ],
)
def test_the_day_is_in_the_title_in_all_its_forms(title: str):
    parsed = daily.parse(f"{title}\n\n{ENTRY}**作者**：Ada Ångström\n\nAn abstract.\n".encode())
    assert parsed.batch == date(2026, 1, 7)
    assert [paper.announced for paper in parsed.papers] == [date(2026, 1, 7)]
    assert daily.recognises(title.encode())


@pytest.mark.parametrize(
    ("prefix", "kind", "version"),
    [
        ("arXiv:2601.00001v1 Announce Type: new  Abstract: ", "new", 1),
        ("arXiv:2601.00001v12 Announce Type: replace-cross \nAbstract: ", "replace-cross", 12),
        ("Announce Type: cross Abstract: ", "cross", None),
        ("", "", None),
    ],
)
def test_arxivs_announcement_is_read_and_taken_off_the_abstract(prefix: str, kind: str, version: int | None):
    paper = only(f"{ENTRY}**作者**：Ada Ångström\n\n{prefix}We announce types.\n")
    assert (paper.announce_type, paper.version, paper.abstract) == (kind, version, "We announce types.")


def test_categories_below_an_entry_are_its_own_and_those_above_hold_for_the_group():
    other = ENTRY.replace("A title", "Another").replace("00001", "00002")
    parsed = read(
        f"## cs.CL, cs.AI\n\n{ENTRY}\nOne.\n\n#### cs.PF/quant-ph\n\n{other}\nTwo.\n\n"
        f"## cs.OS\n\n{other.replace('00002', '00003')}"
    )
    assert [p.categories for p in parsed.papers] == [
        ("cs.CL", "cs.AI", "cs.PF", "quant-ph"),
        ("cs.CL", "cs.AI"),
        ("cs.OS",),
    ]


def test_an_abstract_of_several_paragraphs_is_one_text_and_its_maths_stays_as_written():
    paper = only(
        f"{ENTRY}**作者**：Ada Ångström\n\nFirst $\\{{a_1\\}}$ &lt; b.\n\n"
        "  Second\n\tline by Lov\\'asz \\& co, 10\\%.\n"
    )
    assert paper.abstract == "First $\\{a_1\\}$ < b. Second line by Lovász & co, 10%."


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ("### [](https://arxiv.org/abs/2601.00002)\n**作者**：Ada Ångström\n", "no title"),
        ("### [Cut](https://arxiv.org/abs/2601.00\n", "not closed"),
        ("### [Cut\n**作者**：Ada Ångström\n", "not closed"),
        ("### [Cut](https://arxiv.org/abs/2601.0000)\n", "four digits"),
        ("### [Neither](javascript:alert(1))\n\nAn abstract.\n", "neither an http link nor authors"),
        ("### Neither\n\nAn abstract.\n", "neither an http link nor authors"),
        ("### [Long](https://arxiv.org/abs/2601.00002)\n\n" + "x " * 200_001 + "\n", "400,"),
    ],
)
def test_an_entry_that_is_no_paper_is_rejected_with_its_line_and_the_others_stay(entry: str, why: str):
    parsed = read(f"{ENTRY}\nBefore.\n\n{entry}\n{ENTRY.replace('00001', '00003')}\nAfter.\n")

    assert [paper.abstract for paper in parsed.papers] == ["Before.", "After."]
    [rejection] = parsed.rejected
    assert rejection.where == "line 7"
    assert why in rejection.why


def test_a_day_without_papers_is_validly_empty_and_says_so():
    parsed = read("")
    assert (parsed.papers, parsed.rejected, parsed.note) == ((), (), "the digest lists no papers")
    assert parsed.batch == date(2026, 1, 7)


words = st.text(
    st.characters(
        codec="utf-8", exclude_categories=("Cs", "Cc", "Zs", "Zl", "Zp"), exclude_characters="\\&{}$"
    ),
    min_size=1,
)


@given(st.lists(words, min_size=1, max_size=8))
@settings(deadline=None, max_examples=300)
def test_a_title_of_any_punctuation_survives_the_round_trip(parts: list[str]):
    title = " ".join(["Title", *parts, "end"])
    assert only(f"### [{title}](https://arxiv.org/abs/2601.00001)\n").title == " ".join(title.split())


@given(st.integers(min_value=0))
@settings(deadline=None, max_examples=100)
def test_a_digest_cut_at_any_byte_keeps_every_entry_that_was_whole(cut: int):
    data = (DATA / "daily-variations.md").read_bytes()
    cut %= len(data) + 1
    whole = daily.parse(data).papers
    kept = daily.parse(data[:cut]).papers
    starts = [found.start() for found in re.finditer(rb"\n### ", data)]
    # An entry is whole when the next one's link has begun; the first five are papers.
    sure = min(sum(cut > start + 6 for start in starts[1:]), 5)
    assert kept[:sure] == whole[:sure]


@pytest.mark.parametrize("filling", ["[", "](", "(a) ", "$x ", "\\", "{", ", ", " and ", " ", "#", "\t"])
@pytest.mark.parametrize(
    "place", ["### [{}](https://arxiv.org/abs/2601.00002)", "**作者**：{}", "#### {}", "{}"]
)
def test_no_filling_makes_a_line_cost_more_than_its_length(filling: str, place: str):
    line = place.format(filling * (200_000 // len(filling)))
    started = time.process_time()
    read(f"{ENTRY}{line}\n\nAn abstract.\n")
    assert time.process_time() - started < 2
