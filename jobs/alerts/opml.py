"""Feeds as an OPML 2.0 list, which feed readers import."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from email.utils import format_datetime

from lxml import etree

from jobs.alerts.links import Links
from jobs.alerts.readable import clean
from profiles.profile import Profile


def render(title: str, feeds: Iterable[tuple[str, str]], at: datetime) -> bytes:
    """A list of feeds, each as (title, address), made at this moment (aware)."""
    root = etree.Element("opml", {"version": "2.0"})
    head = etree.SubElement(root, "head")
    etree.SubElement(head, "title").text = clean(title)
    etree.SubElement(head, "dateCreated").text = format_datetime(at)
    body = etree.SubElement(root, "body")
    for name, url in feeds:
        shown = clean(name) or url
        etree.SubElement(body, "outline", {"type": "rss", "text": shown, "title": shown, "xmlUrl": url})
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)


def of_profiles(profiles: Iterable[Profile], links: Links, at: datetime) -> bytes:
    """The feeds of a reader: of each profile what is new and what was saved."""
    found = [
        one
        for profile in profiles
        for one in (
            (profile.name, links.feed(profile.feed_token, "atom")),
            (f"{profile.name}: saved", links.saved_feed(profile.feed_token, "atom")),
        )
    ]
    return render("My papers", found, at)
