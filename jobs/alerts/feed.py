"""A profile's feed as RSS 2.0, Atom 1.0 (RFC 4287) and JSON Feed 1.1."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from html import escape
from typing import cast
from uuid import UUID, uuid5

from lxml import etree

from jobs.alerts import wording
from jobs.alerts.digest import Item
from jobs.alerts.feed_content import content, strongest
from jobs.alerts.links import Links
from jobs.alerts.readable import clean, readable
from recommender.paper import Paper

ATOM = "http://www.w3.org/2005/Atom"
DC = "http://purl.org/dc/elements/1.1/"
CONTENT = "http://purl.org/rss/1.0/modules/content/"
HISTORY = "http://purl.org/syndication/history/1.0"
# Every id below is derived from this one, drawn once for this project; changing it would turn every item
# of every reader unread.
_IDS = UUID("5d0c9a5e-6c3b-4f0e-9b57-3f3ab0f4a7d1")
_GENERATOR = "Paperwatch"
# lxml takes None for the default namespace; its type stubs do not know.
_ATOM_ONLY = cast("dict[str, str]", {None: ATOM})
_ATOM_ARCHIVE = cast("dict[str, str]", {None: ATOM, "fh": HISTORY})

CONTENT_TYPES = {
    "rss": "application/rss+xml; charset=utf-8",
    "atom": "application/atom+xml; charset=utf-8",
    "json": "application/feed+json; charset=utf-8",
}


@dataclass(frozen=True, slots=True)
class Channel:
    """What a feed says of itself.

    ``feed_id`` names the feed for ever, whatever its address, token or title become; items' ids derive from
    it, so it holds no secret and must not repeat between servers. ``updated`` is aware. ``profile_id`` is
    whose rating links the items carry, None for feeds without (public ones). ``next_url`` and
    ``previous_url`` are the older and the newer page; where there is a ``current_url`` this is an archive
    page, whose set of entries never changes, of the feed that stands there (RFC 5005, section 4).
    """

    title: str
    self_url: str
    home_url: str
    feed_id: str
    updated: datetime
    profile_id: int | None = None
    description: str = ""
    next_url: str = ""
    previous_url: str = ""
    current_url: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One paper in a feed: ``published`` is when the feed first showed it (aware), and never changes.

    ``updated`` is when what it shows last changed, where that was later.
    """

    item: Item
    published: datetime
    updated: datetime | None = None


def feed_iri(channel: Channel) -> str:
    """The feed's permanent id."""
    return uuid5(_IDS, channel.feed_id).urn


def entry_iri(channel: Channel, paper: Paper) -> str:
    """An item's permanent id: the same wherever the server lives, whichever version of the paper it shows."""
    return uuid5(_IDS, f"{channel.feed_id}\n{paper.id}").urn


def render(form: str, channel: Channel, entries: Sequence[Entry], links: Links) -> bytes:
    """The feed in one of the three forms: rss, atom or json. Raises KeyError for any other."""
    return {"rss": rss, "atom": atom, "json": json_feed}[form](channel, entries, links)


def rss(channel: Channel, entries: Sequence[Entry], links: Links) -> bytes:
    """RSS 2.0 with Atom, Dublin Core and content modules, as UTF-8."""
    spaces = {"atom": ATOM, "dc": DC, "content": CONTENT}
    root = etree.Element(
        "rss", {"version": "2.0"}, nsmap=spaces | ({"fh": HISTORY} if channel.current_url else {})
    )
    top = etree.SubElement(root, "channel")
    _child(top, "title", _feed_title(channel))
    _child(top, "link", channel.home_url)
    _child(top, "description", _description(channel))
    _child(top, "generator", _GENERATOR)
    _child(top, "lastBuildDate", _rfc822(channel.updated))
    for rel, url in _channel_links(channel):
        etree.SubElement(top, f"{{{ATOM}}}link", {"rel": rel, "href": url, "type": "application/rss+xml"})
    if channel.current_url:
        etree.SubElement(top, f"{{{HISTORY}}}archive")
    for entry in entries:
        paper = entry.item.paper
        node = etree.SubElement(top, "item")
        _child(node, "title", wording.title(paper))
        if address := _address(paper, links):
            _child(node, "link", address)
        etree.SubElement(node, "guid", {"isPermaLink": "false"}).text = entry_iri(channel, paper)
        _child(node, "pubDate", _rfc822(entry.published))
        for name in _names(paper):
            _child(node, f"{{{DC}}}creator", name)
        for label in _labels(paper):
            _child(node, "category", label)
        # A description is HTML by custom, hence escaped here and once more by lxml.
        _child(node, "description", escape(_summary(entry.item)))
        _html(node, f"{{{CONTENT}}}encoded", content(entry.item, channel.profile_id, links))
    return _serialised(root)


def atom(channel: Channel, entries: Sequence[Entry], links: Links) -> bytes:
    """Atom 1.0 as UTF-8."""
    root = etree.Element(f"{{{ATOM}}}feed", nsmap=_ATOM_ARCHIVE if channel.current_url else _ATOM_ONLY)
    _child(root, f"{{{ATOM}}}id", feed_iri(channel))
    _child(root, f"{{{ATOM}}}title", _feed_title(channel))
    _child(root, f"{{{ATOM}}}subtitle", _description(channel))
    _child(root, f"{{{ATOM}}}updated", _rfc3339(channel.updated))
    _child(root, f"{{{ATOM}}}generator", _GENERATOR)
    etree.SubElement(
        root, f"{{{ATOM}}}link", {"rel": "alternate", "type": "text/html", "href": channel.home_url}
    )
    for rel, url in _channel_links(channel):
        etree.SubElement(root, f"{{{ATOM}}}link", {"rel": rel, "href": url, "type": "application/atom+xml"})
    if channel.current_url:
        etree.SubElement(root, f"{{{HISTORY}}}archive")
    for entry in entries:
        root.append(_atom_entry(channel, entry, links))
    return _serialised(root)


