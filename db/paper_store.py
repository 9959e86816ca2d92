"""Papers: storing every sighting as one row a paper, and finding them again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session

from db.bulk import among, insert_rows, one_at_a_time
from db.paper_rows import COLUMNS, kept, stored, values
from db.records import Revision, Shown, Stored
from db.session import insert_or
from db.tables import AliasRow, Base, FeedbackRow, PaperRow, RevisionRow, SightingRow, SourceRow
from recommender.merging import Change, best_key, merged, same_work, title_key
from recommender.paper import Paper, abs_url

# SQLite takes at most 32,766 parameters a statement; PostgreSQL's planner likes lists of this size.
_CHUNK = 1_000
_PAPERS = Base.metadata.tables["paper"]
_SIGHTINGS = Base.metadata.tables["sighting"]


@dataclass(frozen=True, slots=True)
class Merged:
    """How many papers of a merge were new, updated (a later version) or merged (something added)."""

    new: int = 0
    updated: int = 0
    merged: int = 0

    def __add__(self, other: Merged) -> Merged:
        return Merged(self.new + other.new, self.updated + other.updated, self.merged + other.merged)


def merge(
    session: Session,
    papers: Sequence[Paper],
    source_id: int,
    now: datetime,
    *,
    batch: date | None = None,
    archive: bool = False,
) -> Merged:
    """Store these sightings by this source, each paper once, and count what changed.

    A paper seen for the first time is news unless the source is an archive, the paper is withdrawn, or it is
    only a replacement of one that was never seen. A later version keeps the old words as a revision.
    """
    one_at_a_time(session)
    total = Merged()
    for start in range(0, len(papers), _CHUNK):
        part = papers[start : start + _CHUNK]
        labels = [title_key(paper) for paper in part]
        chunk = _Chunk(_find_known(session, part, labels))
        handles = [chunk.add(paper, label) for paper, label in zip(part, labels, strict=True)]
        _keep_revisions(session, chunk, now)
        numbers = _insert(session, chunk, now, archive) | {h: h for h in chunk.known}
        _update(session, chunk)
        _record_aliases(session, {key: numbers[h] for key, h in chunk.aliases.items()})
        sightings = [(numbers[h], paper) for h, paper in zip(handles, part, strict=True)]
        fresh = {numbers[h] for h in chunk.fresh}
        grown = _record_sightings(session, sightings, fresh, source_id, now, batch)
        grown = (grown | chunk.changed_as("merged")) - fresh - chunk.changed_as("updated")
        total += Merged(len(chunk.fresh), len(chunk.changed_as("updated")), len(grown))
    return total


class _Chunk:
    """Papers as they grow while a chunk is merged. A handle is the row number of a known paper, or a
    negative number for one that is new."""

    def __init__(self, found: dict[str, Stored]) -> None:
        self.known: dict[int, Paper] = {s.number: s.paper for s in found.values()}
        self.now: dict[int, Paper] = dict(self.known)
        self.changes: dict[int, Change] = {}
        self.aliases: dict[str, int] = {}
        self.by_key: dict[str, int] = {key: s.number for key, s in found.items()}
        self.by_title: dict[str, int] = {}
        self.labels: dict[int, str | None] = {}
        for number, paper in self.known.items():
            if label := title_key(paper):
                self.by_title.setdefault(label, number)

    @property
    def fresh(self) -> list[int]:
        return [handle for handle in self.now if handle < 0]

    def changed_as(self, change: Change) -> set[int]:
        return {handle for handle, kind in self.changes.items() if kind == change and handle > 0}

    def add(self, paper: Paper, label: str | None) -> int:
        """Merge a sighting with this `title_key` into its paper, or begin a new one; its handle."""
        keys = keys_of(paper)
        handle = next((self.by_key[k] for k in keys if k in self.by_key and self._is(k, paper)), None)
        if handle is None and label in self.by_title and same_work(self.now[self.by_title[label]], paper):
            handle = self.by_title[label]
        if handle is None:
            handle = -1 - len(self.now)
            self.now[handle] = paper
            self.labels[handle] = label
        else:
            self._grow(handle, paper)
        for key in keys:
            if self.by_key.setdefault(key, handle) == handle and key != self.now[handle].id:
                self.aliases[key] = handle
        if label:
            self.by_title.setdefault(label, handle)
        return handle

    def _is(self, key: str, paper: Paper) -> bool:
        """Whether the paper known by this key can be this one: papers of one volume of proceedings may share
        a DOI, so one with an arXiv id of its own is never another."""
        other = self.now[self.by_key[key]].id
        return key in (paper.id, other) or not (other.startswith("arxiv:") and paper.id.startswith("arxiv:"))

    def _grow(self, handle: int, paper: Paper) -> None:
        current = self.now[handle]
        better, change = merged(current, paper)
        key, other = best_key(current.id, paper.id)
        if key != current.id:
            better = replace(better, id=key, url=abs_url(key) or better.url)
            change = "merged" if change == "same" else change
        if key != other:
            self.aliases[other] = handle
        self.now[handle] = better
        self.labels.pop(handle, None)
        if change == "updated" or (change == "merged" and self.changes.get(handle) != "updated"):
            self.changes[handle] = change

    def label(self, handle: int) -> str | None:
        """The `title_key` of a paper as it is now."""
        return self.labels[handle] if handle in self.labels else title_key(self.now[handle])


def keys_of(paper: Paper) -> list[str]:
    """Every key that the paper goes by: its own, and its DOI's."""
    other = f"doi:{paper.doi}"
    return [paper.id, other] if paper.doi and other != paper.id else [paper.id]


