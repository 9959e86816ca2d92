"""The fetcher against a real server on loopback; refusals with a resolver of our own."""

from __future__ import annotations

import contextlib
import gzip
import threading
import time
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from jobs.sources import arxiv_api
from jobs.sources.addresses import is_public
from jobs.sources.fetch import Fetched, Fetcher, FetchError, Limits, Validators, user_agent
from jobs.sources.pace import LocalPace, group_of
from jobs.sources.parsed import SourceError

NOW = datetime(2026, 5, 12, 6, 0, tzinfo=UTC)
QUICK = Limits(
    connect_seconds=1, read_seconds=0.6, total_seconds=1.2, body_bytes=100_000, redirects=3, attempts=2,
    first_wait_seconds=0,
)  # fmt: skip
API_ERROR = b"""<feed xmlns="http://www.w3.org/2005/Atom"><title>arXiv Query: x</title><entry>
<id>http://arxiv.org/api/errors#start_must_be_an_integer</id><title>Error</title>
<summary>start must be an integer</summary></entry></feed>"""

BOMB = gzip.compress(b"\0" * 100_000_000, 1)


class _Server(BaseHTTPRequestHandler):
    """Answers each path in its own way and remembers what was asked."""

    seen: list[tuple[str, dict[str, str]]]
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.seen.append((self.path, dict(self.headers)))  # type: ignore[attr-defined]
        name = self.path.strip("/").split("/")[0].partition("?")[0].replace("-", "_")
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            getattr(self, f"_{name}")()

    def _send(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _feed(self) -> None:
        if self.headers.get("If-None-Match") == '"v1"':
            self._send(304, ETag='"v1"')
        else:
            self._send(200, b"<rss/>", ETag='"v1"', Last_Modified="Tue, 12 May 2026 04:00:00 GMT")

    def _packed(self) -> None:
        self._send(200, gzip.compress(b"<rss>" + b" " * 1000), Content_Encoding="gzip")

    def _bomb(self) -> None:
        self._send(200, BOMB, Content_Encoding="gzip")

    def _bomb_in_bomb(self) -> None:
        self._send(200, gzip.compress(BOMB), Content_Encoding="gzip, gzip")

    def _broken_gzip(self) -> None:
        self._send(200, b"this is no gzip", Content_Encoding="gzip")

    def _deflated(self) -> None:
        self._send(200, zlib.compress(b"<rss/>"), Content_Encoding="deflate")

    def _long(self) -> None:
        self._send(200, b"x" * 200_000)

    def _promised(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "99999999999999")
        self.end_headers()

    def _endless(self) -> None:
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        while True:
            self.wfile.write(b"x" * 10_000)

    def _silent(self) -> None:
        time.sleep(1)
        self._send(200, b"too late")

    def _dripping(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        for _ in range(40):
            self.wfile.write(b"x")
            self.wfile.flush()
            time.sleep(0.1)

    def _dripping_header(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        for _ in range(40):
            self.wfile.write(b"x")
            self.wfile.flush()
            time.sleep(0.1)

    def _cut(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"half")
        self.close_connection = True

    def _garbage(self) -> None:
        self.wfile.write(b"\x16\x03\x01 not http at all\r\n\r\n")
        self.close_connection = True

    def _loop(self) -> None:
        self._send(302, Location="/loop")

    def _moved(self) -> None:
        self._send(301, Location="/feed")

    def _nowhere(self) -> None:
        self._send(302)

    def _to_metadata(self) -> None:
        self._send(302, Location="http://169.254.169.254/latest/meta-data/")

    def _to_file(self) -> None:
        self._send(302, Location="file:///etc/passwd")

    def _busy(self) -> None:
        self._send(429, b"Rate exceeded.", Retry_After="120")

    def _busy_until(self) -> None:
        self._send(503, b"", Retry_After="Tue, 12 May 2026 06:05:00 GMT")

    def _busy_for_ever(self) -> None:
        self._send(503, b"", Retry_After="9" * 40)

    def _busy_nonsense(self) -> None:
        self._send(503, b"", Retry_After="soon")

    def _gone(self) -> None:
        self._send(404, b"no")

    def _bad_query(self) -> None:
        self._send(400, API_ERROR)

    def log_message(self, *args: Any) -> None:
        """Nothing on the test's terminal."""


@pytest.fixture(scope="module")
def served() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Server)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    server.seen = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def base(served: ThreadingHTTPServer) -> str:
    served.seen.clear()  # type: ignore[attr-defined]
    return f"http://127.0.0.1:{served.server_address[1]}"


def fetcher(**changes: Any) -> Fetcher:
    settings = {"agent": user_agent("me@example.org", "1"), "now": lambda: NOW, "limits": QUICK}
    return Fetcher(**(settings | {"allow_private": True} | changes))


def refused(url: str, **changes: Any) -> FetchError:
    with pytest.raises(FetchError) as caught:
        fetcher(**changes).get(url)
    return caught.value


def seen(served: ThreadingHTTPServer) -> list[tuple[str, dict[str, str]]]:
    return served.seen  # type: ignore[attr-defined,no-any-return]


def test_a_feed_is_fetched_with_its_validators_and_a_user_agent_with_contact(
    base: str, served: ThreadingHTTPServer
) -> None:
    got = fetcher().get(f"{base}/feed")
    assert (got.status, got.body, got.url) == (200, b"<rss/>", f"{base}/feed")
    assert got.validators == Validators('"v1"', "Tue, 12 May 2026 04:00:00 GMT")
    headers = seen(served)[0][1]
    assert "me@example.org" in headers["User-Agent"]
    assert "If-None-Match" not in headers
    assert "If-Modified-Since" not in headers


def test_etag_and_last_modified_are_sent_separately_and_304_keeps_them(
    base: str, served: ThreadingHTTPServer
) -> None:
    known = Validators('"v1"', "Tue, 12 May 2026 04:00:00 GMT")
    got = fetcher().get(f"{base}/feed", known)
    assert got.not_modified
    assert (got.body, got.validators) == (b"", known)
    assert seen(served)[0][1]["If-None-Match"] == '"v1"'
    assert seen(served)[0][1]["If-Modified-Since"] == "Tue, 12 May 2026 04:00:00 GMT"
    fetcher().get(f"{base}/feed", Validators(last_modified="Tue, 12 May 2026 04:00:00 GMT"))
    assert "If-None-Match" not in seen(served)[1][1]
    assert "If-Modified-Since" in seen(served)[1][1]


@pytest.mark.parametrize("path", ["packed", "deflated"])
def test_compressed_answers_are_unpacked(base: str, path: str) -> None:
    assert fetcher().get(f"{base}/{path}").body.startswith(b"<rss")


@pytest.mark.parametrize("path", ["bomb", "bomb_in_bomb", "long", "promised", "endless"])
def test_bombs_and_answers_beyond_the_cap_are_refused(base: str, path: str) -> None:
    error = refused(f"{base}/{path}")
    assert error.permanent
    assert "more than 100,000 bytes" in str(error)


def test_a_damaged_compression_is_reported(base: str) -> None:
    assert "damaged compression" in str(refused(f"{base}/broken_gzip"))


@pytest.mark.parametrize("path", ["silent", "dripping", "dripping_header"])
def test_a_server_that_dawdles_is_left_within_the_total_time(base: str, path: str) -> None:
    began = time.monotonic()
    error = refused(f"{base}/{path}")
    assert time.monotonic() - began < 3.5
    assert "no answer in time" in str(error)
    assert not error.permanent


@pytest.mark.parametrize("path", ["cut", "garbage"])
def test_a_broken_connection_is_tried_again_and_then_reported(
    base: str, served: ThreadingHTTPServer, path: str
) -> None:
    error = refused(f"{base}/{path}")
    assert "no connection" in str(error)
    assert len(seen(served)) == QUICK.attempts


def test_a_closed_port_is_a_fetch_error() -> None:
    error = refused("http://127.0.0.1:9/")
    assert "tried again later" in str(error)
    assert not error.permanent


def test_redirects_are_followed_and_counted(base: str, served: ThreadingHTTPServer) -> None:
    assert fetcher().get(f"{base}/moved").url == f"{base}/feed"
    seen(served).clear()
    assert "more than 3 redirects" in str(refused(f"{base}/loop"))
    assert len(seen(served)) == 4
    assert "without saying where" in str(refused(f"{base}/nowhere"))


def test_a_public_name_of_a_private_address_and_a_redirect_to_a_file_are_refused(base: str) -> None:
    port = base.rpartition(":")[2]

    def resolver(host: str, port: int) -> list[str]:
        return ["127.0.0.1"] if host == "feeds.example" else [host]

    error = refused(f"http://feeds.example:{port}/feed", allow_private=False, resolve=resolver)
    assert "feeds.example is 127.0.0.1, not a public address" in str(error)
    assert error.permanent
    error = refused(f"{base}/to_file")
    assert "only http and https" in str(error)


def test_the_second_hop_is_checked_as_the_first(base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[str] = []

    def public(address: str) -> bool:
        checked.append(address)
        return address == "127.0.0.1"

    monkeypatch.setattr("jobs.sources.transport.is_public", public)
    error = refused(f"{base}/to_metadata", allow_private=False)
    assert checked == ["127.0.0.1", "169.254.169.254"]
    assert "169.254.169.254" in str(error)


def test_a_name_server_that_changes_its_answer_gains_nothing(base: str) -> None:
    answers = iter([["93.184.216.34"], ["127.0.0.1"]])
    asked: list[str] = []

    def rebinding(host: str, port: int) -> list[str]:
        asked.append(host)
        return next(answers)

    port = base.rpartition(":")[2]
    limits = Limits(connect_seconds=0.2, total_seconds=1, attempts=1, first_wait_seconds=0)
    error = refused(f"http://evil.example:{port}/feed", allow_private=False, resolve=rebinding, limits=limits)
    # One resolution: what was checked (and cannot be reached here) is what was connected to.
    assert asked == ["evil.example"]
    assert "tried again later" in str(error)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.0.0.1", "172.16.5.5", "192.168.1.1", "169.254.169.254", "0.0.0.0", "100.64.0.1",  # noqa: S104
        "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fec0::1",
        "ff02::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::",
        "2001:0:4136:e378:8000:63bf:80ff:fffe", "not an address", "",
    ],
)  # fmt: skip
def test_addresses_inside_networks_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["151.101.3.42", "2a04:4e42::1", "64:ff9b::9765:32a"])
def test_addresses_of_the_open_internet_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:1/", "http://localhost/", "http://[::1]/", "http://2130706433/", "http://127.1/"],
)
def test_loopback_in_every_spelling_is_refused(url: str) -> None:
    error = refused(url, allow_private=False)
    assert error.permanent or "not known" in str(error)
    assert "refused" in str(error) or "not known" in str(error)


