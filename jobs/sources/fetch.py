"""Asking servers for feeds: the only outgoing HTTP of the project, polite and suspicious."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit, urlunsplit

import httpcore2
import httpx2
import stamina

from jobs.sources.addresses import Resolve, resolve
from jobs.sources.pace import LocalPace, Pace, group_of
from jobs.sources.transport import Deadline, GuardedTransport, RefusedAddressError

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# Asking again helps only after somebody changed the address or the account.
_PERMANENT = frozenset({400, 401, 402, 404, 405, 406, 410, 411, 414, 451})
_LONGEST_WAIT = timedelta(days=7)
_ERROR_BODY = 64 * 1024
_FEEDS = "application/atom+xml, application/rss+xml, application/xml, application/json, */*;q=0.5"
# What may be over by the next attempt; a refused certificate or address will not be.
_PASSING = (
    httpcore2.ConnectError,
    httpcore2.ConnectTimeout,
    httpcore2.ReadError,
    httpcore2.WriteError,
    httpcore2.RemoteProtocolError,
)


@dataclass(frozen=True, slots=True)
class Validators:
    """What a server said of its last answer, to be sent back so that it can say "not modified".

    The two are kept and sent separately; the ETag's quotes belong to it.
    """

    etag: str = ""
    last_modified: str = ""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A server's answer. ``url`` is where it came from after redirects; a 304 has no body."""

    status: int
    url: str
    body: bytes
    validators: Validators
    content_type: str = ""

    @property
    def not_modified(self) -> bool:
        """Whether there is nothing new since the validators that were sent."""
        return self.status == 304


