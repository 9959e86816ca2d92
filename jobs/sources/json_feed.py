"""JSON Feed 1.0 and 1.1 (https://www.jsonfeed.org/version/1.1/)."""

from __future__ import annotations

import re
from typing import Any

from jobs.sources.arxiv_fields import instant
from jobs.sources.entries import Entry, paper
from jobs.sources.markup import plain_text
from jobs.sources.parsed import Parsed, Rejection, SourceError
from jobs.sources.safe_json import document
from recommender.paper import Paper

NAME = "json-feed"

_VERSION = re.compile(rb'"version"\s*:\s*"https?:(?:\\?/){2}(?:www\.)?jsonfeed\.org')


def recognises(head: bytes) -> bool:
    """Whether this is a JSON Feed, by the version that it must state."""
    return head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") and bool(_VERSION.search(head))


def parse(data: bytes) -> Parsed:
    """Read the items; ``next_page`` is the feed's ``next_url``. Raises `SourceError` where there are none."""
    feed = document(data, "JSON Feed")
    items = feed.get("items") if isinstance(feed, dict) else None
    if not isinstance(items, list):
        raise SourceError("JSON Feed: no list of items; correct the address")
    papers: list[Paper] = []
    rejected: list[Rejection] = []
    for number, item in enumerate(items, 1):
        try:
            papers.append(paper(_entry(item)))
        except ValueError as error:
            rejected.append(Rejection(f"item {number}", str(error)))
    note = "" if items else "the feed has no items"
    return Parsed(NAME, tuple(papers), tuple(rejected), note, next_page=_text(feed.get("next_url")))


def _text(value: Any) -> str:
    return " ".join(str(value).split()) if isinstance(value, str | int | float) else ""


def _entry(item: Any) -> Entry:
    if not isinstance(item, dict):
        raise ValueError("not an object")
    content = _text(item.get("content_text")) or plain_text(_text(item.get("content_html")))
    summary = _text(item.get("summary"))
    authors = item.get("authors") or [item.get("author")]
    tags = item.get("tags")
    published = instant(_text(item.get("date_published")) or _text(item.get("date_modified")))
    return Entry(
        title=plain_text(_text(item.get("title"))),
        link=_text(item.get("url")) or _text(item.get("external_url")),
        references=(_text(item.get("id")), _text(item.get("external_url"))),
        text=summary if len(summary) >= 200 else max(summary, content, key=len),
        authors=tuple(
            name
            for each in (authors if isinstance(authors, list) else [])
            if isinstance(each, dict) and (name := _text(each.get("name")))
        ),
        tags=tuple(filter(None, map(_text, tags))) if isinstance(tags, list) else (),
        published=published.date() if published else None,
    )