@pytest.mark.parametrize(
    "url",
    ["ftp://example.org/", "file:///etc/passwd", "", "feed", "http://", "http://[bad/", "gopher://x/\x00"],
)
def test_what_is_no_web_address_is_refused_before_anything_is_asked(url: str) -> None:
    def never(host: str, port: int) -> list[str]:
        raise AssertionError("asked the resolver")

    assert refused(url, resolve=never).permanent


@pytest.mark.parametrize(
    ("path", "wait"),
    [
        ("busy", timedelta(seconds=120)),
        ("busy_until", timedelta(minutes=5)),
        ("busy_for_ever", timedelta(days=7)),
        ("busy_nonsense", None),
    ],
)
def test_retry_after_is_obeyed_and_not_asked_again_at_once(
    base: str, served: ThreadingHTTPServer, path: str, wait: timedelta | None
) -> None:
    error = refused(f"{base}/{path}")
    assert error.retry_after == (NOW + wait if wait else None)
    assert error.status in (429, 503)
    assert not error.permanent
    assert len(seen(served)) == 1
    assert ("asks to wait" if wait else "tried again later") in str(error)


def test_a_missing_page_is_permanent_and_hides_the_password(base: str) -> None:
    error = refused(f"{base.replace('//', '//me:secret@')}/gone")
    assert error.permanent
    assert "HTTP 404" in str(error)
    assert "secret" not in str(error)


