"""Pointing instead of telling: ten papers, yes or no, and a profile from the answers."""

from __future__ import annotations

import re
from pathlib import Path

from starlette.testclient import TestClient

from app.settings import Settings
from app.web.server import create_app
from jobs import subscribe
from jobs.service import Service
from profiles.request import request
from tests.conftest import NOW

BASE = "http://papers.example.org"


def asked(page: str) -> list[str]:
    return re.findall(r'name="paper\d+" value="([^"]+)"', page)


def answer(page: str, *said: str) -> dict[str, str]:
    """The form with these answers to its first papers; the others are passed over."""
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page))
    return fields | {f"say{at}": word for at, word in enumerate(said)}


def test_answers_become_a_profile_and_steer_what_is_asked_next(browser: TestClient) -> None:
    page = browser.get("/pick").text
    first = asked(page)
    assert len(first) == len(set(first)) == 10
    assert asked(browser.get("/pick").text) == first, "the same for everybody"
    sent = answer(page, "like", "no", "like")

    more = browser.post("/pick", data=sent | {"act": "more"}).text
    assert asked(more) and not set(asked(more)) & set(first)
    home = browser.post("/pick", data=answer(more, "like") | {"act": "done"}).text
    liked = [key.removeprefix("arxiv:") for key in (first[0], first[2], asked(more)[0])]
    assert re.search(r'<textarea id="likes"[^>]*>\n(.*?)</textarea>', home, re.DOTALL)[1].split() == liked  # type: ignore[index]
    assert "3 papers that you like stand in this form" in home and '<article class="paper">' in home


def test_nothing_liked_is_asked_again_and_nothing_is_lost(browser: TestClient) -> None:
    page = browser.get("/pick").text
    again = browser.post("/pick", data=answer(page, "no") | {"act": "done"})
    assert again.status_code == 422 and "Say yes to at least one paper" in again.text
    assert f'name="refused" value="{asked(page)[0]}"' in again.text
    odd = {"act": "done", "liked": "x" * 5_000, "paper0": "<b>", "say0": "like"}
    assert browser.post("/pick", data=odd).status_code == 200


def test_when_all_were_asked_the_page_says_so(browser: TestClient) -> None:
    page = browser.get("/pick").text
    for _ in range(60):
        if not asked(page):
            break
        page = browser.post("/pick", data=answer(page, "no") | {"act": "more"}).text
    assert "You have seen all papers of the last days" in page


def test_a_reader_picks_for_a_further_profile(browser: TestClient, ingested: Service) -> None:
    profile = subscribe.create(ingested, request(statement="caches"), NOW)
    mine = ingested.links.preferences(profile.subscriber_id, NOW).removeprefix(BASE)
    assert f'href="{mine}/pick"' in browser.get(f"{mine}/new").text
    page = browser.get(f"{mine}/pick").text
    form = browser.post(f"{mine}/pick", data=answer(page, "like") | {"act": "done"}).text
    assert "New profile" in form and asked(page)[0].removeprefix("arxiv:") in form
    assert "Say yes" in browser.post(f"{mine}/pick", data={"act": "done"}).text


def test_without_papers_there_is_nothing_to_pick(service: Service, tmp_path: Path) -> None:
    app = create_app(service, Settings(data=tmp_path / "var", base_url=BASE), lambda: NOW)
    with TestClient(app, base_url=BASE) as browser:
        assert "There are no papers on hand yet" in browser.get("/pick").text
