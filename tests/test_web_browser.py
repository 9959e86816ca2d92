"""The pages in Debian's Chromium: the whole way of a subscriber, with and without scripts."""

from __future__ import annotations

import re
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import feedparser
import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from app.settings import Settings, operator_key
from app.web.server import create_app
from db import subscriber_store
from db.session import Database
from jobs import library, match, subscribe
from jobs.alerts.links import Links
from jobs.alerts.mail import Sender
from jobs.alerts.outbox_folder import OutboxFolder
from jobs.ingest import ingest_locations
from jobs.service import Service
from profiles.request import request
from tests.conftest import NOW, ROOT

pytestmark = pytest.mark.browser

CHROMIUM = Path("/usr/bin/chromium")
# Whatever the browser itself would like to fetch: nothing of it belongs to the pages.
QUIET = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
STATEMENT = "KV cache and speculative decoding for LLM inference"


class Site:
    """A service with the samples, served on a loopback port."""

    def __init__(self, folder: Path, migrated: Path) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        self.outbox = OutboxFolder(folder / "outbox")
        folder.mkdir()
        shutil.copyfile(migrated, folder / "paperwatch.db")
        database = Database(f"sqlite:///{folder / 'paperwatch.db'}")
        links = Links(self.url, "a secret for tests only")
        self.service = Service(database, links, Sender("Paperwatch", "p@example.org"), lambda: self.outbox)
        samples = sorted(str(path) for path in (ROOT / "samples").glob("*-20*.md"))
        match.gather(self.service, NOW, list(ingest_locations(self.service, samples, NOW, "samples")))
        library.keep(self.service, NOW)
        self.settings = Settings(data=folder, base_url=self.url)
        app = create_app(self.service, self.settings, lambda: NOW)
        config = uvicorn.Config(app, log_level="warning", lifespan="off", ws="none")
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self.socket]})
        self.thread.start()
        while not self.server.started:
            time.sleep(0.01)

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join()
        self.service.database.dispose()

    def my_page(self) -> str:
        """The private page of a confirmed reader with one profile."""
        wanted = request(email="ada@example.org", name="Serving", statement=STATEMENT, terms=["expert=-1"])
        profile = subscribe.create(self.service, wanted, NOW, confirmed="by the test")
        return self.service.links.preferences(profile.subscriber_id, NOW)


@pytest.fixture
def site(tmp_path: Path, migrated: Path) -> Iterator[Site]:
    made = Site(tmp_path / "var", migrated)
    yield made
    made.stop()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is missing; install it with `apt-get install chromium`")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


class Watch:
    """Notes what a page must never do: ask another host, break its own policy, fail in a script."""

    def __init__(self, context: BrowserContext, site: Site) -> None:
        self.faults: list[str] = []
        context.on("request", lambda asked: self._asked(asked.url, site.url))
        context.on("console", lambda said: self._said(said.type, said.text))
        context.on("weberror", lambda failed: self.faults.append(str(failed.error)))

    def _asked(self, url: str, own: str) -> None:
        if not url.startswith((own + "/", "data:", "about:")):
            self.faults.append(f"asked {url}")

    def _said(self, kind: str, text: str) -> None:
        if kind in {"error", "warning"}:
            self.faults.append(text)


