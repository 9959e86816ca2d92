"""Feeds that readers and validators take, whatever is in them."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from io import BytesIO
from pathlib import Path
from typing import Any

import feedparser
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from jobs.alerts import feed
from jobs.alerts.digest import Contribution, Item
from jobs.alerts.feed import Channel, Entry
from jobs.alerts.links import Links
from jobs.alerts.readable import readable
from recommender.paper import Paper

AT = datetime(2025, 10, 28, 7, tzinfo=UTC)
LINKS = Links("https://papers.example.org", "a long secret of these tests")
CHANNEL = Channel(
    title="Caching & <friends>", self_url="https://papers.example.org/feeds/t0k.rss",
    home_url="https://papers.example.org/", feed_id="profile 7 of 2025-10-01T08:00:00Z",
    updated=AT, profile_id=7,
)  # fmt: skip
PAPER = Paper(
    "arxiv:2510.02613", "Larder: Evicting Cold Cache Lines",
    abstract="It drops lines, n<m & p>q. It is 3.5× faster.",
    authors=("Rosa Lind", "Boateng, Kwame"), categories=("cs.DC", "cs.LG"), topics=("caching",),
    keywords=("cs.DC", "eviction"), announced=date(2025, 10, 28),
)  # fmt: skip
PARTS = (
    Contribution("term", "cache & <eviction>", 1.5, "Pantry"),
    Contribution("author", "Rosa Lind", -0.25),
)
ITEM = Item(
    PAPER, 1.25, "good", "cache eviction · follows Rosa Lind", PARTS, (Paper("doi:10.1/x", "Pantry"),), 0.1
)
ENTRY = Entry(ITEM, AT)
FORMS = ("rss", "atom", "json")


GRAMMAR = etree.RelaxNG(etree.parse(Path(__file__).parent / "data" / "feeds" / "atom.rng"))


def read(form: str, channel: Channel, *entries: Entry, links: Links = LINKS) -> feedparser.FeedParserDict:
    """The feed as feedparser reads it, which must find nothing to complain about, nor may Atom's grammar."""
    raw = feed.render(form, channel, entries, links)
    if form == "atom":
        GRAMMAR.assertValid(etree.fromstring(raw))
    found = feedparser.parse(
        BytesIO(raw),
        response_headers={"content-type": feed.CONTENT_TYPES[form]},
        sanitize_html=False,
        resolve_relative_uris=False,
    )
    assert not found.bozo, found.get("bozo_exception")
    return found


@pytest.mark.parametrize("form", ["rss", "atom"])
def test_a_reader_finds_everything_where_it_looks_for_it(form: str) -> None:
    found = read(form, CHANNEL, ENTRY)
    assert found.version == {"rss": "rss20", "atom": "atom10"}[form]
    assert found.feed.title == "Caching & <friends>"
    assert [link["href"] for link in found.feed.links if link["rel"] == "self"] == [CHANNEL.self_url]
    (entry,) = found.entries
    assert entry.title == PAPER.title
    assert entry.link == "https://arxiv.org/abs/2510.02613"
    assert entry.id == feed.entry_iri(CHANNEL, PAPER)
    assert entry.published_parsed[:6] == (2025, 10, 28, 7, 0, 0)
    assert [tag["term"] for tag in entry.tags] == ["cs.DC", "cs.LG", "caching", "eviction"]
    assert [author["name"] for author in entry.authors] == ["Rosa Lind", "Boateng, Kwame"]
    body = entry.content[0].value
    assert "It drops lines, n&lt;m &amp; p&gt;q. It is 3.5× faster." in body
    assert "cache eviction · follows Rosa Lind" in body


def test_json_feed_has_what_version_1_1_asks_for() -> None:
    found = assert_json_feed(feed.json_feed(CHANNEL, [ENTRY], LINKS))
    assert found["title"] == "Caching & <friends>"
    assert found["feed_url"] == CHANNEL.self_url
    (item,) = found["items"]
    assert item["id"] == feed.entry_iri(CHANNEL, PAPER)
    assert item["authors"] == [{"name": "Rosa Lind"}, {"name": "Boateng, Kwame"}]
    assert item["date_published"] == "2025-10-28T07:00:00Z"
    assert item["tags"] == ["cs.DC", "cs.LG", "caching", "eviction"]
    extension = item["_paperwatch"]
    assert sum(part["value"] for part in extension["contributions"]) == extension["score"] == 1.25


