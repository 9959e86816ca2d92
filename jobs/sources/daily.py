"""The daily digest: for each paper a heading with title and link, its authors, abstract and categories."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date

from jobs.sources import bylines, decode, marks
from jobs.sources.escapes import plain
from jobs.sources.parsed import Parsed, Rejection
from jobs.sources.repeats import distinct
from recommender.paper import Paper, arxiv_id, hash_key

NAME = "daily"

_LABELS = {
    **dict.fromkeys(("作者", "author", "authors", "author(s)"), "authors"),
    **dict.fromkeys(("摘要", "abstract"), "abstract"),
    **dict.fromkeys(("链接", "link", "url", "arxiv", "pdf"), "link"),
    **dict.fromkeys(("分类", "类别", "category", "categories", "subjects"), "categories"),
    **dict.fromkeys(
        ("机构", "单位", "institution", "institutions", "affiliation", "affiliations"), "institutions"
    ),
    **dict.fromkeys(("comment", "comments", "备注"), "comment"),
}
_FIELD = re.compile(
    r"(?:[-*+][ \t]+)?(?P<bold>\*\*|__)?[ \t]?(?P<label>[A-Za-z()]{3,12}|[\u4e00-\u9fff]{2,4})[ \t]?"
    r"(?:[:：][ \t]?(?:\*\*|__)?|(?:\*\*|__)[ \t]?[:：])"
)
_NUMBER = re.compile(r"(?:\d{1,4}[.)、][ \t]*|[-*][ \t]+)")
_ANNOUNCED = re.compile(
    r"\s*(?:arxiv:\s?(?P<id>\S{4,40})\s{1,4})?"
    r"Announce Type:\s{0,4}(?P<kind>[A-Za-z-]{1,20})\b\s{0,9}(?:Abstract:)?",
    re.IGNORECASE,
)
_RULE = re.compile(r"[ \t]{0,3}(?:-[ \t]?){3,}|[ \t]{0,3}(?:\*[ \t]?){3,}|[ \t]{0,3}(?:_[ \t]?){3,}")
_TITLE = re.compile(
    r"(?mi)^#{1,3}[ \t]+arxiv[ \t]*(?:新论文更新|新论文|论文更新|每日论文|new papers|daily papers?)"
)
_LINKED = re.compile(
    r"(?mi)^#{2,6}[ \t]+[^\n]{0,2000}\]\(https?://(?:www\.)?arxiv\.org/(?:abs|pdf)/[^)\s]{5,60}\)[ \t]*\n"
    r"\n?\**(?:作者|authors?)\**[:：]"
)
# As in the weekly digest: longer than any paper's entry, and a bound for every pattern.
_LONGEST = 400_000


def recognises(head: bytes) -> bool:
    """Whether this is a daily digest: by its title, or by arXiv links as headings with authors below."""
    text = decode.peek(head)
    return bool(_TITLE.search(text) or _LINKED.search(text))


def parse(data: bytes) -> Parsed:
    """Read a daily digest in one pass over its lines, in time linear in its length.

    The title's day is every paper's announcement day and the batch. Categories stand below an entry in a
    deeper heading (``#### cs.PF, cs.AR``) or above a group of entries in a higher one (``## cs.CL``). arXiv's
    ``Announce Type:`` prefix gives type and version and is taken off the abstract. Raises `SourceError` for
    data that is no text.
    """
    reading = _Reading()
    for number, line in enumerate(decode.text(data).split("\n"), 1):
        reading.take(line, number)
    reading.end_entry()
    papers = distinct(reading.papers)
    note = "" if papers or reading.rejected else "the digest lists no papers"
    return Parsed(NAME, papers, tuple(reading.rejected), note, reading.batch)


@dataclass(slots=True)
class _Entry:
    """One entry's lines as they are gathered."""

    line: int
    level: int
    heading: str
    day: date | None
    categories: tuple[str, ...]
    fields: dict[str, list[str]] = field(default_factory=dict)
    open: str = "abstract"
    size: int = 0

    def text(self, name: str) -> str:
        return " ".join(self.fields.get(name, ())).strip()


@dataclass(slots=True)
class _Reading:
    """Where the reading of one digest stands, and what it has found."""

    papers: list[Paper] = field(default_factory=list)
    rejected: list[Rejection] = field(default_factory=list)
    batch: date | None = None
    day: date | None = None
    group: tuple[str, ...] = ()
    entry: _Entry | None = None

    def take(self, line: str, number: int) -> None:
        """Take one line in."""
        if found := marks.heading(line):
            self._heading(found[0], found[1], number)
        elif self.entry is not None:
            if _RULE.fullmatch(line[:200]):
                self.end_entry()
            else:
                _gather(self.entry, line)

    def end_entry(self) -> None:
        """Read the entry that was being gathered, if any, and keep or reject it."""
        entry, self.entry = self.entry, None
        if entry is None:
            return
        try:
            self.papers.append(_paper_of(entry))
        except ValueError as error:
            self.rejected.append(Rejection(f"line {entry.line}", str(error)))

    def _heading(self, level: int, text: str, number: int) -> None:
        codes = marks.categories(text)
        if codes and self.entry is not None and level > self.entry.level:
            self.entry.categories = tuple(dict.fromkeys(self.entry.categories + codes))
            return
        self.end_entry()
        if codes:
            self.group = codes
            return
        day = next(iter(marks.days(text)), None)
        if day is not None and "](" not in text:
            self.day, self.group = day, ()
            self.batch = self.batch or day
        elif level > 1 or "](" in text:
            self.entry = _Entry(number, level, text, self.day, self.group)


def _gather(entry: _Entry, line: str) -> None:
    head = line[:120].strip()
    if not head:
        # An empty line ends the authors, however many lines they took; what follows is the abstract.
        entry.open = "abstract"
        return
    entry.size += len(line)
    found = _FIELD.match(head)
    name = _LABELS.get(found["label"].casefold(), "") if found else ""
    if found and name and (found["bold"] or not entry.fields):
        entry.open = name
        line = line.lstrip()[found.end() :]
    if entry.size <= _LONGEST:
        entry.fields.setdefault(entry.open, []).append(line)


def _paper_of(entry: _Entry) -> Paper:
    """The paper that an entry describes; raises ValueError with the reason if it is none."""
    if entry.size > _LONGEST:
        raise ValueError(f"an entry of {entry.size:,} characters is no paper (at most {_LONGEST:,})")
    raw, target = _title_and_link(entry.heading)
    title = plain(raw)
    key, page, version, doi = marks.reference(target or entry.text("link"))
    by = bylines.authors(entry.text("authors"))
    if not any(map(str.isalnum, title)):
        raise ValueError("the entry has no title")
    if not (key or page or by.names):
        raise ValueError("the entry has neither an http link nor authors")
    kind, announced_version, abstract = _abstract(entry.text("abstract"))
    institutions = bylines.institutions(entry.text("institutions"))
    return Paper(
        id=key or hash_key(page, title, by.names),
        title=title,
        version=announced_version or version,
        abstract=abstract,
        authors=by.names,
        authors_complete=by.complete,
        institutions=tuple(dict.fromkeys(institutions + by.institutions)),
        categories=tuple(dict.fromkeys(entry.categories + marks.categories(entry.text("categories")))),
        url=page,
        doi=doi,
        comment=plain(entry.text("comment")),
        announced=entry.day,
        announce_type=kind,
    )


def _title_and_link(heading: str) -> tuple[str, str]:
    """The two parts of ``[Title [with] brackets](link)``; a heading without a link is all title."""
    number = _NUMBER.match(heading)
    text = (
        heading[number.end() :]
        if number and heading[number.end() : number.end() + 1] in ("[", "*")
        else heading
    )
    text = text.strip().strip("*").strip()
    middle = text.rfind("](")
    if not text.startswith("[") or middle < 0:
        if text.startswith("[") and "]" not in text:
            raise ValueError("the title's bracket is not closed")
        return text, ""
    target = text[middle + 2 :]
    if ")" not in target:
        raise ValueError("the link's bracket is not closed")
    return text[1:middle], target[: target.rfind(")")].strip()


def _abstract(text: str) -> tuple[str, int | None, str]:
    """Announce type, version and the abstract without arXiv's prefix."""
    kind, version = "", None
    if found := _ANNOUNCED.match(text[:400]):
        kind = found["kind"].lower()
        text = text[found.end() :]
        if found["id"] and (named := arxiv_id(found["id"])):
            version = named[1]
    return kind, version, "" if bylines.is_nothing(text) else plain(text)
