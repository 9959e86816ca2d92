"""arXiv's search API (export.arxiv.org/api/query): Atom, a page at a time, errors disguised as entries."""

from __future__ import annotations

import re

from lxml import etree

from jobs.sources.arxiv_fields import announcement_day, instant, is_withdrawn, split_categories
from jobs.sources.author_names import plain_name
from jobs.sources.parsed import Parsed, Rejection, SourceError
from jobs.sources.safe_xml import children, document, local, text
from recommender.paper import Paper, abs_url, arxiv_id, doi

NAME = "arxiv-api"

_API = re.compile(rb"arxiv\.org/(?:api/|schemas/atom)|arxiv query:|arxiv search results", re.IGNORECASE)
_FEEDS = re.compile(rb"//rss\.arxiv\.org/|oai:arXiv\.org:|announce_type>")
# The API serves no more than 30,000 results of one query, https://info.arxiv.org/help/api/user-manual.html.
MOST = 30_000


def recognises(head: bytes) -> bool:
    """Whether this is an Atom answer of arXiv's API (and not one of its daily feeds)."""
    return b"<feed" in head and bool(_API.search(head)) and not _FEEDS.search(head)


def parse(data: bytes) -> Parsed:
    """Read one page of results; ``next_page`` is the ``start`` of the next one, empty after the last.

    The API states when a paper was submitted, not when it was announced; ``announced`` is the day that
    arXiv's schedule gives for it. Raises `SourceError` for the API's error entries, and for a page that is
    empty although there should be results (a known fault that goes away).
    """
    page = document(data, "entry", "arXiv API")
    if local(page.root) != "feed":
        raise SourceError(f"arXiv API: <{local(page.root)}> instead of an Atom feed; correct the address")
    papers: list[Paper] = []
    rejected: list[Rejection] = []
    entries = list(children(page.root, "entry"))
    for number, entry in enumerate(entries, 1):
        _refuse_error(entry)
        if page.cut and number == len(entries):
            rejected.append(Rejection(f"entry {number}", f"the answer stops inside it ({page.flaw})"))
            break
        try:
            papers.append(_paper(entry))
        except ValueError as error:
            rejected.append(Rejection(f"entry {number}", str(error)))
    if page.flaw and not page.cut:
        rejected.append(Rejection("the answer", f"damaged XML, read as far as possible ({page.flaw})"))
    total, start = _number(page.root, "totalResults"), _number(page.root, "startIndex")
    after = start + len(entries)
    if not entries and start < total:
        raise SourceError(
            f"arXiv API: no entries at {start} of {total} results, a fault of arXiv; it is asked again later",
            permanent=False,
        )
    # A cut answer is asked for again from the entry where it stops.
    after -= page.cut
    next_page = str(after) if after < min(total, MOST) else ""
    note = "" if entries else "no results for this query"
    updated = text(next(children(entries[-1], "updated"), None)) if entries and not page.cut else ""
    return Parsed(
        NAME, tuple(papers), tuple(rejected), note, next_page=next_page, cursor=updated,
        beyond=not next_page and after < total,
    )  # fmt: skip


def _refuse_error(entry: etree._Element) -> None:
    reference = text(next(children(entry, "id"), None))
    if "/api/errors" in reference or text(next(children(entry, "title"), None)) == "Error":
        said = text(next(children(entry, "summary"), None)) or reference
        raise SourceError(f"arXiv API refuses the query: {said}. Correct the query in the source's address")


def _number(root: etree._Element, name: str) -> int:
    stated = text(next(children(root, name), None))
    return int(stated) if stated.isascii() and stated.isdigit() and len(stated) < 10 else 0


def _paper(entry: etree._Element) -> Paper:
    """One entry. Raises ValueError with the reason if it is no paper."""
    fields: dict[str, str] = {}
    categories: list[str] = []
    authors: list[str] = []
    institutions: list[str] = []
    for element in entry:
        name = local(element)
        if name == "category":
            categories.append(element.get("term") or "")
        elif name == "primary_category":
            categories.insert(0, element.get("term") or "")
        elif name == "author":
            authors.extend(plain_name(text(each)) for each in children(element, "name"))
            institutions.extend(plain_name(text(each)) for each in children(element, "affiliation"))
        elif name == "link":
            fields.setdefault("link", element.get("href") or "")
        else:
            fields.setdefault(name, text(element))
    found = arxiv_id(fields.get("id", "")) or arxiv_id(fields.get("link", ""))
    if found is None:
        raise ValueError("no arXiv id in its id or link")
    if not fields.get("title"):
        raise ValueError(f"arXiv:{found[0]} has no title")
    submitted = instant(fields.get("published", ""))
    key = f"arxiv:{found[0]}"
    return Paper(
        id=key,
        title=fields["title"],
        version=found[1],
        abstract=fields.get("summary", ""),
        authors=tuple(name for name in authors if name and name != ":"),
        institutions=tuple(dict.fromkeys(institutions)),
        categories=split_categories(" ".join(categories)),
        url=abs_url(key),
        doi=doi(fields.get("doi", "")),
        journal_ref=fields.get("journal_ref", ""),
        comment=fields.get("comment", ""),
        announced=announcement_day(submitted) if submitted else None,
        withdrawn=is_withdrawn(fields.get("comment", ""), fields.get("summary", "")),
    )
