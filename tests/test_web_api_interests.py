"""Saying by the API what one wants: it reads, asks and previews as the form does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.settings import Settings
from app.web.server import create_app
from db import key_store, paper_store
from jobs import subscribe
from jobs.service import Service
from profiles.answers import MOST
from profiles.request import request
from recommender.paper import Paper
from tests.conftest import NOW, WEB
from tests.fake_orcid import CARBERRY, FakeOrcid, work
from tests.test_web_drafts import BIBTEX, value
from tests.test_web_picking import answer, asked

KEY = "pw_a-key-of-these-tests-that-nobody-guesses"
LIBRARIES = {
    "BibTeX": "@misc{a, title={Known}, eprint={KNOWN}}\n" + BIBTEX,
    "RIS": "TY  - JOUR\nTI  - Known\nUR  - https://arxiv.org/abs/KNOWN\nER  - \n"
           "TY  - JOUR\nTI  - A paper that nobody here has seen\nDO  - 10.1000/unseen\nER  - \n",
    "CSL-JSON": '[{"title": "Known", "URL": "https://arxiv.org/abs/KNOWN"}, 7, '
                '{"title": "A paper that nobody here has seen", "DOI": "10.1000/unseen"}]',
}  # fmt: skip


@pytest.fixture
def api(ingested: Service, tmp_path: Path) -> Iterator[TestClient]:
    """A program with a key; it can open pages as well."""
    with client(ingested, Settings(data=tmp_path / "var", base_url=WEB, previews_per_minute=0)) as found:
        yield found


def client(service: Service, settings: Settings) -> TestClient:
    made = subscribe.create(service, request(name="Mine", statement="hydrology"), NOW)
    with service.database.writing() as session:
        key_store.add(session, made.subscriber_id, "a script", KEY, NOW)
    app = create_app(service, settings, lambda: NOW)
    return TestClient(app, base_url=WEB, headers={"authorization": f"Bearer {KEY}"})


def said(api: TestClient, path: str, body: object, status: int = 200) -> Any:
    sent: dict[str, Any] = {"content": body.encode()} if isinstance(body, str) else {"json": body}
    found = api.post(f"/api/v1{path}", **sent)
    assert found.status_code == status, found.text
    return found.json()


def on_hand(service: Service) -> list[Paper]:
    with service.database.reading() as session:
        found = [stored.paper for stored in paper_store.all_papers(session)]
    return [paper for paper in found if paper.id.startswith("arxiv:") and paper.authors]


@pytest.mark.parametrize("form", LIBRARIES)
def test_a_library_is_read_as_the_form_reads_it(api: TestClient, ingested: Service, form: str) -> None:
    paper = on_hand(ingested)[0]
    text = LIBRARIES[form].replace("KNOWN", paper.id.removeprefix("arxiv:"))
    file = {"library": ("mine", text.encode(), "text/plain")}
    page = api.post("/read", data={"edit": "library"}, files=file).text
    found = said(api, "/read/library", text)
    assert found["kind"] == form and f"{form}: 1 of 2 entries are papers on hand" in page
    assert [key.partition(":")[2] for key in found["likes"]] == value(page, "likes").split()
    assert found["likes"] == [paper.id, "doi:10.1000/unseen"]
    assert found["statement"] == value(page, "statement") == "A paper that nobody here has seen."
    assert found["titles"] == ["A paper that nobody here has seen"]
    assert [one["id"] for one in found["papers"]] == [paper.id]
    assert found["papers"][0]["title"] == paper.title
    assert len(found["rejected"]) == (form != "RIS") and found["left"] == 0
    for one in found["rejected"]:
        assert f"Not read: {one['where']}: {one['why']}" in unescape(page)
    wanted = {name: found[name] for name in ("likes", "statement")}
    made = said(api, "/profiles", wanted | {"name": "Library"}, 201)
    assert {name: made[name] for name in wanted} == wanted


def test_a_library_of_a_thousand_fits_into_one_profile(api: TestClient) -> None:
    many = "".join(f"@misc{{k{n}, title={{T{n}}}, doi={{10.1000/{n}}}}}\n" for n in range(1_003))
    found = said(api, "/read/library", many)
    assert (len(found["likes"]), found["left"]) == (1_000, 3)
    made = said(api, "/profiles", {"likes": found["likes"], "name": "Many"}, 201)
    assert made["likes"] == found["likes"]


def test_a_profile_as_text_becomes_the_same_profile(api: TestClient, ingested: Service) -> None:
    paper = on_hand(ingested)[0]
    wanted = {
        "name": "Storage", "statement": "erasure coding", "terms": [{"term": "RAID=5", "weight": -1.5}],
        "authors": ["Ada Lovelace"], "categories": ["cs.DC"], "likes": [paper.id, "arxiv:2101.00001"],
        "mutes": {"terms": ["chains"], "authors": ["A B"], "categories": ["cs.CR"]}, "per_day": 3,
        "delivery": {"explore": False},
    }  # fmt: skip
    made = said(api, "/profiles", wanted, 201)
    text = api.get(f"/api/v1/profiles/{made['id']}/export").text
    found = said(api, "/read/library", text)
    assert found["kind"] == "profile" and found["profile"] == wanted
    assert (found["likes"], found["statement"]) == (wanted["likes"], wanted["statement"])
    assert [one["id"] for one in found["papers"]] == [paper.id]
    again = said(api, "/profiles", found["profile"] | {"name": "Copy"}, 201)
    assert api.get(f"/api/v1/profiles/{again['id']}/export").text == text.replace(
        "name: Storage", "name: Copy"
    )


def test_a_file_that_is_no_library_is_told_why_as_on_the_page(api: TestClient) -> None:
    for text in ("no library", "", "paperwatch-profile: 1\ncolour: red\n", "@misc{cut", '{"title": '):
        page = api.post("/read", data={"edit": "library"}, files={"library": ("The file", text.encode())})
        detail = said(api, "/read/library", text, 422)["detail"]
        assert page.status_code == 422 and detail in unescape(page.text)
    for size, why in ((2 * 1024 * 1024 + 1, "export a part"), (3_000_000, "too large")):
        assert why in said(api, "/read/library", "@" * size, 413)["detail"]
    assert said(api, "/read/library", BIBTEX + " " * 1_000_000)["titles"]


def test_own_papers_are_those_that_the_form_would_tick(api: TestClient, ingested: Service) -> None:
    name = next(paper.authors[0] for paper in on_hand(ingested) if len(paper.authors[0].split()) > 1)
    page = api.post("/read", data={"edit": "byline", "byline": name}).text
    found = said(api, "/read/author", {"name": name})
    assert found["likes"] == re.findall(r'name="own" value="([^"]+)" checked', page) != []
    assert [one["id"] for one in found["papers"]] == found["likes"]
    assert said(api, "/read/author", {"name": "No One"})["likes"] == []
    wrong = said(api, "/read/author", {"name": "One"}, 422)
    assert wrong["field"] == "name" and "first and last name" in wrong["detail"]


def test_an_orcid_id_brings_what_the_form_would(ingested: Service, tmp_path: Path) -> None:
    fake, paper = FakeOrcid(), on_hand(ingested)[0]
    fake.groups = [
        work(paper.title, ("arxiv", paper.id.removeprefix("arxiv:")), year="2025"),
        work("Elsewhere & more", ("doi", "10.1000/elsewhere"), year="2024"),
    ]
    settings = Settings(data=tmp_path / "var", base_url=WEB, previews_per_minute=36)
    with fake.serving() as orcid, client(ingested, settings) as api:
        ingested.orcid = orcid
        page = api.post("/read", data={"edit": "byline", "byline": CARBERRY}).text
        found = said(api, "/read/orcid", {"orcid": f"https://orcid.org/{CARBERRY}"})
        assert found["likes"] == [paper.id, "doi:10.1000/elsewhere"]
        assert f'name="own" value="{paper.id}" checked' in page
        assert value(page, "likes") == "10.1000/elsewhere"
        assert found["statement"] == unescape(value(page, "statement")) == "Elsewhere & more."
        asked_before = len(fake.asked)
        mistyped = said(api, "/read/orcid", {"orcid": "0000-0002-1825-0098"}, 404)
        assert "last digit does not fit" in mistyped["detail"] and len(fake.asked) == asked_before
        assert said(api, "/read/orcid", {"orcid": "Josiah Carberry"}, 422)["field"] == "orcid"
        fake.groups = []
        assert "no public works" in said(api, "/read/orcid", {"orcid": CARBERRY}, 404)["detail"]
        fake.status = 503
        refused = api.post("/api/v1/read/orcid", json={"orcid": CARBERRY})
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "60")
        assert "ORCID did not answer" in refused.json()["detail"]
        # Four were counted: what the schema refuses never came so far, and pages count by address.
        rest = [api.post("/api/v1/read/author", json={"name": "No One"}).status_code for _ in range(3)]
        assert rest == [200, 200, 429]


def test_where_orcid_is_switched_off_the_api_says_so(api: TestClient) -> None:
    assert "cannot be looked up here" in said(api, "/read/orcid", {"orcid": CARBERRY}, 404)["detail"]


def test_the_ten_papers_are_those_of_the_page(api: TestClient) -> None:
    page = api.get("/pick").text
    first = [paper["id"] for paper in said(api, "/picks", {})["papers"]]
    assert first == asked(page) and len(first) == 10
    more = api.post("/pick", data=answer(page, "like", "no", "like") | {"act": "more"}).text
    answers = {"liked": [first[0], first[2]], "refused": [first[1]], "passed": first[3:]}
    found = said(api, "/picks", answers)["papers"]
    assert [paper["id"] for paper in found] == asked(more)
    assert all(paper["sources"] for paper in found)
    narrow = {"statement": "speculative decoding"}
    assert [one["id"] for one in said(api, "/picks", narrow)["papers"]] == asked(
        api.get("/pick", params=narrow).text
    )
    said(api, "/picks", {"liked": ["x"] * (MOST + 1)}, 422)


def test_a_preview_is_that_of_the_form_and_says_how_it_was_understood(
    api: TestClient, ingested: Service
) -> None:
    paper = on_hand(ingested)[0]
    plain = paper.id.removeprefix("arxiv:")
    typed = f"KV cache for serving, like {plain} in cs.DC\nby: Ada Lovelace\nnever: chains\nblockchain = -1"
    page = api.post("/preview", data={"statement": typed, "per_day": "3"}).text
    wanted = {"statement": typed, "per_day": 3}
    found = said(api, "/preview", wanted)
    titles = [unescape(re.sub("<[^>]+>", "", one)) for one in re.findall(r"<h3[^>]*>(.*?)</h3>", page)]
    papers = [one["paper"]["title"] for one in found["papers"]]
    assert papers and titles[: len(papers)] == papers
    read = found["understood"]
    for name in ("statement", "authors", "categories", "mutes"):
        words = read["mutes"]["terms"] if name == "mutes" else read[name]
        assert value(page, name).split("\n") == (words if isinstance(words, list) else [words])
    assert (read["likes"], value(page, "likes")) == ([paper.id], plain)
    assert read["terms"] == [{"term": "blockchain", "weight": -1.0}]
    assert [(one["id"], one["title"]) for one in found["liked"]] == [(paper.id, paper.title)]
    chips = re.findall(r'<li class="chip heard">.*?<span dir="auto">(.*?)</span>', page, re.DOTALL)
    assert found["heard"] == [chip.strip() for chip in chips] != []
    assert all(one["paper"]["sources"] for one in found["papers"])

    made = said(api, "/profiles", wanted | {"name": "The same"}, 201)
    assert {name: made[name] for name in read} == read, "what was previewed is what is stored"
    again = said(api, "/preview", read | {"per_day": 3})
    assert again == found, "and says the same again"


def test_a_statement_that_only_looks_like_a_field_stays_words(api: TestClient) -> None:
    typed = "papers: those that sort things, by their axioms"
    assert said(api, "/preview", {"statement": typed})["understood"]["statement"] == typed
