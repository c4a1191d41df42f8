"""One request over one connection, to an address that was checked, with an end in time and in size."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final

from context_plane.processes.registry.builtin.hosts import Target
from context_plane.processes.registry.handler import CancelledStep, StepFailure

_POLL: Final = 0.05
_CHUNK: Final = 1 << 16


@dataclass(frozen=True)
class Request:
    """What is asked."""

    method: str
    headers: Mapping[str, str]
    body: bytes | None


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    """By name in lower case."""
    body: bytes
    cut: bool
    """Whether more came than was asked for."""


def ask(where: Target, request: Request, seconds: float, cancelled: threading.Event, most: int) -> Answer:
    """The answer to a request, at most so many bytes of it. Raises `StepFailure` where none comes in time,
    `CancelledStep` where the step is cancelled."""
    end = time.monotonic() + seconds
    connection = _Connection(where, end)
    try:
        with _watched(connection, cancelled):
            connection.request(request.method, where.path, request.body, dict(request.headers))
            with connection.getresponse() as answer:
                body = _read(answer, most + 1)
        if connection.ended:  # what was cut off may look like an answer that is over
            raise TimeoutError
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return Answer(answer.status, headers, body[:most], len(body) > most)
    except (OSError, http.client.HTTPException, ValueError) as error:
        if cancelled.is_set():
            raise CancelledStep from error
        late = time.monotonic() >= end
        why = f"nothing within {seconds:g} s" if late else str(error) or type(error).__name__
        remedy = "check that the server is there; it may have got the request all the same"
        raise StepFailure(f"{where.shown} does not answer: {why}", where="url", remedy=remedy) from error
    finally:
        connection.close()
        if connection.raw is not None:
            connection.raw.close()


class _Connection(http.client.HTTPConnection):
    """Connects to the addresses that were checked, and to no others."""

    def __init__(self, where: Target, end: float) -> None:
        self._where = where
        self.end = end
        """When its time is over, on the monotonic clock."""
        self.ended = False
        """Whether it was cut off."""
        self.raw: socket.socket | None = None
        """The socket, also when the library has let go of it and still reads from it."""
        super().__init__(where.host, where.port)

    def connect(self) -> None:
        """Tries the addresses in their order. Certificates are checked against the host's name."""
        error: OSError | None = None
        for address in self._where.addresses:
            try:
                left = max(self.end - time.monotonic(), 0.001)
                self.sock = self.raw = socket.create_connection((address, self.port), left)
            except OSError as failed:
                error = failed
                continue
            if self._where.secure:
                context = ssl.create_default_context()
                self.sock = self.raw = context.wrap_socket(self.sock, server_hostname=self.host)
            return
        raise error or OSError("the host has no address")


@contextmanager
def _watched(connection: _Connection, cancelled: threading.Event) -> Iterator[None]:
    """Ends the connection when the time is over or the step is cancelled: a server that sends a byte now and then would
    never run into the timeout of a socket."""
    done = threading.Event()

    def watch() -> None:
        while not done.wait(_POLL):
            if (cancelled.is_set() or time.monotonic() >= connection.end) and connection.raw is not None:
                connection.ended = True
                with suppress(OSError):
                    connection.raw.shutdown(socket.SHUT_RDWR)
                return

    thread = threading.Thread(target=watch, name="deadline", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _read(answer: http.client.HTTPResponse, most: int) -> bytes:
    """The beginning of an answer. Raises `IncompleteRead` for one that ends before it should."""
    expected, parts, got = answer.length, [], 0
    while got < most and (expected is None or got < expected):
        part = answer.read1(min(_CHUNK, most - got))
        if not part:
            break
        parts.append(part)
        got += len(part)
    if expected is not None and got < min(expected, most):
        raise http.client.IncompleteRead(b"".join(parts), expected - got)
    return b"".join(parts)
