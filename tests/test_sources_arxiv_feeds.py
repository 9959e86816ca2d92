"""arXiv's RSS and Atom feeds and its API."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from jobs.sources import arxiv_api, arxiv_rss
from jobs.sources.arxiv_fields import announcement_day, is_withdrawn
from jobs.sources.parsed import SourceError

FEEDS = Path(__file__).parent / "data" / "feeds"
CHANNEL = b"""<?xml version='1.0' encoding='UTF-8'?>
<rss xmlns:arxiv="http://arxiv.org/schemas/atom" version="2.0"><channel><title>%s</title>
<link>http://rss.arxiv.org/rss/cs.DC</link><description>%s</description><pubDate>%s</pubDate></channel></rss>"""
ATOM = b"""<feed xmlns="http://www.w3.org/2005/Atom"><id>http://rss.arxiv.org/atom/x</id><title>%s</title>
<updated>%s</updated><subtitle>%s</subtitle></feed>"""
SHARED = Path(__file__).parents[2] / "shared" / "data" / "feeds"
CAPTCHA = b"""<!DOCTYPE html><html><head><title>arXiv.org - Access</title></head><body>
<p>Please verify you are human</p><div class="g-recaptcha"></div></body></html>"""


def test_an_rss_item_becomes_a_paper_of_its_announcement_day() -> None:
    parsed = arxiv_rss.parse((FEEDS / "arxiv_rss.xml").read_bytes())
    assert (parsed.format, parsed.batch, parsed.rejected, parsed.note) == (
        "arxiv-rss",
        date(2026, 6, 10),
        (),
        "",
    )
    new, replaced, withdrawn = parsed.papers
    assert (new.id, new.version, new.announce_type) == ("arxiv:2606.00101", 1, "new")
    assert new.title == "When n<m and p<q: queues that never drain"
    assert new.abstract.startswith("We show that a queue with n<m and p<q servers")
    assert r"$O(n \log n)$ jobs & any {\em fair} rule." in new.abstract
    assert new.authors == ("André León", "György Bjørk", "J. L. Smith Jr.")
    assert (new.categories, new.url) == (("cs.DC", "math.PR"), "https://arxiv.org/abs/2606.00101")
    assert {paper.announced for paper in parsed.papers} == {date(2026, 6, 10)}
    assert (replaced.version, replaced.announce_type) == (2, "replace-cross")
    assert (replaced.doi, replaced.journal_ref) == ("10.1000/tides.42", "J. Tides 4 (2026) 1-9")
    assert replaced.authors == ("TIDE Collaboration", "A. Wave", "B. Moon")
    assert not replaced.authors_complete
    assert (withdrawn.id, withdrawn.withdrawn) == ("arxiv:hep-th/9901001", True)
    assert not new.withdrawn
    assert not replaced.withdrawn


def test_atom_says_the_same_as_rss() -> None:
    parsed = arxiv_rss.parse((FEEDS / "arxiv_atom.xml").read_bytes())
    assert parsed.batch == date(2026, 6, 10)
    first, second = parsed.papers
    assert first.title == "When n<m and p<q: queues that never drain"
    assert first.authors == ("André León", "György Bjørk")
    assert (first.announce_type, second.announce_type) == ("cross", "absonly")
    assert second.abstract == "Clocks are locked."


def test_the_day_is_arxivs_whatever_the_zone_of_the_date() -> None:
    data = (FEEDS / "arxiv_rss.xml").read_bytes()
    late = data.replace(b"Wed, 10 Jun 2026 00:00:00 -0400", b"Wed, 10 Jun 2026 04:00:00 GMT")
    assert arxiv_rss.parse(late).batch == date(2026, 6, 10)
    before_midnight = data.replace(b"Wed, 10 Jun 2026 00:00:00 -0400", b"Wed, 10 Jun 2026 03:59:59 GMT")
    assert arxiv_rss.parse(before_midnight).batch == date(2026, 6, 9)


@pytest.mark.parametrize(
    ("when", "day", "why"),
    [
        (b"Sun, 07 Jun 2026 00:00:00 -0400", date(2026, 6, 7), "no announcement on Sunday 2026-06-07"),
        (
            b"Thu, 26 Nov 2026 00:00:00 -0500",
            date(2026, 11, 26),
            "a holiday, or the announcement is not out yet",
        ),
        (b"nonsense", None, "no papers announced"),
        (b"Mon, 01 Jan 0001 00:00:00 GMT", None, "no papers announced"),
        (b"Fri, 31 Dec 9999 23:59:59 GMT", None, "no papers announced"),
    ],
)
def test_an_empty_feed_is_valid_and_says_why(when: bytes, day: date | None, why: str) -> None:
    parsed = arxiv_rss.parse(CHANNEL % (b"cs.DC updates", b"", when))
    assert (parsed.papers, parsed.rejected, parsed.batch) == ((), (), day)
    assert why in parsed.note