def is_news(paper: Paper) -> bool:
    """Whether a first sighting may be told to readers: no withdrawal, no replacement of an unseen paper."""
    return not paper.withdrawn and not paper.announce_type.startswith("replace")


def _find_known(session: Session, papers: Sequence[Paper], labels: Sequence[str | None]) -> dict[str, Stored]:
    """Rows that these papers may be, by key, alias or title key."""
    keys = list(dict.fromkeys(k for p in papers for k in keys_of(p)))
    found = _by_key_or_alias(session, keys)
    pairs = zip(papers, labels, strict=True)
    wanted = [label for p, label in pairs if label and not any(k in found for k in keys_of(p))]
    if wanted:
        query = select(*COLUMNS).where(among(session, PaperRow.title_key, wanted)).order_by(PaperRow.id)
        for row in session.execute(query):
            found.setdefault(row.key, stored(row))
    return found


def _by_key_or_alias(session: Session, keys: Sequence[str]) -> dict[str, Stored]:
    by_key = select(*COLUMNS).where(among(session, PaperRow.key, keys))
    found = {row.key: stored(row) for row in session.execute(by_key)}
    rest = [k for k in keys if k not in found]
    if rest:
        query = select(*COLUMNS, AliasRow.key.label("alias")).join(PaperRow, PaperRow.id == AliasRow.paper_id)
        for row in session.execute(query.where(among(session, AliasRow.key, rest))):
            found[row.alias] = stored(row)
    return found


def _insert(session: Session, chunk: _Chunk, now: datetime, archive: bool) -> dict[int, int]:
    """Row numbers of the new papers, by handle."""
    papers = {handle: chunk.now[handle] for handle in chunk.fresh}
    if not papers:
        return {}
    rows = [
        values(p, chunk.label(handle))
        | {"first_seen_at": now, "batch_id": None, "news": not archive and is_news(p)}
        for handle, p in papers.items()
    ]
    insert_rows(session, _PAPERS, rows)
    query = select(PaperRow.key, PaperRow.id).where(
        among(session, PaperRow.key, [p.id for p in papers.values()])
    )
    numbers = {row.key: row.id for row in session.execute(query)}
    return {handle: numbers[paper.id] for handle, paper in papers.items()}


def _update(session: Session, chunk: _Chunk) -> None:
    changed = {handle: chunk.now[handle] for handle in chunk.changes if handle > 0}
    if not changed:
        return
    # The search and the labels are to take in the new words.
    rows = [{"id": n, "indexed_at": None, **values(p, chunk.label(n))} for n, p in changed.items()]
    session.execute(update(PaperRow), rows)
    gone = [n for n, p in changed.items() if p.withdrawn]
    if gone:
        # A paper that is withdrawn before it was matched is news no longer.
        unmatched = PaperRow.id.in_(gone), PaperRow.batch_id.is_(None)
        session.execute(update(PaperRow).where(*unmatched).values(news=False))


