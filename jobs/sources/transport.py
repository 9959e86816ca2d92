"""Connections that go only where they may, and end when they must.

httpx2 resolves a host name when it connects, after any check that was made before, so that a name server
could answer differently the second time. Here the address that was checked is the address that is connected
to. And where httpx2's time-outs count from byte to byte, these count to one deadline, so that no server can
hold a connection by sending a byte now and then.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any

import httpcore2
import httpx2

from jobs.sources.addresses import Resolve, is_public

SocketOptions = Iterable[httpcore2.SOCKET_OPTION]


class RefusedAddressError(Exception):
    """A host whose addresses are all private, loopback or otherwise not of the open internet."""


class Deadline:
    """The moment at which everything that belongs to one request has to be over."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._end = float("inf")

    def start(self, seconds: float) -> None:
        """Begin to count: from now on there are so many seconds."""
        self._end = self._clock() + seconds

    def left(self, limit: float | None) -> float:
        """The seconds that may be waited now, at most ``limit``. Raises ReadTimeout when the time is over."""
        left = self._end - self._clock()
        if left <= 0:
            raise httpcore2.ReadTimeout("the whole answer took too long")
        return left if limit is None else min(limit, left)


class GuardedTransport(httpx2.BaseTransport):
    """HTTP/1.1 over checked addresses, everything within the deadline."""

    def __init__(
        self, resolve: Resolve, allow_private: bool, deadline: Deadline, tls: ssl.SSLContext
    ) -> None:
        self._pool = httpcore2.ConnectionPool(
            ssl_context=tls,
            max_connections=1,
            max_keepalive_connections=0,
            network_backend=_GuardedBackend(resolve, allow_private, deadline),
        )

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send one request. Raises httpcore2's errors, ssl's, and `RefusedAddressError`."""
        url = request.url
        answer = self._pool.handle_request(
            httpcore2.Request(
                method=request.method,
                url=httpcore2.URL(
                    scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
                ),
                headers=request.headers.raw,
                extensions=request.extensions,
            )
        )
        return httpx2.Response(
            answer.status, headers=answer.headers, stream=_Body(answer), extensions=answer.extensions
        )

    def close(self) -> None:
        """Close the connection."""
        self._pool.close()


class _Body(httpx2.SyncByteStream):
    def __init__(self, answer: httpcore2.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        yield from self._answer.iter_stream()

    def close(self) -> None:
        self._answer.close()


class _GuardedBackend(httpcore2.NetworkBackend):
    def __init__(self, resolve: Resolve, allow_private: bool, deadline: Deadline) -> None:
        self._resolve = resolve
        self._allow_private = allow_private
        self._deadline = deadline
        self._sockets = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: SocketOptions | None = None,
    ) -> httpcore2.NetworkStream:
        try:
            addresses = list(self._resolve(host, port))
        except (OSError, UnicodeError) as error:
            raise httpcore2.ConnectError(f"the host name {host!r} is not known ({error})") from error
        allowed = [each for each in addresses if self._allow_private or is_public(each)]
        if not allowed:
            raise RefusedAddressError(
                f"{host} is {', '.join(addresses[:3]) or 'nowhere'}, not a public address"
            )
        failure: Exception | None = None
        for address in allowed[:3]:
            try:
                stream = self._sockets.connect_tcp(
                    address, port, self._deadline.left(timeout), local_address, socket_options or ()
                )
                return _GuardedStream(stream, self._deadline)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        raise failure or httpcore2.ConnectError(f"{host} has no address")


class _GuardedStream(httpcore2.NetworkStream):
    def __init__(self, stream: httpcore2.NetworkStream, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._deadline.left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._deadline.left(timeout))

    def close(self) -> None:
        with suppress(OSError):
            self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        secured = self._stream.start_tls(ssl_context, server_hostname, self._deadline.left(timeout))
        return _GuardedStream(secured, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
