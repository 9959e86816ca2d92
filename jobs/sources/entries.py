"""How an entry of any feed becomes a paper: by which references it is known, who wrote it, what it says."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from jobs.sources.arxiv_fields import is_withdrawn
from jobs.sources.author_names import plain_name, split_authors
from recommender.paper import Paper, abs_url, arxiv_id, doi, hash_key

# Longer text is an article, not an abstract.
MAX_TEXT = 20_000

_MIRROR = re.compile(
    r"(?:huggingface\.co/papers|alphaxiv\.org/(?:abs|overview)|ar5iv\.(?:labs\.arxiv\.)?org/(?:abs|html))/"
    r"(\d{4}\.\d{4,5}(?:v\d{1,3})?)"
)
# What publishers put behind a DOI in their links.
_BEHIND_DOI = re.compile(
    r"(?:[?#&].*|/(?:full|abstract|pdf|epub|meta|html|fulltext)/?|\.(?:full|pdf|abstract)\S*)$", re.I
)
_PREPRINT_VERSION = re.compile(
    r"(?:bio|med)rxiv\.org/\S*?\d(?:v(?P<version>\d{1,2}))(?=[.?#/]|$)", re.IGNORECASE
)
_DOI_VERSION = re.compile(r"v\d{1,2}$")
_MASTHEAD = re.compile(r"[^;]{1,120}Published online: [^;]{5,40}; ?doi: ?\S{5,120}\s*", re.IGNORECASE)
_CATEGORY = re.compile(
    r"[a-z]+(?:-[a-z]+)*\.[A-Za-z]{2}(?:[a-z-]*[a-z])?|(?:astro|quant|math|hep)-ph|hep-(?:th|ex|lat)|gr-qc|nucl-(?:th|ex)"
)
_TAKEN_BACK = re.compile(r"\W*(?:withdrawn|retracted)\b(?: article)?\s*:", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry's own words, markup already read; ``references`` are its ids and DOIs, the surest first."""

    title: str
    link: str = ""
    references: tuple[str, ...] = ()
    text: str = ""
    authors: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    published: date | None = None
    journal: str = ""


def paper(entry: Entry) -> Paper:
    """The paper that an entry announces. Raises ValueError with the reason if it announces none."""
    if not entry.title:
        raise ValueError(f"no title (link {entry.link[:100]!r})" if entry.link else "neither title nor link")
    authors, complete = _authors(entry.authors)
    key, version, name = identity((*entry.references, entry.link), entry.title, authors)
    masthead = _MASTHEAD.match(entry.text)
    text = entry.text[masthead.end() if masthead else 0 :][:MAX_TEXT]
    on_arxiv = key.startswith("arxiv:")
    return Paper(
        id=key,
        title=entry.title,
        version=version,
        abstract=text,
        authors=authors,
        authors_complete=complete,
        categories=tuple(dict.fromkeys(filter(_CATEGORY.fullmatch, entry.tags))) if on_arxiv else (),
        keywords=() if on_arxiv else tuple(dict.fromkeys(entry.tags)),
        url=abs_url(key) if on_arxiv else entry.link or abs_url(key),
        doi=name,
        journal_ref=entry.journal,
        announced=entry.published,
        withdrawn=bool(_TAKEN_BACK.match(entry.title)) or is_withdrawn("", text),
    )


def identity(references: Iterable[str], title: str, authors: tuple[str, ...]) -> tuple[str, int | None, str]:
    """The canonical key, version and DOI that an entry's references lead to, arXiv before DOI before link.

    Raises ValueError if there is neither a reference nor a title and author to know the paper by.
    """
    given = [reference.strip()[:2000] for reference in references if reference.strip()]
    version = next((int(found["version"]) for found in map(_PREPRINT_VERSION.search, given) if found), None)
    name = next((found for found in map(_doi, given) if found), "")
    for reference in given:
        mirrored = _MIRROR.search(reference)
        if found := arxiv_id(mirrored[1] if mirrored else reference if "arxiv" in reference.lower() else ""):
            return f"arxiv:{found[0]}", found[1], "" if "/arxiv." in name else name
    if name:
        return f"doi:{name}", version, name
    if not given and not authors:
        raise ValueError("no link, no id and no author to know it by")
    link = next((each for each in given if each.startswith("http")), given[0] if given else "")
    return hash_key(link, title, authors), version, ""


def _doi(reference: str) -> str:
    """The DOI in a reference, without what a publisher's link puts behind it."""
    start = reference.find("10.")
    if start < 0:
        return ""
    name = doi(_BEHIND_DOI.sub("", reference[start:].replace("%2F", "/").replace("%2f", "/")))
    # bioRxiv's DOIs carry the version in links only.
    return _DOI_VERSION.sub("", name) if "rxiv.org" in reference.lower() else name


def _authors(names: tuple[str, ...]) -> tuple[tuple[str, ...], bool]:
    """One string is a list of names; several are one name each."""
    if len(names) == 1:
        return split_authors(names[0])
    found: list[str] = []
    complete = True
    for name in names:
        surname, comma, given = plain_name(name).partition(", ")
        if comma and "," not in given:
            found.append(f"{given} {surname}")
        else:
            parts, whole = split_authors(name)
            found.extend(parts)
            complete = complete and whole
    return tuple(found), complete
