"""An archive's papers, stored as they come: the same as if each had been merged."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from db import alert_store, archive_store, migrate, paper_store, source_store
from db.paper_rows import unwritten, written
from db.session import Database
from recommender.merging import title_key
from recommender.paper import Paper
from tests.conftest import NOW
from tests.steps import counted

FULL = Paper(
    id="arxiv:2510.00001", title="Läs titeln: \U0001f4c4 “quotes” and \\alpha", version=2,
    abstract="Abstract\x00 of \ud800 it", summary="A summary", authors=("Ada Ünal", 'Bo "B" Li'),
    authors_complete=False, institutions=("Uni",), categories=("cs.DC", "cs.LG"), area="systems",
    topics=("caching",), keywords=("kv",), url="https://arxiv.org/abs/2510.00001", doi="10.1000/x",
    journal_ref="J. 1", comment="9 pages", code_url="https://code.example", contributions="Much",
    thumbnail="t.png", announced=date(2025, 10, 28), announce_type="new", withdrawn=True,
)  # fmt: skip


def test_a_paper_comes_back_from_its_row_as_the_database_would_give_it() -> None:
    stored = replace(FULL, abstract="Abstract of  it")

    assert unwritten(written(FULL, title_key(FULL))) == stored
    assert unwritten(written(Paper("a", ""), None)) == Paper("a", "")


LONG = "A title that is long enough to be told by"
PAPERS = st.builds(
    Paper,
    id=st.sampled_from(
        ["arxiv:2510.00001", "arxiv:2510.00002", "doi:10.1/a", "doi:10.1/b", "hash:1", "hash:2"]
    ),
    title=st.sampled_from([LONG, f"{LONG} itself", "Short"]),
    version=st.sampled_from([None, 1, 2]),
    abstract=st.sampled_from(["", "We cache the lines that stay cold."]),
    authors=st.sampled_from([(), ("Ada Lind",), ("Bo Berg", "Ada Lind")]),
    doi=st.sampled_from(["", "10.1/a", "10.1/b"]),
    announced=st.sampled_from([None, date(2025, 10, 28), date(2025, 1, 2)]),
    withdrawn=st.booleans(),
)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.generate],  # each example makes two databases: shrinking takes minutes
)  # fmt: skip
@given(st.lists(st.lists(PAPERS, max_size=6), max_size=3))
def test_whatever_an_archive_holds_it_is_stored_as_merging_stores_it(
    tmp_path_factory: pytest.TempPathFactory, blocks: list[list[Paper]]
) -> None:
    folder = tmp_path_factory.mktemp("archives")
    assert stored(folder / "quick.db", blocks, quickly=True) == stored(
        folder / "merged.db", blocks, quickly=False
    )


def stored(file: Path, blocks: list[list[Paper]], *, quickly: bool) -> object:
    """What is known after these blocks of an archive, whatever the row numbers are."""
    database = Database(f"sqlite:///{file}")
    migrate.upgrade(database)
    counts = []
    with database.writing() as session:
        source = source_store.add(session, name="a", kind="file", location="a", every_minutes=0, now=None)
        for block in blocks:
            if quickly:
                rows = [written(paper, title_key(paper)) for paper in block]
                counts.append(archive_store.add(session, rows, source.id, NOW))
            else:
                counts.append(paper_store.merge(session, block, source.id, NOW, archive=True))
        papers = {s.paper.id: s for s in paper_store.all_papers(session)}
        keys = [f"doi:10.1/{letter}" for letter in "ab"] + ["hash:1", "hash:2"]
        aliases = {key: s.paper.id for key, s in paper_store.by_keys(session, keys).items()}
        shown = {
            key: {each.version for each in paper_store.shown_by(session, s.number)}
            for key, s in papers.items()
        }
    database.dispose()
    return [c.new for c in counts], {key: s.paper for key, s in papers.items()}, aliases, shown


def test_an_archive_is_stored_on_either_database(database: Database) -> None:
    plain = replace(FULL, title="The same work, told twice over", abstract="Cold lines.", withdrawn=False)
    again = replace(plain, id="doi:10.1000/y", doi="10.1000/y", version=None)
    with database.writing() as session:
        source = source_store.add(session, name="a", kind="file", location="a", every_minutes=0, now=None)
        rows = [written(paper, title_key(paper)) for paper in (plain, again, Paper("doi:10.1/z", "Z"))]
        first = archive_store.add(session, rows, source.id, NOW)
        second = archive_store.add(session, rows, source.id, NOW)
    with database.reading() as session:
        found = paper_store.by_keys(session, ["arxiv:2510.00001", "doi:10.1000/x", "doi:10.1/z"])
    assert first.new in (2, 3)
    assert (second.new, second.updated) == (0, 0)
    assert found["arxiv:2510.00001"].paper == found["doi:10.1000/x"].paper == plain
    assert found["doi:10.1/z"].paper.title == "Z"


def test_a_batch_is_gathered_at_the_same_cost_whatever_an_archive_holds(tmp_path: Path) -> None:
    few, many = (_steps_to_gather(tmp_path / f"{size}.db", size) for size in (100, 10_000))

    assert many < 1.2 * few


def _steps_to_gather(file: Path, size: int) -> int:
    """Tens of SQLite's steps to put 50 new papers into a batch beside an archive of so many."""
    database = Database(f"sqlite:///{file}")
    migrate.upgrade(database)
    with database.writing() as session:
        source = source_store.add(session, name="a", kind="file", location="a", every_minutes=0, now=None)
        archive = [Paper(f"arxiv:2510.{n:05}", "") for n in range(size)]
        archive_store.add(session, [written(paper, None) for paper in archive], source.id, NOW)
        paper_store.merge(session, [Paper(f"arxiv:2511.{n:05}", "") for n in range(50)], source.id, NOW)
    with counted(database) as steps, database.writing() as session:
        batch = alert_store.make_batch(session, NOW, "")
        assert batch is not None
        assert alert_store.paper_numbers(session, batch.id) == list(range(size + 1, size + 51))
    database.dispose()
    return steps.tens
