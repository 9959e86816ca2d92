"""Searching: from what was typed and chosen to a page of papers with the passages that match."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from db import label_store, paper_store, search_store, trend_store
from db.label_store import Found, Guess
from db.records import Stored
from db.search_store import COUNTED_AT_MOST, Ranking, Span
from db.session import Session
from jobs.alerts import wording
from jobs.passages import Mark, marked, passage
from recommender import labels, query
from recommender.labels import Kind
from recommender.paper import paper_key
from recommender.query import Part, Query

PER_PAGE = 20
_BIGGEST = 1 << 62
_CURSOR = re.compile(r"(?P<any>a)?(?:(?P<score>-?[0-9.e+-]{1,25})_)?(?P<number>[0-9]{1,19})")


@dataclass(frozen=True, slots=True)
class Asked:
    """A search: what was typed, labels chosen beside it (kind and name or slug), and days, both included.

    ``newest`` asks for the latest first instead of the best.
    """

    typed: str = ""
    chosen: tuple[tuple[Kind, str], ...] = ()
    first: date | None = None
    last: date | None = None
    newest: bool = False

    @property
    def query(self) -> Query:
        """What the search looks for."""
        asked = query.read(self.typed)
        more = [(kind, short) for kind, given in self.chosen if (short := labels.read_slug(kind, given))]
        return replace(asked, labels=(*asked.labels, *more))


@dataclass(frozen=True, slots=True)
class Listed:
    """A paper in a list: its title and a passage with marks (empty where nothing was looked for in it), and
    what was guessed of it."""

    stored: Stored
    title: tuple[Mark, ...]
    passage: tuple[Mark, ...] = ()
    guesses: tuple[Guess, ...] = ()


@dataclass(frozen=True, slots=True)
class Results:
    """A page of what was found: ``total`` papers in all, ``many`` where there are more than were counted.

    ``next`` is the cursor of the next page, empty on the last. ``any_word`` says that no paper holds all of
    the words, and these hold some.
    """

    papers: tuple[Listed, ...] = ()
    total: int = 0
    many: bool = False
    next: str = ""
    any_word: bool = False


def find(session: Session, asked: Asked, cursor: str = "", *, at_most: int = PER_PAGE) -> Results:
    """One page of a search; a cursor that is none begins at the first. Where nothing is asked for, or only
    days, all papers are found; nothing where what was asked cannot be looked for."""
    wanted, span = asked.query, Span(asked.first, asked.last)
    if not wanted.asks:
        everything = asked.first or asked.last or not (asked.typed.strip() or asked.chosen)
        return _of_days(session, asked, cursor, at_most) if everything else Results()
    place = _CURSOR.fullmatch(cursor)
    newest = asked.newest or not wanted.parts
    any_word = bool(place and place["any"])
    looked = _page(session, replace(wanted, any_part=any_word), span, newest, place, at_most + 1)
    if not looked.total and not place and len(wanted.parts) > 1:
        any_word = True
        looked = _page(session, replace(wanted, any_part=True), span, newest, place, at_most + 1)
    total, shown, more = looked.total, looked.hits[:at_most], len(looked.hits) > at_most
    papers = paper_store.by_numbers(session, [hit.paper_id for hit in shown], with_sources=True)
    found = [papers[hit.paper_id] for hit in shown if hit.paper_id in papers]
    following = ""
    if more:
        last = shown[-1]
        score = "" if newest else f"{last.score!r}_"
        following = f"{'a' if any_word else ''}{score}{last.number}"
    return Results(
        listed(session, found, wanted.parts), min(total, COUNTED_AT_MOST), total > COUNTED_AT_MOST,
        following, any_word and total > 0,
    )  # fmt: skip


def _page(
    session: Session, wanted: Query, span: Span, newest: bool, place: re.Match[str] | None, at_most: int
) -> Ranking:
    number = min(int(place["number"]), _BIGGEST) if place else None
    if newest:
        hits = search_store.newest(session, wanted, span, at_most=at_most, before=number)
        return Ranking(hits, search_store.count(session, wanted, span))
    after = (_number(place["score"]), number) if place and number is not None and place["score"] else None
    return search_store.ranked(session, wanted, span, at_most=at_most, after=after)


def _number(written: str) -> float:
    try:
        return float(written)
    except ValueError:
        return 0.0


def _of_days(session: Session, asked: Asked, cursor: str, at_most: int) -> Results:
    papers = label_store.papers_of_days(
        session, asked.first, asked.last, at_most=at_most + 1, before=before(cursor)
    )
    total = label_store.count_of_days(session, asked.first, asked.last, at_most=COUNTED_AT_MOST + 1)
    shown, following = page(session, papers, at_most)
    return Results(shown, min(total, COUNTED_AT_MOST), total > COUNTED_AT_MOST, following)


def named(session: Session, typed: str) -> Stored | None:
    """The paper on hand of which the id, a link or the DOI was typed, and nothing else."""
    if " " in typed.strip():
        return None
    try:
        key = paper_key(typed)
    except ValueError:
        return None
    return paper_store.by_keys(session, [key], with_sources=True).get(key)


def first_of(session: Session, days: int, last: date | None, today: date) -> date:
    """The first of so many days up to ``last``, else to the latest on hand, else to ``today``."""
    end = last or trend_store.last_day(session) or today
    return date.fromordinal(max(end.toordinal() - days + 1, 1))


def newest(session: Session, wanted: Query, number: int | None, *, at_most: int) -> list[Found]:
    """The latest papers that match, of those with numbers below this one."""
    hits = search_store.newest(session, wanted, Span(), at_most=at_most, before=number)
    papers = paper_store.by_numbers(session, [hit.paper_id for hit in hits])
    return [Found(hit.number, papers[hit.paper_id]) for hit in hits if hit.paper_id in papers]


def before(cursor: str) -> int | None:
    """The number below which a page of a browsed list begins; None for the first page."""
    return min(int(cursor), _BIGGEST) if re.fullmatch(r"[0-9]{1,19}", cursor) else None


def page(session: Session, found: Sequence[Found], at_most: int) -> tuple[tuple[Listed, ...], str]:
    """Up to ``at_most`` papers of a browsed list as they are shown, and the cursor of the next page."""
    shown = found[:at_most]
    sourced = paper_store.sourced(session, {one.stored.number: one.stored for one in shown})
    following = str(shown[-1].number) if len(found) > at_most else ""
    return listed(session, list(sourced.values()), ()), following


def listed(session: Session, papers: Sequence[Stored], parts: Sequence[Part]) -> tuple[Listed, ...]:
    """Papers as they stand in a list, in the order given, with marks where ``parts`` are met."""
    guesses = label_store.guesses(session, [one.number for one in papers])
    inside = [part for part in parts if part.field != "author"]
    return tuple(
        Listed(
            one,
            marked(wording.title(one.paper), inside),
            passage(one.paper, [part for part in inside if part.field == "any"]) if inside else (),
            guesses.get(one.number, ()),
        )
        for one in papers
    )
