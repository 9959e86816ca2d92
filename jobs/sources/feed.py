"""Any RSS, Atom or RDF feed of a journal, a preprint server or a blog, by feedparser."""

from __future__ import annotations

import codecs
import io
import re
from datetime import date
from functools import partial
from typing import Any

import feedparser

from jobs.sources import decode
from jobs.sources.entries import Entry, paper
from jobs.sources.markup import plain_text
from jobs.sources.parsed import Parsed, Rejection, SourceError
from jobs.sources.safe_xml import ends_inside, refuse_oversize, refuse_page
from recommender.paper import Paper

NAME = "feed"

# feedparser reads 2 to 6 MB a second, hostile markup at a fifth of that, while other sources wait.
MAX_BYTES = 8 * 1024 * 1024
# It takes 5 to 17 µs and up to 0.5 kB for each tag: 2 MB of nothing but "<b>" took 11 s and 350 MB. A page of
# 2,000 entries has some 100,000 tags.
_MOST_TAGS = 250_000

_FEED = re.compile(rb"<(?:\?xml|rss|feed|rdf:RDF|RDF|channel|!doctype\s+html|html)\b", re.IGNORECASE)
_DECLARED = re.compile(rb"""\A\s*(<\?xml[^>]{0,100}?encoding\s*=\s*["'])([^"'>]{1,40})(["'])""")
# Codecs of Python that are no encodings of documents; punycode takes quadratic time.
_NOT_FOR_DOCUMENTS = frozenset(
    {"punycode", "idna", "unicode-escape", "raw-unicode-escape", "undefined", "utf-7"}
)
_LONG_TAG = re.compile(rb"<[A-Za-z][^<>]{65536}")
_CHARACTER = re.compile(rb"&#(?:[xX]([0-9A-Fa-f]{1,400})|(\d{1,400}));")
_PROLOGUE = 64 * 1024
_ROOT = re.compile(rb"<(?:rss|feed|rdf:RDF|RDF|channel)\b", re.IGNORECASE)


def recognises(head: bytes) -> bool:
    """Whether this looks like a feed, or like the HTML page that servers send in its place; asked last."""
    return bool(_FEED.search(head[:4096].replace(b"\0", b"")))


def parse(data: bytes) -> Parsed:
    """Read the feed's entries; HTML in them becomes text, and maths that looks like HTML stays.

    ``announced`` is the day in UTC on which the entry says it was published. Raises `SourceError` for HTML
    pages and for XML that is no feed.
    """
    refuse_oversize(data, "feed")
    if len(data) > MAX_BYTES:
        raise SourceError(f"feed: {len(data):,} bytes; at most {MAX_BYTES:,} are read. Ask for fewer entries")
    refuse_page(data, "feed")
    read = _read(data)
    if not read.entries and not read.get("version"):
        raise SourceError("feed: neither RSS, Atom nor RDF; correct the address")
    plain = str(read.get("version", "")).startswith("atom")
    papers: list[Paper] = []
    rejected: list[Rejection] = []
    flaw = _flaw(read)
    cut = bool(flaw) and ends_inside(data.replace(b"\0", b"").decode("utf-8", "replace"), "(?:item|entry)")
    for number, entry in enumerate(read.entries, 1):
        if cut and number == len(read.entries):
            rejected.append(Rejection(f"entry {number}", f"the feed stops inside it ({flaw})"))
            break
        try:
            papers.append(paper(_entry(entry, plain_by_default=plain)))
        except ValueError as error:
            rejected.append(Rejection(f"entry {number}", str(error)))
    if flaw and not cut:
        rejected.append(Rejection("the feed", f"damaged, read as far as possible ({flaw})"))
    note = "" if read.entries else "the feed has no entries"
    return Parsed(NAME, tuple(papers), tuple(rejected), note)