def open_page(chromium: Browser, site: Site, **options: Any) -> tuple[Page, Watch]:
    context = chromium.new_context(timezone_id="Europe/Zurich", locale="en-GB", **options)
    context.set_default_timeout(10_000)
    watch = Watch(context, site)
    return context.new_page(), watch


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_from_the_front_page_to_papers_feed_and_rating(chromium: Browser, site: Site, scripts: bool) -> None:
    page, watch = open_page(chromium, site, java_script_enabled=scripts)
    page.goto(site.url)
    page.get_by_label("What do you work on?").fill(STATEMENT)
    if not scripts:
        page.get_by_role("button", name="Show what I would get").click()
    expect(page.locator("#preview article").first).to_be_visible()
    expect(page.locator("#preview article").first).to_contain_text("speculative decoding")
    expect(page.get_by_label("What do you work on?")).to_have_value(STATEMENT)

    page.get_by_label("Once a week").check()
    expect(page.get_by_label("On", exact=True)).to_be_visible()
    expect(page.get_by_label("Time zone")).to_have_value("Europe/Zurich" if scripts else "UTC")
    page.get_by_label("E-mail address").fill("ada@example.org")
    page.get_by_role("button", name="Send me a link to confirm").click()
    expect(page.get_by_role("heading", name="Check your mail")).to_be_visible()

    page.get_by_role("link", name="outbox", exact=True).click()
    letter = page.get_by_role("link", name="Confirm your paper alerts")
    for _ in range(100):  # it is written after the page before was answered
        if letter.count():
            break
        page.wait_for_timeout(100)
        page.reload()
    letter.click()
    page.frame_locator("iframe.mail").get_by_role("link", name="Confirm this address").click()
    page.get_by_role("button", name="Confirm this address").click()
    expect(page.get_by_role("heading", name="Confirmed")).to_be_visible()
    expect(page.locator("article.paper").first).to_be_visible()

    feed = page.get_by_label("Private feed", exact=True).input_value()
    parsed = feedparser.parse(page.request.get(feed).body())
    assert not parsed.bozo and len(parsed.entries) >= page.locator("article.paper").count()

    page.get_by_role("link", name="Your own page").click()
    page.get_by_role("button", name="more like this").first.click()
    like = page.get_by_role("button", name="more like this").first
    expect(like).to_have_attribute("aria-pressed", "true")
    page.reload()
    expect(like).to_have_attribute("aria-pressed", "true")
    assert watch.faults == []
    page.context.close()


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_feed_only_gives_the_feed_at_once(chromium: Browser, site: Site, scripts: bool) -> None:
    page, watch = open_page(chromium, site, java_script_enabled=scripts)
    page.goto(site.url)
    page.get_by_label("What do you work on?").fill(STATEMENT)
    page.get_by_label("Feed only, no e-mail").check()
    expect(page.get_by_label("E-mail address")).to_be_hidden()
    page.get_by_role("button", name="Give me the feed").click()
    expect(page.get_by_label("RSS", exact=True)).to_have_value(re.compile(f"{site.url}/feeds/.+\\.rss"))
    assert site.outbox.letters() == [] and watch.faults == []
    page.context.close()


def test_the_preview_follows_typing_and_the_dial(chromium: Browser, site: Site) -> None:
    page, watch = open_page(chromium, site)
    page.goto(f"{site.url}/?statement=caching")
    page.get_by_label("What do you work on?").fill(STATEMENT)
    expect(page.locator("#preview article").first).to_contain_text("peculative")
    many = page.locator("#preview article").count()
    page.get_by_role("slider").fill("1")
    expect(page.locator("#preview article")).not_to_have_count(many)
    expect(page.locator("#per_day")).to_have_value("1")
    page.get_by_text("Be more exact").click()
    page.get_by_label("Terms").fill("cache = 9")
    expect(page.locator("#preview")).to_contain_text("must be from -3 to 3")
    assert watch.faults == []
    page.context.close()


def test_papers_are_walked_and_rated_by_keyboard(chromium: Browser, site: Site) -> None:
    page, watch = open_page(chromium, site)
    page.goto(site.my_page())
    second = page.locator("article.paper").nth(1)
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(second.get_by_role("link").first).to_be_focused()
    page.keyboard.press("s")
    expect(second.get_by_role("button", name="save")).to_have_attribute("aria-pressed", "true")
    with site.service.database.reading() as session:
        (profile,) = subscriber_store.profiles(session)
        events = subscriber_store.feedback(session, [profile.id])[profile.id]
    assert [event.opinion for event in events] == ["save"] and watch.faults == []
    page.context.close()


def test_the_skip_link_is_the_first_stop_and_leads_to_the_content(chromium: Browser, site: Site) -> None:
    page, _ = open_page(chromium, site)
    page.goto(site.url)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.context.close()


def each_scheme(page: Page) -> Iterator[str]:
    """The page at hand in light and in dark colours."""
    for colours in ("light", "dark"):
        page.emulate_media(color_scheme=colours, reduced_motion="reduce")
        yield colours