class FetchError(Exception):
    """A request that brought nothing; the message says what failed and what happens next.

    ``retry_after`` is the moment before which the server does not want to be asked again. ``permanent`` means
    that asking again will not help until somebody changes the address. ``body`` is what the server said
    (arXiv's API explains a bad query in an Atom body with status 400), at most 64 KiB of it.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 0,
        retry_after: datetime | None = None,
        permanent: bool = False,
        body: bytes = b"",
    ) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after
        self.permanent = permanent
        self.body = body


@dataclass(frozen=True, slots=True)
class Limits:
    """How long, how much and how far: seconds, bytes after decompression, redirects, attempts."""

    connect_seconds: float = 10.0
    read_seconds: float = 30.0
    total_seconds: float = 120.0
    body_bytes: int = 32 * 1024 * 1024
    redirects: int = 5
    attempts: int = 3
    first_wait_seconds: float = 1.0


def user_agent(contact: str, version: str) -> str:
    """The User-Agent, with the operator's address so that a server's operator can write before blocking."""
    said = "".join(c for c in contact if c.isascii() and c.isprintable()).strip()
    return f"Paperwatch/{version} (self-hosted paper alerts; contact: {said or 'not given'})"


@dataclass(slots=True)
class Fetcher:
    """Fetches one address at a time; failures are `FetchError`, never anything else.

    ``now`` is the wall clock, for the dates in Retry-After. ``pace`` decides when arXiv may be asked;
    replicas share one that is kept in the database. Proxies of the environment are not used, since behind
    one no address could be checked. ``accept`` says which forms of an answer are wanted.
    """

    agent: str
    now: Callable[[], datetime]
    pace: Pace = field(default_factory=LocalPace)
    allow_private: bool = False
    resolve: Resolve = resolve
    limits: Limits = field(default_factory=Limits)
    clock: Callable[[], float] = time.monotonic
    accept: str = _FEEDS
    tls: ssl.SSLContext = field(default_factory=httpx2.create_ssl_context)

    def get(self, url: str, validators: Validators = Validators()) -> Fetched:  # frozen
        """Fetch an http or https address, following redirects.

        Connection failures are tried again at once, some seconds apart; what a server refuses (429, 503) is
        not, since it says when. Raises `FetchError`.
        """
        for _ in range(self.limits.redirects + 1):
            answer = self._asked(url, validators)
            if isinstance(answer, Fetched):
                return answer
            url = answer
        raise FetchError(
            f"{_shown(url)}: more than {self.limits.redirects} redirects; correct the address", permanent=True
        )

    def _asked(self, url: str, validators: Validators) -> Fetched | str:
        """One address asked, with retries: the answer, or where it redirects to."""
        host = _host(url)
        waits = stamina.retry_context(
            on=_PASSING,
            attempts=self.limits.attempts,
            timeout=None,
            wait_initial=self.limits.first_wait_seconds,
            wait_max=8 * self.limits.first_wait_seconds,
            wait_jitter=self.limits.first_wait_seconds,
        )
        group = group_of(host)
        try:
            for attempt in waits:
                with attempt, self.pace.turn(group) if group else nullcontext():
                    return self._once(url, validators)
        except httpcore2.TimeoutException as error:
            raise FetchError(
                f"{_shown(url)}: no answer in time ({_said(error)}); tried again later"
            ) from error
        except RefusedAddressError as error:
            why = f"{_shown(url)}: {error}; refused. Allow private addresses in the settings if it is yours"
            raise FetchError(why, permanent=True) from error
        except (httpx2.InvalidURL, httpx2.UnsupportedProtocol) as error:
            raise FetchError(
                f"{_shown(url)}: not an address ({error}); correct it", permanent=True
            ) from error
        except httpx2.DecodingError as error:
            raise FetchError(f"{_shown(url)}: damaged compression ({error}); tried again later") from error
        except (*_PASSING, httpcore2.ProtocolError, httpx2.HTTPError, OSError) as error:
            raise FetchError(f"{_shown(url)}: no connection ({_said(error)}); tried again later") from error
        raise AssertionError("stamina returns or raises")

    def _once(self, url: str, validators: Validators) -> Fetched | str:
        with self._answer(url, validators) as answer:
            status = answer.status_code
            if status in _REDIRECTS:
                return self._redirect(url, answer)
            if status == 304:
                return Fetched(304, url, b"", _validators(answer, validators))
            if 200 <= status < 300:
                body = self._body(url, answer)
                kind = answer.headers.get("content-type", "")
                return Fetched(status, url, body, _validators(answer, Validators()), kind)
            raise self._refusal(url, answer)

    @contextmanager
    def _answer(self, url: str, validators: Validators) -> Iterator[httpx2.Response]:
        limits = self.limits
        deadline = Deadline(self.clock)
        deadline.start(limits.total_seconds)
        headers = {"User-Agent": self.agent, "Accept": self.accept, "Accept-Encoding": "gzip, deflate"}
        if validators.etag:
            headers["If-None-Match"] = validators.etag
        if validators.last_modified:
            headers["If-Modified-Since"] = validators.last_modified
        with (
            httpx2.Client(
                transport=GuardedTransport(self.resolve, self.allow_private, deadline, self.tls),
                timeout=httpx2.Timeout(limits.read_seconds, connect=limits.connect_seconds),
                trust_env=False,
                headers=headers,
            ) as client,
            client.stream("GET", url) as answer,
        ):
            yield answer

    def _body(self, url: str, answer: httpx2.Response) -> bytes:
        """The decompressed body, refused as soon as it is too long; a bomb is never unpacked as a whole."""
        most = self.limits.body_bytes
        stated = answer.headers.get("content-length", "")
        too_long = FetchError(
            f"{_shown(url)}: more than {most:,} bytes; refused. Ask for fewer entries in the address",
            permanent=True,
        )
        if stated.isascii() and stated.isdigit() and len(stated) > len(str(most)) + 1:
            raise too_long
        body = bytearray()
        for piece in answer.iter_bytes():
            body += piece
            if len(body) > most or answer.num_bytes_downloaded > most:
                raise too_long
        return bytes(body)

    def _redirect(self, url: str, answer: httpx2.Response) -> str:
        target = answer.headers.get("location", "")
        try:
            joined = str(httpx2.URL(url).join(target)) if target else ""
        except (httpx2.InvalidURL, ValueError) as error:
            raise FetchError(f"{_shown(url)}: redirects to no address ({error})", permanent=True) from error
        if not joined:
            raise FetchError(f"{_shown(url)}: redirects without saying where; tried again later")
        if url.startswith("https:") and joined.startswith("http:"):
            raise FetchError(f"{_shown(url)}: redirects from https to http; refused", permanent=True)
        return joined

    def _refusal(self, url: str, answer: httpx2.Response) -> FetchError:
        status = answer.status_code
        wait = self._wait(answer.headers.get("retry-after", ""))
        permanent = status in _PERMANENT
        if wait:
            then = f"the server asks to wait; not tried before {wait:%Y-%m-%d %H:%M:%S} UTC"
        elif permanent:
            then = "correct the address"
        else:
            then = "tried again later"
        return FetchError(
            f"{_shown(url)}: HTTP {status} {answer.reason_phrase}".rstrip() + f"; {then}",
            status=status,
            retry_after=wait,
            permanent=permanent,
            body=_excerpt(answer),
        )

    def _wait(self, stated: str) -> datetime | None:
        """The moment that Retry-After names, in seconds or as a date, at most a week ahead; None for none."""
        now = self.now().astimezone(UTC)
        stated = stated.strip()
        if stated.isascii() and stated.isdigit():
            seconds = int(stated[:9]) if len(stated) < 10 else 10**9
            return now + min(timedelta(seconds=seconds), _LONGEST_WAIT)
        try:
            moment = parsedate_to_datetime(stated)
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            return min(max(moment.astimezone(UTC), now), now + _LONGEST_WAIT)
        except (ValueError, TypeError, OverflowError, IndexError):
            return None


def _host(url: str) -> str:
    """The host of an http or https address. Raises `FetchError` for any other address."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError as error:
        raise FetchError(f"{url[:200]!r}: not an address ({error}); correct it", permanent=True) from error
    if parts.scheme not in ("http", "https") or not host:
        raise FetchError(
            f"{_shown(url)}: only http and https addresses are fetched; correct it", permanent=True
        )
    return host


def _validators(answer: httpx2.Response, before: Validators) -> Validators:
    return Validators(
        answer.headers.get("etag", before.etag), answer.headers.get("last-modified", before.last_modified)
    )


def _excerpt(answer: httpx2.Response) -> bytes:
    body = bytearray()
    try:
        for piece in answer.iter_bytes():
            body += piece
            if len(body) >= _ERROR_BODY:
                break
    except (httpx2.HTTPError, httpcore2.NetworkError, httpcore2.TimeoutException, httpcore2.ProtocolError):
        pass  # the status says enough
    return bytes(body[:_ERROR_BODY])


def _shown(url: str) -> str:
    """The address without user name and password, for messages."""
    try:
        parts = urlsplit(url)
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))[:300]
    except ValueError:
        return repr(url[:200])


def _said(error: Exception) -> str:
    return str(error)[:200] or type(error).__name__
