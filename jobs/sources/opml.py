"""OPML subscription lists, as feed readers export them, become feed sources."""

from __future__ import annotations

from urllib.parse import urlsplit

from jobs.sources.parsed import SourceError
from jobs.sources.safe_xml import document, local


def feeds(data: bytes) -> list[tuple[str, str]]:
    """The title and address of every feed in the list, folders opened, each address once, in order.

    Outlines without an http or https ``xmlUrl`` are folders or links to pages and are passed over. Raises
    `SourceError` if this is no OPML or holds no feed.
    """
    root = document(data, "outline", "OPML").root
    if local(root).lower() != "opml":
        raise SourceError(
            f"OPML: <{local(root)}> instead of an outline; export the feeds as OPML and try again"
        )
    found: dict[str, str] = {}
    for outline in root.iter("{*}outline"):
        attributes = {str(name).lower(): str(value).strip() for name, value in outline.attrib.items()}
        url = attributes.get("xmlurl", "")
        if _is_web(url):
            title = attributes.get("title") or attributes.get("text") or urlsplit(url).netloc
            found.setdefault(url, " ".join(title.split()))
    if not found:
        raise SourceError("OPML: no outline in it has an xmlUrl, so there is no feed to add")
    return [(title, url) for url, title in found.items()]


def _is_web(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False
