"""The weekly digest: every variation of its entries, tags, headings and counts, and what is no paper."""

from __future__ import annotations

import json
import time
from collections import Counter
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.sources import weekly
from jobs.sources.parsed import Parsed
from jobs.sources.weekly_entry import LONGEST, tags
from recommender.paper import Paper
from tests.reference_digests import DIGESTS, reference, stated

ROOT = Path(__file__).parents[1]
DATA = ROOT / "tests" / "data" / "digests"
HEAD = "# 20260105-20260111\n\n## 2026-01-05\n\n"
LINK = "\n  - **link:** http://arxiv.org/pdf/2601.00001v1\n"


def read(text: str) -> Parsed:
    return weekly.parse((HEAD + text).encode())


def only(text: str) -> Paper:
    parsed = read(text)
    assert parsed.rejected == ()
    [paper] = parsed.papers
    return paper


def field(name: str, value: str) -> Paper:
    return only(f"- **[arXiv2601] A title**{LINK}  - **{name}:** {value}\n")


def shared(name: str) -> Parsed:
    return reference(weekly, name)


def test_a_digest_with_every_variation_reads_as_written_down_beside_it():
    parsed = weekly.parse((DATA / "weekly-variations.md").read_bytes())

    assert stated(parsed) == json.loads((DATA / "weekly-variations.json").read_text())


def test_the_reference_digest_gives_403_whole_papers_on_their_two_days():
    papers = shared("20251027-20251102.md").papers

    assert len({paper.id for paper in papers}) == len(papers) == 403
    assert all(p.area and p.topics and p.keywords for p in papers)
    assert all(p.authors and p.institutions and p.summary and p.url for p in papers)
    assert all(p.url.startswith("https://arxiv.org/abs/") and p.version for p in papers)
    assert Counter(p.announced for p in papers) == {date(2025, 10, 27): 6, date(2025, 10, 28): 397}


def test_no_reference_digest_has_an_entry_that_is_rejected_or_a_count_that_disagrees():
    if not (DIGESTS / weekly.NAME).exists():
        pytest.skip("no reference digests ../shared/data/digests/weekly beside this checkout")
    for path in (DIGESTS / weekly.NAME).glob("*.md"):
        if path.stat().st_size:
            assert weekly.parse(path.read_bytes()).rejected == (), path.name


def test_the_day_above_an_entry_counts_and_not_the_mark_before_its_title():
    text = "## 2026-01-06\n- [arXiv260105] A title [link](https://arxiv.org/abs/2601.00001)\n"
    assert read(text).papers[0].announced == date(2026, 1, 6)


def test_without_a_day_heading_the_six_digits_of_the_mark_are_the_day():
    line = "- [arXiv260105] A title [link](https://arxiv.org/abs/2601.00001)\n"
    assert weekly.parse(line.encode()).papers[0].announced == date(2026, 1, 5)
    assert weekly.parse(line.replace("260105", "2601").encode()).papers[0].announced is None
    assert weekly.parse(line.replace("260105", "261301").encode()).papers[0].announced is None


@pytest.mark.parametrize(
    "heading",
    [
        "## 2026-01-07",
        "### 20260107",
        "## 3. 2026-01-07",
        "## 2026/01/07",
        "## 2026年1月7日",
        "##2026-01-07",
        "## 2026-01-07 ##",
    ],
)
def test_day_headings_in_all_their_forms(heading: str):
    text = f"{heading}\n- [arXiv2601] A title [link](https://arxiv.org/abs/2601.00001)\n"
    assert only(text).announced == date(2026, 1, 7)


@pytest.mark.parametrize(
    "written",
    [
        "- **[arXiv2601] A title**",
        "* **[arXiv2601] A title**",
        "+ **[arXiv260105] A title**",
        "1. **[arXiv2601] A title**",
        "- [arXiv2601] A title",
        "- [arXiv2601] **A title**",
        "- **[arXiv2601]** A title",
        "**[arXiv2601] A title**",
        "- **【arXiv2601】A title**",
        "- **[arXiv 2601] A\ttitle**",
        "- **[arXiv2601] A\n  title**",
        "- **A title**",
    ],
)
def test_the_first_line_of_an_entry_in_all_its_forms(written: str):
    paper = only(f"{written}{LINK}")
    assert (paper.id, paper.title, paper.version) == ("arxiv:2601.00001", "A title", 1)


