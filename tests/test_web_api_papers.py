"""Papers by the API: what it finds and tells of them is what the pages show."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any

import feedparser
import pytest
from sqlalchemy import event
from starlette.testclient import TestClient

from app.settings import Settings
from app.web.server import create_app
from db import key_store, paper_store, source_store
from jobs import library, subscribe
from jobs.service import Service
from profiles.request import request
from tests.conftest import NOW, WEB
from tests.test_jobs_library import UNTAGGED, month, tagged
from tests.test_jobs_library import add as store
from tests.test_web_reading import DAY, PAPER, add, papers, titles

KEY = "pw_a-key-of-these-tests-that-nobody-guesses"


@pytest.fixture
def api(service: Service, tmp_path: Path) -> Iterator[TestClient]:
    """A program with a key, at a service without papers; it can open pages as well."""
    made = subscribe.create(service, request(name="Mine", statement="hydrology"), NOW)
    with service.database.writing() as session:
        key_store.add(session, made.subscriber_id, "a script", KEY, NOW)
    app = create_app(service, Settings(data=tmp_path / "var", base_url=WEB), lambda: NOW)
    with TestClient(app, base_url=WEB, headers={"authorization": f"Bearer {KEY}"}) as client:
        yield client


def got(api: TestClient, path: str, status: int = 200, **params: Any) -> Any:
    answer = api.get(f"/api/v1{path}", params=params)
    assert answer.status_code == status, answer.text
    return answer.json()


def shown(page: str) -> str:
    """What a page says, without its tags."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


@pytest.mark.parametrize(
    ("asked", "count"),
    [
        ({"q": 'pool "kv cache"'}, 1),
        ({"q": "gravel", "sort": "newest"}, 20),
        ({"q": "gravel number 7"}, 1),
        ({"q": "gravel quaternions"}, 20),
        ({"q": "gravel", "category": "cs.LG", "since": "2025-11-17", "until": "2025-11-17"}, 6),
        ({"topic": "Hydrology", "author": "Ada Example"}, 20),
        ({"author": "Erdős, Pál", "institution": "eth zurich", "topic": "LLM-inference"}, 1),
        ({"since": "2025-11-18"}, 7),
        ({"area": "mlsys", "q": "-rivers"}, 1),
        ({"q": "quaternions"}, 0),
    ],
)
def test_a_search_finds_what_the_page_shows(
    service: Service, api: TestClient, asked: dict[str, str], count: int
) -> None:
    add(service, [PAPER, *papers(30)])
    on_page = {{"since": "first", "until": "last"}.get(name, name): said for name, said in asked.items()}
    page = api.get("/papers", params=on_page).text
    found = got(api, "/search", **asked)
    assert [hit["paper"]["title"] for hit in found["papers"]] == titles(page)
    assert len(found["papers"]) == count
    assert found["any_word"] == ("No paper holds all of these words" in page)
    assert (f" {found['total']} paper" in shown(page).lower()) is (count > 0)
    assert (found["next"] is not None) == ('rel="next"' in page)
    told = shown(re.sub("</?mark>", "", page))
    words = asked.get("q", "-").startswith("-")
    for hit in found["papers"]:
        assert bool(hit["passage"]) is not words
        assert hit["passage"] in told
        assert hit["paper"]["sources"] == ["s"]


def test_a_search_is_read_to_its_end_by_its_cursor(service: Service, api: TestClient) -> None:
    add(service, [PAPER, *papers(60)])
    for asked, many in (({"q": "gravel"}, 60), ({"q": "gravel quaternions"}, 60), ({}, 61),
                        ({"q": "gravel", "sort": "newest"}, 60), ({"topic": "hydrology"}, 60)):  # fmt: skip
        seen: list[str] = []
        after: dict[str, str] = {}
        for _ in range(5):
            page = got(api, "/search", **asked, **after, limit=25)
            assert (page["total"], page["more"]) == (many, False)
            seen += [hit["paper"]["id"] for hit in page["papers"]]
            if page["next"] is None:
                break
            after = {"after": page["next"]}
        assert len(seen) == len(set(seen)) == many, asked
    assert got(api, "/search", 422, after="the second")["field"] == "after"


