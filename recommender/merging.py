"""One paper out of two sightings of it: who wins, field by field (pure)."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from typing import Literal

from recommender.paper import Paper, normal_title

Change = Literal["same", "merged", "updated"]

_WORD = re.compile(r"\w+")
# The kind of news that a paper is, strongest first; a cross-list of a new paper is still a new paper.
_ANNOUNCE = ("new", "cross", "absonly", "", "replace", "replace-cross")


def merged(known: Paper, seen: Paper) -> tuple[Paper, Change]:
    """The paper after this sighting, and what that changed.

    Precedence: a later version's own words beat an earlier version's; a real abstract beats a summary (both
    are kept); a full author list beats a cut one; the earliest announcement day stands; tags, categories
    and institutions of all sources are united, the known order first. "updated" is a later version or a
    withdrawal, "merged" any other change.
    """
    # A source without versions means the first one: a digest, then a feed that says v1, is no update.
    later = (seen.version or 1) > (known.version or 1)
    first, second = (seen, known) if later else (known, seen)
    by = _best_authors(first, second)
    withdrawn = seen.withdrawn or (known.withdrawn and not (later and seen.abstract))
    paper = replace(
        known,
        version=max(known.version or 0, seen.version or 0) or None,
        title=first.title or second.title,
        abstract=first.abstract or second.abstract,
        summary=first.summary or second.summary,
        authors=by.authors,
        authors_complete=by.authors_complete,
        institutions=_united(known.institutions, seen.institutions),
        categories=_united(known.categories, seen.categories),
        area=known.area or seen.area,
        topics=_united(known.topics, seen.topics),
        keywords=_united(known.keywords, seen.keywords),
        url=known.url or seen.url,
        doi=first.doi or second.doi,
        journal_ref=first.journal_ref or second.journal_ref,
        comment=first.comment or second.comment,
        code_url=first.code_url or second.code_url,
        contributions=first.contributions or second.contributions,
        thumbnail=first.thumbnail or second.thumbnail,
        announced=min((d for d in (known.announced, seen.announced) if d), default=None),
        announce_type=min(known.announce_type, seen.announce_type, key=_announce_rank),
        withdrawn=withdrawn,
    )
    if later or withdrawn != known.withdrawn:
        return paper, "updated"
    return paper, "same" if paper == known else "merged"


def same_work(known: Paper, seen: Paper) -> bool:
    """Whether two papers with equal `title_key` are one work.

    Never two with different arXiv ids or DOIs. Title and first author alone would make one paper of 12 in
    100,000 arXiv papers and another (most of them submitted anew, months later and rewritten); what is asked
    for beside them leaves less than 1: abstracts with nearly the same words, or without abstracts the same
    authors within a month. `benchmarks.same_work` measures it.
    """
    kinds = {known.id.partition(":")[0], seen.id.partition(":")[0]}
    if "hash" not in kinds and kinds != {"arxiv", "doi"}:
        return False
    if known.doi and seen.doi and known.doi != seen.doi:
        return False
    days = known.announced, seen.announced
    apart = abs((days[0] - days[1]).days) if days[0] and days[1] else None
    if known.abstract and seen.abstract:
        return _shared_words(known.abstract, seen.abstract) >= (0.7 if apart is None or apart <= 60 else 0.9)
    return apart is not None and apart <= 30 and _same_authors(known, seen)


def _shared_words(one: str, other: str) -> float:
    """The share of the words of both that each of them has (Jaccard)."""
    first, second = (set(_WORD.findall(text.casefold())) for text in (one, other))
    return len(first & second) / max(1, len(first | second))


def _same_authors(known: Paper, seen: Paper) -> bool:
    """Whether the family names agree, as far as a list that was cut goes."""
    first, second = ([_family_name(name) for name in paper.authors] for paper in (known, seen))
    if not (known.authors_complete and seen.authors_complete):
        shorter = min(len(first), len(second))
        first, second = first[:shorter], second[:shorter]
    return first == second


def title_key(paper: Paper) -> str | None:
    """What two sightings of a paper without a common id share: title and first author's family name.

    None where that would say too little: a short title, or no author.
    """
    if not paper.authors:
        return None
    title = _letters(paper.title)
    if len(title) < 20:
        return None
    return hashlib.sha256(f"{title}|{_family_name(paper.authors[0])}".encode()).hexdigest()[:24]


def best_key(one: str, other: str) -> tuple[str, str]:
    """The two keys of one paper, the better one first: arXiv id, DOI, hash."""
    order = {"arxiv": 0, "doi": 1, "hash": 2}
    first, second = sorted((one, other), key=lambda k: (order.get(k.partition(":")[0], 3), k))
    return first, second


def _best_authors(first: Paper, second: Paper) -> Paper:
    """The sighting with the author list to keep: a whole one, else the longer one."""
    for paper in (first, second):
        if paper.authors and paper.authors_complete:
            return paper
    return max(first, second, key=lambda p: len(p.authors))


def _united(known: tuple[str, ...], seen: tuple[str, ...]) -> tuple[str, ...]:
    if not seen or known == seen:
        return known
    return tuple(dict.fromkeys(known + seen))


def _announce_rank(kind: str) -> int:
    return _ANNOUNCE.index(kind) if kind in _ANNOUNCE else len(_ANNOUNCE)


def _family_name(author: str) -> str:
    # "Smith, John" and "John Smith" are the same person; accents come and go between sources.
    words = author.partition(",")[0].split() if "," in author else author.split()[-1:]
    return _letters(" ".join(words))


def _letters(text: str) -> str:
    """`normal_title`, ten times as fast where there is nothing to fold; three million titles have it done."""
    if text.isascii():
        return text.lower().encode().translate(None, _NO_LETTERS).decode()
    return normal_title(text)


_NO_LETTERS = bytes(n for n in range(128) if not chr(n).isalnum())