@pytest.mark.parametrize("width", [320, 1200])
def test_every_page_is_legible_labelled_and_fits(chromium: Browser, site: Site, width: int) -> None:
    page, watch = open_page(chromium, site, viewport={"width": width, "height": 800}, reduced_motion="reduce")
    faults = (Path(__file__).parent / "data/web/faults.js").read_text(encoding="utf-8")
    mine = site.my_page()
    with site.service.database.reading() as session:
        (profile,) = subscriber_store.profiles(session)
    paper = "arxiv:2510.19779"
    links = site.service.links
    pages = [
        "/", f"/?statement={STATEMENT}", "/subscribed", "/preferences", "/outbox", mine, f"{mine}/new",
        f"{mine}/profiles/{profile.id}", f"{mine}/saved", f"{mine}/history", f"{mine}/profiles",
        f"{mine}/delivery", f"{mine}/profiles/{profile.id}/weights", f"{mine}/erase", "/pick",
        links.rate(profile.id, paper, "like"), links.paper(paper), "/papers?q=speculative", "/trends",
        links.confirm(profile.subscriber_id, "ada@example.org", NOW), links.unsubscribe(1, profile.id),
    ]  # fmt: skip
    for address in pages:
        answer = page.goto(address if address.startswith("http") else site.url + address)
        assert answer is not None and answer.status == 200, address
        for fold in page.locator("details").all():
            fold.evaluate("fold => { fold.open = true; }")
        for colours in each_scheme(page):
            found = page.evaluate(faults)
            assert not found, f"{address}, {colours}: {found}"
    assert watch.faults == []
    page.context.close()


# The rules of WCAG 2.0 to 2.2 at levels A and AA; to tell of all that is well takes as long as to look.
RULES = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]},
    "resultTypes": ["violations"],
}


def axe_finds_nothing(page: Page, where: str) -> None:
    for colours in each_scheme(page):
        found = Axe().run(page, options=RULES)
        assert not found.response["violations"], f"{where}, {colours}: {found.generate_report()}"


@pytest.mark.parametrize("half", [0, 1])
def test_axe_finds_nothing_on_any_page_of_a_reader(chromium: Browser, site: Site, half: int) -> None:
    page, _ = open_page(chromium, site, reduced_motion="reduce", bypass_csp=True)
    mine = site.my_page()
    with site.service.database.reading() as session:
        (profile,) = subscriber_store.profiles(session)
    paper = "arxiv:2510.19779"
    with site.service.database.writing() as session:
        subscribe.rate(session, profile.id, paper, "save", NOW, "page")
    links = site.service.links
    own = f"{mine}/profiles/{profile.id}"
    pages = [
        f"{site.url}/", f"{site.url}/?statement={STATEMENT}, 2510.19779", f"{site.url}/pick",
        f"{site.url}/papers", links.paper(paper), links.rate(profile.id, paper, "like"), mine,
        f"{mine}/saved", f"{mine}/history", f"{mine}/profiles", f"{mine}/delivery", f"{mine}/erase",
        f"{mine}/new", own, f"{own}/weights", f"{own}/backtest", f"{mine}/keys", f"{mine}/papers/{paper}",
        f"{site.url}/papers?q=speculative+decoding", f"{site.url}/papers?q=nothing+like+it",
        f"{site.url}/papers/topic/llm-inference", f"{site.url}/papers/day/2025-10-28",
        f"{site.url}/trends", f"{site.url}/api/docs", f"{site.url}/api/docs/profiles",
        f"{site.url}/operator", f"{site.url}/outbox",
    ]  # fmt: skip
    key = operator_key(site.settings)
    page.set_extra_http_headers({"authorization": f"Bearer {key}"})
    for address in pages[half::2]:
        answer = page.goto(address)
        assert answer is not None and answer.status == 200, address
        for fold in page.locator("details").all():
            fold.evaluate("fold => { fold.open = true; }")
        axe_finds_nothing(page, address)
    page.context.close()