@pytest.mark.parametrize(
    "line",
    [
        "  - **Simple LLM Summary:** Told anew.",
        "  - **simple llm summary**: Told anew.",
        "  * LLM Summary: Told anew.",
        "\t- **Summary：** Told anew.",
        "    - **Summary:** Told\n      anew.",
        "  - **summary:**\n    Told anew.",
        "\n\n  - **Summary:** Told anew.\n\n",
        "- **Summary:** Told anew.",
    ],
)
def test_a_summary_in_all_its_forms(line: str):
    assert only(f"- **[arXiv2601] A title**{LINK}{line}\n").summary == "Told anew."


@pytest.mark.parametrize("said", ["TBD", "", "N/A", "A title", "**A TITLE.**"])
def test_a_summary_that_says_nothing_is_empty(said: str):
    assert field("Simple LLM Summary", said).summary == ""


def test_fields_come_in_any_order_and_unknown_ones_are_left_alone():
    paper = only(
        "- **[arXiv2601] A title**\n"
        "  - **summary:** Told anew.\n"
        "  - **mood:** cheerful\n    and bright\n"
        "  - rating: 5\n"
        "  - **authors:** Ada Ångström\n"
        "  - **link:** https://arxiv.org/abs/2601.00001\n"
    )
    assert (paper.summary, paper.authors) == ("Told anew.", ("Ada Ångström",))


@pytest.mark.parametrize(
    ("written", "read_as"),
    [
        ("[sys], [storage], [a, b]", ("sys", ("storage",), ("a", "b"))),
        ("[sys], [x, y], [W[1]-hard, f(a, b)]", ("sys", ("x", "y"), ("W[1]-hard", "f(a, b)"))),
        ("[sys, ai], [x], [a], [b]", ("sys", ("ai", "x"), ("a", "b"))),
        ("[sys], [x]", ("sys", ("x",), ())),
        ("[sys]", ("sys", (), ())),
        ("[a, b]", ("", (), ("a", "b"))),
        ("a, b", ("", (), ("a", "b"))),
        ("[[sys], [x], [a]]", ("sys", ("x",), ("a",))),
        ("［sys］，【x】、[a，b]", ("sys", ("x",), ("a", "b"))),
        ("[sys], [x, [a, b]", ("sys", ("x",), ("a", "b"))),
        ("[sys], [], [a, a, TBD]", ("sys", (), ("a",))),
        ("TBD", ("", (), ())),
        ("[TBD]", ("", (), ())),
        ("", ("", (), ())),
    ],
)
def test_tags_in_all_their_forms(written: str, read_as: tuple[str, tuple[str, ...], tuple[str, ...]]):
    assert tags(written) == read_as


@pytest.mark.parametrize(
    ("written", "key", "url", "version"),
    [
        ("http://arxiv.org/pdf/2601.00002v3", "arxiv:2601.00002", "https://arxiv.org/abs/2601.00002", 3),
        ("<https://arxiv.org/abs/2601.00002>", "arxiv:2601.00002", "https://arxiv.org/abs/2601.00002", None),
        ("[pdf](https://arxiv.org/pdf/2601.00002.pdf)", "arxiv:2601.00002",
         "https://arxiv.org/abs/2601.00002", None),
        ("arXiv:2601.00002v2", "arxiv:2601.00002", "https://arxiv.org/abs/2601.00002", 2),
        ("https://arxiv.org/abs/math.GT/0309136", "arxiv:math/0309136",
         "https://arxiv.org/abs/math/0309136", None),
        ("https://doi.org/10.1016/S0140-6736(20)30183-5", "doi:10.1016/s0140-6736(20)30183-5",
         "https://doi.org/10.1016/S0140-6736(20)30183-5", None),
        ("https://x.example/a.pdf and https://arxiv.org/abs/2601.00002", "arxiv:2601.00002",
         "https://arxiv.org/abs/2601.00002", None),
    ],
)  # fmt: skip
def test_links_in_all_their_forms(written: str, key: str, url: str, version: int | None):
    paper = only(f"- **[arXiv2601] A title**\n  - **link:** {written}\n")
    assert (paper.id, paper.url, paper.version) == (key, url, version)


