"""Web: JSON posted to servers that somebody configured, such as those of embedders and models.

Here belong asking again where a server is busy, ends in time and size, and what no error may show. A key goes to the
URL that it was configured with and nowhere else: redirects are not followed, and what a server repeats of it is left
out.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from http.client import HTTPException, HTTPResponse, IncompleteRead
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, OpenerDirector, ProxyHandler, Request, build_opener

from context_plane.errors import Denied, InputError, Unavailable

WAITS: Final = (0.5, 2.0, 8.0)
"""Seconds before each repetition."""
_LONGEST_WAIT: Final = 30.0
_BUSY: Final = frozenset({408, 409, 425, 429})
_CHUNK: Final = 1 << 16


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


class _NoRedirects(HTTPRedirectHandler):
    """urllib would hand the key on to whatever host an answer names."""

    def redirect_request(self, *_: Any) -> None:
        """Leaves the answer an error."""


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
        wait: Callable[[float], object] = time.sleep,
    ) -> None:
        """`name` is what errors call it; `keys` are the environment variables that may hold its key; `denied` and
        `refused` are the remedies of answers that say so. One request may take `seconds`, an answer have `most`
        bytes. Without `proxies` those of the environment are not used. `wait` may raise to give up."""
        self._name = name
        self._url = url
        self._keys = keys
        self._remedies = {True: denied, False: refused}
        self._seconds = seconds
        self._most = most
        self._proxies = proxies
        self._wait = wait

    def post(self, body: bytes, *, headers: Mapping[str, str] | None = None, until: float | None = None) -> bytes:
        """The body of the answer. Asks again where the server is busy or silent, but not after `until` on the
        monotonic clock. Raises `Unavailable`, `Denied`, `InputError`."""
        key = key_in(self._keys)
        authorization = {"Authorization": f"Bearer {key}"} if key else {}
        request = Request(self._url, body, {"Content-Type": "application/json", **(headers or {}), **authorization})
        for wait in (*WAITS, None):
            try:
                return self._once(request, until)
            except HTTPError as error:
                with error:
                    if wait is None or not is_busy(error.code) or _too_late(wait, until):
                        raise self._refused(error, key) from error
                    wait = max(wait, _asked_wait(error))
            except (OSError, HTTPException) as error:
                if wait is None or _too_late(wait, until):
                    raise self._silent(error) from error
            self._wait(wait)
        raise AssertionError("unreachable")

    def error(self, what: str, remedy: str) -> Unavailable:
        """An error of an answer that came and is none."""
        return Unavailable(what, where=self._url, remedy=remedy)

    def _once(self, request: Request, until: float | None) -> bytes:
        now = time.monotonic()
        end = now + self._seconds if until is None else min(now + self._seconds, until)
        with self._opener.open(request, timeout=max(end - now, 0.001)) as answer:
            return self._read(answer, end)

    def _read(self, answer: HTTPResponse, end: float) -> bytes:
        """The answer's body, with an end in time however slowly it comes."""
        expected, parts, got = answer.length, [], 0
        while expected is None or got < expected:
            part = answer.read1(_CHUNK)
            if not part:
                break
            parts.append(part)
            got += len(part)
            if got > self._most:
                raise self.error(f"the {self._name}'s answer is larger than {self._most:,} bytes", "ask for less")
            if time.monotonic() > end:
                raise TimeoutError("timed out")
        if expected is not None and got < expected:
            raise IncompleteRead(b"", expected - got)
        return b"".join(parts)

    @cached_property
    def _opener(self) -> OpenerDirector:
        return build_opener(_NoRedirects) if self._proxies else build_opener(_NoRedirects, ProxyHandler({}))

    def _silent(self, error: OSError | HTTPException) -> Unavailable:
        reason = error.reason if isinstance(error, URLError) else error
        what = f"the {self._name} does not answer: {str(reason) or type(reason).__name__}"
        return Unavailable(what, where=self._url, remedy="start it, or check the URL; then try again")

    def _refused(self, error: HTTPError, key: str | None) -> Denied | Unavailable | InputError:
        what = f"the {self._name} answers {error.code}: {_text(error, key)}"
        if error.code in (401, 403):
            return Denied(what, where=self._url, remedy=self._remedies[True])
        if is_busy(error.code):
            return Unavailable(what, where=self._url, remedy="try again later")
        return InputError(what, where=self._url, remedy=self._remedies[False])


def _too_late(wait: float, until: float | None) -> bool:
    return until is not None and time.monotonic() + wait >= until


def _asked_wait(error: HTTPError) -> float:
    """Seconds that the server asks to wait, at most half a minute; 0 where it does not say."""
    asked = error.headers.get("Retry-After") or ""
    return min(float(asked), _LONGEST_WAIT) if asked.isascii() and asked.isdigit() else 0.0


def _text(error: HTTPError, key: str | None) -> str:
    """The beginning of what it says, without the key: some repeat it."""
    try:
        said = error.read(4_000).decode("utf-8", "replace").strip() or error.reason
    except (OSError, HTTPException):
        said = error.reason
    return (said.replace(key, "[its key]") if key else said)[:300]
