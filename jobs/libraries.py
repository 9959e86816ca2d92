"""Reference libraries that readers bring: BibTeX, RIS, CSL-JSON and Zotero RDF, as entries."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import rispy
from bibtexparser.entrypoint import parse_string
from lxml import etree

from jobs.sources import decode, safe_json, safe_xml
from jobs.sources.author_names import plain_names
from jobs.sources.parsed import Rejection, SourceError
from recommender import text
from recommender.paper import arxiv_id, doi

MAX_BYTES = 2 * 1024 * 1024
"""The largest library that is read: some four thousand entries with abstracts."""

_BIBTEX = re.compile(r"(?m)^\s*@[A-Za-z]+\s*[{(]")
_RIS = re.compile(r"(?m)^TY {1,2}- ?\S")
_RIS_END = re.compile(r"(?m)^ER {1,2}-.*$")
_RDF = re.compile(r"<(?:\w+:)?RDF[\s>]")
# A preprint's number where a manager keeps it: "arXiv:2510.21419 [cs]", "arXiv.2510.21419".
_ARXIV = re.compile(r"(?i)arxiv[.:\s]{1,3}(?P<id>\d{4}\.\d{4,5}|[a-z-]+(?:\.[a-z]{2})?/\d{7})")
_BARE = re.compile(r"\d{4}\.\d{4,5}(?:v\d+)?|[a-z-]+(?:\.[A-Z]{2})?/\d{7}")
# Its complaints about each bad block are ours to tell, and a stranger's file must not fill the log.
logging.getLogger("bibtexparser").setLevel(logging.CRITICAL)


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: where it stands, its title and authors, its canonical key if it states an id, and the keys
    of its ``other`` ids."""

    where: str
    title: str
    authors: tuple[str, ...] = ()
    key: str = ""
    other: tuple[str, ...] = ()

    @property
    def keys(self) -> tuple[str, ...]:
        """All its keys, the canonical one first."""
        return (self.key, *self.other) if self.key else ()


@dataclass(frozen=True, slots=True)
class Library:
    """The entries of a file in its order, and what of it could not be read."""

    format: str
    entries: tuple[Entry, ...]
    rejected: tuple[Rejection, ...] = ()


def looks_like_one(content: str) -> bool:
    """Whether pasted text is a library rather than words."""
    head = content[:100_000]
    return bool(_BIBTEX.search(head) or _RIS.search(head) or _RDF.search(head)) or _is_csl(head)


def read(data: bytes, where: str) -> Library:
    """Read a library of any of the four formats; bad entries are left out and named.

    Raises `SourceError` for what is too large, of no known format, or without one usable entry.
    """
    if len(data) > MAX_BYTES:
        raise SourceError(f"{where}: {len(data):,} bytes; at most {MAX_BYTES:,} are read. Export a part")
    content = decode.text(data)
    if _RDF.search(content[:100_000]):
        found = _rdf(data, where)
    elif _is_csl(content):
        found = _csl(data, where)
    elif _RIS.search(content):
        found = _ris(content)
    elif _BIBTEX.search(content):
        found = _bibtex(content)
    else:
        begins = next((line.strip() for line in content.split("\n") if line.strip()), "")
        raise SourceError(
            f"{where}: no BibTeX, RIS, CSL-JSON or Zotero RDF; it begins with {begins[:40]!r}. "
            "Export it from your reference manager in one of these"
        )
    if not found.entries:
        why = f"; {found.rejected[0].where}: {found.rejected[0].why}" if found.rejected else ""
        raise SourceError(f"{where}: no entry with a title or an id in this {found.format} file{why}")
    return found


def _collected(name: str, entries: Iterable[Entry | Rejection]) -> Library:
    good, bad = [], []
    for entry in entries:
        if isinstance(entry, Rejection):
            bad.append(entry)
        elif entry.title or entry.key:
            good.append(entry)
        else:
            bad.append(Rejection(entry.where, "neither a title nor an id"))
    return Library(name, tuple(good), tuple(bad))


