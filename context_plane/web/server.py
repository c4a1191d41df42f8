"""JSON posted to servers that somebody configured, such as those of embedders and models.

Here belong asking again where a server is busy, ends in time and size, and what no error may show. A key goes to the
URL that it was configured with and nowhere else: redirects are not followed, and what a server repeats of it is left
out.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from http.client import HTTPException, HTTPResponse
from typing import Any, Final
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import (
    AbstractHTTPHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    build_opener,
)

from context_plane.errors import Denied, InputError, Unavailable
from context_plane.web.connection import Cancelled, Connection, Deadline, read
from context_plane.web.spellings import hidden, spellings

WAITS: Final = (0.5, 2.0, 8.0)
"""Seconds before each repetition."""
_LONGEST_WAIT: Final = 30.0
_BUSY: Final = frozenset({408, 409, 425, 429})
_SAID: Final = 4_000
"""Bytes of a refusal that are read."""
_SHOWN: Final = 300


def is_address(url: str) -> bool:
    """Whether the URL is one of HTTP, without a name and password of its own: those would be printed with errors."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return False
    plain = url.isascii() and url.isprintable() and " " not in url
    return plain and parts.scheme in ("http", "https") and bool(host) and port != 0 and parts.username is None


def is_busy(status: int) -> bool:
    """Whether the same request may be answered later."""
    return status in _BUSY or status >= 500


def key_in(names: Sequence[str]) -> str | None:
    """The key in the first of some environment variables that is set. Raises `Denied` for one that no key can be: the
    standard library would put it into its error."""
    for name in names:
        if key := os.environ.get(name, "").strip():
            if not (key.isascii() and key.isprintable()):
                raise Denied("the key holds characters that no key has", where=name, remedy="set it again")
            return key
    return None


@dataclass(frozen=True)
class _Answer:
    """What came back: of a refusal, what can be shown of it."""

    status: int
    body: bytes
    said: str = ""
    wait: float = 0.0
    """Seconds that the server asks to wait, at most half a minute; 0 where it does not say."""


