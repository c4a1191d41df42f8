"""One request over one connection that ends: in time however slowly an answer comes, in size, and when it is cancelled.

A timeout of a socket is one of each read: a server that sends a byte now and then would never run into it. A `Deadline`
therefore shuts the socket down, whatever is being done with it: connecting, shaking hands, sending, reading.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from http.client import HTTP_PORT, HTTPS_PORT, HTTPConnection, HTTPResponse, IncompleteRead
from typing import Any, Final

from context_plane.web.addresses import look_up

_POLL: Final = 0.05
_CHUNK: Final = 1 << 16


class Cancelled(Exception):
    """Whoever asked does not want the answer any more."""


class Deadline:
    """The end of a request, and the socket that it ends."""

    def __init__(self, seconds: float, cancelled: threading.Event | None = None) -> None:
        """`seconds` are from now on; setting `cancelled` is an end too."""
        self.seconds = seconds
        self._end = time.monotonic() + seconds
        self.raw: socket.socket | None = None
        """The socket, also when the library has let go of it and still reads from it."""
        self.ended = False
        """Whether it was cut off: what came then may look like an answer that is over."""
        self._cancelled = cancelled

    @property
    def left(self) -> float:
        """Seconds, always more than none: sockets take 0 for something else."""
        return max(self._end - time.monotonic(), 0.001)

    def over(self) -> bool:
        """Whether it is over."""
        return time.monotonic() >= self._end or (self._cancelled is not None and self._cancelled.is_set())

    def check(self) -> None:
        """Raises `Cancelled` or `TimeoutError` where it is over."""
        if self._cancelled is not None and self._cancelled.is_set():
            raise Cancelled
        if self.ended or self.over():
            raise TimeoutError("timed out")

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Ends what is done inside as soon as it is over."""
        done = threading.Event()

        def watch() -> None:
            # To the very end: a socket that is not there yet, or turns into one of TLS, is another one a moment later.
            while not done.wait(_POLL):
                if self.over():
                    self.ended = True
                    self._shut_down()

        thread = threading.Thread(target=watch, name="deadline", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
            if self.raw is not None:
                self.raw.close()

    def _shut_down(self) -> None:
        raw = self.raw
        with suppress(OSError):
            if raw is not None:
                # Not TLS's own, which would first make it one of plain text for whoever is sending.
                socket.socket.shutdown(raw, socket.SHUT_RDWR)


class Connection(HTTPConnection):
    """A connection under a deadline: to the addresses that are given and to no others, else to those of the host."""

    def __init__(
        self, host: str, port: int | None = None, *, deadline: Deadline, secure: bool, addresses: Sequence[str] = (),
        timeout: Any = None,  # noqa: ARG002 - urllib gives one; the deadline's is the one that counts
    ) -> None:  # fmt: skip
        self.default_port = HTTPS_PORT if secure else HTTP_PORT
        super().__init__(host, port)
        self._deadline = deadline
        self._secure = secure
        self._addresses = addresses
        self._create_connection = self._connected
        """The base class connects by this."""

    def connect(self) -> None:
        """Raises `Cancelled` or `TimeoutError` where the deadline is over before anything is sent. Certificates are
        checked against the host's name."""
        super().connect()
        if self._secure:
            context = ssl.create_default_context()
            context.set_alpn_protocols(["http/1.1"])
            host = getattr(self, "_tunnel_host", None) or self.host
            # The deadline has to know the socket before hands are shaken: that may take for ever too.
            wrapped = context.wrap_socket(self.sock, server_hostname=host, do_handshake_on_connect=False)
            self.sock = self._deadline.raw = wrapped
            wrapped.settimeout(self._deadline.left)
            wrapped.do_handshake()
        self._deadline.check()

    def _connected(self, address: tuple[str, int], *_: Any) -> socket.socket:
        """A socket that is connected to the first of the addresses that answers."""
        host, port = address
        error: OSError | None = None
        for each in self._addresses or look_up(host, port, self._deadline.over):
            self._deadline.check()
            try:
                return self._opened(each, port)
            except OSError as failed:
                error = failed
        raise error or OSError("the host has no address")

    def _opened(self, address: str, port: int) -> socket.socket:
        found = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        family, kind, protocol, _, where = found[0]
        raw = self._deadline.raw = socket.socket(family, kind, protocol)
        try:
            raw.settimeout(self._deadline.left)
            raw.connect(where)
        except OSError:
            raw.close()
            raise
        return raw


def read(answer: HTTPResponse, most: int) -> bytes:
    """The beginning of an answer. Raises `IncompleteRead` for one that ends before it should."""
    expected, parts, got = answer.length, [], 0
    while got < most and (expected is None or got < expected):
        part = answer.read1(min(_CHUNK, most - got))
        if not part:
            break
        parts.append(part)
        got += len(part)
    if expected is not None and got < min(expected, most):
        raise IncompleteRead(b"".join(parts), expected - got)
    return b"".join(parts)
