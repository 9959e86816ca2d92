"""XML from strangers, read without entities, network or crashes.

lxml is the parser: no entity is expanded, no DTD is loaded, no file or host is touched, and libxml2's own
limits on depth and node size stay on. A payload that is not well-formed is read a second time, leniently, so
that the complete entries of a cut or soiled feed are kept.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass

from lxml import etree

from jobs.sources import decode
from jobs.sources.parsed import SourceError

# Ten times the largest page that arXiv serves (2,000 records); a feed beyond it is a fault or an attack.
MAX_BYTES = 64 * 1024 * 1024

_PROLOGUE = 64 * 1024
_OWN_ENTITIES = re.compile(rb"<!ENTITY|<!DOCTYPE[^>\[]{0,1000}\[", re.IGNORECASE)
_ROOT = re.compile(rb"<[A-Za-z_]")
_CAPTCHA = re.compile(
    rb"captcha|verify you are human|automated access|unusual (?:download )?activity", re.IGNORECASE
)
_HTML = re.compile(
    rb"\s*(?:<\?xml[^>]*>\s*)?(?:<!--(?:[^-]|-(?!->)){0,2000}-->\s*)*<(?:!doctype\s+html|html|head|body)\b",
    re.IGNORECASE,
)
_HTML_TITLE = re.compile(rb"<title[^>]*>([^<]{0,200})", re.IGNORECASE)
_XML_DECLARATION = re.compile(r"\A\s*<\?xml[^>]{0,200}\?>")
_NAMED_ENTITY = re.compile(r"&(?!amp;|lt;|gt;|quot;|apos;)([A-Za-z][A-Za-z0-9]{1,31});")
# XML 1.0 allows tab, line feed and carriage return below the space, and no surrogates.
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
# An ampersand that starts no reference; publishers write "AT&T" in titles.
_BARE_AMPERSAND = re.compile(r"&(?!#\d{1,7};|#x[0-9A-Fa-f]{1,6};|[A-Za-z][A-Za-z0-9]{0,31};)")


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed payload: its root element, and what was wrong with it.

    ``flaw`` is empty for well-formed XML, else the first complaint ("line 14: Premature end of data").
    ``cut`` tells that the payload stops inside its last record, which is therefore not to be trusted.
    """

    root: etree._Element
    flaw: str = ""
    cut: bool = False


def document(data: bytes, record: str, what: str) -> Document:
    """Parse XML whose entries are elements named ``record``; ``what`` names the source in messages.

    Raises `SourceError` for an empty payload, an HTML or captcha page, entities of the payload's own, a
    payload over `MAX_BYTES`, and text in which no XML can be found.
    """
    refuse_oversize(data, what)
    if data[:4].count(0) or data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        # UTF-16 and UTF-32 would hide a DOCTYPE from the check below.
        data = _XML_DECLARATION.sub("", _plain(data)).encode()
    refuse_page(data, what)
    root = _ROOT.search(data)
    if _OWN_ENTITIES.search(data, 0, root.start() if root else len(data)):
        raise SourceError(
            f"{what}: the XML declares entities of its own, which can read files or explode in memory; "
            "refused. Ask the publisher for a feed without a DOCTYPE"
        )
    try:
        return Document(etree.fromstring(data, _parser(recover=False)))
    except etree.XMLSyntaxError as error:
        flaw = f"line {error.lineno}: {error.msg}" if error.msg else "no XML"
    except (ValueError, LookupError) as error:
        flaw = str(error)
    return _recovered(data, record, what, flaw)


def refuse_oversize(data: bytes, what: str) -> None:
    """Raise `SourceError` for an empty payload and for one that is larger than any real feed."""
    if len(data) > MAX_BYTES:
        raise SourceError(
            f"{what}: {len(data):,} bytes in one payload; at most {MAX_BYTES:,} are read. Split it"
        )
    if not data.strip(b" \t\r\n\x00\xef\xbb\xbf"):
        raise SourceError(f"{what}: the answer is empty; it is asked again later", permanent=False)


def refuse_page(data: bytes, what: str) -> None:
    """Raise `SourceError` for what servers say instead of data: captchas, HTML, a plain "Rate exceeded"."""
    head = data[:_PROLOGUE].lstrip(b"\xef\xbb\xbf \t\r\n")
    if _HTML.match(head):
        if _CAPTCHA.search(head):
            raise SourceError(
                f"{what}: a captcha page came instead of data, since too much was asked from this address; "
                "nothing is asked for a while, then again",
                permanent=False,
            )
        title = _HTML_TITLE.search(head)
        named = f" titled {_plain(title[1]).strip()!r}" if title else ""
        raise SourceError(
            f"{what}: an HTML page{named} came instead of data; it is asked again later. "
            "If that persists, correct the address",
            permanent=False,
        )
    if not head.startswith(b"<") and b"<" not in head:
        said = " ".join(_plain(head[:160]).split())
        slow_down = re.search(r"rate exceeded|too many requests|try again|unavailable", said, re.IGNORECASE)
        raise SourceError(f"{what}: no XML but {said!r}", permanent=not slow_down)


def local(element: etree._Element) -> str:
    """The element's name without its namespace; publishers get namespaces wrong, names rarely."""
    return element.tag.rpartition("}")[2]


def children(element: etree._Element, name: str) -> Iterator[etree._Element]:
    """The direct children with this local name."""
    for child in element:
        if child.tag.rpartition("}")[2] == name:
            yield child


def text(element: etree._Element | None) -> str:
    """All the text inside an element, white space folded; empty for None."""
    if element is None:
        return ""
    if len(element):
        return " ".join("".join(str(piece) for piece in element.itertext()).split())
    return " ".join((element.text or "").split())


def _parser(*, recover: bool) -> etree.XMLParser:
    return etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
        recover=recover,
    )


def _recovered(data: bytes, record: str, what: str, flaw: str) -> Document:
    """Parse once more, leniently, with wrong bytes, control characters and HTML entities put right."""
    content = _XML_DECLARATION.sub("", _NOT_XML.sub("", _plain(data)))
    content = _NAMED_ENTITY.sub(_html_entity, content)
    content = _BARE_AMPERSAND.sub("&amp;", content)
    try:
        root = etree.fromstring(content.encode(), _parser(recover=True))
    except (etree.XMLSyntaxError, ValueError):
        root = None
    if root is None:
        raise SourceError(f"{what}: no readable XML ({flaw})")
    return Document(root, flaw, cut=ends_inside(content, record))


def ends_inside(content: str, record: str) -> bool:
    """Whether the text stops between the start of its last record and that record's end.

    ``record`` is the record's element name, or a regular expression of several.
    """
    start = max((found.start() for found in re.finditer(rf"<(?:\w+:)?{record}[\s>]", content)), default=-1)
    end = max((found.start() for found in re.finditer(rf"</(?:\w+:)?{record}\s*>", content)), default=-1)
    return start > end


def _html_entity(found: re.Match[str]) -> str:
    character = html.unescape(found[0])
    return html.escape(character) if character != found[0] else f"&amp;{found[1]};"


def _plain(data: bytes) -> str:
    """The text of the payload; zero bytes amid Western text are soiling, not UTF-16."""
    if b"\0" in data and data.count(0) < len(data) // 8:
        data = data.replace(b"\0", b"")
    return decode.text(data)