def _keep_revisions(session: Session, chunk: _Chunk, now: datetime) -> None:
    old = {n: chunk.known[n] for n in chunk.changed_as("updated") if chunk.known[n].abstract}
    if not old:
        return
    known = session.execute(
        select(RevisionRow.paper_id, RevisionRow.version).where(RevisionRow.paper_id.in_(old))
    ).all()
    done = {(row.paper_id, row.version) for row in known}
    rows = [
        {
            "paper_id": n,
            "version": p.version or 0,
            "title": p.title,
            "abstract": p.abstract,
            "replaced_at": now,
        }
        for n, p in old.items()
        if (n, p.version or 0) not in done and p.version != chunk.now[n].version
    ]
    if rows:
        session.execute(insert(RevisionRow), rows)


def _record_sightings(
    session: Session,
    sightings: Sequence[tuple[int, Paper]],
    fresh: set[int],
    source_id: int,
    now: datetime,
    batch: date | None,
) -> set[int]:
    """Row numbers of the papers that this source had not shown in this form before; of those in ``fresh``
    nobody has shown any."""
    rows = {
        (number, paper.version or 0, paper.announce_type): {
            "paper_id": number, "source_id": source_id, "version": paper.version or 0,
            "announce_type": paper.announce_type, "batch": batch or paper.announced, "seen_at": now,
        }
        for number, paper in sightings
    }  # fmt: skip
    numbers = {number for number, _, _ in rows} - fresh
    if numbers:
        known = session.execute(
            select(SightingRow.paper_id, SightingRow.version, SightingRow.announce_type).where(
                SightingRow.source_id == source_id, SightingRow.paper_id.in_(numbers)
            )
        )
        for row in known:
            rows.pop((row.paper_id, row.version, row.announce_type), None)
    if rows:
        insert_rows(session, _SIGHTINGS, rows.values())
    return {number for number, _, _ in rows}


def _record_aliases(session: Session, aliases: dict[str, int]) -> None:
    if aliases:
        rows = [{"key": key, "paper_id": number} for key, number in aliases.items()]
        session.execute(insert_or(session, AliasRow).on_conflict_do_nothing(), rows)


def by_numbers(session: Session, numbers: Iterable[int], *, with_sources: bool = False) -> dict[int, Stored]:
    """Stored papers by row number; numbers that are unknown are left out."""
    wanted = list(dict.fromkeys(numbers))
    found: dict[int, Stored] = {}
    for start in range(0, len(wanted), _CHUNK):
        part = wanted[start : start + _CHUNK]
        for row in session.execute(select(*COLUMNS).where(PaperRow.id.in_(part))):
            found[row.id] = stored(row)
    return sourced(session, found) if with_sources else found


def by_keys(session: Session, keys: Iterable[str], *, with_sources: bool = False) -> dict[str, Stored]:
    """Stored papers by the key or alias asked for; unknown keys are left out."""
    # Strangers may ask for what is no text to PostgreSQL.
    wanted = [key for key in dict.fromkeys(keys) if kept(key) == key]
    found: dict[str, Stored] = {}
    for start in range(0, len(wanted), _CHUNK):
        found |= _by_key_or_alias(session, wanted[start : start + _CHUNK])
    if not with_sources:
        return found
    with_names = sourced(session, {s.number: s for s in found.values()})
    return {key: with_names[s.number] for key, s in found.items()}


def all_papers(session: Session, *, newest: int | None = None) -> list[Stored]:
    """Every stored paper, or the ``newest`` ones by announcement day; newest first, ties by key."""
    query = select(*COLUMNS).order_by(PaperRow.announced.desc().nulls_last(), PaperRow.key)
    if newest is not None:
        query = query.limit(newest)
    found = {row.id: stored(row) for row in session.execute(query)}
    return list(sourced(session, found).values())


def recent(session: Session, *, days: int, at_most: int) -> list[Stored]:
    """Papers of the ``days`` latest announcement days on hand that are no replacements, newest first."""
    latest = select(PaperRow.announced).where(PaperRow.announced.is_not(None)).distinct()
    dates = session.scalars(latest.order_by(PaperRow.announced.desc()).limit(days)).all()
    if not dates:
        return all_papers(session, newest=at_most)
    query = (
        select(*COLUMNS)
        .where(PaperRow.announced >= min(d for d in dates if d), PaperRow.withdrawn.is_(False))
        .where(PaperRow.announce_type.not_in(("replace", "replace-cross")))
        .order_by(PaperRow.announced.desc(), PaperRow.key)
        .limit(at_most)
    )
    return [stored(row) for row in session.execute(query)]


def last_number(session: Session) -> int:
    """The highest row number: how many papers were ever stored, since counting millions takes seconds."""
    return session.scalar(select(func.max(PaperRow.id))) or 0