def test_an_empty_atom_feed_is_of_the_day_on_which_it_was_made() -> None:
    parsed = arxiv_rss.parse(ATOM % (b"cs.DC updates", b"2026-06-07T04:00:03.1+00:00", b""))
    assert parsed.batch == date(2026, 6, 7)
    assert "no announcement on Sunday" in parsed.note


@pytest.mark.parametrize(
    "data",
    [
        CHANNEL % (b"Feed error for query: http://rss.arxiv.org/rss/foo", b"Bad archive 'foo'.", b""),
        ATOM % (b"Feed error for query: http://rss.arxiv.org/atom/foo", b"", b"Bad archive 'foo'."),
    ],
)
def test_an_error_feed_says_what_to_correct(data: bytes) -> None:
    with pytest.raises(SourceError, match=r"Bad archive 'foo'\. Correct the categories") as caught:
        arxiv_rss.parse(data)
    assert caught.value.permanent


def test_an_item_without_id_or_title_is_rejected_and_the_others_kept() -> None:
    data = (FEEDS / "arxiv_rss.xml").read_bytes()
    data = data.replace(b"oai:arXiv.org:2606.00102v2", b"nothing").replace(b"abs/2606.00102", b"help")
    data = data.replace(b"<title>On a lemma that was wrong</title>", b"<title> </title>")
    parsed = arxiv_rss.parse(data)
    assert [paper.id for paper in parsed.papers] == ["arxiv:2606.00101"]
    assert [reject.where for reject in parsed.rejected] == ["item 2", "item 3"]
    assert "no arXiv id" in parsed.rejected[0].why
    assert "no title" in parsed.rejected[1].why


def test_a_cut_feed_keeps_the_items_before_the_cut() -> None:
    data = (FEEDS / "arxiv_rss.xml").read_bytes()
    parsed = arxiv_rss.parse(data[: data.index(b"Tides are scheduled")])
    assert [paper.id for paper in parsed.papers] == ["arxiv:2606.00101"]
    assert parsed.rejected[0].where == "item 2"
    assert "stops inside it" in parsed.rejected[0].why


def test_an_api_page_gives_papers_and_the_next_start() -> None:
    parsed = arxiv_api.parse((FEEDS / "arxiv_api.xml").read_bytes())
    assert (parsed.format, parsed.next_page, parsed.rejected) == ("arxiv-api", "42", ())
    paper, old = parsed.papers
    assert (paper.id, paper.version) == ("arxiv:2606.00101", 2)
    assert paper.title == "When n<m and p<q: queues that never drain"
    assert (paper.authors, paper.institutions) == (("André León", "György Bjørk"), ("University of X",))
    assert paper.categories == ("cs.DC", "math.PR")
    assert (paper.doi, paper.journal_ref) == ("10.1000/queue.7", "J. Queues 1 (2026)")
    assert paper.comment == "12 pages; accepted"
    # Submitted on a Friday, a second before the deadline: announced on Sunday, in Monday's feed.
    assert paper.announced == date(2026, 6, 8)
    assert (old.id, old.withdrawn, old.title) == ("arxiv:math/0309136", True, "0")


def test_the_last_api_page_has_no_next_one() -> None:
    data = (FEEDS / "arxiv_api.xml").read_bytes().replace(b">95<", b">42<")
    assert arxiv_api.parse(data).next_page == ""


def test_a_cut_api_page_is_asked_for_again_from_the_cut() -> None:
    data = (FEEDS / "arxiv_api.xml").read_bytes()
    parsed = arxiv_api.parse(data[: data.index(b"Zero.")])
    assert (len(parsed.papers), parsed.next_page) == (1, "41")


def test_an_api_error_entry_is_an_error_and_no_paper() -> None:
    data = b"""<feed xmlns="http://www.w3.org/2005/Atom"><title>arXiv Search Results</title><entry>
    <id>https://arxiv.org/api/errors#x</id><title>Error</title><summary>incorrect id format for abc</summary>
    </entry></feed>"""
    assert arxiv_api.recognises(data)
    with pytest.raises(SourceError, match="refuses the query: incorrect id format for abc") as caught:
        arxiv_api.parse(data)
    assert caught.value.permanent


def test_no_results_are_valid_but_an_empty_page_before_the_end_is_a_passing_fault() -> None:
    empty = b"""<feed xmlns="http://www.w3.org/2005/Atom" xmlns:o="http://a9.com/-/spec/opensearch/1.1/">
    <title>arXiv Query: x</title><o:totalResults>%d</o:totalResults><o:startIndex>0</o:startIndex></feed>"""
    assert arxiv_api.parse(empty % 0).note == "no results for this query"
    with pytest.raises(SourceError, match="no entries at 0 of 7 results") as caught:
        arxiv_api.parse(empty % 7)
    assert not caught.value.permanent