def entry_of(where: str, title: str, authors: Iterable[str], ids: Iterable[tuple[str, str]]) -> Entry:
    """The entry of what a stranger wrote: ``ids`` are pairs of a kind (arxiv, doi, url, note) and a value."""
    plain = " ".join(text.plain(title).split())
    key, *other = _keys(ids) or [""]
    return Entry(where, plain[:500], plain_names([_name(author) for author in authors]), key, tuple(other))


def _name(written: str) -> str:
    """A name as people say it: ``Doe, Jane`` is Jane Doe."""
    last, _, first = text.plain(written).partition(",")
    return f"{first.strip()} {last.strip()}".strip()


def _keys(ids: Iterable[tuple[str, str]]) -> list[str]:
    """The canonical keys in these (kind, value) pairs, arXiv's first."""
    found = dict.fromkeys(key for kind, value in ids if (key := _key(kind, value.strip())))
    return sorted(found, key=lambda key: not key.startswith("arxiv:"))


def _key(kind: str, value: str) -> str:
    """The canonical key that a value of this kind states; empty where it states none."""
    if kind == "arxiv" and _BARE.fullmatch(value):
        value = f"arXiv:{value}"
    known = arxiv_id(value) if kind != "doi" or "arxiv" in value.lower() else None
    loose = _ARXIV.search(value)
    if known is None and loose:
        known = arxiv_id(loose["id"])
    if known is not None and (kind == "arxiv" or "arxiv" in value.lower()):
        return f"arxiv:{known[0]}"
    return f"doi:{name}" if kind in {"doi", "url"} and (name := doi(value)) else ""


# --- BibTeX ----------------------------------------------------------------------------------------------


def _bibtex(content: str) -> Library:
    library = parse_string(content)
    return _collected("BibTeX", (*map(_bibtex_entry, library.entries), *_bibtex_faults(library)))


def _bibtex_entry(entry: Any, *, raw: bool = False) -> Entry:
    held = {key.lower(): str(field.value) for key, field in entry.fields_dict.items()}
    if raw:  # with the braces or quotes around each value
        held = {key: value[1:-1] if value[:1] in {"{", '"'} else value for key, value in held.items()}
    preprint = held.get("archiveprefix", held.get("eprinttype", "")).lower() in {"", "arxiv"}
    ids = [("arxiv" if preprint else "note", held.get("eprint", "")), ("doi", held.get("doi", ""))]
    ids += [("url", held.get("url", ""))]
    ids += [("note", held.get(name, "")) for name in ("journal", "journaltitle", "note", "howpublished")]
    where = f"line {(entry.start_line or 0) + 1} ({entry.key})"
    return entry_of(where, held.get("title", ""), re.split(r"\s+and\s+", held.get("author", "")), ids)


def _bibtex_faults(library: Any) -> Iterator[Entry | Rejection]:
    for block in library.failed_blocks:
        inside = getattr(block, "ignore_error_block", None)
        if type(block).__name__ == "DuplicateBlockKeyBlock" and hasattr(inside, "fields_dict"):
            yield _bibtex_entry(inside, raw=True)  # two entries of one key are two papers as often as one
        else:
            yield Rejection(f"line {(block.start_line or 0) + 1}", "no whole BibTeX entry; check its braces")


# --- RIS -------------------------------------------------------------------------------------------------


def _ris(content: str) -> Library:
    return _collected("RIS", _ris_entries(content))


