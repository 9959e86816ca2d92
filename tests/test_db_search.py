"""The full text of papers, found by any words on either database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from db import index_store, label_store, paper_store, search_store, source_store
from db.search_store import Span
from db.session import Database
from jobs import indexing
from jobs.service import Service
from recommender import labels, query
from recommender.paper import Paper
from tests.conftest import NOW

DAY = date(2025, 11, 18)
KV = Paper(
    id="arxiv:2511.00001", title="Sharing a Key-Value Cache", abstract="Decoders wait for memory.",
    authors=("Pál Erdős", "Mary Jane"), categories=("cs.DC", "cs.LG"), topics=("LLM inference",),
    institutions=("ETH Zürich", "Not explicitly stated in the text"), announced=DAY,
)  # fmt: skip
RIVERS = Paper(
    id="arxiv:2511.00002", title="Rivers of the Alps",
    abstract="Gravel waits behind a $\\beta$-dam. 大模型推理",
    authors=("Doe, John", "Ann Will"), categories=("physics.geo-ph",), announced=DAY + timedelta(days=1),
)  # fmt: skip
CACHES = Paper(
    id="arxiv:2511.00003", title="Caches", abstract="On C++ and the value of a key. Decoding waits.",
    authors=("Jane Doe",), categories=("cs.AR",), announced=DAY - timedelta(days=40),
)  # fmt: skip


def add(service: Service, papers: Sequence[Paper]) -> None:
    with service.database.writing() as session:
        source = source_store.add(session, name="s", kind="file", location="s", every_minutes=0, now=NOW)
        paper_store.merge(session, papers, source.id, NOW)


@pytest.fixture
def library(service: Service) -> Service:
    add(service, [KV, RIVERS, CACHES])
    assert indexing.index(service, NOW) == 3
    return service


def found(database: Database, typed: str, span: Span = Span()) -> list[str]:  # noqa: B008
    """The titles that a search finds, the first word of each, best first."""
    with database.reading() as session:
        found = search_store.ranked(session, query.read(typed), span, at_most=10)
        hits = found.hits
        papers = paper_store.by_numbers(session, [hit.paper_id for hit in hits])
        assert search_store.count(session, query.read(typed), span) == found.total == len(hits)
        newest = search_store.newest(session, query.read(typed), span, at_most=10)
        assert {hit.number for hit in newest} == {hit.number for hit in hits}
        assert [hit.number for hit in newest] == sorted((hit.number for hit in hits), reverse=True)
    return [papers[hit.paper_id].paper.title.split()[0] for hit in hits]


@pytest.mark.parametrize(
    ("typed", "titles"),
    [
        ("cache", ["Caches", "Sharing"]),  # a short title that is the word comes first
        ("CACHES waiting", ["Caches", "Sharing"]),
        ('"key value"', ["Sharing"]),
        ("key-value", ["Sharing"]),
        ("value key -c++", ["Sharing"]),
        ("c++", ["Caches"]),
        ("decod*", ["Caches", "Sharing"]),
        ("de*", []),  # a beginning of three letters at least
        ("dec*", ["Caches", "Sharing"]),
        (labels.token("category", "cs.lg"), []),  # what stands for a label is no word
        ("beta dam", ["Rivers"]),
        ("大模型", ["Rivers"]),
        ("author:erdos", ["Sharing"]),
        ('author:"Erdős, Pál"', ["Sharing"]),
        ('author:"jane doe"', ["Caches"]),  # not Mary Jane beside John Doe
        ("author:will", ["Rivers"]),  # a stop word that is a name
        ("doe wait", ["Caches", "Rivers"]),
        ("title:wait", []),
        ("cat:cs.lg", ["Sharing"]),
        ("cat:cs.LG rivers", []),
        ('topic:"llm inference" cache', ["Sharing"]),
        ('inst:"ETH Zurich"', ["Sharing"]),
        ('inst:"not explicitly stated in the text"', []),
        ("explicitly", []),
        ("-cache", []),
        ('"', []),
    ],
)  # fmt: skip
def test_a_search_finds(library: Service, typed: str, titles: list[str]) -> None:
    if query.read(typed).asks:
        assert sorted(found(library.database, typed)) == sorted(titles)
    else:
        assert titles == []


def test_the_title_counts_most_and_days_bound_the_search(library: Service) -> None:
    assert found(library.database, "cache") == ["Caches", "Sharing"]
    assert found(library.database, "cache", Span(first=DAY)) == ["Sharing"]
    assert found(library.database, "cache", Span(last=DAY - timedelta(days=1))) == ["Caches"]
    assert found(library.database, "rivers", Span(DAY + timedelta(days=1), DAY + timedelta(days=1))) == [
        "Rivers"
    ]


def test_new_words_replace_the_old_ones(library: Service) -> None:
    add(
        library,
        [replace(KV, version=2, title="Sharing nothing", abstract="Locks are gone.", topics=("kernels",))],
    )
    assert found(library.database, "locks") == []
    assert indexing.index(library, NOW) == 1
    assert found(library.database, "locks") == ["Sharing"]
    assert found(library.database, "memory") == []
    assert found(library.database, "topic:kernels") == ["Sharing"]


def test_a_search_is_read_page_by_page(service: Service) -> None:
    papers = [
        replace(RIVERS, id=f"arxiv:2511.{n:05d}", title="River", abstract="water " * (n % 3),
                announced=DAY + timedelta(days=n % 4))
        for n in range(1, 24)
    ]  # fmt: skip
    add(service, papers)
    assert indexing.index(service, NOW, at_most=10) == 10
    assert indexing.index(service, NOW) == 13
    asked, seen, after = query.read("river"), [], None
    with service.database.reading() as session:
        whole = search_store.ranked(session, asked, Span(), at_most=50).hits
        for _ in range(5):
            page = search_store.ranked(session, asked, Span(), at_most=5, after=after)
            assert page.total == len(whole)
            seen += page.hits
            after = seen[-1].score, seen[-1].number
    assert [hit.number for hit in seen] == [hit.number for hit in whole]
    assert len({hit.number for hit in seen}) == 23


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=60) | st.text(alphabet="\"():*-+^{}' ANDORNTEcate&|!<>\\a", max_size=40))
def test_nothing_that_can_be_typed_is_an_error(library: Service, typed: str) -> None:
    asked = query.read(typed)
    for one in (asked, replace(asked, any_part=True)):
        if one.asks:
            with library.database.reading() as session:
                search_store.ranked(session, one, Span(), at_most=5)
                search_store.newest(session, one, Span(), at_most=5)


def test_labels_list_their_papers_newest_first(library: Service) -> None:
    more = [
        replace(KV, id=f"arxiv:2511.1{n:04d}", title=f"Part {n}", announced=DAY - timedelta(days=n % 3))
        for n in range(7)
    ]
    add(library, more)
    indexing.index(library, NOW)
    with library.database.reading() as session:
        first = label_store.papers_of_label(session, "topic", "llm-inference", at_most=5)
        rest = label_store.papers_of_label(
            session, "topic", "llm-inference", at_most=9, before=first[-1].number
        )
        days = [one.stored.paper.announced for one in (*first, *rest)]
        assert days == sorted(days, reverse=True) and len({f.number for f in (*first, *rest)}) == 8
        assert label_store.find(session, "institution", "eth-zurich") is not None
        assert [c.label.slug for c in label_store.most_used(session, "institution", DAY, at_most=9)] == [
            "eth-zurich"
        ]
        assert label_store.papers_of_label(session, "topic", "none", at_most=5) == []
        of_day = label_store.papers_of_days(session, DAY, DAY, at_most=9)
        assert {one.stored.paper.announced for one in of_day} == {DAY}
        assert label_store.days(session, at_most=2)[0] == (DAY + timedelta(days=1), 1)


def test_an_index_that_was_left_behind_is_made_anew(library: Service) -> None:
    with library.database.writing() as session:
        numbers = [
            hit.number for hit in search_store.newest(session, query.read("doe erdos"), Span(), at_most=9)
        ]
        numbers += [
            h.number
            for q in ("cache", "rivers")
            for h in search_store.newest(session, query.read(q), Span(), at_most=9)
        ]
        search_store.put(session, [], set(numbers))
        assert search_store.is_empty(session)
    assert indexing.index(library, NOW) == 3
    assert found(library.database, "rivers") == ["Rivers"]
    with library.database.reading() as session:
        assert index_store.count_waiting(session) == 0
