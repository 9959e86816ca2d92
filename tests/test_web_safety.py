"""What no page may do: trust strangers' text, change on GET, take foreign forms or endless bodies."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import select
from starlette.datastructures import Headers
from starlette.testclient import TestClient

from app.settings import Settings
from app.web import server
from app.web.guard import MAX_BODY, is_foreign
from app.web.pages import STATIC, static
from app.web.server import create_app
from db import paper_store, source_store
from db.tables import Base
from jobs import deliver, indexing, match, subscribe
from jobs.alerts.outbox_folder import OutboxFolder
from jobs.service import Service
from profiles.profile import Profile
from profiles.request import request
from recommender import labels
from recommender.paper import Paper
from tests.conftest import NOW, ROOT

BASE = "http://papers.example.org"
OPERATOR = "an operator's key for tests"
EVIL = "<script>alert('x')</script><img src=x onerror=alert(1)>\"'>"
EVIL_PAPER = Paper(
    id="arxiv:2511.00001", title=f"Speculative decoding {EVIL}", version=1, abstract=f"KV cache {EVIL}",
    authors=(f"Mallory {EVIL}",), institutions=(f"Evil {EVIL}",), topics=(EVIL,), keywords=(EVIL,),
    area=EVIL, comment=EVIL, url="javascript:alert(1)", code_url="javascript:alert(2)",
    categories=("cs.DC",), announced=NOW.date(),
)  # fmt: skip


def browsed(paper: Paper) -> list[str]:
    """Where the paper is found by its labels."""
    named = [
        ("topic", paper.topics[0]), ("area", paper.area), ("institution", paper.institutions[0]),
        ("author", paper.authors[0]),
    ]  # fmt: skip
    return [f"/papers/{kind}/{quote(labels.slug(kind, name))}" for kind, name in named]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path / "var", base_url=BASE, operator_key=OPERATOR)


@pytest.fixture
def browser(service: Service, settings: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(service, settings, lambda: NOW), base_url=BASE) as client:
        client.auth = ("operator", OPERATOR)
        yield client


@pytest.fixture
def profile(service: Service) -> Profile:
    """A profile whose every text is hostile, with a hostile paper in its match and a digest in the outbox."""
    with service.database.writing() as session:
        source = source_store.add(
            session, name=f"source {EVIL}", kind="file", location="x", every_minutes=0, now=NOW
        )
        paper_store.merge(session, [EVIL_PAPER], source.id, NOW)
    indexing.index(service, NOW)
    match.gather(service, NOW, [])
    wanted = request(
        email="ada@example.org", name=f"Mine {EVIL}", statement=f"speculative decoding KV cache {EVIL}",
        terms=[EVIL], authors=[f"Mallory {EVIL}"], mutes=[EVIL * 2], every="announced",
    )  # fmt: skip
    made = subscribe.create(service, wanted, NOW, confirmed="by the test")
    match.match_pending(service, NOW)
    deliver.queue_due(service, NOW)
    deliver.send_due(service, NOW)
    return made


@pytest.fixture
def addresses(service: Service, outbox: OutboxFolder, profile: Profile) -> list[str]:
    """A working address of every GET route there is."""
    links, person = service.links, profile.subscriber_id
    letter = outbox.letters()[0].name
    mine = links.preferences(person, NOW)
    full = [
        links.confirm(person, "ada@example.org", NOW), links.unsubscribe(person),
        links.unsubscribe(person, profile.id), mine, f"{mine}/new", f"{mine}/profiles/{profile.id}",
        f"{mine}/papers/{EVIL_PAPER.id}",
        links.rate(profile.id, EVIL_PAPER.id, "like"), links.paper(EVIL_PAPER.id),
        links.feed(profile.feed_token, "rss"), links.feed(profile.feed_token, "atom"),
        links.feed(profile.feed_token, "json"),
        *(f"{mine}/{tab}" for tab in ("saved", "history", "history/1", "profiles", "delivery", "erase")),
        *(f"{mine}/profiles/{profile.id}/{page}" for page in ("weights", "backtest", "export.txt")),
        f"{mine}/export.json", f"{mine}/pick",
        f"{mine}/export.json", f"{mine}/feeds.opml", f"{mine}/saved/ris", f"{mine}/keys",
    ]  # fmt: skip
    own = [
        "/", f"/?statement={EVIL}",
        "/papers", "/trends", "/papers?q=cache", f"/papers?q={quote(EVIL)}&topic={quote(EVIL)}",
        "/papers/category/cs.DC", f"/papers/day/{NOW.date()}", *browsed(EVIL_PAPER),
        "/subscribed", "/erased", "/pick", "/preferences", "/preferences/sent", "/outbox",
        f"/outbox/{letter}", f"/outbox/{letter}/html", f"/outbox/{letter}/raw", "/healthz", "/readyz",
        "/api/docs", "/api/docs/papers", "/api/openapi.json",
        "/operator", "/operator/mails/1/retry", "/metrics", "/robots.txt", "/favicon.ico",
        *(f"/static/{name}" for name in STATIC),
    ]  # fmt: skip
    return [url.removeprefix(BASE) for url in full] + own


def everything(service: Service) -> dict[str, list[Any]]:
    with service.database.reading() as session:
        return {
            table.name: [tuple(row) for row in session.execute(select(table))]
            for table in Base.metadata.sorted_tables
        }


def test_no_get_or_head_changes_anything(
    browser: TestClient, service: Service, addresses: list[str], outbox: OutboxFolder
) -> None:
    before, letters = everything(service), outbox.letters()
    for address in addresses:
        assert browser.get(address).status_code == 200, address
        assert browser.head(address).status_code == 200, address
    assert everything(service) == before
    assert outbox.letters() == letters


def test_the_addresses_above_reach_every_get_route(addresses: list[str]) -> None:
    paths = [address.partition("?")[0] for address in addresses]
    routes = [route for router in server.ROUTERS for route in router.routes]
    for route in routes:
        if "GET" in route.methods:  # type: ignore[attr-defined]
            pattern = route.path_regex  # type: ignore[attr-defined]
            assert any(pattern.match(path) for path in paths), f"no address for {route}"


def test_strangers_text_is_escaped_on_every_page(browser: TestClient, addresses: list[str]) -> None:
    for address in addresses:
        answer = browser.get(address)
        if answer.headers["content-type"].startswith("text/html"):
            assert "<script>alert" not in answer.text, address
            assert "<img src=x" not in answer.text, address
            assert "javascript:" not in answer.text, address
    page = browser.post("/subscribe", data={"statement": EVIL, "email": EVIL, "name": EVIL, "zone": EVIL})
    assert page.status_code == 422
    assert "&lt;script&gt;" in page.text and "<script>alert" not in page.text


def test_pages_load_nothing_from_elsewhere_and_run_nothing_inline(
    browser: TestClient, addresses: list[str]
) -> None:
    for address in addresses:
        answer = browser.get(address)
        if not answer.headers["content-type"].startswith("text/html") or address.endswith("/html"):
            continue
        loaded = re.findall(
            r'<(?:script|link rel="(?:icon|stylesheet)"|img|iframe)[^>]* (?:src|href)="([^"]+)', answer.text
        )
        assert loaded and all(url.startswith("/") for url in loaded), address
        markup = re.sub(r'"[^"]*"', '""', re.sub(r">[^<]*<", "><", answer.text))
        assert not re.search(r"<style|<script>|\sstyle=|\son[a-z]+=", markup), address


def test_every_answer_carries_the_safe_headers(browser: TestClient, addresses: list[str]) -> None:
    for address in [*addresses, "/nothing", "/feeds/x.rss"]:
        answer = browser.get(address)
        assert "frame-ancestors" in answer.headers["content-security-policy"], address
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert "set-cookie" not in answer.headers


def test_private_pages_are_kept_by_no_cache(browser: TestClient, service: Service, profile: Profile) -> None:
    mine = service.links.preferences(profile.subscriber_id, NOW).removeprefix(BASE)
    assert browser.get(mine).headers["cache-control"] == "no-store"


def test_a_form_from_another_site_is_refused(browser: TestClient, service: Service, profile: Profile) -> None:
    leave = f"{service.links.preferences(profile.subscriber_id, NOW)}/leave".removeprefix(BASE)
    before = everything(service)
    for headers in (
        {"sec-fetch-site": "cross-site"},
        {"origin": "https://evil.example.com"},
        {"origin": "null"},
    ):
        answer = browser.post(leave, headers=headers)
        assert answer.status_code == 403 and "another site" in answer.text
    assert everything(service) == before
    assert browser.post(leave, headers={"origin": BASE}).status_code == 200


@pytest.mark.parametrize(
    ("headers", "foreign"),
    [
        ({}, False),
        ({"sec-fetch-site": "same-origin"}, False),
        ({"sec-fetch-site": "none"}, False),
        ({"sec-fetch-site": "same-site"}, True),
        ({"origin": "https://papers.example.org"}, False),
        ({"origin": "http://127.0.0.1:8000", "host": "127.0.0.1:8000"}, False),
        ({"origin": "http://127.0.0.1:9999", "host": "127.0.0.1:8000"}, True),
    ],
)
def test_only_what_a_browser_calls_foreign_is_foreign(headers: dict[str, str], foreign: bool) -> None:
    assert is_foreign(Headers(headers), "papers.example.org") is foreign


def test_a_body_beyond_the_cap_is_refused_whether_announced_or_not(browser: TestClient) -> None:
    big = b"statement=" + b"x" * MAX_BODY
    form = {"content-type": "application/x-www-form-urlencoded"}
    assert browser.post("/preview", content=big, headers=form).status_code == 413
    pieces = (big[start : start + 1000] for start in range(0, len(big), 1000))
    assert browser.post("/preview", content=pieces, headers=form).status_code == 413


def test_odd_forms_get_a_page_and_not_a_fault(browser: TestClient) -> None:
    odd: list[dict[str, Any]] = [
        {
            "content": b"\xff\xfe\x00=%zz&&&=",
            "headers": {"content-type": "application/x-www-form-urlencoded"},
        },
        {"files": {"statement": ("x.txt", b"a file where text belongs")}},
        {
            "data": {
                "statement": "a\x00b\ud7ff",
                "per_day": "-1",
                "hour": "x",
                "weekday": "٣",
                "zone": "../etc",
            }
        },
        {"content": b"{}", "headers": {"content-type": "application/json"}},
        {"content": b"--x\r\nbroken", "headers": {"content-type": "multipart/form-data; boundary=x"}},
    ]
    for given in odd:
        for path in ("/preview", "/subscribe"):
            assert browser.post(path, **given).status_code in {200, 400, 422}, given


def test_a_fault_has_a_page_in_our_own_words(
    service: Service, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.web import home

    def broken(*_: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(home, "_on_this_machine", broken)
    app = create_app(service, settings, lambda: NOW)
    with TestClient(app, base_url=BASE, raise_server_exceptions=False) as client:
        answer = client.get("/")
    assert answer.status_code == 500 and "not your doing" in answer.text and "secret" not in answer.text
    assert "default-src 'self'" in answer.headers["content-security-policy"]


def test_an_unknown_address_has_a_page_too(browser: TestClient) -> None:
    answer = browser.get("/nothing/here")
    assert answer.status_code == 404 and "There is no page at this address" in answer.text
    assert browser.put("/").status_code == 405


def test_the_style_sheet_and_the_script_are_small() -> None:
    sheets = ("paperwatch.css", "forms.css", "mine.css", "paperwatch.js")
    assert [name for name in sheets if len(static(name)) >= 15_000] == []


def test_the_probes_tell_alive_from_ready(
    browser: TestClient, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    from db import migrate

    assert browser.get("/healthz").text == "ok\n"
    assert browser.get("/readyz").text == "ready\n"
    monkeypatch.setattr(migrate, "newest", lambda: "9999")
    answer = browser.get("/readyz")
    assert answer.status_code == 503 and "9999" in answer.text


def test_nothing_of_the_outbox_is_shown_where_others_may_look(
    service: Service, tmp_path: Path, outbox: OutboxFolder, profile: Profile
) -> None:
    letter = outbox.letters()[0].name
    for given in ({"host": "0.0.0.0"}, {"smtp_host": "mail.example.org"}, {"show_outbox": False}):  # noqa: S104
        settings = Settings(data=tmp_path / "var", base_url=BASE, **given)
        with TestClient(create_app(service, settings, lambda: NOW), base_url=BASE) as client:
            for path in ("/outbox", f"/outbox/{letter}", f"/outbox/{letter}/html", f"/outbox/{letter}/raw"):
                assert client.get(path).status_code == 404
            page = client.get("/").text
            assert "/outbox" not in page and profile.feed_token not in page


def test_a_mail_is_shown_in_a_frame_that_can_do_nothing(
    browser: TestClient, outbox: OutboxFolder, profile: Profile
) -> None:
    letter = outbox.letters()[0].name
    page = browser.get(f"/outbox/{letter}").text
    assert f'src="/outbox/{letter}/html"' in page and "sandbox=" in page and "List-Unsubscribe" in page
    part = browser.get(f"/outbox/{letter}/html")
    policy = part.headers["content-security-policy"]
    assert policy.startswith("sandbox") and "allow-scripts" not in policy and "default-src 'none'" in policy
    raw = browser.get(f"/outbox/{letter}/raw")
    assert raw.content == outbox.read(letter).raw and raw.headers["content-type"] == "message/rfc822"
    assert browser.get("/outbox/..%2f..%2fsecret").status_code == 404
    assert browser.get("/outbox/nothing.eml").status_code == 404


def test_a_newcomer_finds_page_feed_and_mail_on_their_own_machine(
    browser: TestClient, profile: Profile
) -> None:
    page = browser.get("/").text
    assert "On this machine" in page and f"/feeds/{profile.feed_token}.rss" in page
    mine = re.search(r'href="(/preferences/[^"]+)">ranked page', page)
    assert mine is not None and "Speculative decoding" in browser.get(mine[1]).text


def test_a_process_that_has_ranked_nothing_has_not_loaded_what_ranks() -> None:
    # scikit-learn alone takes 80 MB, which a process that serves feeds from memory does without.
    script = (
        "import sys, app.web.server; sys.exit(any(m in sys.modules for m in ('sklearn', 'scipy', 'numpy')))"
    )
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False).returncode == 0