def test_a_paper_of_another_house_is_known_by_its_page_or_else_by_title_and_authors():
    page = "- **[ICML2026] A title**\n  - **link:** https://papers.example.org/1\n"
    names = "- **[arXiv2601] A title**\n  - **authors:** Ada Ångström\n"

    assert only(page).id.startswith("hash:")
    assert only(page).url == "https://papers.example.org/1"
    assert only(names).id.startswith("hash:")
    assert only(names).id != only(page).id


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ("- **[arXiv2601] A title**\n  - **tags:** [sys]\n", "neither an http link nor authors"),
        (
            "- **[arXiv2601] A title**\n  - **link:** javascript:alert(1)\n",
            "neither an http link nor authors",
        ),
        ("- [arXiv2601] A title [link](javascript:alert(1))\n", "neither an http link nor authors"),
        (f"- **[arXiv2601] ** {LINK}", "no title"),
        ("- **[arXiv2601]** [link](http://arxiv.org/abs/2601.00002)\n", "no title"),
        ("- **[arXiv2601 A title** [link](http://arxiv.org/abs/2601.00002)\n", "not closed"),
        ("- [arXiv2601] A title [link](http://arxiv.org/abs/2601.000\n", "not closed"),
        ("- [arXiv2601] A title [link](http://arxiv.org/abs/2601.0000)\n", "four digits"),
        (f"- **[arXiv2601] {'x' * LONGEST}x**{LINK}", "400,"),
    ],
)
def test_an_entry_that_is_no_paper_is_rejected_with_its_line_and_the_others_stay(entry: str, why: str):
    good = "- [arXiv2601] {} [link](http://arxiv.org/abs/2601.0000{})\n"
    parsed = read(good.format("Before", 7) + entry + good.format("After", 8))

    assert [paper.title for paper in parsed.papers] == ["Before", "After"]
    [rejection] = parsed.rejected
    assert rejection.where == "line 6"
    assert why in rejection.why


def test_bullets_of_prose_are_neither_papers_nor_rejected():
    parsed = read("- Thanks for [reading](https://example.org)\n- **Note**: more next week\n- and so on\n")
    assert (parsed.papers, parsed.rejected) == ((), ())


def test_an_open_fence_ends_where_the_next_entry_begins():
    text = f"- **[arXiv2601] One**{LINK}  - **Mindmap:**\n    ```mermaid\n    graph TB\n        A --> B\n"
    parsed = read(text + "- [arXiv2601] Two [link](http://arxiv.org/abs/2601.00002)\n")
    assert [paper.title for paper in parsed.papers] == ["One", "Two"]


def test_a_paper_listed_twice_is_one_paper_with_the_tags_of_both():
    first = f"- **[arXiv2601] A title**{LINK}  - **tags:** [sys], [x], [a]\n"
    second = first.replace("v1", "v2").replace("[x], [a]", "[y], [a, b]") + "  - **summary:** Told anew.\n"
    parsed = read(first + "## 2026-01-06\n" + second)

    [paper] = parsed.papers
    assert (paper.topics, paper.keywords) == (("x", "y"), ("a", "b"))
    assert (paper.version, paper.summary, paper.announced) == (2, "Told anew.", date(2026, 1, 5))
    assert parsed.rejected == ()


def test_categories_come_from_the_title_and_from_count_lines_until_the_next_heading():
    line = "- [arXiv2601] Paper {0} [link](http://arxiv.org/abs/2601.0000{0})\n"
    text = "# 20260105-20260111 (cs.OS)\n" + line.format(1) + '**cs.AI/cs.LG contains "x" total: 1**\n'
    parsed = weekly.parse((text + line.format(2) + "## 2026-01-06\n" + line.format(3)).encode())
    assert [p.categories for p in parsed.papers] == [("cs.OS",), ("cs.OS", "cs.AI", "cs.LG"), ("cs.OS",)]


def test_a_count_that_the_entries_fall_short_of_is_reported_since_the_digest_may_be_cut():
    line = "- [arXiv2601] Paper {0} [link](http://arxiv.org/abs/2601.0000{0})\n"
    parsed = read("**cs.DC total: 3**\n" + line.format(1) + line.format(2))

    assert len(parsed.papers) == 2
    [rejection] = parsed.rejected
    assert rejection.where == "line 5"
    assert "counts 3 papers, 2 follow" in rejection.why


