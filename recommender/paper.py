"""A paper, and the names it goes by."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from datetime import date

# Old scheme: archive, optional subject class, seven digits (hep-th/9901001, math.GT/0309136).
# New scheme since April 2007: YYMM.NNNN, five digits since 2015.
_NEW_ID = r"\d{2}(?:0[1-9]|1[0-2])\.\d{4,5}"
_OLD_ID = r"[a-z][a-z-]*(?:\.[A-Za-z-]{2,})?/\d{7}"
_ARXIV_ID = re.compile(rf"(?P<id>{_NEW_ID}|{_OLD_ID})(?:v(?P<version>\d{{1,3}}))?", re.IGNORECASE)
_ARXIV_WHOLE = re.compile(rf"(?:arxiv:)?\s*{_ARXIV_ID.pattern}(?:\.pdf)?", re.IGNORECASE)
_ARXIV_LINK = re.compile(
    rf"(?:arxiv\.org/(?:abs|pdf|html|format|ps|src|e-print)/|oai:arxiv\.org:|10\.48550/arxiv\.){_ARXIV_ID.pattern}",
    re.IGNORECASE,
)
# Neither database's text holds a NUL or half a surrogate pair.
_DOI = re.compile(r"10\.\d{4,9}/[^\s\"<>\0\ud800-\udfff]+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Paper:
    """One paper, parsed once at the border; every room hands on this and nothing looser.

    ``id`` is canonical: ``arxiv:2510.21419``, else ``doi:10.1101/…``, else ``hash:…`` (see `hash_key`).
    ``summary`` is somebody's digest of the paper (often an LLM's), never the abstract.
    ``announced`` is the day the source announced it, never the day it was fetched.
    ``announce_type`` is arXiv's: new, cross, replace, replace-cross, absonly; empty where there is none.
    ``sources`` are the names of the sources that showed it, filled by the store.
    """

    id: str
    title: str
    version: int | None = None
    abstract: str = ""
    summary: str = ""
    authors: tuple[str, ...] = ()
    authors_complete: bool = True
    institutions: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    area: str = ""
    topics: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    url: str = ""
    doi: str = ""
    journal_ref: str = ""
    comment: str = ""
    code_url: str = ""
    contributions: str = ""
    thumbnail: str = ""
    announced: date | None = None
    announce_type: str = ""
    withdrawn: bool = False
    sources: tuple[str, ...] = ()

    def __hash__(self) -> int:
        # Papers are looked up thirty times for each mail; of all 24 fields the hash would take most of that.
        return hash((self.id, self.title, self.version))

    @property
    def text(self) -> str:
        """What the paper says of itself: the abstract, else somebody's summary."""
        return self.abstract or self.summary


def arxiv_id(text: str) -> tuple[str, int | None] | None:
    """Find the arXiv id in an id, link, guid or DOI: ``("2510.21419", 1)`` for ``…/pdf/2510.21419v1``.

    The version is None where the text has none. Text that merely contains a number is not an id.
    """
    text = text.strip()
    match = _ARXIV_WHOLE.fullmatch(text) or _ARXIV_LINK.search(text)
    if match is None:
        return None
    name = match["id"]
    if "/" in name:
        archive, number = name.lower().split("/")
        # math.GT/0309136 and math/0309136 are the same paper; arXiv itself drops the class.
        name = f"{archive.split('.')[0]}/{number}"
    return name, int(match["version"]) if match["version"] else None


def doi(text: str) -> str:
    """Find a DOI in an id or link, lower-cased (DOIs ignore case); empty if there is none."""
    match = _DOI.search(text.strip())
    return match[0].rstrip(".,;)").lower() if match else ""


def paper_key(reference: str) -> str:
    """The canonical key of a reference that a person or a source may give: an arXiv id, link or DOI.

    Raises ValueError with what was expected if the reference is none of them.
    """
    if reference.strip().startswith("hash:"):
        return reference.strip()
    if found := arxiv_id(reference):
        return f"arxiv:{found[0]}"
    if name := doi(reference):
        return f"doi:{name}"
    raise ValueError(f"{reference!r} is no arXiv id, arXiv link or DOI (such as 2510.21419 or 10.1000/xyz)")


def hash_key(link: str, title: str, authors: tuple[str, ...] = ()) -> str:
    """The key of a paper that has no id of its own: of its link, else of its title and authors."""
    basis = link.strip() or f"{normal_title(title)}|{'|'.join(a.casefold() for a in authors)}"
    return "hash:" + hashlib.sha256(basis.encode()).hexdigest()[:24]


def abs_url(key: str) -> str:
    """Where a person reads about the paper with this canonical key; empty for a hashed key."""
    kind, _, name = key.partition(":")
    if kind == "arxiv":
        return f"https://arxiv.org/abs/{name}"
    if kind == "doi":
        return f"https://doi.org/{name}"
    return ""


def normal_title(title: str) -> str:
    """The title's letters and digits only, folded, so that spacing, case and accents do not count."""
    folded = unicodedata.normalize("NFKD", title).casefold()
    return "".join(c for c in folded if c.isalnum())
