"""An end of every request, wherever it hangs: connecting, shaking hands, headers, sizes of pieces, bodies."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPException
from typing import Any

import pytest

from context_plane.errors import ContextPlaneError, Denied, Unavailable
from context_plane.web import Server
from context_plane.web.connection import Cancelled, Connection, Deadline

Talk = Callable[[socket.socket], None]


@contextmanager
def talking(talk: Talk) -> Iterator[int]:
    """The port of a server that says what it likes, once for each connection."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    talking_to, _ = listening.accept()
                except OSError:
                    return
                threading.Thread(target=one, args=(talking_to,), daemon=True).start()

        def one(talking_to: socket.socket) -> None:
            with talking_to, suppress(OSError):
                talk(talking_to)

        threading.Thread(target=serve, daemon=True).start()
        yield listening.getsockname()[1]


def slowly(before: bytes, piece: bytes) -> Talk:
    """Says a beginning, and then a byte now and then."""

    def talk(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(before)
        for _ in range(400):
            connection.sendall(piece)
            time.sleep(0.03)

    return talk


OK, CHUNKED = b"HTTP/1.1 200 OK\r\n", b"Transfer-Encoding: chunked\r\n\r\n"
SLOW = {
    "nothing": slowly(b"", b""),
    "status": slowly(b"HTTP/1.1 2", b"0"),
    "headers": slowly(OK, b"X: y\r\n"),
    "one header": slowly(OK + b"X: ", b"y"),
    "size of a piece": slowly(OK + CHUNKED, b"0"),
    "pieces": slowly(OK + CHUNKED, b"1\r\nx\r\n"),
    "body": slowly(OK + b"\r\n", b"x"),
    "body of a known length": slowly(OK + b"Content-Length: 100000\r\n\r\n", b"x"),
}


def server(port: int, **how: object) -> Server:
    given = {"denied": "set the key", "refused": "check it", "wait": lambda seconds: None} | how
    return Server("slow server", f"http://127.0.0.1:{port}/", **given)  # type: ignore[arg-type]


@pytest.mark.parametrize("how", list(SLOW))
def test_time_is_for_all_of_a_request(how: str) -> None:
    """A byte now and then is no reason to wait longer."""
    with talking(SLOW[how]) as port:
        begun = time.monotonic()
        with pytest.raises(Unavailable, match="does not answer: timed out"):
            server(port).post(b"{}", until=begun + 0.3)
        assert time.monotonic() - begun < 3


def test_a_slow_refusal_is_one_all_the_same() -> None:
    """Its status is known."""
    with talking(slowly(b"HTTP/1.1 401 No\r\nContent-Length: 3000\r\n\r\n", b"x")) as port:
        begun = time.monotonic()
        with pytest.raises(Denied, match="answers 401: No"):
            server(port, seconds=0.3).post(b"{}")
        assert time.monotonic() - begun < 3


@pytest.mark.parametrize("how", list(SLOW))
def test_a_request_can_be_cancelled_at_any_time(how: str) -> None:
    """Not only between two of them; and it is not asked again."""
    stop = threading.Event()
    with talking(SLOW[how]) as port:
        begun = time.monotonic()
        threading.Timer(0.2, stop.set).start()
        with pytest.raises(Cancelled):
            server(port, cancelled=stop).post(b"{}")
        assert time.monotonic() - begun < 3


def test_a_look_up_that_hangs_can_be_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's own cannot be stopped; it is left alone."""
    let_go, stop = threading.Event(), threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: let_go.wait(20) and [])
    threading.Timer(0.2, stop.set).start()
    begun = time.monotonic()
    with pytest.raises(Cancelled):
        server(1, cancelled=stop).post(b"{}")
    assert time.monotonic() - begun < 3
    let_go.set()


@pytest.mark.parametrize("cancelling", [True, False])
def test_nothing_is_sent_once_it_is_over(monkeypatch: pytest.MonkeyPatch, cancelling: bool) -> None:
    """What is over while hands are shaken ends there: the request was not sent, and is not sent in clear either."""
    seen: list[bytes] = []
    ended = threading.Event()

    def talk(connection: socket.socket) -> None:
        with suppress(OSError):
            while part := connection.recv(65_536):
                seen.append(part)
        ended.set()

    stop = threading.Event()
    with talking(talk) as port:
        deadline = Deadline(20 if cancelling else 0.3, stop)
        begun = time.monotonic()
        threading.Timer(0.3, stop.set if cancelling else str).start()
        asked = Connection("127.0.0.1", port, deadline=deadline, secure=True, addresses=("127.0.0.1",))
        with pytest.raises((OSError, HTTPException, Cancelled)), deadline.watched():
            asked.request("POST", "/pay", b"secret")
        assert time.monotonic() - begun < 3
        assert deadline.over()
        assert ended.wait(5)
    assert b"/pay" not in b"".join(seen)
    assert b"secret" not in b"".join(seen)


