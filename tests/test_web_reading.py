"""Searching and browsing in pages: what is found, how it is shown, and what it costs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from html import unescape
from pathlib import Path
from urllib.parse import quote

import pytest
from sqlalchemy import event
from starlette.testclient import TestClient

from app.settings import Settings
from app.web.server import create_app
from db import paper_store, source_store
from jobs import indexing, match
from jobs.service import Service
from recommender.paper import Paper
from tests.conftest import NOW
from tests.readers import subscribe_reader

BASE = "http://papers.example.org"
DAY = date(2025, 11, 18)
PAPER = Paper(
    id="arxiv:2511.00001", title="Pooling a key-value cache", authors=("Pál Erdős", "Ada Example"),
    abstract="Requests wait for memory. We pool the KV cache of many requests, which saves $\\approx 3$ GB.",
    categories=("cs.DC", "cs.LG"), topics=("LLM inference", "others"), area="mlsys", announced=DAY,
    institutions=("ETH Zürich", "Not explicitly stated in the provided text"),
)  # fmt: skip


def papers(count: int) -> list[Paper]:
    """So many papers of the days before, each with words of its own."""
    return [
        replace(PAPER, id=f"arxiv:2511.1{n:04d}", title=f"Rivers of scenario{n}", topics=("hydrology",),
                abstract=f"Gravel number {n} moves. It settles later.", announced=DAY - timedelta(days=n % 5))
        for n in range(count)
    ]  # fmt: skip


def add(service: Service, found: list[Paper]) -> None:
    with service.database.writing() as session:
        source = source_store.add(session, name="s", kind="file", location="s", every_minutes=0, now=NOW)
        paper_store.merge(session, found, source.id, NOW)
    indexing.index(service, NOW)


@pytest.fixture
def browser(service: Service, tmp_path: Path) -> Iterator[TestClient]:
    settings = Settings(data=tmp_path / "var", base_url=BASE)
    with TestClient(create_app(service, settings, lambda: NOW), base_url=BASE) as client:
        yield client


def titles(page: str) -> list[str]:
    found = re.findall(r'<h2 dir="auto"><a [^>]*>(.*?)</a>', page)
    return [unescape(re.sub(r"<[^>]+>", "", title)) for title in found]


def test_a_search_shows_the_passage_and_marks_the_words(service: Service, browser: TestClient) -> None:
    add(service, [PAPER, *papers(3)])
    page = browser.get("/papers?q=pool+%22kv+cache%22").text
    assert titles(page) == ["Pooling a key-value cache"]
    assert "We <mark>pool</mark> the <mark>KV cache</mark> of many requests, which saves ≈ 3 GB." in page
    assert "<mark>Pooling</mark>" in page and "Requests wait for memory" not in page
    assert 'href="/papers/category/cs.DC"' in page and 'href="/papers/topic/llm-inference"' in page
    assert "ETH Zürich" in page and "explicitly stated" not in page and "others" not in page


@pytest.mark.parametrize(
    ("address", "count"),
    [
        ("/papers?q=gravel&category=cs.LG&first=2025-11-17&last=2025-11-17", 2),
        ("/papers?topic=Hydrology&author=Ada+Example", 8),
        ("/papers?author=Erd%C5%91s%2C+P%C3%A1l&institution=eth+zurich&topic=LLM-inference", 1),
        ("/papers?first=2025-11-18", 3),
        ("/papers?area=mlsys&q=-rivers", 1),
        ("/papers/topic/hydrology", 8),
        ("/papers/category/CS.dc", 9),
        ("/papers/area/mlsys", 9),
        ("/papers/institution/eth-zurich", 9),
        ("/papers/author/pal-erdos", 9),
        ("/papers/day/2025-11-18", 3),
    ],
)
def test_filters_and_browsing_agree(service: Service, browser: TestClient, address: str, count: int) -> None:
    add(service, [PAPER, *papers(8)])
    answer = browser.get(address)
    assert answer.status_code == 200
    assert len(titles(answer.text)) == count


def test_lists_are_read_to_their_end_by_their_links(service: Service, browser: TestClient) -> None:
    add(service, [PAPER, *papers(60)])
    for start in ("/papers?q=gravel", "/papers?q=gravel&sort=newest", "/papers/topic/hydrology",
                  "/papers/author/ada-example", "/papers?first=2025-01-01"):  # fmt: skip
        address, seen = start, []
        for _ in range(5):
            page = browser.get(address).text
            seen += titles(page)
            more = re.search(r'rel="next" href="([^"]+)"', page)
            if not more:
                break
            address = unescape(more[1])
        wanted = 60 if "gravel" in start or "hydrology" in start else 61
        assert len(seen) == len(set(seen)) == wanted, start


def test_a_topics_page_names_its_feeds_and_they_answer(service: Service, browser: TestClient) -> None:
    add(service, [PAPER])
    page = browser.get("/papers/topic/llm-inference").text
    found = re.findall(r'<link rel="alternate" type="[^"]+" title="LLM inference" href="([^"]+)"', page)
    assert len(found) == 3
    for address in found:
        assert "Pooling a key-value cache" in browser.get(address).text


def test_where_nothing_has_all_words_some_is_shown(service: Service, browser: TestClient) -> None:
    add(service, [PAPER, *papers(2)])
    page = browser.get("/papers?q=gravel+quaternions").text
    assert "No paper holds all of these words" in page and len(titles(page)) == 2


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("/papers?q=quaternions", "No paper on hand matches"),
        ("/papers?q=quaternions&topic=hydrology", "Search for the words alone"),
        ("/papers?q=-rivers", "Say also what to look for"),
        ("/papers?q=rivers&after=9_9", "There are no more papers"),
        ("/papers?q=rivers&first=yesterday", "“yesterday” is no day"),
        ("/papers/day/1999-01-01", "No paper on hand was announced on this day"),
    ],
)
def test_an_empty_page_says_what_to_do(
    service: Service, browser: TestClient, address: str, words: str
) -> None:
    add(service, [PAPER, *papers(2)])
    answer = browser.get(address)
    assert answer.status_code == 200 and words in answer.text


def test_before_the_first_paper_the_page_says_how_they_come(browser: TestClient) -> None:
    assert "paperwatch ingest" in browser.get("/papers").text


def test_readers_elsewhere_are_shown_no_commands(service: Service, tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "var", base_url=BASE, show_outbox=False)
    with TestClient(create_app(service, settings, lambda: NOW), base_url=BASE) as client:
        page = client.get("/papers").text
        assert "as soon as a source has brought some" in page and "<code>" not in page


@pytest.mark.parametrize(
    "address", ["/papers/day/soon", "/papers/topic/none", "/papers/author/nobody", "/papers/category/--"]
)
def test_what_is_not_there_is_a_page_of_its_own(browser: TestClient, address: str) -> None:
    answer = browser.get(address)
    assert answer.status_code == 404 and "Not found" in answer.text


@pytest.mark.parametrize(
    "typed", ['"', "'; DROP", "a\0b", "10.1000/a\0b", "\ud800".encode("utf-8", "surrogatepass"), "(" * 900]
)
def test_nothing_typed_into_the_search_is_an_error(browser: TestClient, typed: str | bytes) -> None:
    for name in ("q", "topic", "author", "first", "after", "sort"):
        assert browser.get(f"/papers?{name}={quote(typed)}").status_code == 200
    assert browser.get(f"/papers/doi:10.1000/{quote(typed)}").status_code == 404


def test_the_id_of_a_paper_leads_to_it(service: Service, browser: TestClient) -> None:
    add(service, [PAPER])
    answer = browser.get("/papers?q=https://arxiv.org/abs/2511.00001v2", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/papers/arxiv:2511.00001")
    assert browser.get("/papers?q=2511.99999").status_code == 200


def test_the_number_of_queries_does_not_grow_with_the_papers(service: Service, browser: TestClient) -> None:
    asked: list[str] = []
    event.listen(service.database.engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    addresses = (
        "/papers", "/papers?q=gravel", "/papers?q=gravel+nothere", "/papers/day/2025-11-18",
        "/papers/topic/hydrology", "/papers/author/ada-example",
    )  # fmt: skip

    def queries() -> list[int]:
        counts = []
        for address in addresses:
            asked.clear()
            assert browser.get(address).status_code == 200
            counts.append(len(asked))
        return counts

    add(service, papers(3))
    few = queries()
    add(service, papers(120))
    assert queries() == few
    assert max(few) <= 12
    assert all(len(browser.get(address).content) < 100_000 for address in addresses)


def test_a_papers_page_shows_sources_versions_and_labels(service: Service, browser: TestClient) -> None:
    add(service, [PAPER])
    newer = replace(PAPER, version=2, abstract="Requests wait for memory. We share the KV cache of few.")
    add(service, [newer, *papers(2)])
    page = browser.get("/papers/arxiv:2511.00001").text
    assert "<del>pool </del><ins>share </ins>the KV cache of " in page
    assert "<dt>Seen in</dt>" in page and " v2 <small>" in page
    for kind, short in (("author", "pal-erdos"), ("category", "cs.LG"), ("institution", "eth-zurich"),
                        ("topic", "llm-inference"), ("day", "2025-11-18")):  # fmt: skip
        assert f'href="/papers/{kind}/{short}"' in page
    assert "explicitly" not in page


def test_a_paper_is_cited_from_its_page(service: Service, browser: TestClient) -> None:
    add(service, [PAPER])
    links = re.findall(r'href="([^"]+\?as=[a-z]+)"', browser.get(f"/papers/{PAPER.id}").text)
    bibtex, ris, csl = (browser.get(link) for link in links)
    assert "2511.00001" in bibtex.text and "Erdős" in bibtex.text and bibtex.text.startswith("@")
    assert "TI  - Pooling a key-value cache" in ris.text
    assert csl.json()[0]["title"] == "Pooling a key-value cache"
    assert bibtex.headers["content-disposition"] == 'attachment; filename="paper.bib"'


def test_a_papers_page_shows_the_nearest_papers(service: Service, browser: TestClient) -> None:
    near = replace(PAPER, id="arxiv:2511.00002", title="Sharing key-value caches between requests")
    old = replace(near, id="arxiv:2501.00002", title="Old key-value caches", announced=date(2025, 1, 7))
    add(service, [PAPER, near, old, *papers(8)])
    similar = browser.get("/papers/arxiv:2511.00001").text.partition("Similar papers")[2]
    assert "Sharing key-value caches" in similar
    assert "Rivers" not in similar and "Old key-value" not in similar and "Pooling" not in similar


def test_from_a_private_page_the_paper_says_why(service: Service, browser: TestClient) -> None:
    add(service, [PAPER, *papers(4)])
    match.gather(service, NOW, [])
    profile = subscribe_reader(service, statement="key-value cache", name="Caches")
    mine = service.links.preferences(profile.subscriber_id, NOW).removeprefix(BASE)
    answer = browser.get(f"{mine}/papers/arxiv:2511.00001?profile={profile.id}")
    assert "For <bdi>Caches</bdi>" in answer.text
    assert "<b>Why:</b>" in answer.text and answer.headers["cache-control"] == "no-store"
    match.welcome(service, [profile.id], NOW)
    page = browser.get(mine).text
    assert f'{mine}/papers/arxiv%3A2511.00001?profile={profile.id}">details' in page
    assert browser.get("/preferences/nobody/papers/arxiv:2511.00001").status_code == 404
    assert "<b>Why:</b>" not in browser.get("/papers/arxiv:2511.00001").text