def test_an_id_finds_its_paper_and_what_says_nothing_is_refused(service: Service, api: TestClient) -> None:
    add(service, [PAPER, *papers(2)])
    for name in ("2511.00001", "https://arxiv.org/abs/2511.00001v2"):
        (hit,) = got(api, "/search", q=name)["papers"]
        assert (hit["paper"]["id"], hit["passage"]) == (PAPER.id, "")
    for said in ("-rivers", "?!"):
        assert got(api, "/search", 422, q=said)["field"] == "q"
    nothing = got(api, "/search", category="--")
    assert (nothing["total"], nothing["papers"]) == (0, []), "no paper has a category without a name"


def test_an_author_narrows_the_list_of_papers_down(service: Service, api: TestClient) -> None:
    add(service, [PAPER, *(replace(one, authors=("Ada Example",)) for one in papers(3))])
    for name in ("Pál Erdős", "pal-erdos", "Erdős, Pál"):
        assert [paper["id"] for paper in got(api, "/papers", author=name)["papers"]] == [PAPER.id]
    assert titles(api.get("/papers/author/pal-erdos").text) == [PAPER.title]
    whole = got(api, "/papers")["papers"]
    assert [paper["sources"] for paper in whole] == [["s"]] * 4


def test_a_paper_tells_of_its_versions_and_where_it_was_shown(service: Service, api: TestClient) -> None:
    old = replace(PAPER, version=1, title="Pooling a cache", withdrawn=False)
    add(service, [old])
    later = NOW + timedelta(days=2)
    with service.database.writing() as session:
        source = source_store.add(session, name="arXiv", kind="feed", location="x", every_minutes=0, now=NOW)
        changed = PAPER.abstract.replace("many requests", "all requests")
        new = replace(PAPER, version=2, abstract=changed, contributions="A pool.", withdrawn=True)
        paper_store.merge(session, [new], source.id, later)
    page = api.get(f"/papers/{PAPER.id}").text
    found = got(api, f"/papers/{PAPER.id}")
    (earlier,) = found["earlier"]
    assert (earlier["version"], earlier["to"], earlier["title"]) == (1, 2, "Pooling a cache")
    assert earlier["replaced_at"] == later.isoformat().replace("+00:00", "Z")
    for tag, kind in (("del", "gone"), ("ins", "new")):
        changes = [one["text"] for one in earlier["title_changes"] + earlier["abstract_changes"]
                   if one["kind"] == kind]  # fmt: skip
        assert changes == [unescape(text) for text in re.findall(f"<{tag}>(.*?)</{tag}>", page)] != []
    assert [(one["source"], one["version"], one["announced"]) for one in found["shown"]] == [
        ("s", 1, DAY.isoformat()), ("arXiv", 2, DAY.isoformat()),
    ]  # fmt: skip
    assert (found["withdrawn"], found["contributions"]) == (True, "A pool.")
    assert api.get(found["page"]).text == page


def test_similar_papers_and_guessed_topics_are_those_of_the_page(service: Service, api: TestClient) -> None:
    store(service, [UNTAGGED, *tagged(0, 20)])
    library.keep(service, NOW)
    for key in ("arxiv:2510.00003", UNTAGGED.id):
        page = api.get(f"/papers/{key}").text
        alike = page.partition('<ul class="alike">')[2].partition("</ul>")[0]
        near = got(api, f"/similar/{key}")["papers"]
        assert [paper["title"] for paper in near] == re.findall(r"<li><a [^>]*>(.*?)</a>", alike) != []
        assert near[0]["sources"] == ["s"]
        assert got(api, f"/similar/{key}", limit=1)["papers"] == near[:1]
        guesses = [(one["name"], f"{one['certainty']:.2f}") for one in got(api, f"/papers/{key}")["guessed"]]
        assert guesses == re.findall(
            r">([^<>]+)<span[^>]*> \(guessed\)</span></a> <small>guessed ([\d.]+)", page
        )
        (listed,) = got(api, "/search", q=key)["papers"]
        assert [(one["name"], f"{one['certainty']:.2f}") for one in listed["guessed"]] == guesses
    assert [name for name, _ in guesses] == ["LLM serving"]
    got(api, "/similar/arxiv:2511.99999", 404)