def known(session: Session, keys: Sequence[str]) -> set[str]:
    """Those of these keys that lead to a stored paper."""
    found: set[str] = set()
    for start in range(0, len(keys), _CHUNK):
        part = keys[start : start + _CHUNK]
        found.update(session.scalars(select(PaperRow.key).where(among(session, PaperRow.key, part))))
        found.update(session.scalars(select(AliasRow.key).where(among(session, AliasRow.key, part))))
    return found


def withdraw(session: Session, keys: Sequence[str]) -> None:
    """Mark papers as withdrawn that their archive says it deleted; those not stored are passed over."""
    for start in range(0, len(keys), _CHUNK):
        gone = PaperRow.key.in_(keys[start : start + _CHUNK])
        session.execute(update(PaperRow).where(gone).values(withdrawn=True))
        session.execute(update(PaperRow).where(gone, PaperRow.batch_id.is_(None)).values(news=False))


def revised_since_kept(session: Session, profile_id: int, since: datetime) -> list[Stored]:
    """Papers that this profile keeps (its latest opinion is a like or a save) of which a newer version came
    after ``since``; the latest first."""
    latest = (
        select(FeedbackRow.paper_id, FeedbackRow.opinion)
        .where(FeedbackRow.profile_id == profile_id, FeedbackRow.opinion != "open")
        .order_by(FeedbackRow.at, FeedbackRow.id)
    )
    opinions = {row.paper_id: row.opinion for row in session.execute(latest)}
    kept = [number for number, opinion in opinions.items() if opinion in ("like", "save")]
    changed: dict[int, datetime] = {}
    for start in range(0, len(kept), _CHUNK):
        query = select(RevisionRow.paper_id, func.max(RevisionRow.replaced_at).label("at")).where(
            RevisionRow.paper_id.in_(kept[start : start + _CHUNK]), RevisionRow.replaced_at > since
        )
        for row in session.execute(query.group_by(RevisionRow.paper_id)):
            changed[row.paper_id] = row.at
    found = by_numbers(session, changed)
    return sorted(found.values(), key=lambda s: (-changed[s.number].timestamp(), s.number))


def shown_by(session: Session, number: int) -> list[Shown]:
    """Which sources showed this paper, in which version and when, the earliest first."""
    query = (
        select(SourceRow.name, SightingRow.version, SightingRow.batch, SightingRow.seen_at)
        .join(SourceRow, SourceRow.id == SightingRow.source_id)
        .where(SightingRow.paper_id == number)
        .order_by(SightingRow.seen_at, SourceRow.name, SightingRow.version)
    )
    return [Shown(row.name, row.version or None, row.batch, row.seen_at) for row in session.execute(query)]


def revisions(session: Session, number: int) -> list[Revision]:
    """What earlier versions of this paper said, oldest first."""
    query = select(RevisionRow).where(RevisionRow.paper_id == number).order_by(RevisionRow.version)
    return [Revision(r.version, r.title, r.abstract, r.replaced_at) for r in session.scalars(query)]


def stream(session: Session, *, newest: int) -> Iterator[Paper]:
    """The ``newest`` papers by announcement day, with the others of the earliest of these days, or all papers
    if there are no more; without holding all of them."""
    query = select(*COLUMNS)
    dated = PaperRow.announced.is_not(None)
    days = select(PaperRow.announced).where(dated).order_by(PaperRow.announced.desc())
    earliest = session.scalar(days.offset(newest).limit(1))
    if earliest is not None:
        query = query.where(PaperRow.announced >= earliest)
    for row in session.execute(query.execution_options(yield_per=_CHUNK)):
        yield stored(row).paper


def sourced(session: Session, found: dict[int, Stored]) -> dict[int, Stored]:
    """The same papers, in their order, with the names of the sources that showed each."""
    names: dict[int, list[str]] = {}
    numbers = list(found)
    for start in range(0, len(numbers), _CHUNK):
        query = (
            select(SightingRow.paper_id, SourceRow.name)
            .join(SourceRow, SourceRow.id == SightingRow.source_id)
            .where(SightingRow.paper_id.in_(numbers[start : start + _CHUNK]))
            .distinct()
            .order_by(SightingRow.paper_id, SourceRow.name)
        )
        for number, name in session.execute(query):
            names.setdefault(number, []).append(name)
    return {n: replace(s, paper=replace(s.paper, sources=tuple(names.get(n, ())))) for n, s in found.items()}