@pytest.mark.parametrize("form", FORMS)
def test_an_item_says_why_and_can_be_rated(form: str) -> None:
    raw = feed.render(form, CHANNEL, [ENTRY], LINKS).decode()
    for opinion in ("like", "dislike", "save"):
        assert LINKS.rate(7, PAPER.id, opinion) + "?via=feed" in raw
    body = (
        json.loads(raw)["items"][0]["content_html"]
        if form == "json"
        else read(form, CHANNEL, ENTRY).entries[0]
    )
    body = body if form == "json" else body.content[0].value
    assert "<li>+1.500 cache &amp; &lt;eviction&gt; (term, from “Pantry”)" in body
    assert "<li>-0.250 Rosa Lind (author)" in body
    assert "<li>+1.250 in all" in body
    assert '<a href="https://doi.org/10.1/x">Pantry</a>' in body
    assert "outside your usual range" in body


@pytest.mark.parametrize("form", FORMS)
def test_a_public_feed_shows_no_readers_reasons_and_no_rating_links(form: str) -> None:
    public = Channel("Caching", "https://p.example/t.rss", "https://p.example/", "topic caching", AT)
    raw = feed.render(form, public, [ENTRY], LINKS).decode()
    assert "/rate/" not in raw
    assert "more like this" not in raw


def test_ids_outlive_a_move_a_new_token_a_new_title_and_a_new_version() -> None:
    moved = Channel(
        "Other", "https://else.example/feeds/new.rss", "https://else.example/", CHANNEL.feed_id, AT, 7
    )
    newer = Paper(PAPER.id, "Larder 2: New Title", version=2, abstract="New.")
    elsewhere = Links("https://else.example", "another secret")
    for form in ("rss", "atom"):
        before = read(form, CHANNEL, ENTRY).entries[0].id
        after = read(form, moved, Entry(Item(newer, 0.1, "near", ""), AT), links=elsewhere).entries[0].id
        assert before == after == "urn:uuid:b07dc293-31cd-5cb7-a607-9d2143863066"
    assert feed.feed_iri(moved) == feed.feed_iri(CHANNEL)
    other = Channel("x", "https://p.example/x", "https://p.example/", "profile 8", AT)
    assert feed.entry_iri(other, PAPER) != feed.entry_iri(CHANNEL, PAPER)


def test_times_are_told_in_utc() -> None:
    berlin = timezone(timedelta(hours=1))
    entry = Entry(
        ITEM, datetime(2025, 10, 28, 8, tzinfo=berlin), updated=datetime(2025, 10, 29, 8, tzinfo=berlin)
    )
    atom = feed.atom(CHANNEL, [entry], LINKS).decode()
    assert "<published>2025-10-28T07:00:00Z</published><updated>2025-10-29T07:00:00Z</updated>" in atom
    assert 'isPermaLink="false"' in feed.rss(CHANNEL, [entry], LINKS).decode()
    assert "<pubDate>Tue, 28 Oct 2025 07:00:00 +0000</pubDate>" in feed.rss(CHANNEL, [entry], LINKS).decode()


def test_older_items_are_on_further_pages() -> None:
    paged = Channel(
        "Caching", "https://p.example/f?page=2", "https://p.example/", "x", AT,
        next_url="https://p.example/f?page=3", previous_url="https://p.example/f",
    )  # fmt: skip
    for form in ("rss", "atom"):
        links = {link["rel"]: link["href"] for link in read(form, paged, ENTRY).feed.links}
        assert links["next"] == "https://p.example/f?page=3"
        assert links["previous"] == "https://p.example/f"
    assert json.loads(feed.json_feed(paged, [], LINKS))["next_url"] == "https://p.example/f?page=3"


@pytest.mark.parametrize("form", ["rss", "atom"])
def test_an_archive_page_says_so_and_names_its_neighbours_in_both_ways(form: str) -> None:
    page = replace(
        CHANNEL, next_url="https://p.example/1-3", previous_url="https://p.example/7-9",
        current_url="https://p.example/f",
    )  # fmt: skip
    found = read(form, page, ENTRY).feed
    assert found.fh_archive == ""
    links = {
        link["rel"]: link["href"].rpartition("/")[2] for link in found.links if link["rel"] != "alternate"
    }
    assert links == {
        "self": "t0k.rss", "current": "f", "next": "1-3", "prev-archive": "1-3", "previous": "7-9",
        "next-archive": "7-9",
    }  # fmt: skip


