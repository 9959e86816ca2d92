"""The API of bioRxiv and medRxiv (api.biorxiv.org/details/…): JSON, a hundred papers a page."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

from jobs.sources.arxiv_fields import instant
from jobs.sources.author_names import plain_name, split_authors
from jobs.sources.markup import plain_text
from jobs.sources.parsed import Parsed, Rejection, SourceError
from jobs.sources.safe_json import document
from recommender.paper import Paper, doi

NAME = "biorxiv-api"

_COLLECTION = re.compile(rb'"collection"\s*:\s*\[')
_WITHDRAWN = re.compile(r"\W*(?:withdrawn|retracted|removed)\b|.{0,120}\bhas been withdrawn\b", re.IGNORECASE)


def recognises(head: bytes) -> bool:
    """Whether this is an answer of bioRxiv's API: an object of messages and a collection."""
    return head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") and (
        b'"messages"' in head[:2048] and bool(_COLLECTION.search(head) or b"no posts found" in head)
    )


def parse(data: bytes) -> Parsed:
    """Read one page; ``next_page`` is the ``cursor`` of the next one, empty after the last.

    ``announced`` is the day on which this version was posted. Raises `SourceError` for what is no such
    answer.
    """
    answer = document(data, "bioRxiv API")
    if not isinstance(answer, dict):
        raise SourceError("bioRxiv API: JSON, but no object; correct the address")
    messages = answer.get("messages")
    message = messages[0] if isinstance(messages, list) and messages and isinstance(messages[0], dict) else {}
    status = str(message.get("status", ""))
    entries = answer.get("collection")
    if not isinstance(entries, list):
        entries = []
    if not entries and status and status != "ok" and "no posts found" not in status:
        raise SourceError(f"bioRxiv API: {status[:200]}. Correct the dates in the source's address")
    papers: list[Paper] = []
    rejected: list[Rejection] = []
    for number, entry in enumerate(entries, 1):
        try:
            papers.append(_paper(entry))
        except ValueError as error:
            rejected.append(Rejection(f"entry {number}", str(error)))
    after = _number(message.get("cursor")) + len(entries)
    next_page = str(after) if entries and after < _number(message.get("total")) else ""
    note = "" if entries else "no papers posted in the time asked for"
    return Parsed(NAME, tuple(papers), tuple(rejected), note, next_page=next_page)


def _number(value: Any) -> int:
    stated = str(value)
    return int(stated) if stated.isascii() and stated.isdigit() and len(stated) < 10 else 0


def _paper(entry: Any) -> Paper:
    """One entry. Raises ValueError with the reason if it is no paper."""
    if not isinstance(entry, dict):
        raise ValueError("not an object")
    fields = {name: " ".join(str(value).split()) for name, value in entry.items() if value is not None}
    name = doi(fields.get("doi", ""))
    if not name:
        raise ValueError("no DOI in it")
    title = plain_text(fields.get("title", ""))
    if not title:
        raise ValueError(f"{name} has no title")
    version = _number(fields.get("version"))
    server = fields.get("server", "bioRxiv").lower()
    host = "www.medrxiv.org" if server == "medrxiv" else "www.biorxiv.org"
    authors, complete = split_authors(fields.get("authors", ""))
    abstract = plain_text(fields.get("abstract", ""))
    return Paper(
        id=f"doi:{name}",
        title=title,
        version=version or None,
        abstract=abstract,
        authors=authors,
        authors_complete=complete,
        institutions=tuple(filter(None, (plain_name(fields.get("author_corresponding_institution", "")),))),
        topics=tuple(filter(None, (fields.get("category", ""),))),
        url=f"https://{host}/content/{name}v{version}" if version else f"https://doi.org/{name}",
        doi=name,
        journal_ref=doi(fields.get("published", "")),
        announced=_posted(fields.get("date", "")),
        withdrawn=bool(_WITHDRAWN.match(title) or _WITHDRAWN.match(abstract[:200])),
    )


def _posted(stated: str) -> date | None:
    moment = instant(stated[:10])
    return moment.date() if moment else None
