"""The full text of papers: SQLite's FTS5 or PostgreSQL's tsvector, asked and filled in one way.

Each paper has one number there, its announcement day and row number in one, so that the order of numbers is
the order of days: the newest come first without sorting, and a span of days is a span of numbers.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from sqlalchemy import text
from sqlalchemy.orm import Session

from recommender import labels
from recommender.query import Field, Part, Query

_ID_BITS = 40
_TEXTS = ("title", "people", "words", "labels")
_COLUMNS = ", ".join(_TEXTS)
_VALUES = ":title, :people, :words, :labels"
COUNTED_AT_MOST = 3_000
"""So many matches are counted and ranked, the newest: a word that half of all papers hold says nothing about
the rest."""

# Weights of title, people, words of the abstract, labels.
_SQLITE_WEIGHTS: Final = "8.0, 4.0, 2.0, 0.0"
_POSTGRES_WEIGHTS: Final = "{0.0, 0.25, 0.5, 1.0}"  # of D, C, B, A
_SQLITE_COLUMNS: Final[dict[Field, str]] = {"title": "title : ", "author": "people : "}
_LIKE_A_LABEL: Final = re.compile(r"x\d+")  # as `labels.token` writes them


@dataclass(frozen=True, slots=True)
class Entry:
    """A paper as the index takes it: each text is words with a space between, ``labels`` are tokens."""

    paper_id: int
    day: date
    title: str
    people: str
    words: str
    labels: str

    @property
    def number(self) -> int:
        """Its place in the index."""
        return number_of(self.day, self.paper_id)

    @property
    def texts(self) -> tuple[str, str, str, str]:
        """Title, people, words and labels."""
        return self.title, self.people, self.words, self.labels


@dataclass(frozen=True, slots=True)
class Hit:
    """A match: its number, the row number of its paper, and its score, of which less is better."""

    number: int
    paper_id: int
    score: float


@dataclass(frozen=True, slots=True)
class Ranking:
    """Some of the best matches, and how many there are in all, up to `COUNTED_AT_MOST` and one more."""

    hits: list[Hit]
    total: int


@dataclass(frozen=True, slots=True)
class Span:
    """The days that are looked through, both included; None where there is no end."""

    first: date | None = None
    last: date | None = None


def number_of(day: date, paper_id: int) -> int:
    """The number of a paper of this day."""
    return day.toordinal() << _ID_BITS | paper_id


def day_of(number: int) -> date:
    """The day of the paper with this number; the nearest day there is for a number of no paper."""
    return date.fromordinal(min(max(number >> _ID_BITS, 1), date.max.toordinal()))


def paper_of(number: int) -> int:
    """The row number of the paper with this number."""
    return number & ((1 << _ID_BITS) - 1)


def put(session: Session, entries: Sequence[Entry], old_numbers: Iterable[int]) -> None:
    """Take papers in, after what stood at ``old_numbers`` is taken out."""
    rows = [{"number": e.number} | dict(zip(_TEXTS, e.texts, strict=True)) for e in entries]
    if _is_sqlite(session):
        _forget(session, list(old_numbers))
        held = [{"number": e.number, "held": zlib.compress("\n".join(e.texts).encode())} for e in entries]
        _each(session, f"INSERT INTO paper_search (rowid, {_COLUMNS}) VALUES (:number, {_VALUES})", rows)  # noqa: S608
        _each(session, "INSERT INTO paper_search_text (number, held) VALUES (:number, :held)", held)
        return
    statement = (
        "INSERT INTO paper_search (number, words) VALUES (:number,"
        " setweight(to_tsvector('english', :title), 'A')"
        " || setweight(to_tsvector('simple', :people), 'B')"
        " || setweight(to_tsvector('english', :words), 'C')"
        " || setweight(to_tsvector('simple', :labels), 'D'))"
    )
    _each(session, "DELETE FROM paper_search WHERE number = :number", [{"number": n} for n in old_numbers])
    _each(session, statement, rows)


def _forget(session: Session, numbers: Sequence[int]) -> None:
    """Take texts out of FTS5. Its table keeps none (they would be half of the whole database), so that it
    wants to be told each text again; ours has them compressed."""
    gone = []
    for number in numbers:
        held = session.scalar(text("SELECT held FROM paper_search_text WHERE number = :n"), {"n": number})
        if held is not None:
            texts = zlib.decompress(held).decode().split("\n")
            gone.append({"number": number} | dict(zip(_TEXTS, texts, strict=True)))
    columns = f"paper_search, rowid, {_COLUMNS}"
    told = f"INSERT INTO paper_search ({columns}) VALUES ('delete', :number, {_VALUES})"  # noqa: S608
    _each(session, told, gone)
    _each(session, "DELETE FROM paper_search_text WHERE number = :number", gone)


def _each(session: Session, statement: str, rows: Sequence[Mapping[str, object]]) -> None:
    if rows:
        session.execute(text(statement), rows)


def empty(session: Session) -> None:
    """Let the index hold nothing."""
    if _is_sqlite(session):
        session.execute(text("INSERT INTO paper_search (paper_search) VALUES ('delete-all')"))
        session.execute(text("DELETE FROM paper_search_text"))
    else:
        session.execute(text("DELETE FROM paper_search"))


def is_empty(session: Session) -> bool:
    """Whether the index holds nothing."""
    first = "SELECT 1 FROM paper_search_text LIMIT 1"
    statement = first if _is_sqlite(session) else first.replace("_text", "")
    return session.execute(text(statement)).first() is None


def ranked(
    session: Session, query: Query, span: Span, *, at_most: int, after: tuple[float, int] | None = None
) -> Ranking:
    """The best matches, the newer first among equals, of those beyond ``after`` (score and number).

    Only the newest `COUNTED_AT_MOST` matches are ranked, and counted in the same go. Where none is beyond
    ``after``, the total is 0.
    """
    newest, values = _newest(session, query, span, scored=True)
    later = ""
    if after is not None:
        later = "WHERE score > :score OR (score = :score AND number < :seen)"
        values |= {"score": after[0], "seen": after[1]}
    counted = f"SELECT found.*, count(*) OVER () AS total FROM ({newest}) AS found"  # noqa: S608
    statement = (
        f"SELECT number, score, total FROM ({counted}) AS all_found {later}"  # noqa: S608
        " ORDER BY score, number DESC LIMIT :most"
    )
    values |= {"ranked": COUNTED_AT_MOST + 1, "most": at_most}
    rows = session.execute(text(statement), values).all()
    hits = [Hit(row.number, paper_of(row.number), row.score) for row in rows]
    return Ranking(hits, rows[0].total if rows else 0)


def newest(
    session: Session, query: Query, span: Span, *, at_most: int, before: int | None = None
) -> list[Hit]:
    """The latest matches, of those with numbers below ``before``."""
    statement, values = _newest(session, query, span, scored=False, before=before)
    rows = session.execute(text(statement), values | {"ranked": at_most})
    return [Hit(row.number, paper_of(row.number), 0.0) for row in rows]


def holders(session: Session, parts: Sequence[Part], span: Span, *, at_most: int) -> list[list[Hit]]:
    """For each part the newest papers that hold it, in one question; a third of the time that ranking takes,
    which counts how often each is held in all."""
    whole: dict[str, object] = {"ranked": at_most}
    each = []
    for at, part in enumerate(parts):
        statement, values = _newest(session, Query((part,)), span, scored=False)
        for name in values:
            statement = re.sub(rf":{name}\b", f":{name}_{at}", statement)
        whole |= {f"{name}_{at}": value for name, value in values.items()}
        each.append(f"SELECT {at} AS part, number FROM ({statement}) AS found{at}")  # noqa: S608
    found: list[list[Hit]] = [[] for _ in parts]
    for row in session.execute(text(" UNION ALL ".join(each)), whole) if each else ():
        found[row.part].append(Hit(row.number, paper_of(row.number), 0.0))
    return found


def count(session: Session, query: Query, span: Span) -> int:
    """How many papers match, up to `COUNTED_AT_MOST` and one more."""
    statement, values = _newest(session, query, span, scored=False)
    counted = text(f"SELECT count(*) FROM ({statement}) AS found")  # noqa: S608
    return session.scalar(counted, values | {"ranked": COUNTED_AT_MOST + 1}) or 0


def _newest(
    session: Session, query: Query, span: Span, *, scored: bool, before: int | None = None
) -> tuple[str, dict[str, object]]:
    """The SELECT of the newest ``:ranked`` matches, with scores if wanted, and its values."""
    sqlite = _is_sqlite(session)
    number = "rowid" if sqlite else "number"
    values: dict[str, object]
    if sqlite:
        matched, values = "paper_search MATCH :match", {"match": _fts5(query)}
    else:
        wanted, values = _tsquery(query)
        matched = f"words @@ ({wanted})"
    limits = [matched]
    if span.first:
        limits.append(f"{number} >= :low")
        values["low"] = number_of(span.first, 0)
    if span.last or before is not None:
        ends = [number_of(span.last, (1 << _ID_BITS) - 1) + 1] if span.last else []
        limits.append(f"{number} < :high")
        values["high"] = min([*ends, *([before] if before is not None else [])])
    score = ""
    if scored and sqlite:
        score = f", bm25(paper_search, {_SQLITE_WEIGHTS}) AS score"
    elif scored:
        # 1 divides by 1 + log of the length, as bm25 does in its way.
        # The cast is for pages: a 4-byte float does not come back as it went out.
        rank = f"ts_rank('{_POSTGRES_WEIGHTS}', words, ({wanted}), 1)"
        score = f", -CAST({rank} AS double precision) AS score"
    statement = (
        f"SELECT {number} AS number{score} FROM paper_search WHERE {' AND '.join(limits)}"  # noqa: S608
        f" ORDER BY {number} DESC LIMIT :ranked"
    )
    return statement, values


def _is_sqlite(session: Session) -> bool:
    return session.get_bind().dialect.name == "sqlite"


def _fts5(query: Query) -> str:
    """The query in FTS5's language. Every word stands in quotes, so that none is an operator."""

    def term(part: Part) -> str:
        columns = _SQLITE_COLUMNS.get(part.field, "")
        if not columns and any(map(_LIKE_A_LABEL.fullmatch, part.words)):
            # Elsewhere it goes without: finding and counting take half as long again within named columns.
            columns = "{title people words} : "
        return f'{columns}"{" ".join(part.words)}"{" *" if part.open else ""}'

    wanted = [f'labels : "{labels.token(kind, short)}"' for kind, short in query.labels]
    parts = [term(part) for part in query.parts]
    wanted += [f"({' OR '.join(parts)})"] if query.any_part and parts else parts
    without = " OR ".join(term(part) for part in query.without)
    whole = " AND ".join(f"({one})" for one in wanted)
    return f"({whole}) NOT ({without})" if without else whole


def _tsquery(query: Query) -> tuple[str, dict[str, object]]:
    """The query as an expression of PostgreSQL, and its values. People and labels are not stemmed."""
    values: dict[str, object] = {}

    def words(config: str, found: Sequence[str], weights: str, is_open: bool = False) -> str:
        # Words hold letters and digits only, so that none ends its quotes.
        last = len(found) - 1
        ends = [f"'{word}':{'*' if is_open and at == last else ''}{weights}" for at, word in enumerate(found)]
        name = f"q{len(values)}"
        values[name] = " <-> ".join(ends)
        return f"to_tsquery('{config}', :{name})"

    def term(part: Part) -> str:
        if part.field == "author":
            return words("simple", part.words, "B", part.open)
        if part.field == "title":
            return words("english", part.words, "A", part.open)
        found = words("english", part.words, "AC", part.open), words("simple", part.words, "B", part.open)
        return f"({found[0]} || {found[1]})"

    wanted = [words("simple", [labels.token(kind, short)], "D") for kind, short in query.labels]
    parts = [term(part) for part in query.parts]
    wanted += [f"({' || '.join(parts)})"] if query.any_part and parts else parts
    without = [f"!!{term(part)}" for part in query.without]
    return " && ".join([*wanted, *without]), values
