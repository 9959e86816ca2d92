"""Makes the README's pictures anew: the samples, served on this machine, as Chromium and newsboat show them.

    make pictures

needs Debian's chromium, newsboat and tmux. Nothing is asked of any other host.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright
from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI
from rich.text import Text

FOLDER = Path(__file__).with_name("pictures")
ROOT = Path(__file__).parent.parent
CHROMIUM = "/usr/bin/chromium"
QUIET = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
OPERATOR_KEY = "for-the-pictures-only-0123456789"
STATEMENT = "Speculative decoding and KV cache for LLM inference, not vision"
SEARCH = "/papers?q=speculative+decoding"
# A busy machine may take long over anything; that something is there is what is waited for.
_PATIENCE = 600
# The service gives each of its two processes a minute to end, and then ends it.
_STOPPING = 180
_TERMINAL = """<!doctype html><meta charset="utf-8"><style>
body{{margin:0;background:{background};color:{foreground}}}
pre{{margin:0;padding:14px 18px;font:14px/1.35 "DejaVu Sans Mono",monospace}}</style><pre>{code}</pre>"""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The whole service with the samples, its state in ``folder``; gives its address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    environ = {
        **os.environ, "PAPERWATCH_DATA": str(folder), "PAPERWATCH_PORT": str(port),
        "PAPERWATCH_BASE_URL": address, "PAPERWATCH_TICK_SECONDS": "1",
        "PAPERWATCH_OPERATOR_KEY": OPERATOR_KEY, "PYTHONPATH": str(ROOT),
    }  # fmt: skip
    service = subprocess.Popen([sys.executable, "-m", "app.cli", "run", "--samples"], env=environ, cwd=ROOT)
    try:
        # The search is filled by the last step of the scheduler's first run: all else is there by then.
        _until("papers in the search", lambda: b"<mark>" in _page(f"{address}{SEARCH}"), service)
        yield address
    finally:
        service.terminate()
        try:
            service.wait(timeout=_STOPPING)
        except subprocess.TimeoutExpired:
            service.kill()  # its children end with it
            service.wait()


def _until(what: str, there: Callable[[], bool], service: subprocess.Popen[bytes] | None = None) -> None:
    """Wait for something to be there, as long as the service that brings it is up."""
    end = time.monotonic() + _PATIENCE
    while not there():
        if service is not None and service.poll() is not None:
            raise SystemExit(f"the service ended with status {service.returncode} before there were {what}")
        if time.monotonic() > end:
            raise SystemExit(f"there were no {what} within {_PATIENCE // 60} minutes")
        time.sleep(0.5)


def _page(address: str) -> bytes:
    """What an address shows; nothing where nobody answers yet."""
    try:
        with urllib.request.urlopen(address, timeout=60) as answer:  # noqa: S310  # our own loopback address
            found: bytes = answer.read()
            return found
    except (urllib.error.URLError, OSError):
        return b""


def pages(browser: Browser, address: str) -> str:
    """Take the pages and the mail; gives the address of the demo profile's feed."""
    page = browser.new_page(viewport={"width": 1200, "height": 860})
    page.set_default_timeout(1000 * _PATIENCE)
    page.goto(f"{address}/?statement={STATEMENT.replace(' ', '+')}")
    page.locator("#preview article").first.wait_for()
    keep(page, "subscribe")
    mail = _first_mail(page, address)
    page.goto(mail)
    keep(page, "mail")
    phone = browser.new_page(viewport={"width": 390, "height": 860}, color_scheme="dark")
    phone.goto(mail)
    keep(phone, "mail-phone")
    page.get_by_role("link", name="Preferences").first.click()
    page.locator("details.why summary").first.click()
    keep(page, "my-papers")
    mine = page.url
    page.goto(f"{address}{SEARCH}")
    keep(page, "search")
    operator = browser.new_page(
        viewport={"width": 1200, "height": 860},
        extra_http_headers={"authorization": f"Bearer {OPERATOR_KEY}"},
    )
    operator.goto(f"{address}/operator")
    keep(operator, "operator")
    page.goto(f"{mine}/delivery")
    return page.locator("input[value*='/feeds/']").first.input_value()


def _first_mail(page: Page, address: str) -> str:
    """The address of the demo profile's first digest, once the scheduler has sent it."""
    _until("mails in the outbox", lambda: b'<ol class="letters"' in _page(f"{address}/outbox"))
    page.goto(f"{address}/outbox")
    return f"{address}{page.locator('ol.letters a').first.get_attribute('href')}/html"


def keep(page: Page, name: str) -> None:
    """Write what the page shows as a small picture."""
    path = FOLDER / f"{name}.png"
    page.screenshot(path=path)
    # A palette takes half of the bytes; with much fewer colours the small green bars turn grey.
    Image.open(path).convert("RGB").quantize(256, kmeans=3, dither=Image.Dither.NONE).save(
        path, optimize=True
    )


def feed_reader(browser: Browser, feed: str, folder: Path) -> None:
    """Take the feed as newsboat, a reader for the terminal, shows its first entry."""
    (folder / "urls").write_text(f"{feed}\n", encoding="utf-8")
    plain = ["background", "listnormal", "listnormal_unread", "article"]
    config = ["auto-reload no", "text-width 96", *(f"color {part} default default" for part in plain)]
    (folder / "config").write_text("\n".join(config), encoding="utf-8")
    files = ["-u", folder / "urls", "-C", folder / "config", "-c", folder / "cache.db"]
    subprocess.run(["newsboat", *files, "-x", "reload"], check=True, capture_output=True)
    tmux = ["tmux", "-L", folder.name]
    reader = " ".join(str(part) for part in ["newsboat", *files])
    subprocess.run(
        [*tmux, "new-session", "-d", "-x", "104", "-y", "34", reader], check=True,
        env={**os.environ, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    try:

        def shown(*more: str) -> str:
            return subprocess.check_output([*tmux, "capture-pane", "-p", *more], text=True)

        for screen in ("Your feeds", "Articles in feed"):  # Enter opens the feed, then its first entry
            _until(f"lines of newsboat: {screen}", lambda screen=screen: screen in shown())
            subprocess.run([*tmux, "send-keys", "Enter"], check=True)
        _until("reasons in the entry", lambda: "Why:" in shown())
        _keep_terminal(browser, shown("-e"), "feed-entry")
    finally:
        subprocess.run([*tmux, "kill-session"], check=False)


def _keep_terminal(browser: Browser, shown: str, name: str) -> None:
    console = Console(record=True, width=104, file=StringIO(), color_system="truecolor")
    console.print(Text.from_ansi(shown))
    page = browser.new_page(viewport={"width": 930, "height": 660})
    page.set_content(console.export_html(theme=DIMMED_MONOKAI, inline_styles=True, code_format=_TERMINAL))
    keep(page, name)


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as made,
        served(Path(made) / "var") as address,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        feed_reader(browser, pages(browser, address), Path(made))
        browser.close()


if __name__ == "__main__":
    main()