def _ris_entries(content: str) -> Iterator[Entry | Rejection]:
    at = 0
    for end in [*(m.end() for m in _RIS_END.finditer(content)), len(content)]:
        part, line = content[at:end], content.count("\n", 0, at) + 1
        at = end
        if not part.strip():
            continue
        where = f"line {line + part[: len(part) - len(part.lstrip())].count(chr(10))}"
        begin = _RIS.search(part)
        if begin is None:
            yield Rejection(where, "no RIS entry; each begins with TY and ends with ER")
            continue
        block = part[begin.start() :].rstrip()
        try:
            (held, *_) = rispy.loads(block if _RIS_END.search(block) else f"{block}\nER  - \n")
        except (ValueError, KeyError, IndexError, TypeError) as error:
            yield Rejection(where, f"no RIS entry ({error})")
            continue
        title = next((held[k] for k in ("title", "primary_title", "short_title") if held.get(k)), "")
        authors = held.get("authors") or held.get("first_authors") or []
        urls = held.get("urls") or []
        ids = [("doi", str(held.get("doi", ""))), *(("url", str(url)) for url in urls)]
        notes = ("accession_number", "number", "journal_name", "secondary_title", "publisher", "id")
        ids += [("note", str(held.get(name, ""))) for name in notes]
        yield entry_of(where, str(title), [str(name) for name in authors], ids)


# --- CSL-JSON --------------------------------------------------------------------------------------------


def _is_csl(content: str) -> bool:
    begin = content.lstrip("\ufeff \t\r\n")[:1]
    return begin in {"[", "{"} and ('"title"' in content or '"DOI"' in content)


def _csl(data: bytes, where: str) -> Library:
    found = safe_json.document(data, where)
    held = found.get("items", found) if isinstance(found, dict) else found
    items = held if isinstance(held, list) else [found]
    return _collected("CSL-JSON", [_csl_entry(n, item) for n, item in enumerate(items, start=1)])


def _csl_entry(number: int, item: Any) -> Entry | Rejection:
    where = f"item {number}"
    if not isinstance(item, dict):
        return Rejection(where, f"not an object but {json.dumps(item)[:40]}")
    stated = item.get("author")
    people = stated if isinstance(stated, list) else []
    ids = [("doi", "DOI"), ("url", "URL"), ("note", "number"), ("note", "archive_id"), ("note", "note")]
    ids += [("note", "id"), ("note", "container-title")]
    held = [(kind, str(item.get(name) or "")) for kind, name in ids]
    return entry_of(where, str(item.get("title") or ""), [_csl_name(person) for person in people], held)


def _csl_name(person: Any) -> str:
    if not isinstance(person, dict):
        return ""
    parts = [person.get("given"), person.get("non-dropping-particle"), person.get("family")]
    return str(person.get("literal") or "") or " ".join(str(part) for part in parts if part)


# --- Zotero RDF ------------------------------------------------------------------------------------------

_NO_PAPERS = {"Attachment", "Collection", "Memo", "Journal", "Series"}


def _rdf(data: bytes, where: str) -> Library:
    root = safe_xml.document(data, "Description", where).root
    items = [element for element in root if isinstance(element.tag, str)]
    papers = [element for element in items if safe_xml.local(element) not in _NO_PAPERS]
    return _collected("Zotero RDF", [_rdf_entry(element) for element in papers])


def _rdf_entry(element: etree._Element) -> Entry:
    title = next((safe_xml.text(child) for child in safe_xml.children(element, "title")), "")
    authors = [
        " ".join(filter(None, (_first(person, "givenName", "givenname"), _first(person, "surname"))))
        for group in safe_xml.children(element, "authors")
        for person in group.iter()
        if isinstance(person.tag, str) and safe_xml.local(person) == "Person"
    ]
    words = [safe_xml.text(e) for e in element.iter() if _tells(e, "identifier")]
    about = next((str(v) for k, v in element.attrib.items() if str(k).endswith("about")), "")
    ids = [("url", about), *((("doi" if w.upper().startswith("DOI") else "url"), w) for w in words)]
    return entry_of(f"line {element.sourceline or 0}", title, authors, ids)


def _tells(element: etree._Element, name: str) -> bool:
    return isinstance(element.tag, str) and safe_xml.local(element) == name


def _first(element: etree._Element, *names: str) -> str:
    found = (safe_xml.text(child) for name in names for child in safe_xml.children(element, name))
    return next(found, "")
