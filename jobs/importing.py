"""A reader's library as an interest: entries become papers on hand, and the others count by their words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from db import library_store, paper_store
from db.records import Stored
from db.session import Session
from jobs.libraries import Entry, Library, read
from jobs.service import Service
from jobs.sources.parsed import Rejection
from recommender.merging import title_key
from recommender.paper import Paper, hash_key, normal_title

MOST = 1_000
"""So many entries count; a profile that names more learns nothing more from them."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What a library brings: ``seeds`` are canonical keys, ``on_hand`` entries are the stored ``papers``.

    ``titles`` are those of the entries that are not on hand, to be read as words. ``left`` entries were
    beyond `MOST`; ``rejected`` ones could not be read.
    """

    format: str
    seeds: tuple[str, ...]
    on_hand: int
    papers: tuple[Paper, ...]
    titles: tuple[str, ...]
    left: int
    rejected: tuple[Rejection, ...]

    def __str__(self) -> str:
        """In words, for the reader."""
        total = self.on_hand + len(self.titles)
        parts = [f"{self.format}: {self.on_hand} of {total} entries are papers on hand here."]
        if self.titles:
            others = len(self.titles)
            words = f"The other {others} count by the words of their titles."
            parts.append(words if others > 1 else "The other one counts by the words of its title.")
        if self.left:
            parts.append(f"{self.left} more were left out, since {MOST:,} are enough to learn from.")
        shown = "; ".join(f"{r.where}: {r.why}" for r in self.rejected[:3])
        if self.rejected:
            more = f" and {len(self.rejected) - 3} more" if len(self.rejected) > 3 else ""
            parts.append(f"Not read: {shown}{more}.")
        return " ".join(parts)


def library(service: Service, data: bytes, where: str) -> Imported:
    """Read a library and find its papers. Raises `SourceError` where nothing of it can be read."""
    found = read(data, where)
    with service.database.reading() as session:
        return resolved(session, found)


def resolved(session: Session, found: Library) -> Imported:
    """The entries of a library as papers on hand, by arXiv id, DOI, or title and first author."""
    entries = found.entries[:MOST]
    by_key = paper_store.by_keys(session, [key for e in entries for key in e.keys])
    labels = [title_key(_as_paper(entry)) for entry in entries]
    unknown = [
        label for label, e in zip(labels, entries, strict=True) if label and by_key.keys().isdisjoint(e.keys)
    ]
    by_title = library_store.by_title_keys(session, unknown)
    seeds: list[str] = []
    papers: list[Paper] = []
    titles: list[str] = []
    on_hand = 0
    for entry, label in zip(entries, labels, strict=True):
        known = (by_key[key] for key in entry.keys if key in by_key)
        stored = next(known, None) or _same(by_title.get(label or ""), entry)
        if stored is not None:
            seeds.append(stored.paper.id)
            papers.append(stored.paper)
            on_hand += 1
            continue
        if entry.key:
            seeds.append(entry.key)  # it counts in full from the day on which a source brings it
        titles.append(entry.title)
    return Imported(
        found.format, tuple(dict.fromkeys(seeds)), on_hand, tuple(dict.fromkeys(papers)), tuple(titles),
        len(found.entries) - len(entries), found.rejected,
    )  # fmt: skip


def papers_by(service: Service, name: str, *, at_most: int = 40) -> Sequence[Paper]:
    """The newest papers on hand by an author of this name."""
    with service.database.reading() as session:
        return [s.paper for s in library_store.by_author(session, name, at_most=at_most)]


def _as_paper(entry: Entry) -> Paper:
    return Paper(id=hash_key("", entry.title, entry.authors), title=entry.title, authors=entry.authors)


def _same(stored: Stored | None, entry: Entry) -> Stored | None:
    """The stored paper, if the whole title is the same and not only the part that its key holds."""
    if stored is None or normal_title(stored.paper.title) != normal_title(entry.title):
        return None
    return stored
