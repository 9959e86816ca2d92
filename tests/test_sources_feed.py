"""Any other feed: journals, preprint servers, blogs, JSON Feed; and OPML."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

import pytest

from jobs.sources import biorxiv, feed, formats, json_feed, opml
from jobs.sources.markup import plain_text
from jobs.sources.parsed import SourceError

FEEDS = Path(__file__).parent / "data" / "feeds"
RSS = b"<rss version='2.0'><channel><title>T</title>%s</channel></rss>"


def test_a_journals_feed_keeps_maths_and_loses_markup() -> None:
    parsed = feed.parse((FEEDS / "journal.rss").read_bytes())
    paper = parsed.papers[0]
    assert (paper.id, paper.doi) == ("doi:10.1000/tides.42", "10.1000/tides.42")
    assert paper.title == "Bounds for n<m and p-adic tides, H2O"
    assert paper.abstract == "We bound a<b and c>d where n<m and p<q hold & more."
    assert paper.authors == ("D. Kukla", "A. Crampton", "D. Wood")
    assert (paper.announced, paper.journal_ref) == (date(2026, 6, 4), "Journal of Tides")
    assert paper.keywords == ("tides",)
    assert paper.url == "https://tides.example/doi/full/10.1000/tides.42?af=R&x=1"


def test_entries_are_known_by_arxiv_id_before_doi_before_link() -> None:
    parsed = feed.parse((FEEDS / "journal.rss").read_bytes())
    _, retracted, post, mirrored = parsed.papers
    assert (retracted.id, retracted.withdrawn) == ("doi:10.1000/tides.43", True)
    assert retracted.authors == ("Ann Other", "J. L. Smith")
    assert post.id.startswith("hash:")
    assert (post.abstract, post.url) == ("The long text of the post.", "https://tides.example/blog/2026")
    assert (mirrored.id, mirrored.url) == ("arxiv:2606.00101", "https://arxiv.org/abs/2606.00101")
    assert [(each.where, each.why) for each in parsed.rejected] == [("entry 5", "neither title nor link")]


def test_biorxivs_rdf_is_read_with_its_version() -> None:
    (paper,) = feed.parse((FEEDS / "biorxiv.rdf").read_bytes()).papers
    assert (paper.id, paper.version) == ("doi:10.1101/2026.06.01.123456", 2)
    assert paper.authors == ("C. Okafor", "M. Cruz")
    assert (paper.abstract, paper.announced) == ("Cells grow (~300 micron).", date(2026, 6, 2))


def test_the_biorxiv_api_gives_pages() -> None:
    data = (FEEDS / "biorxiv.json").read_bytes()
    parsed = biorxiv.parse(data)
    paper, withdrawn = parsed.papers
    assert (paper.id, paper.version, paper.title) == (
        "doi:10.1101/2026.06.01.123456",
        2,
        "Cells with x < y, R&D",
    )
    assert paper.authors == ("C. Okafor", "M. de la Cruz", "Consortium Cell")
    assert (paper.abstract, paper.announced) == ("Cells 13C grow.", date(2026, 6, 2))
    assert (paper.topics, paper.institutions) == (("cell biology",), ("Institute of Cells",))
    assert (withdrawn.withdrawn, paper.withdrawn) == (True, False)
    assert parsed.next_page == "102"
    assert biorxiv.parse(data.replace(b'"204"', b'"102"')).next_page == ""


def test_the_biorxiv_api_says_why_there_is_nothing() -> None:
    nothing = b'{"messages":[{"status":"no posts found"}],"collection":[]}'
    assert biorxiv.recognises(nothing)
    assert biorxiv.parse(nothing).note == "no papers posted in the time asked for"
    with pytest.raises(SourceError, match="interval malformed"):
        biorxiv.parse(b'{"messages":[{"status":"interval malformed"}],"collection":[]}')


def test_a_json_feed_is_read() -> None:
    parsed = json_feed.parse((FEEDS / "feed.json").read_bytes())
    first, second = parsed.papers
    assert (first.id, first.version, first.title) == ("arxiv:2606.00101", 1, "When n<m: queues")
    assert (first.authors, first.abstract) == (("Ada Byron", "J. L. Smith"), "We show n<m.")
    assert (first.categories, first.announced) == (("cs.DC",), date(2026, 6, 5))
    assert (second.id, second.authors) == ("doi:10.1000/tides.42", ("B. Moon",))
    assert parsed.rejected[0].where == "item 3"
    assert parsed.next_page == "https://tides.example/feed.json?page=2"


@pytest.mark.parametrize(
    "data", [b"[]", b"{}", b'{"items": 3}', b"", b"{", b"[" * 100_000, b'{"items":' + b"9" * 5000]
)
def test_json_that_is_no_feed_is_an_error(data: bytes) -> None:
    with pytest.raises(SourceError):
        json_feed.parse(data)


def test_a_payload_is_never_taken_for_a_file_name_or_an_address(tmp_path: Path) -> None:
    secret = tmp_path / "secret.rss"
    secret.write_bytes((FEEDS / "journal.rss").read_bytes())
    for data in (os.fsencode(secret), b"http://127.0.0.1:1/feed"):
        with pytest.raises(SourceError):
            feed.parse(data)


def test_a_feed_of_nothing_but_tags_is_refused_before_it_costs_anything(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tags = 10_000
    monkeypatch.setattr(feed, "_MOST_TAGS", tags)
    entry = b"<item><title>T</title><link>https://x.example/%d</link></item>"
    real = RSS % b"".join(entry % n for n in range(tags // 6 - 2))
    assert real.count(b"<") <= tags and len(feed.parse(real).papers) == tags // 6 - 2

    read: list[object] = []
    monkeypatch.setattr(feed.feedparser, "parse", lambda *given, **_: read.append(given))
    for piece in (b"<item>", b"<b>", b"<item/>", b"<"):
        with pytest.raises(SourceError, match="at most 10,000 are read"):
            feed.parse(b"<rss version='2.0'><channel>" + piece * tags)
    assert read == []


def test_an_empty_feed_is_valid_and_other_xml_is_not() -> None:
    assert feed.parse(RSS % b"").note == "the feed has no entries"
    with pytest.raises(SourceError, match="neither RSS, Atom nor RDF"):
        feed.parse(b"<?xml version='1.0'?><catalog><book>1</book></catalog>")


@pytest.mark.parametrize(
    "when", ["0000-01-01", "9999-12-31T23:59:59Z", "Mon, 01 Jan 0001 00:00:00 GMT", "soon", ""]
)
def test_dates_that_nobody_means_are_left_out(when: str) -> None:
    item = f"<item><title>x</title><link>https://x.example/1</link><pubDate>{when}</pubDate></item>".encode()
    assert feed.parse(RSS % item).papers[0].announced is None


@pytest.mark.parametrize("encoding", ["iso-8859-1", "windows-1251", "utf-16", "gb2312", "shift_jis"])
def test_declared_encodings_are_kept(encoding: str) -> None:
    title = {"windows-1251": "Приливы", "gb2312": "潮汐", "shift_jis": "潮汐"}.get(encoding, "Übergänge")
    text = f"<?xml version='1.0' encoding='{encoding}'?><rss version='2.0'><channel><title>T</title>"
    text += f"<item><title>{title}</title><link>https://x.example/1</link></item></channel></rss>"
    assert formats.parse(text.encode(encoding)).papers[0].title == title


def test_a_cut_feed_keeps_the_entries_before_the_cut() -> None:
    data = (FEEDS / "journal.rss").read_bytes()
    parsed = feed.parse(data[: data.index(b"Ann Other")])
    assert [paper.id for paper in parsed.papers] == ["doi:10.1000/tides.42"]
    assert "stops inside it" in parsed.rejected[-1].why


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("n<m and p<q", "n<m and p<q"),
        ("if a<b then c>d", "if a<b then c>d"),
        ("<p>One.</p><p>Two.</p>", "One. Two."),
        ("<p>Unclosed", "Unclosed"),
        ("CO<sub>2</sub> and <i>E. coli</i>", "CO2 and E. coli"),
        ("x <b and y> z", "x <b and y> z"),
        ('<a href="https://x.example">link</a>', "link"),
        ("a &lt; b &amp; c&nbsp;d", "a < b & c d"),
        ("R&D, AT&T;", "R&D, AT&T;"),
        ("<jats:p>Text <jats:italic>it</jats:italic></jats:p>", "Text it"),
        ('<math alttext="x^2"><mi>x</mi></math>', "$x^2$ x"),
        ("<style>p{}</style>Seen<!-- not --><script>no()</script>", "Seen"),
        ("<script>never closed", ""),
        ("Vec<T> and Map<K, V>", "Vec<T> and Map<K, V>"),
    ],
)
def test_markup_becomes_text(html: str, text: str) -> None:
    assert plain_text(html) == text


def test_an_opml_list_gives_each_feed_once() -> None:
    assert opml.feeds((FEEDS / "feeds.opml").read_bytes()) == [
        ("Journal of Tides", "https://tides.example/feed.rss"),
        ("arXiv cs.DC", "https://rss.arxiv.org/rss/cs.DC"),
        ("cells.example", "http://cells.example/rss"),
    ]


@pytest.mark.parametrize("data", [b"", b"<html></html>", b"<opml><body/></opml>", b"<rss/>", b"no xml"])
def test_what_holds_no_feeds_is_an_error(data: bytes) -> None:
    with pytest.raises(SourceError):
        opml.feeds(data)