def test_a_week_without_papers_is_validly_empty_and_says_so():
    parsed = weekly.parse(b"# 20260413-20260419\n\n## 1. 2026-04-13\n\n\n## 2. 2026-04-14\n")
    assert (parsed.papers, parsed.rejected, parsed.note) == ((), (), "the digest lists no papers")


def test_a_heading_that_is_no_day_is_reported_and_dates_nothing():
    line = "- [arXiv2601] A title [link](https://arxiv.org/abs/2601.00001)\n"
    parsed = read("## 2026-02-30\n" + line)

    assert [paper.announced for paper in parsed.papers] == [None]
    assert [(x.where, x.why) for x in parsed.rejected] == [("line 5", "2026-02-30 is no day of the calendar")]


def test_an_escaped_apostrophe_is_no_accent():
    assert field("summary", "The model\\'s na\\\"{\\i}ve caf\\'e").summary == "The model's naïve café"


def test_institutions_keep_campuses_companies_and_brackets_together():
    assert field(
        "institution", "University of California, San Diego, Snowflake, Inc., Meta (FAIR)"
    ).institutions == (
        "University of California, San Diego",
        "Snowflake, Inc.",
        "Meta (FAIR)",
    )
    assert field("institution", "CUHK, Shenzhen; TeleAI, China Telecom").institutions == (
        "CUHK, Shenzhen",
        "TeleAI, China Telecom",
    )
    assert field("institution", "N/A").institutions == ()


def test_only_web_addresses_become_code_links_and_never_a_placeholder():
    assert field("code", "https://github.com/a/b (see there).").code_url == "https://github.com/a/b"
    assert field("code", "https://github.com/your-repo/b").code_url == ""
    assert field("thumbnail", "javascript:alert(1)").thumbnail == ""


def as_written(title: str) -> str:
    """The title as a careful writer of MDX would put it."""
    return "".join(f"\\{c}" if c in "\\{}_*<>[]" else "&amp;" if c == "&" else c for c in title)


words = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Zs", "Zl", "Zp")), min_size=1)


@given(st.lists(words, min_size=1, max_size=8))
@settings(deadline=None, max_examples=300)
def test_a_title_of_any_letters_and_punctuation_survives_the_round_trip(parts: list[str]):
    title = " ".join(["Title", *parts, "end"])
    assert only(f"- **[arXiv2601] {as_written(title)}**{LINK}").title == " ".join(title.split())


@given(st.integers(min_value=0))
@settings(deadline=None, max_examples=100)
def test_a_digest_cut_at_any_byte_keeps_every_entry_that_was_whole(cut: int):
    data = (DATA / "weekly-variations.md").read_bytes()
    cut %= len(data) + 1
    whole = weekly.parse(data)
    parsed = weekly.parse(data[:cut])
    # An entry is whole when another one, a heading or a count follows it.
    ends = [
        data.find(line.encode())
        for line in ("## 20260106", "- [arXiv260106] [Re]", "**cs.AI/cs.LG", "- **[arXiv2601] Only")
    ]
    counts = [1, 2, 4, 5]
    sure = max((n for end, n in zip(ends, counts, strict=True) if cut >= end + 24), default=0)
    assert [p.id for p in parsed.papers[:sure]] == [p.id for p in whole.papers[:sure]]
    assert [p.title for p in parsed.papers[:sure]] == [p.title for p in whole.papers[:sure]]


@pytest.mark.parametrize(
    "filling", ["[", "]", "](", "(a) ", "**", "$x ", "\\", "{'", ", ", " and ", " ", "http://a.b/) ", "\t"]
)
@pytest.mark.parametrize(
    "place", ["- **[arXiv2601] {}**", "  - **tags:** {}", "  - **authors:** {}", "  - **link:** {}", "{}"]
)
def test_no_filling_makes_a_line_cost_more_than_its_length(filling: str, place: str):
    line = place.format(filling * (200_000 // len(filling)))
    started = time.process_time()
    read(f"- **[arXiv2601] A title**{LINK}{line}\n")
    # Linear reading takes some hundredths of a second; a pattern that backtracks takes minutes.
    assert time.process_time() - started < 2