def _atom_entry(channel: Channel, entry: Entry, links: Links) -> etree._Element:
    paper = entry.item.paper
    node = etree.Element(f"{{{ATOM}}}entry", nsmap=_ATOM_ONLY)
    _child(node, f"{{{ATOM}}}id", entry_iri(channel, paper))
    _child(node, f"{{{ATOM}}}title", wording.title(paper))
    address = _address(paper, links)
    etree.SubElement(node, f"{{{ATOM}}}link", {"rel": "alternate", "type": "text/html", "href": address})
    _child(node, f"{{{ATOM}}}published", _rfc3339(entry.published))
    _child(node, f"{{{ATOM}}}updated", _rfc3339(entry.updated or entry.published))
    # RFC 4287, section 4.1.2: an entry without an author needs one on the feed; a paper always has its own.
    for name in _names(paper) or ["unknown"]:
        _child(etree.SubElement(node, f"{{{ATOM}}}author"), f"{{{ATOM}}}name", name)
    for label in _labels(paper):
        etree.SubElement(node, f"{{{ATOM}}}category", {"term": label})
    _child(node, f"{{{ATOM}}}summary", _summary(entry.item))
    _html(node, f"{{{ATOM}}}content", content(entry.item, channel.profile_id, links)).set("type", "html")
    return node


def json_feed(channel: Channel, entries: Sequence[Entry], links: Links) -> bytes:
    """JSON Feed 1.1 as UTF-8, the score and its parts in the extension ``_paperwatch``."""
    feed: dict[str, object] = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": _feed_title(channel),
        "home_page_url": channel.home_url,
        "feed_url": channel.self_url,
        "description": _description(channel),
    }
    if channel.next_url:
        feed["next_url"] = channel.next_url
    feed["items"] = [_json_item(channel, entry, links) for entry in entries]
    return json.dumps(feed, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def _json_item(channel: Channel, entry: Entry, links: Links) -> dict[str, object]:
    item, paper = entry.item, entry.item.paper
    return {
        "id": entry_iri(channel, paper),
        "url": _address(paper, links),
        "title": wording.title(paper),
        "content_html": content(item, channel.profile_id, links),
        "summary": _summary(item),
        "date_published": _rfc3339(entry.published),
        "date_modified": _rfc3339(entry.updated or entry.published),
        "authors": [{"name": name} for name in _names(paper)],
        "tags": _labels(paper),
        "_paperwatch": {"about": links.home, "paper": paper.id}
        | (_scored(item) if channel.profile_id else {}),
    }


def _scored(item: Item) -> dict[str, object]:
    """What a private feed's reader is told of a paper's score."""
    parts = [
        {"kind": c.kind, "name": readable(c.name), "value": c.value, "via": readable(c.via)}
        for c in strongest(item.contributions)
    ]
    return {"score": item.score, "strength": item.strength, "contributions": parts}


def _feed_title(channel: Channel) -> str:
    return readable(channel.title) or _GENERATOR


def _description(channel: Channel) -> str:
    return readable(channel.description) or f"New papers for {_feed_title(channel)}, each with the reason why"


def _channel_links(channel: Channel) -> list[tuple[str, str]]:
    """Older pages are named in both ways of RFC 5005, since readers know the one or the other."""
    found = (
        ("self", channel.self_url), ("current", channel.current_url),
        ("next", channel.next_url), ("prev-archive", channel.next_url),
        ("previous", channel.previous_url), ("next-archive", channel.previous_url),
    )  # fmt: skip
    return [(rel, url) for rel, url in found if url]


def _address(paper: Paper, links: Links) -> str:
    return wording.address(paper) or links.paper(paper.id)


def _summary(item: Item) -> str:
    """What a list of items shows: the paper in a sentence or three, else the reason."""
    return wording.blurb(item.paper) or readable(item.reason) or wording.title(item.paper)


def _names(paper: Paper) -> list[str]:
    return [name for name in map(readable, paper.authors) if name]


def _labels(paper: Paper) -> list[str]:
    labels = (readable(label) for label in (*paper.categories, *paper.topics, *paper.keywords))
    return [label for label in dict.fromkeys(labels) if label]


def _rfc822(at: datetime) -> str:
    return format_datetime(at.astimezone(UTC))


def _rfc3339(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _child(parent: etree._Element, tag: str, words: str) -> None:
    etree.SubElement(parent, tag).text = clean(words)


def _html(parent: etree._Element, tag: str, words: str) -> etree._Element:
    """HTML as it is, in a CDATA section: with every < and > escaped it would be a fifth longer."""
    node = etree.SubElement(parent, tag)
    # All text in it is escaped, so that no section can end early; lxml refuses what would.
    node.text = etree.CDATA(words)
    return node


def _serialised(root: etree._Element) -> bytes:
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")