@pytest.mark.parametrize("parser", [arxiv_rss, arxiv_api])
def test_a_captcha_page_is_a_passing_error_that_names_it(parser: object) -> None:
    with pytest.raises(SourceError, match="a captcha page came instead of data") as caught:
        parser.parse(CAPTCHA)  # type: ignore[attr-defined]
    assert not caught.value.permanent


def test_a_plain_rate_exceeded_is_a_passing_error() -> None:
    with pytest.raises(SourceError, match=r"Rate exceeded\.") as caught:
        arxiv_api.parse(b"Rate exceeded.")
    assert not caught.value.permanent


def test_each_format_knows_its_own_payloads_only() -> None:
    for name in ("arxiv_rss.xml", "arxiv_atom.xml"):
        assert arxiv_rss.recognises((FEEDS / name).read_bytes())
        assert not arxiv_api.recognises((FEEDS / name).read_bytes())
    for name in ("arxiv_api.xml",):
        assert arxiv_api.recognises((FEEDS / name).read_bytes())
        assert not arxiv_rss.recognises((FEEDS / name).read_bytes())
    for name in ("journal.rss", "biorxiv.rdf", "oai_arxiv.xml", "listing.txt", "feed.json"):
        assert not arxiv_rss.recognises((FEEDS / name).read_bytes())
        assert not arxiv_api.recognises((FEEDS / name).read_bytes())


@pytest.mark.parametrize(
    ("submitted", "announced"),
    [
        ((2026, 6, 8, 17, 59), date(2026, 6, 9)),  # Monday before 14:00 Eastern (summer time): Tuesday's feed
        ((2026, 6, 8, 18, 0), date(2026, 6, 9)),
        ((2026, 6, 8, 18, 1), date(2026, 6, 10)),
        ((2026, 6, 4, 18, 1), date(2026, 6, 8)),  # Thursday evening: Friday's deadline, announced on Sunday
        ((2026, 6, 5, 18, 1), date(2026, 6, 9)),  # Friday evening: Monday's deadline
        ((2026, 6, 6, 12, 0), date(2026, 6, 9)),
        ((2026, 6, 8, 3, 0), date(2026, 6, 9)),  # still Sunday in the east
        ((2026, 1, 5, 18, 59), date(2026, 1, 6)),  # winter time
        ((2026, 1, 5, 19, 1), date(2026, 1, 7)),
    ],
)
def test_the_schedule_gives_the_announcement_day(submitted: tuple[int, ...], announced: date) -> None:
    assert announcement_day(datetime(*submitted, tzinfo=UTC)) == announced  # type: ignore[misc,arg-type]


@pytest.mark.parametrize(
    "comment",
    [
        "This paper has been withdrawn by the author due to a crucial error in equation 3",
        "5 pages, 1 figures. This paper has been withdrawn by the authors",
        "Withdrawn",
        "withdrawn due to an error in the proof",
        "Paper withdrawn",
        "The paper has been temporarily withdrawn",
        "This submission has been withdrawn by arXiv administrators due to inappropriate text overlap",
        "This paper has now been withdrawn; see arXiv:1234.5678",
        "The authors have withdrawn this paper",
        "12 pages (withdrawn)",
        "WITHDRAWN by the author",
    ],
)
def test_a_comment_that_states_a_withdrawal_counts(comment: str) -> None:
    assert is_withdrawn(comment, "We prove it.")


@pytest.mark.parametrize(
    ("comment", "abstract"),
    [
        ("12 pages, on drugs withdrawn from the market", ""),
        ("We thank X, whose funding was withdrawn in 2010", ""),
        ("", "We study how funds are withdrawn from banks. This paper shows that they are withdrawn early."),
        ("", "Withdrawal symptoms of patients are studied."),
        ("", "Consumers withdraw consent; the note that was withdrawn is analysed."),
        ("replaces the withdrawn paper arXiv:1001.0001", ""),
        ("", "When a paper has been withdrawn, citations go on. We count them."),
    ],
)
def test_papers_about_withdrawing_are_not_withdrawn(comment: str, abstract: str) -> None:
    assert not is_withdrawn(comment, abstract)


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the shared feeds beside the project")
def test_every_real_feed_yields_as_many_ids_as_it_holds() -> None:
    import re

    for path in sorted(SHARED.glob("arxiv_*/*.xml")):
        data = path.read_bytes()
        module = arxiv_rss if arxiv_rss.recognises(data) else arxiv_api
        held = set(re.findall(rb"oai:arXiv\.org:([^v<]+)", data)) or set(
            re.findall(rb"<id>https?://arxiv\.org/abs/([^<]+?)v?\d*</id>", data)
        )
        try:
            papers = module.parse(data).papers
        except SourceError:
            papers = ()
        assert len({paper.id for paper in papers}) == len(held), path.name
        assert all(paper.title and paper.authors and paper.categories for paper in papers), path.name
