"""An ORCID iD as its owner's works, asked of an ORCID of our own on loopback."""

from __future__ import annotations

import json
import threading
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db import paper_store, source_store
from db.session import Database
from jobs import orcid
from jobs.alerts.links import Links
from jobs.alerts.mail import Sender
from jobs.orcid import OrcidError
from jobs.service import OrcidApi, Service
from recommender.paper import Paper
from tests.conftest import NOW
from tests.fake_orcid import CARBERRY, QUICK, FakeOrcid, work

ON_HAND = (
    Paper(id="arxiv:2511.00001", title="Caches for all", authors=("Josiah Carberry",)),
    Paper(id="arxiv:2511.00002", title="A paper", authors=("J. Carberry",), doi="10.1000/journal.2"),
    Paper(id="doi:10.1101/2025.01.01.1", title="On cells", authors=("Josiah Carberry",)),
)
WORKS = [
    work("A journal's paper", ("doi", "10.1000/JOURNAL.2"), year="2025"),
    work("Older than all", ("isbn", "9783161484100"), year="2019"),
    work("Caches for all", ("doi", "10.48550/arXiv.2511.00001"), year="2024"),
    work("On cells", ("doi", "10.1093/cell/7"), ("doi", "10.1101/2025.01.01.1"), year="2026"),
    work("Not here", ("arxiv", "arXiv:2401.00001v2"), ("doi", "10.1000/not.here"), year="2023"),
    work("In a book", ("doi", "10.1101/2025.01.01.1"), year="2018", relation="part-of"),
]


@pytest.fixture
def stocked(service: Service) -> Service:
    """A service with three of Carberry's papers on hand."""
    with service.database.writing() as session:
        source = source_store.add(session, name="s", kind="file", location="s", every_minutes=0, now=NOW)
        paper_store.merge(session, ON_HAND, source.id, NOW)
    return service


@pytest.fixture
def alone(tmp_path: Path) -> Service:
    """A service whose database is empty and never asked."""
    unused = Database(f"sqlite:///{tmp_path / 'unused.db'}")
    return Service(unused, Links("http://papers.example.org", "a secret"), Sender("", ""), nullcontext)


def asking(service: Service, api: OrcidApi) -> Service:
    service.orcid = api
    return service


def test_works_are_found_by_arxiv_id_by_doi_and_by_any_id_of_a_group(stocked: Service) -> None:
    fake = FakeOrcid(WORKS)
    with fake.serving() as api:
        found = orcid.works(asking(stocked, api), f" https://orcid.org/{CARBERRY} ")
    assert fake.asked == [(f"/v3.0/{CARBERRY}/works", "application/json")]
    assert [paper.id for paper in found.papers] == [
        "doi:10.1101/2025.01.01.1", "arxiv:2511.00002", "arxiv:2511.00001",
    ]  # fmt: skip
    assert found.seeds == (*(paper.id for paper in found.papers), "arxiv:2401.00001")
    assert found.titles == ("Not here", "Older than all", "In a book"), "the latest first"
    assert str(found) == (
        f"ORCID {CARBERRY}: 3 of 6 entries are papers on hand here. "
        "The other 3 count by the words of their titles."
    )


def test_a_list_of_thousands_is_cut_and_the_latest_works_stay(stocked: Service) -> None:
    many = [work(f"Work {n}", ("doi", f"10.1000/w.{n}"), year=str(1000 + n)) for n in range(4_000)]
    with FakeOrcid([*many, WORKS[3]]).serving() as api:
        found = orcid.works(asking(stocked, api), CARBERRY)
    assert len(found.titles) == 1_000 and found.titles[0] == "Work 3999"
    assert found.left == 3_001 and found.papers == ()


@pytest.mark.parametrize(
    "typed",
    [
        CARBERRY, "0000000218250097", f"orcid.org/{CARBERRY}", f"ORCID iD: {CARBERRY}",
        f"https://orcid.org/my-orcid?orcid={CARBERRY}",
    ],
)  # fmt: skip
def test_an_id_is_read_bare_and_as_a_link(typed: str) -> None:
    assert orcid.means_one(typed) and orcid.orcid_id(typed) == CARBERRY


