"""One row a paper, however often and by whom it is shown."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks import synthetic
from db import paper_store, source_store
from db.session import Database
from recommender.merging import merged
from recommender.paper import Paper, hash_key
from tests.conftest import NOW

BASE = Paper(
    id="arxiv:2510.00001",
    title="Caches that forget politely under memory pressure",
    version=1,
    abstract="We let caches forget. They do so politely.",
    authors=("Ada Example", "Björn Beispiel"),
    categories=("cs.OS",),
    url="https://arxiv.org/abs/2510.00001",
    announced=date(2025, 10, 28),
    announce_type="new",
)


def _source(database: Database, name: str) -> int:
    with database.writing() as session:
        return source_store.add(session, name=name, kind="file", location=name, every_minutes=0, now=None).id


def _merge(database: Database, papers: list[Paper], source: int, **options: bool) -> paper_store.Merged:
    with database.writing() as session:
        return paper_store.merge(session, papers, source, NOW, **options)


def _all(database: Database) -> list[Paper]:
    with database.reading() as session:
        return [s.paper for s in paper_store.all_papers(session)]


def test_the_same_sighting_twice_changes_nothing(database: Database) -> None:
    source = _source(database, "feed")
    first = _merge(database, [BASE], source)
    before = _all(database)
    again = _merge(database, [BASE], source)
    assert (first.new, again) == (1, paper_store.Merged())
    assert _all(database) == before


def test_two_sources_of_one_paper_make_one_row_with_both_named(database: Database) -> None:
    digest = replace(
        BASE, version=None, abstract="", summary="Caches forget.", topics=("caching",), announce_type=""
    )
    assert _merge(database, [digest], _source(database, "digest")).new == 1
    counts = _merge(database, [BASE], _source(database, "feed"))
    (paper,) = _all(database)
    assert counts == paper_store.Merged(merged=1)
    assert paper.abstract == BASE.abstract
    assert paper.summary == "Caches forget."
    assert paper.topics == ("caching",)
    assert paper.sources == ("digest", "feed")


def test_a_later_version_updates_and_keeps_the_old_words(database: Database) -> None:
    source = _source(database, "feed")
    _merge(database, [BASE], source)
    second = replace(BASE, version=2, abstract="We let caches forget, fast.", announce_type="replace")
    assert _merge(database, [second], source) == paper_store.Merged(updated=1)
    with database.reading() as session:
        (stored,) = paper_store.all_papers(session)
        (old,) = paper_store.revisions(session, stored.number)
    assert (stored.paper.version, stored.paper.abstract) == (2, second.abstract)
    assert (old.version, old.abstract) == (1, BASE.abstract)
    assert stored.paper.announced == BASE.announced


def test_an_earlier_version_arriving_late_changes_no_words(database: Database) -> None:
    source = _source(database, "feed")
    second = replace(BASE, version=2, abstract="Later words.")
    _merge(database, [second], source)
    _merge(database, [BASE], source)
    (paper,) = _all(database)
    assert (paper.version, paper.abstract) == (2, "Later words.")


def test_a_version_named_by_only_one_source_is_no_update(database: Database) -> None:
    _merge(database, [replace(BASE, version=None)], _source(database, "digest"))
    assert _merge(database, [BASE], _source(database, "feed")).updated == 0


def test_papers_repeated_within_one_payload_become_one(database: Database) -> None:
    cross = replace(BASE, announce_type="cross", categories=("cs.DC",))
    assert _merge(database, [BASE, cross], _source(database, "feed")).new == 1
    (paper,) = _all(database)
    assert paper.categories == ("cs.OS", "cs.DC")
    assert paper.announce_type == "new"


def test_a_paper_without_id_is_found_by_title_and_first_author(database: Database) -> None:
    nameless = replace(
        BASE,
        id=hash_key("https://example.org/1", ""),
        version=None,
        url="https://example.org/1",
        title="Caches That Forget – Politely – Under Memory Pressure",
        authors=("Example, Ada",),
    )
    _merge(database, [nameless], _source(database, "blog"))
    assert _merge(database, [BASE], _source(database, "feed")).new == 0
    (paper,) = _all(database)
    assert paper.id == BASE.id
    assert paper.url == BASE.url
    with database.reading() as session:
        assert paper_store.by_keys(session, [nameless.id])[nameless.id].paper.id == BASE.id


def test_two_arxiv_papers_of_one_title_stay_two(database: Database) -> None:
    other = replace(BASE, id="arxiv:2510.00002")
    assert _merge(database, [BASE, other], _source(database, "feed")).new == 2


@pytest.mark.parametrize(
    ("paper", "archive", "news"),
    [
        (BASE, False, True),
        (BASE, True, False),
        (replace(BASE, announce_type="replace"), False, False),
        (replace(BASE, withdrawn=True), False, False),
    ],
    ids=["new paper", "from an archive", "replacement of an unseen paper", "withdrawn"],
)
def test_what_is_news(database: Database, paper: Paper, archive: bool, news: bool) -> None:
    from db import alert_store

    _merge(database, [paper], _source(database, "feed"), archive=archive)
    with database.writing() as session:
        batch = alert_store.make_batch(session, NOW, "feed")
    assert (batch is not None) is news


def test_a_paper_withdrawn_before_it_was_matched_is_no_news(database: Database) -> None:
    from db import alert_store

    source = _source(database, "feed")
    _merge(database, [BASE], source)
    _merge(database, [replace(BASE, version=2, withdrawn=True, announce_type="replace")], source)
    with database.writing() as session:
        assert alert_store.make_batch(session, NOW, "feed") is None


_papers = st.builds(
    Paper,
    id=st.sampled_from(["arxiv:2510.00001", "arxiv:2510.00002", "doi:10.1000/a", "hash:1"]),
    title=st.sampled_from(
        ["Caches that forget politely under pressure", "A title of quite another kind of work"]
    ),
    version=st.sampled_from([None, 1, 2, 3]),
    abstract=st.sampled_from(["", "Some words.", "Other words."]),
    summary=st.sampled_from(["", "A summary."]),
    authors=st.sampled_from([(), ("Ada Example",), ("Ada Example", "Bo Muster")]),
    authors_complete=st.booleans(),
    topics=st.sampled_from([(), ("x",), ("y", "x")]),
    announced=st.sampled_from([None, date(2025, 10, 28), date(2025, 10, 29)]),
    announce_type=st.sampled_from(["", "new", "cross", "replace"]),
    withdrawn=st.booleans(),
)


@given(one=_papers, other=_papers)
def test_merging_twice_is_merging_once(one: Paper, other: Paper) -> None:
    once, _ = merged(one, other)
    twice, change = merged(once, other)
    assert twice == once
    assert change == "same"


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(papers=st.lists(_papers, max_size=8))
def test_ingesting_twice_is_ingesting_once(
    tmp_path_factory: pytest.TempPathFactory, papers: list[Paper]
) -> None:
    from db import migrate

    database = Database(f"sqlite:///{tmp_path_factory.mktemp('twice') / 'p.db'}")
    migrate.upgrade(database)
    source = _source(database, "feed")
    _merge(database, papers, source)
    before = _all(database)
    assert _merge(database, papers, source).new == 0
    assert {p.id for p in _all(database)} == {p.id for p in before}
    assert all(p.title for p in before)
    database.dispose()


def test_many_papers_at_once_are_all_stored(database: Database) -> None:
    many = [
        replace(BASE, id=f"arxiv:2510.{n:05d}", title=f"A study of the number {n} and what follows from it")
        for n in range(2_345)
    ]
    assert _merge(database, many, _source(database, "feed")).new == len(many)
    with database.reading() as session:
        assert paper_store.last_number(session) == len(many)
        assert len(paper_store.by_keys(session, [p.id for p in many])) == len(many)


def test_several_who_store_the_same_papers_at_once_store_each_once(database: Database) -> None:
    papers = synthetic.papers(300)
    with database.writing() as session:
        numbers = [
            source_store.add(session, name=n, kind="file", location=n, every_minutes=0, now=None).id
            for n in "abcd"
        ]
    ready = threading.Barrier(len(numbers))

    def store(source: int) -> int:
        ready.wait()
        with database.writing() as session:
            # Some begin at the other end, as sources in another order do.
            return paper_store.merge(session, papers[:: (-1) ** source], source, NOW).new

    with ThreadPoolExecutor(len(numbers)) as threads:
        assert sorted(threads.map(store, numbers)) == [0, 0, 0, 300]


def test_the_latest_days_come_first(database: Database) -> None:
    days = [date(2025, 10, 1) + timedelta(days=n) for n in range(10)]
    papers = [
        replace(BASE, id=f"arxiv:2510.{n:05d}", title=f"Paper of day {n}: a long enough title", announced=day)
        for n, day in enumerate(days)
    ]
    _merge(database, papers, _source(database, "feed"))
    with database.reading() as session:
        found = paper_store.recent(session, days=3, at_most=100)
    assert [s.paper.announced for s in found] == days[:6:-1]


def test_the_latest_papers_are_streamed_with_all_of_their_earliest_day(database: Database) -> None:
    days = [date(2025, 10, 1) + timedelta(days=n // 2) for n in range(10)]
    papers = [
        replace(BASE, id=f"arxiv:2510.{n:05d}", title=f"Paper {n}: a title of its own", announced=day)
        for n, day in enumerate(days)
    ]
    undated = replace(BASE, id="arxiv:2510.00010", title="A title that has no day at all", announced=None)
    _merge(database, [*papers, undated], _source(database, "feed"))
    with database.reading() as session:
        latest = {p.id for p in paper_store.stream(session, newest=3)}
        everything = {p.id for p in paper_store.stream(session, newest=11)}
    assert latest == {p.id for p in papers[6:]}
    assert everything == {p.id for p in [*papers, undated]}


def test_text_that_no_database_can_hold_is_cleaned_and_the_paper_is_kept(database: Database) -> None:
    odd = replace(BASE, title="Caches\0 that forget \ud83d politely", abstract="α \0 β \udc00 γ")
    assert _merge(database, [odd], _source(database, "feed")).new == 1
    (paper,) = _all(database)
    assert paper.title == "Caches that forget  politely"
    assert paper.abstract == "α  β  γ"