def assert_json_feed(raw: bytes) -> dict[str, Any]:
    """The feed, if it keeps the rules of JSON Feed 1.1."""
    found: dict[str, Any] = json.loads(raw)
    assert found["version"] == "https://jsonfeed.org/version/1.1"
    assert found["title"]
    top = {"version", "title", "home_page_url", "feed_url", "description", "next_url", "items"}
    assert set(found) <= top, "anything else would begin with an underscore"
    ids = [item["id"] for item in found["items"]]
    assert all(isinstance(one, str) and one for one in ids) and len(set(ids)) == len(ids)
    for item in found["items"]:
        assert item.get("content_html") or item.get("content_text")
        for moment in ("date_published", "date_modified"):
            assert datetime.fromisoformat(item[moment]).tzinfo
        assert all(author.get("name") for author in item["authors"])
        assert all(isinstance(tag, str) and tag for tag in item["tags"])
        for own in (name for name in item if name.startswith("_")):
            assert item[own]["about"].startswith("https://"), "an extension tells where it is described"
        assert not {"author", "content"} & set(item), "what version 1.1 no longer has"
    return found


def test_an_empty_feed_is_a_feed() -> None:
    assert read("rss", CHANNEL).entries == []
    assert read("atom", CHANNEL).entries == []
    assert json.loads(feed.json_feed(CHANNEL, [], LINKS))["items"] == []


def test_a_paper_without_address_or_authors_still_has_both_where_the_form_asks_for_them() -> None:
    bare = Entry(Item(Paper("hash:abc", ""), 0.0, "weak", ""), AT)
    for form in ("rss", "atom"):
        (entry,) = read(form, CHANNEL, bare).entries
        assert entry.link == "https://papers.example.org/papers/hash:abc"
        assert entry.title == "hash:abc"
    atom = etree.fromstring(feed.atom(CHANNEL, [bare], LINKS))
    assert atom.findtext(f"{{{feed.ATOM}}}entry/{{{feed.ATOM}}}author/{{{feed.ATOM}}}name") == "unknown"


NASTY = st.text(
    st.one_of(st.sampled_from(list("<&]>\"'\x00\x0b\x1f\ufffe\ud800\u202e🌲$\\{}^_~")), st.characters()),
    max_size=40,
)


@settings(max_examples=80, deadline=None)
@given(title=NASTY, author=NASTY, category=NASTY, abstract=NASTY, reason=NASTY, name=NASTY)
def test_a_title_with_markup_survives_every_feed(
    title: str, author: str, category: str, abstract: str, reason: str, name: str
) -> None:
    mark = "<&]]>"
    paper = Paper(
        "arxiv:2510.00001", f"{mark}{title}", authors=(author, mark), categories=(category, mark),
        abstract=abstract,        url="https://x.example/" + title, topics=(mark + category,),
    )  # fmt: skip
    part = Contribution("term", name + mark, 0.5, reason)
    entry = Entry(Item(paper, 0.5, "good", reason + mark, (part,), (paper,)), AT)
    channel = Channel(name + mark, CHANNEL.self_url, CHANNEL.home_url, "x", AT, 7, description=reason)
    for form in ("rss", "atom"):
        raw = feed.render(form, channel, [entry], LINKS)
        root = etree.fromstring(raw)
        where = {"rss": "channel/item/title", "atom": f"{{{feed.ATOM}}}entry/{{{feed.ATOM}}}title"}[form]
        assert root.findtext(where) == readable(paper.title)
        assert read(form, channel, entry).entries[0].id == feed.entry_iri(channel, paper)
    (item,) = assert_json_feed(feed.json_feed(channel, [entry], LINKS))["items"]
    assert item["title"] == readable(paper.title)
    assert item["title"].startswith(mark)


def test_many_small_parts_are_one_line_and_still_add_up_to_the_score() -> None:
    parts = tuple(Contribution("term", f"word {n}", 1 / (n + 2)) for n in range(40))
    item = Item(PAPER, sum(p.value for p in parts), "good", "words", parts)
    (entry,) = read("atom", CHANNEL, Entry(item, AT)).entries
    rows = [row.text or "" for row in etree.HTML(entry.content[0].value).iter("li")]
    values = [float(row.partition(" ")[0]) for row in rows]
    assert len(values) == 10
    assert "32 smaller parts" in rows[8]
    assert sum(values[:-1]) == pytest.approx(values[-1], abs=0.01)