def test_a_check_digit_may_be_ten_written_as_x() -> None:
    assert orcid.orcid_id("0000-0002-1694-233x") == "0000-0002-1694-233X"


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("0000-0002-1825-0098", "the last digit does not fit"),
        ("0000-0002-1825-0907", "the last digit does not fit"),
        ("0000-0002-1825-009", "is no ORCID iD, which has 16 digits"),
        (f"{CARBERRY}1", "is no ORCID iD, which has 16 digits"),
        ("https://orcid.org/", "is no ORCID iD, which has 16 digits"),
    ],
)
def test_what_is_no_id_is_told_so_and_nobody_is_asked(alone: Service, typed: str, why: str) -> None:
    fake = FakeOrcid(WORKS)
    with fake.serving() as api, pytest.raises(OrcidError, match=why):
        orcid.works(asking(alone, api), typed)
    assert fake.asked == []


def test_names_are_not_taken_for_ids() -> None:
    assert not any(map(orcid.means_one, ("Ada Lovelace", "Jean-Luc Picard 3rd", "Müller, K.-R.", "")))


@pytest.mark.parametrize(
    ("fake", "why"),
    [
        (FakeOrcid(), "lists no public works"),
        (FakeOrcid(status=404), "ORCID knows no"),
        (FakeOrcid(status=409), "locked or given up"),
        (FakeOrcid(status=429), "did not answer"),
        (FakeOrcid(status=500), "did not answer"),
        (FakeOrcid(status=302), "did not answer"),
        (FakeOrcid(body=b"<html>a captcha</html>"), "cannot be read"),
        (FakeOrcid(body=b'{"group": ['), "cannot be read"),
        (FakeOrcid(body=b"[" * 200_000), "cannot be read"),
        (FakeOrcid(body=b'{"group": null}'), "cannot be read"),
        (FakeOrcid(body=b"[1]"), "cannot be read"),
        (FakeOrcid(body=b" " * (17 * 1024 * 1024)), "did not answer"),
    ],
    ids=["none", "404", "locked", "busy", "fault", "moved", "HTML", "cut", "deep", "null", "a list", "huge"],
)
def test_an_answer_without_works_says_what_to_do(alone: Service, fake: FakeOrcid, why: str) -> None:
    with fake.serving() as api, pytest.raises(OrcidError, match=why) as caught:
        orcid.works(asking(alone, api), CARBERRY)
    assert len(fake.asked) == 1, "asked once, however it ends"
    assert "http://" not in str(caught.value)


def test_a_slow_orcid_is_not_waited_for(alone: Service) -> None:
    released = threading.Event()
    fake = FakeOrcid(WORKS, hold=lambda: released.wait(30))
    limits = replace(QUICK, read_seconds=0.2, total_seconds=0.2)
    with fake.serving(limits) as api:
        try:
            with pytest.raises(OrcidError, match="did not answer"):
                orcid.works(asking(alone, api), CARBERRY)
            assert not released.is_set()
        finally:
            released.set()


def test_only_two_readers_wait_for_orcid_at_once(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orcid, "_WAIT_SECONDS", 0.01)
    released, both = threading.Event(), threading.Barrier(3)

    def hold() -> None:
        both.wait(30)
        released.wait(30)

    with FakeOrcid(WORKS, hold=hold).serving() as api:
        asking(service, api)
        waiting = [threading.Thread(target=orcid.works, args=(service, CARBERRY)) for _ in range(2)]
        for thread in waiting:
            thread.start()
        both.wait(30)
        try:
            with pytest.raises(OrcidError, match="Others are looking up"):
                orcid.works(service, CARBERRY)
        finally:
            released.set()
            for thread in waiting:
                thread.join()


def test_a_service_without_an_address_asks_nobody(alone: Service) -> None:
    with pytest.raises(OrcidError, match="cannot be looked up here"):
        orcid.works(asking(alone, OrcidApi()), CARBERRY)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["group", "work-summary", "title", "value", "external-ids", "external-id", "year",
                         "external-id-type", "external-id-value", "publication-date"]),
        inner, max_size=5,
    ),
    max_leaves=20,
)  # fmt: skip


@given(JSON)
def test_whatever_stands_in_a_group_is_no_fault(group: Any) -> None:
    found = orcid.parse(json.dumps({"group": [group]}).encode(), "ORCID")
    assert len(found.entries) <= 1