def test_a_socket_that_comes_late_is_ended_too() -> None:
    """While one turns into one of TLS there is a moment without any: that must not be the end of watching."""
    deadline = Deadline(0.01)
    with deadline.watched():
        while not deadline.ended:
            time.sleep(0.01)
        deadline.raw, other = socket.socketpair()
        other.settimeout(5)
        assert other.recv(1) == b""
        other.close()


@pytest.mark.parametrize("over", [True, False])
def test_a_connection_that_stands_too_late_is_not_used(monkeypatch: pytest.MonkeyPatch, over: bool) -> None:
    """Whatever of it was not noticed while it was made."""
    seen: list[bytes] = []
    stop = threading.Event()
    with talking(lambda connection: seen.append(connection.recv(100))) as port:
        deadline = Deadline(20, stop)
        asked = Connection("127.0.0.1", port, deadline=deadline, secure=False)
        real = Connection._opened

        def opened(*given: object) -> socket.socket:
            found = real(*given)  # type: ignore[arg-type]
            if over:
                stop.set()
            return found

        monkeypatch.setattr(Connection, "_opened", opened)
        if over:
            with pytest.raises(Cancelled):
                asked.request("GET", "/x")
        else:
            asked.request("GET", "/x")
        asked.close()
        for _ in range(100):
            if seen:
                break
            time.sleep(0.01)
    assert [part[:6] for part in seen] == [b"" if over else b"GET /x"]


def test_the_addresses_given_are_the_ones_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """No name is looked up again, no proxy is asked, and the next address is tried where one does not answer."""
    asked: list[str] = []
    real: Any = socket.getaddrinfo

    def looked_up(host: str, *given: object, **how: object) -> object:
        asked.append(host)
        return real(host, *given, **how)

    monkeypatch.setattr(socket, "getaddrinfo", looked_up)
    monkeypatch.setenv("http_proxy", "http://127.0.0.2:1")
    with talking(lambda c: c.sendall(c.recv(9_999) and OK + b"Content-Length: 2\r\n\r\n{}")) as port:
        there = Server(
            "m", f"http://model.lan:{port}/", denied="", refused="", addresses=("127.0.0.3", "127.0.0.1"), seconds=5
        )  # fmt: skip
        assert there.post(b"{}") == b"{}"
    assert asked == ["127.0.0.3", "127.0.0.1"]


def test_a_server_is_who_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """Certificates are checked: one that speaks no TLS is not spoken to."""
    with talking(SLOW["body"]) as port:
        there = Server("m", f"https://127.0.0.1:{port}/", denied="", refused="", wait=lambda s: None)
        with pytest.raises(Unavailable) as caught:
            there.post(b"{}")
        assert isinstance(caught.value.__cause__, (OSError, ssl.SSLError))


@pytest.mark.parametrize("before", [0, 290, 3_990])
def test_a_key_is_not_shown_however_it_is_repeated(monkeypatch: pytest.MonkeyPatch, before: int) -> None:
    """As it is, as URLs and JSON write it, in base64; also where it is cut."""
    import base64
    import json
    from urllib.parse import quote

    key = 's3cr+t/va=lue"99'
    monkeypatch.setenv("SLOW_KEY", key)
    for told in (key, quote(key, safe=""), json.dumps(key), base64.b64encode(f"user:{key}".encode()).decode()):
        said = b" " * before + told.encode() + b"x" * 300

        def talk(connection: socket.socket, said: bytes = said) -> None:
            connection.recv(65_536)
            connection.sendall(b"HTTP/1.1 400 No\r\nContent-Length: %d\r\n\r\n" % len(said) + said)

        with talking(talk) as port, pytest.raises(ContextPlaneError) as caught:
            server(port, keys=("SLOW_KEY",)).post(b"{}")
        shown = str(caught.value)
        assert all(told[at : at + 8] not in shown for at in range(7 if told.startswith("dXNl") else 0, len(told) - 8))