class Server:
    """One URL that JSON is posted to."""

    def __init__(
        self,
        name: str,
        url: str,
        *,
        keys: Sequence[str] = (),
        denied: str,
        refused: str,
        seconds: float = 60.0,
        most: int = 256 << 20,
        proxies: bool = True,
        addresses: Sequence[str] = (),
        cancelled: threading.Event | None = None,
        wait: Callable[[float], object] = time.sleep,
    ) -> None:
        """`name` is what errors call it; `keys` are the environment variables that may hold its key; `denied` and
        `refused` are the remedies of answers that say so. One request may take `seconds`, an answer have `most`
        bytes. Without `proxies` those of the environment are not used; with `addresses`, which go without proxies, no
        other ones are connected to, whatever the name means by then. Setting `cancelled` ends it at any time."""
        self._name = name
        self._url = url
        self._keys = keys
        self._remedies = {True: denied, False: refused}
        self._seconds = seconds
        self._most = most
        self._proxies = proxies and not addresses
        self._addresses = tuple(addresses)
        self._cancelled = cancelled
        self._wait = wait if cancelled is None else cancelled.wait

    def post(self, body: bytes, *, headers: Mapping[str, str] | None = None, until: float | None = None) -> bytes:
        """The body of the answer. Asks again where the server is busy or silent, but not after `until` on the
        monotonic clock. Raises `Unavailable`, `Denied`, `InputError`, and `Cancelled`."""
        key = key_in(self._keys)
        authorization = {"Authorization": f"Bearer {key}"} if key else {}
        request = Request(self._url, body, {"Content-Type": "application/json", **(headers or {}), **authorization})
        for wait in (*WAITS, None):
            try:
                answer = self._once(request, key, until)
            except (OSError, HTTPException) as error:
                if wait is None or _too_late(wait, until):
                    raise self._silent(error) from error
            else:
                if 200 <= answer.status < 300:
                    return answer.body
                if wait is None or not is_busy(answer.status) or _too_late(wait, until):
                    raise self._refused(answer)
                wait = max(wait, answer.wait)
                if _too_late(wait, until):  # what it asks to wait is more than there is
                    raise self._refused(answer)
            self._wait(wait)
            if self._cancelled is not None and self._cancelled.is_set():
                raise Cancelled
        raise AssertionError("unreachable")

    def error(self, what: str, remedy: str) -> Unavailable:
        """An error of an answer that came and is none."""
        return Unavailable(what, where=self._url, remedy=remedy)

    def _once(self, request: Request, key: str | None, until: float | None) -> _Answer:
        left = self._seconds if until is None else min(self._seconds, until - time.monotonic())
        deadline = Deadline(left, self._cancelled)
        try:
            with deadline.watched(), self._opener(deadline).open(request) as answer:
                if not 200 <= answer.status < 300:
                    return _refusal(answer, key)
                body = read(answer, self._most + 1)
        except (OSError, HTTPException):
            deadline.check()
            raise
        if deadline.ended:
            deadline.check()
        if len(body) > self._most:
            raise self.error(f"the {self._name}'s answer is larger than {self._most:,} bytes", "ask for less")
        return _Answer(answer.status, body)

    def _opener(self, deadline: Deadline) -> OpenerDirector:
        handlers = [_Opening(deadline, self._addresses), _AnyStatus()]
        return build_opener(*handlers) if self._proxies else build_opener(*handlers, ProxyHandler({}))

    def _silent(self, error: OSError | HTTPException) -> Unavailable:
        reason = error.reason if isinstance(error, URLError) else error
        what = f"the {self._name} does not answer: {str(reason) or type(reason).__name__}"
        return Unavailable(what, where=self._url, remedy="start it, or check the URL; then try again")

    def _refused(self, answer: _Answer) -> Denied | Unavailable | InputError:
        what = f"the {self._name} answers {answer.status}: {answer.said}"
        if answer.status in (401, 403):
            return Denied(what, where=self._url, remedy=self._remedies[True])
        if is_busy(answer.status):
            return Unavailable(what, where=self._url, remedy="try again later")
        return InputError(what, where=self._url, remedy=self._remedies[False])


class _Opening(HTTPHandler, HTTPSHandler):
    """Opens connections under a deadline; what proxies the environment names is urllib's business."""

    def __init__(self, deadline: Deadline, addresses: Sequence[str]) -> None:
        AbstractHTTPHandler.__init__(self)
        self._kind = partial(Connection, deadline=deadline, addresses=addresses)

    def http_open(self, req: Request) -> Any:
        """Without TLS."""
        return self.do_open(partial(self._kind, secure=False), req)

    def https_open(self, req: Request) -> Any:
        """With TLS."""
        return self.do_open(partial(self._kind, secure=True), req)


class _AnyStatus(HTTPErrorProcessor):
    """Takes every answer for one: urllib would hand the key on to whatever host a redirect names."""

    def http_response(self, request: Request, response: HTTPResponse) -> HTTPResponse:  # noqa: ARG002
        """The answer as it is."""
        return response

    https_response = http_response


def _too_late(wait: float, until: float | None) -> bool:
    return until is not None and time.monotonic() + wait >= until


def _refusal(answer: HTTPResponse, key: str | None) -> _Answer:
    """The beginning of what it says, without the key: some repeat it."""
    asked = answer.headers.get("Retry-After") or ""
    wait = min(float(asked), _LONGEST_WAIT) if asked.isascii() and asked.isdigit() else 0.0
    try:
        raw = read(answer, _SAID)
    except (OSError, HTTPException):
        raw = b""
    said = raw.decode("utf-8", "replace")
    if key and len(raw) == _SAID:  # what is cut off may be half a key
        said = said[: -len(spellings(key)[0])]
    said = hidden(said.strip() or str(answer.reason), key)[:_SHOWN]
    return _Answer(answer.status, b"", said, wait)