def test_the_body_of_a_refused_query_lets_the_parser_say_why(base: str) -> None:
    error = refused(f"{base}/bad_query")
    assert (error.status, error.permanent) == (400, True)
    with pytest.raises(SourceError, match="start must be an integer"):
        arxiv_api.parse(error.body)


def test_arxiv_hosts_share_one_pace_and_others_have_none(base: str) -> None:
    assert {group_of(host) for host in ("arxiv.org", "RSS.arxiv.org.", "oaipmh.arxiv.org")} == {"arxiv.org"}
    assert group_of("notarxiv.org") == group_of("arxiv.org.evil.example") == ""
    turns: list[str] = []

    class Counting:
        def turn(self, group: str) -> contextlib.AbstractContextManager[None]:
            turns.append(group)
            return contextlib.nullcontext()

    port = base.rpartition(":")[2]
    asking = fetcher(pace=Counting(), resolve=lambda *_: ["127.0.0.1"])
    got = asking.get(f"http://rss.arxiv.org:{port}/moved")
    asking.get(f"{base}/feed")
    assert isinstance(got, Fetched)
    assert turns == ["arxiv.org", "arxiv.org"]


def test_turns_start_three_seconds_apart_and_never_overlap() -> None:
    moment = [100.0]
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        moment[0] += seconds

    pace = LocalPace(lambda: moment[0], sleep)
    starts = []
    for lasts in (0.5, 4.0, 0.0):
        with pace.turn("arxiv.org"):
            starts.append(moment[0])
            moment[0] += lasts
    with pace.turn("other.example"):
        starts.append(moment[0])
    assert starts == [100.0, 103.0, 107.0, 107.0]
    assert slept == [2.5]


def test_threads_wait_for_each_other() -> None:
    pace = LocalPace(sleep=lambda _: None)
    inside: list[int] = []
    most: list[int] = []

    def ask() -> None:
        with pace.turn("arxiv.org"):
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.01)
            inside.pop()

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) == 1


def test_a_contact_cannot_add_headers() -> None:
    assert "\n" not in user_agent("me@example.org\r\nX-Evil: 1", "1")