def _read(data: bytes) -> Any:
    if data[:4].count(0) or data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        data = _DECLARED.sub(rb"\1utf-8\3", decode.text(data).encode(), count=1)
    data = data.replace(b"\0", b"")
    if b"&#" in data:
        data = _CHARACTER.sub(_possible, data)
    if (tags := data.count(b"<")) > _MOST_TAGS:
        raise SourceError(
            f"feed: {tags:,} tags; at most {_MOST_TAGS:,} are read, enough for 5,000 papers. "
            "Ask for fewer entries"
        )
    root = _ROOT.search(data, 0, _PROLOGUE)
    if _LONG_TAG.search(data):
        # feedparser takes quadratic time over the attributes of one element.
        raise SourceError("feed: a tag of more than 64 KiB, which no feed needs; refused")
    if root and (doctype := data.find(b"<!", 0, root.start())) >= 0:
        # No feed needs a DOCTYPE, and feedparser would read its entities.
        data = data[:doctype] + data[root.start() :]
    data = _DECLARED.sub(_known_encoding, data, count=1)
    try:
        # A stream, since feedparser takes a string for the name of a file or the address of a page to open.
        # Its sanitiser would drop "n<m and p<q".
        return feedparser.parse(io.BytesIO(data), sanitize_html=False, resolve_relative_uris=False)
    except Exception as error:
        # On hostile input feedparser raises whatever its int(), chr() and regular expressions raise.
        raise SourceError(f"feed: not readable ({type(error).__name__}: {error})"[:300]) from error


def _possible(found: re.Match[bytes]) -> bytes:
    """The reference, if there is such a character and XML allows it."""
    code = int(found[1], 16) if found[1] else int(found[2])
    allowed = code in (9, 10, 13) or 32 <= code < 0xD800 or 0xE000 <= code < 0x110000
    return found[0] if allowed else b""


def _known_encoding(found: re.Match[bytes]) -> bytes:
    try:
        known = codecs.lookup(found[2].decode("ascii", "replace")).name not in _NOT_FOR_DOCUMENTS
    except (LookupError, ValueError):
        known = False
    return found[0] if known else found[1] + b"utf-8" + found[3]


def _flaw(read: Any) -> str:
    """What is wrong with the XML; a wrongly declared encoding that was put right is nothing."""
    error = read.get("bozo_exception")
    if not read.get("bozo") or error is None:
        return ""
    if isinstance(error, feedparser.CharacterEncodingOverride | feedparser.NonXMLContentType):
        return ""
    return " ".join(str(error).split())[:200]


def _entry(entry: Any, *, plain_by_default: bool) -> Entry:
    # dict.get, since feedparser's own is slow, and for a missing name answers for another, with a warning.
    get = partial(dict.get, entry)

    def words(name: str) -> str:
        value = str(get(name) or "")
        kind = dict.get(get(f"{name}_detail") or {}, "type", "")
        # Atom says when text is text; RSS does not, and publishers put HTML into both title and description.
        literal = plain_by_default and kind == "text/plain"
        return " ".join(value.split()) if literal else plain_text(value)

    summary = words("summary")
    contents = [plain_text(str(each.get("value") or "")) for each in get("content") or ()]
    # A teaser is replaced by the content; an abstract is not replaced by the article.
    text = summary if len(summary) >= 200 else max([summary, *contents], key=len)
    names = [str(each.get("name") or "") for each in get("authors") or ()]
    return Entry(
        title=words("title"),
        link=str(get("link") or "").strip(),
        references=tuple(str(get(name) or "") for name in ("prism_doi", "dc_identifier", "id")),
        text=text,
        authors=tuple(name for name in names if name.strip()),
        tags=tuple(str(tag.get("term")).strip() for tag in get("tags") or () if tag.get("term")),
        published=_day(get("published_parsed") or get("updated_parsed")),
        journal=plain_text(str(get("prism_publicationname") or "")),
    )


def _day(parts: Any) -> date | None:
    """The date of feedparser's struct_time in UTC; None for days that do not exist or cannot be meant."""
    try:
        day = date(*parts[:3])
    except (TypeError, ValueError, OverflowError):
        return None
    return day if 1600 < day.year < 2200 else None
