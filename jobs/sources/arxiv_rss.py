"""arXiv's daily RSS and Atom feeds (rss.arxiv.org): what was announced on one day, and as what."""

from __future__ import annotations

from datetime import date

from lxml import etree

from jobs.sources.arxiv_fields import (
    eastern_day,
    instant,
    is_withdrawn,
    split_categories,
    why_no_papers,
    without_prefix,
)
from jobs.sources.author_names import split_authors
from jobs.sources.parsed import Parsed, Rejection, SourceError
from jobs.sources.safe_xml import children, document, local, text
from recommender.paper import Paper, abs_url, arxiv_id, doi

NAME = "arxiv-rss"


def recognises(head: bytes) -> bool:
    """Whether this is a feed of rss.arxiv.org: by that host's name, or by arXiv's announce types."""
    if b"<rss" not in head and b"<feed" not in head:
        return False
    return b"//rss.arxiv.org/" in head or b"oai:arXiv.org:" in head or b"announce_type>" in head


def parse(data: bytes) -> Parsed:
    """Read the feed; replacements of papers never seen before are returned too, with their announce type.

    ``announced`` and ``batch`` are the feed's own day in US Eastern, whenever it was fetched. Raises
    `SourceError` for arXiv's error feed (an unknown archive) and for what is no feed at all.
    """
    what = "arXiv feed"
    record = "entry" if b"<feed" in data[:4096] else "item"
    page = document(data, record, what)
    channel = next(children(page.root, "channel"), page.root)
    if local(page.root) not in ("rss", "feed"):
        raise SourceError(f"{what}: <{local(page.root)}> instead of RSS or Atom; correct the address")
    _refuse_error_feed(channel)
    day = _day(channel, "pubDate")
    papers: list[Paper] = []
    rejected: list[Rejection] = []
    items = list(children(channel, record))
    for number, item in enumerate(items, 1):
        if page.cut and number == len(items):
            rejected.append(Rejection(f"{record} {number}", f"the feed stops inside it ({page.flaw})"))
            break
        try:
            papers.append(_paper(item, day))
        except ValueError as error:
            rejected.append(Rejection(f"{record} {number}", str(error)))
    if page.flaw and not page.cut:
        rejected.append(Rejection("the feed", f"damaged XML, read as far as possible ({page.flaw})"))
    batch = day or max((paper.announced for paper in papers if paper.announced), default=None)
    if batch is None and not items:
        batch = _day(channel, "updated")  # an empty Atom feed states nothing but when it was made
    note = why_no_papers(batch) if not papers and not rejected else ""
    return Parsed(NAME, tuple(papers), tuple(rejected), note, batch)


def _refuse_error_feed(channel: etree._Element) -> None:
    title = text(next(children(channel, "title"), None))
    if title.startswith("Feed error"):
        said = next((text(e) for e in channel if local(e) in ("description", "subtitle")), "") or title
        raise SourceError(f"arXiv refuses this feed: {said} Correct the categories in the source's address")


def _day(element: etree._Element, name: str) -> date | None:
    moment = instant(text(next(children(element, name), None)))
    return eastern_day(moment) if moment else None


def _paper(item: etree._Element, day: date | None) -> Paper:
    """One item or entry. Raises ValueError with the reason if it is no paper."""
    fields: dict[str, str] = {}
    categories: list[str] = []
    for element in item:
        name = local(element)
        if name == "category":
            categories.append(element.get("term") or text(element))
        elif name == "link":
            fields.setdefault("link", element.get("href") or text(element))
        else:
            fields.setdefault(name, text(element))
    references = (fields.get(name, "") for name in ("guid", "id", "link"))
    found = next((hit for hit in map(arxiv_id, references) if hit), None)
    if found is None:
        raise ValueError("no arXiv id in its guid, id or link")
    title = fields.get("title", "")
    if not title:
        raise ValueError(f"arXiv:{found[0]} has no title")
    abstract, kind = without_prefix(fields.get("description") or fields.get("summary", ""))
    authors, complete = split_authors(fields.get("creator", ""))
    published = instant(fields.get("pubDate") or fields.get("published", ""))
    key = f"arxiv:{found[0]}"
    return Paper(
        id=key,
        title=title,
        version=found[1],
        abstract=abstract,
        authors=authors,
        authors_complete=complete,
        categories=split_categories(" ".join(categories)),
        url=abs_url(key),
        doi=doi(fields.get("DOI", "")),
        journal_ref=fields.get("journal_reference", ""),
        announced=(eastern_day(published) if published else None) or day,
        announce_type=fields.get("announce_type", "").lower() or kind,
        withdrawn=is_withdrawn("", abstract),
    )
