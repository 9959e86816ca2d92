"""The weekly digest: under day headings, entries with tags, authors, institution, link and summary."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date

from jobs.sources import decode, marks
from jobs.sources.parsed import Parsed, Rejection
from jobs.sources.repeats import distinct
from jobs.sources.weekly_entry import LABELS, Entry, paper_of
from recommender.paper import Paper

NAME = "weekly"

# Every mark stands near its line's beginning, so only that much of a line is ever searched for one.
_HEAD = 240
_BULLET = re.compile(r"(?:[-*+•]|\d{1,4}[.)])[ \t]+(?:\[[ xX]\][ \t]+)?")
_BOLD = re.compile(r"\*\*|__")
_SOURCE = r"[A-Za-z]{0,6}rxiv[\s:_-]?(?:\d[\d./-]{0,11}(?:v\d{1,3})?)?|[A-Za-z]{2,12}[\s_'-]?\d{2,8}"
_MARKED = re.compile(rf"(?:\*\*|__)?[ \t]?[\[【［]\s?(?P<source>{_SOURCE})\s?[\]】］]", re.IGNORECASE)
_UNCLOSED = re.compile(
    r"(?:\*\*|__)?[ \t]?[\[【［]\s?[A-Za-z]{0,6}rxiv\s?\d{4,6}\b[^\[\]【】［］]*(?:\[|$)", re.IGNORECASE
)
_FIELD = re.compile(
    r"(?P<bold>\*\*|__)?[ \t]?(?P<label>[A-Za-z\u4e00-\u9fff][\w ();/'-]{0,38}?)[ \t]?"
    r"(?:[:：][ \t]?(?P<closed>\*\*|__)?|(?P<close>\*\*|__)[ \t]?[:：])"
)
_TOTAL = re.compile(
    r"(?:\*\*|__)?[ \t]?(?P<what>[^*\n]{1,160}?)[ \t]total[ \t]?[:：][ \t]?(?P<count>\d{1,6})", re.IGNORECASE
)
_BRACKETED = re.compile(r"[(（]([^()（）]{1,80})[)）]")

_WRITTEN_DAY = r"(?:\d{8}|\d{4}-\d\d-\d\d)"
_WEEK_HEADING = re.compile(
    rf"(?m)^#{{1,6}}[ \t]+{_WRITTEN_DAY}[ \t]*(?:-|–|~|to|至)[ \t]*{_WRITTEN_DAY}[ \t]*"
    r"(?:[(（][\w. ,/-]{1,60}[)）])?[ \t]*$"
)
_DAY_HEADING = re.compile(rf"(?m)^#{{1,6}}[ \t]+(?:\d{{1,2}}\.[ \t]*)?{_WRITTEN_DAY}[ \t]*$")
_ARXIV_ENTRY = re.compile(r"(?mi)^[ \t]{0,3}(?:[-*+•][ \t]+)?(?:\*\*)?[\[【［]arxiv\s?\d{4}(?:\d\d)?[\]】］]")
_FIELD_LINE = re.compile(
    r"(?mi)^[ \t]+[-*+][ \t]+(?:\*\*)?(?:tags|link|simple llm summary)(?:\*\*)?[:：]|\[link\]\(https?:"
)
_INDEX_LINE = re.compile(r"#{1,6}[ \t].*|-{3,}|\w+:.*|[ \t]*")


def recognises(head: bytes) -> bool:
    """Whether this is a weekly digest: by its week, its ``[arXiv2510]`` entries, or as a list of days."""
    text = decode.peek(head)
    if _WEEK_HEADING.search(text):
        return True
    dated = _DAY_HEADING.search(text) is not None
    if _ARXIV_ENTRY.search(text) and (dated or _FIELD_LINE.search(text)):
        return True
    return dated and all(_INDEX_LINE.fullmatch(line) for line in text.split("\n"))


def parse(data: bytes) -> Parsed:
    """Read a weekly digest in one pass over its lines, in time linear in its length.

    Day headings give the announcement day, ``(cs.OS)`` in the title and count lines such as
    ``**cs.DC total: 14**`` the categories of what follows. An entry that is no paper is rejected with its
    line; so is a count that does not agree with the entries below it, since that is how a cut digest shows.
    Raises `SourceError` for data that is no text.
    """
    reading = _Reading()
    for number, line in enumerate(decode.text(data).split("\n"), 1):
        reading.take(line, number)
    reading.end_count()
    papers = distinct(reading.papers)
    note = "" if papers or reading.rejected else "the digest lists no papers"
    return Parsed(NAME, papers, tuple(reading.rejected), note)


@dataclass(slots=True)
class _Reading:
    """Where the reading of one digest stands, and what it has found."""

    papers: list[Paper] = field(default_factory=list)
    rejected: list[Rejection] = field(default_factory=list)
    file_categories: tuple[str, ...] = ()
    group_categories: tuple[str, ...] = ()
    day: date | None = None
    entry: Entry | None = None
    fenced: bool = False
    # The count line in force: its line, what it counts, how many it states; and how many entries followed.
    stated: tuple[int, str, int] | None = None
    followed: int = 0

    def take(self, line: str, number: int) -> None:
        """Take one line in."""
        head = line[:_HEAD]
        start = len(head) - len(head.lstrip(" \t"))
        if head.startswith("```", start):
            self.fenced = not self.fenced
        elif start == len(head):
            if self.entry is not None:
                self.entry.gap()
        # A fence that nobody closed ends where the next entry or heading stands at the margin.
        elif not self.fenced or (
            start == 0 and (line[0] == "#" or _MARKED.match(head, _after_bullet(head, 0)))
        ):
            self.fenced = False
            if not (self._heading(line, number) or self._count(head, start, number)):
                self._text(line, start, number)

    def end_entry(self) -> None:
        """Read the entry that was being gathered, if any, and keep or reject it."""
        entry, self.entry = self.entry, None
        if entry is None:
            return
        try:
            paper = paper_of(entry)
        except ValueError as error:
            self.reject(entry.line, str(error))
            return
        if paper is not None:
            self.followed += 1
            self.papers.append(paper)

    def reject(self, line: int, why: str) -> None:
        """Note an entry that is left out."""
        self.followed += 1
        self.rejected.append(Rejection(f"line {line}", why))

    def end_count(self) -> None:
        """End the entry and compare the count line in force with what followed it."""
        self.end_entry()
        if self.stated is not None and self.stated[2] != self.followed:
            line, what, count = self.stated
            why = f"{what} counts {count} papers, {self.followed} follow: the digest may have been cut"
            self.rejected.append(Rejection(f"line {line}", why))
        self.stated, self.followed = None, 0

    def _heading(self, line: str, number: int) -> bool:
        found = marks.heading(line) if len(line) < 2000 else None
        if found is None:
            return False
        self.end_count()
        level, text = found
        named = marks.days(text)
        bracketed = tuple(code for part in _BRACKETED.findall(text) for code in marks.categories(part))
        self.group_categories = ()
        if len(named) > 1 or (level == 1 and not named):
            self.file_categories = bracketed or self.file_categories
        else:
            self.group_categories = bracketed or marks.categories(text)
        if len(named) == 1:
            self.day = named[0]
        elif marks.is_no_day(text):
            # The day before it would be wrong for what follows, so those papers have none.
            self.day = None
            self.rejected.append(Rejection(f"line {number}", f"{text} is no day of the calendar"))
        return True

    def _count(self, head: str, start: int, number: int) -> bool:
        total = _TOTAL.match(head, _after_bullet(head, start)) if "otal" in head else None
        codes = marks.categories(total["what"].split(" contains ")[0]) if total else ()
        if total is None or not codes:
            return False
        self.end_count()
        self.group_categories = codes
        self.stated = (number, total["what"], int(total["count"]))
        return True

    def _text(self, line: str, start: int, number: int) -> None:
        """A line that is no heading: an entry's first, one of its fields, or more of what stood before."""
        head = line[:_HEAD]
        indent = len(head[:start].expandtabs(4))
        body = _after_bullet(head, start)
        bulleted = body > start
        if (
            indent < 4
            and (marked := _MARKED.match(head, body))
            and (bulleted or "rxiv" in marked["source"].lower())
        ):
            self._begin(number, line[marked.end() :], marked["source"], _BOLD.match(head, body) is not None)
        elif indent < 4 and bulleted and _UNCLOSED.match(line[:2000], body):
            self.end_entry()
            self.reject(number, "the bracket of the source mark before the title is not closed")
        elif self.entry is not None and (named := _label(head, body, indent, bulleted, self.entry)):
            self.entry.begin(named[0], line[named[1] :], indent)
        elif indent < 2 and bulleted:
            bold = _BOLD.match(head, body)
            self._begin(number, line[bold.end() if bold else body :], "", bold is not None)
        elif self.entry is not None and bulleted and self.entry.ends_field(indent):
            self.entry.begin("", line[body:], indent)
        elif self.entry is not None:
            self.entry.more(line, indent)

    def _begin(self, number: int, title: str, source: str, bold: bool) -> None:
        self.end_entry()
        categories = tuple(dict.fromkeys(self.file_categories + self.group_categories))
        self.entry = Entry(number, source, bold, self.day, categories)
        self.entry.more(title, 0)


def _after_bullet(head: str, start: int) -> int:
    bullet = _BULLET.match(head, start)
    return bullet.end() if bullet else start


def _label(head: str, start: int, indent: int, bulleted: bool, entry: Entry) -> tuple[str, int] | None:
    """The field that a line begins and where its value starts; an empty name for one that nobody reads.

    A known label needs a bullet or bold type, and at the margin both ends of the bold type, so that
    ``**Code: the hidden language**`` stays a title; an unknown one always does.
    """
    found = _FIELD.match(head, start)
    if found is None:
        return None
    whole = found["bold"] is not None and (found["closed"] or found["close"]) is not None
    name = LABELS.get(" ".join(found["label"].split()).casefold())
    if name is None:
        return ("", found.end()) if whole and indent > 0 else None
    nested = entry.indent is not None and indent > entry.indent and not found["bold"]
    if nested or not (whole or (indent > 0 and (bulleted or found["bold"]))):
        return None
    return name, found.end()