def test_axe_finds_nothing_on_pages_of_a_moment(chromium: Browser, site: Site) -> None:
    page, _ = open_page(chromium, site, reduced_motion="reduce", bypass_csp=True)
    site.my_page()
    links = site.service.links
    pages = {
        f"{site.url}/subscribed": 200, f"{site.url}/preferences": 200, f"{site.url}/erased": 200,
        links.confirm(1, "ada@example.org", NOW): 200, links.unsubscribe(1, 1): 200,
        links.confirm(1, "ada@example.org", NOW - timedelta(days=60)): 410, f"{site.url}/no/such/page": 404,
    }  # fmt: skip
    for address, status in pages.items():
        answer = page.goto(address)
        assert answer is not None and answer.status == status, address
        axe_finds_nothing(page, address)
    for address, button in (
        (links.confirm(1, "ada@example.org", NOW), "Confirm this address"),
        (links.rate(1, "arxiv:2510.19779", "like"), "More like this"),
        (links.unsubscribe(1, 1), "Stop the mail"),
    ):
        page.goto(address)
        page.get_by_role("button", name=button).click()
        axe_finds_nothing(page, f"after {button}")
    page.context.close()


def test_chips_are_pressed_without_leaving_the_page(chromium: Browser, site: Site) -> None:
    page, watch = open_page(chromium, site)
    page.goto(site.url)
    page.get_by_label("What do you work on?").fill(f"{STATEMENT}, cs.DC")
    page.get_by_role("button", name="More of KV cache").click()
    expect(page.get_by_role("button", name="Take out KV cache")).to_be_visible()
    expect(page.get_by_role("button", name="More of KV cache")).to_be_focused()
    page.get_by_role("button", name="Take out cs.DC").click()
    expect(page.get_by_role("button", name="Take out cs.DC")).to_have_count(0)
    expect(page.locator("#terms")).to_have_value("KV cache")
    expect(page.get_by_role("slider")).to_have_count(1)
    assert page.url == f"{site.url}/" and watch.faults == []
    page.context.close()


def test_what_was_wrong_is_where_the_focus_goes_and_is_still_there(chromium: Browser, site: Site) -> None:
    page, watch = open_page(chromium, site)
    page.goto(site.url)
    page.get_by_text("Bring your library").click()
    page.get_by_label("Your name, as an author").fill("No Such Person")
    page.get_by_role("button", name="Find my papers").click()
    name = page.get_by_label("Your name, as an author")
    expect(name).to_be_focused()
    expect(name).to_have_value("No Such Person")
    expect(page.get_by_role("heading", name="Not sure what to write?")).to_be_visible()
    # Chromium notes each answer that is no success.
    assert len(watch.faults) == 1 and "422" in watch.faults[0]
    page.context.close()


def test_weights_show_what_would_change_as_they_move(chromium: Browser, site: Site) -> None:
    page, watch = open_page(chromium, site)
    mine = site.my_page()
    page.goto(f"{mine}/profiles/1/weights")
    page.get_by_label("speculative decoding", exact=True).fill("-3")
    expect(page.locator("output", has_text="-3")).to_have_count(1)
    expect(page.locator("#what-if")).to_contain_text("Nothing is saved yet")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_contain_text("Saved.")
    assert watch.faults == []
    page.context.close()


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_the_life_of_a_subscriber_to_its_end(chromium: Browser, site: Site, scripts: bool) -> None:
    page, watch = open_page(chromium, site, java_script_enabled=scripts)
    page.goto(site.my_page())
    page.get_by_role("link", name="Edit the profile").click()
    page.get_by_label("About how many a day", exact=True).last.fill("3")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("Saved.")
    page.get_by_role("button", name="save").first.click()
    expect(page.get_by_role("button", name="save").first).to_have_attribute("aria-pressed", "true")
    page.get_by_role("link", name="Saved", exact=True).click()
    expect(page.locator("article.paper")).to_have_count(1)

    page.get_by_role("link", name="Delivery").click()
    feed = page.get_by_label("Atom", exact=True).input_value()
    assert not feedparser.parse(page.request.get(feed).body()).bozo
    page.get_by_label("No mail until").fill("2025-12-24")
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("No mail until Wed 24 Dec")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download everything (JSON)").click()
    assert '"ada@example.org"' in download.value.path().read_text(encoding="utf-8")

    page.get_by_role("link", name="Erase me").click()
    page.get_by_label("Yes, erase everything").check()
    page.get_by_role("button", name="Erase me").click()
    expect(page.get_by_role("heading", name="Everything is erased")).to_be_visible()
    assert page.request.get(feed).status == 404 and watch.faults == []
    page.context.close()