def test_days_and_labels_are_counted_as_on_the_page(service: Service, api: TestClient) -> None:
    add(service, [PAPER, *papers(30)])
    page = api.get("/papers").text
    days = got(api, "/days")
    assert [f"{one['papers']}" for one in days["days"]] == re.findall(r'<td class="number">([\d,]+)', page)
    assert [one["day"] for one in days["days"]] == re.findall(r'href="/papers/day/([\d-]+)"', page)
    assert days["next"] is None
    first = got(api, "/days", limit=2)
    assert got(api, "/days", until=first["next"])["days"] == days["days"][2:]
    on_page = re.findall(r'href="/papers/(\w+)/[^"]+" dir="auto">(.*?)</a> <span>([\d,]+)', page)
    for kind in ("topic", "category", "area", "institution"):
        told = [(kind, one["name"], str(one["papers"])) for one in got(api, f"/labels/{kind}")["labels"]]
        assert told == [one for one in on_page if one[0] == kind] != []
    of_day = got(api, "/labels/topic", days=1, until="2025-11-18")
    assert of_day["first"] == "2025-11-18"
    told = [(one["name"], one["papers"]) for one in of_day["labels"]]
    assert told == [("hydrology", 6), ("LLM inference", 1)]
    assert "hydrology" in api.get("/papers/day/2025-11-18").text
    for address in of_day["labels"][1]["feeds"].values():
        assert PAPER.title in api.get(address).text
    assert not feedparser.parse(api.get(of_day["labels"][0]["feeds"]["atom"]).content).bozo
    assert {one["feeds"] for one in got(api, "/labels/area")["labels"]} == {None}
    assert got(api, "/labels/topic", days=366, until="0001-01-01") == {"labels": [], "first": "0001-01-01"}
    got(api, "/labels/author", 422)


def test_trends_are_those_of_the_page(service: Service, api: TestClient) -> None:
    none = got(api, "/trends")
    assert (none["made_at"], none["enough"], none["topics"]) == (None, False, [])
    add(service, month(count=9, rising=3))
    library.keep(service, NOW)
    page = api.get("/trends").text
    found = got(api, "/trends")
    assert (found["latest"], found["earlier"], found["enough"]) == (252, 819, True)
    for part, title in (("phrases", "Phrases in titles"), ("topics", "Topics"),
                        ("words", "Words in titles"), ("categories", "Categories")):  # fmt: skip
        table = page.partition(f'aria-label="{title}"')[2].partition("</section>")[0]
        rows = re.findall(r'<th scope="row" dir="auto"><a [^>]*>(.*?)</a>', table)
        assert [one["name"] for one in found[part]] == [unescape(name) for name in rows]
    (topic,) = found["topics"]
    assert topic["weeks"] == [0] * 13 + [21] * 4 and topic["lately"] == sum(topic["weeks"])


def test_no_answer_asks_more_of_the_database_for_more_papers(service: Service, api: TestClient) -> None:
    asked: list[str] = []
    event.listen(service.database.engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    addresses = (
        "/search?q=gravel", "/search?q=gravel+nothere", "/search", "/papers", "/papers?author=ada-example",
        "/days", "/labels/topic", "/trends", f"/papers/{papers(1)[0].id}", f"/similar/{papers(1)[0].id}",
    )  # fmt: skip

    def queries() -> list[int]:
        counts = []
        for address in addresses:
            asked.clear()
            assert api.get(f"/api/v1{address}").status_code == 200
            counts.append(len(asked))
        return counts

    add(service, papers(5))
    queries()  # the key is marked as used, once an hour
    few = queries()
    add(service, papers(90))
    assert queries() == few
