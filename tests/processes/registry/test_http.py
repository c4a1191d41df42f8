"""Actions that ask servers, over real HTTP: whom they may ask, what they send, what becomes of the answer."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from context_plane.config import ProcessSettings
from context_plane.errors import InputError
from context_plane.processes.engine.handling import call
from context_plane.processes.registry.builtin.hosts import target
from context_plane.processes.registry.handler import CancelledStep, StepFailure
from context_plane.processes.registry.secrets import Redactor
from tests.processes.registry.server import Site, serving
from tests.processes.registry.world import do

ALLOWED = ProcessSettings(http_allow=("127.0.0.1",))


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as found:
        yield found


def ask(workspace: Path, site: Site, path: str = "/", name: str = "http.request", **inputs: Any) -> dict[str, Any]:
    given = {"settings": ALLOWED, **inputs.pop("given", {})}
    return do(name, workspace, {"url": site.url + path, **inputs}, **given)


def test_a_request_goes_as_it_is_said(tmp_path: Path, site: Site) -> None:
    """Method, query, headers and JSON; the key of the step with it."""
    site.answer = (
        201,
        {"Content-Type": "application/json", "Set-Cookie": "a=b", "ETag": "x"},
        b'{"a": [1, "\\u0000b"]}',
    )
    found = ask(tmp_path, site, "/x?q=a%20b", json={"é": 1}, headers={"X-Team": "core"})
    assert found == {
        "status": 201, "headers": {"content-type": "application/json", "etag": "x"}, "text": "", "cut": False,
        "json": {"a": [1, "b"]},
    }  # fmt: skip
    (asked,) = site.asked
    assert (asked.method, asked.path, json.loads(asked.body)) == ("POST", "/x?q=a%20b", {"é": 1})
    assert asked.headers["idempotency-key"] == "e1/it"
    assert asked.headers["x-team"] == "core"
    assert asked.headers["content-type"] == "application/json"


def test_text_is_text(tmp_path: Path, site: Site) -> None:
    """What says that it is JSON and is none, too."""
    site.answer = (200, {"Content-Type": "text/plain"}, b"h\xffi\0")
    assert ask(tmp_path, site, body="ü", method="put")["text"] == "h�i"
    assert (site.asked[0].method, site.asked[0].body) == ("PUT", "ü".encode())
    site.answer = (200, {"Content-Type": "application/json"}, b"{")
    assert ask(tmp_path, site, name="http.get") | {"headers": None} == {
        "status": 200, "headers": None, "text": "{", "json": None, "cut": False,
    }  # fmt: skip
    assert (site.asked[1].method, site.asked[1].body) == ("GET", b"")


def test_a_head_and_an_empty_answer(tmp_path: Path, site: Site) -> None:
    """No body is waited for."""
    site.answer = (204, {"Content-Length": "0"}, b"")
    assert ask(tmp_path, site, method="HEAD")["text"] == ""
    assert ask(tmp_path, site, method="DELETE")["status"] == 204


def test_a_status_that_is_none_of_success_fails(tmp_path: Path, site: Site) -> None:
    """With the answer; only what may get better is worth another try."""
    for status, retryable in ((400, False), (404, False), (429, True), (500, True), (503, True)):
        site.answer = (status, {"Content-Type": "text/plain"}, b"no such\n  thing")
        with pytest.raises(StepFailure, match=f"answers {status}: no such thing") as caught:
            ask(tmp_path, site)
        assert (caught.value.retryable, caught.value.output["status"]) == (retryable, status)
        assert ask(tmp_path, site, check=False)["status"] == status


def test_redirects_are_not_followed(tmp_path: Path, site: Site) -> None:
    """They could lead anywhere, with whatever was sent."""
    with serving() as other:
        for status in (301, 302, 303, 307, 308):
            site.answer = (status, {"Location": other.url}, b"")
            with pytest.raises(StepFailure, match=rf"answers {status}, and {other.url} instead"):
                ask(tmp_path, site, headers={"Authorization": "Bearer x"})
            assert ask(tmp_path, site, check=False)["headers"]["location"] == other.url
        assert other.asked == []


def test_a_proxy_of_the_environment_is_not_used(tmp_path: Path, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The address that was checked is the one that is asked."""
    with serving() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        ask(tmp_path, site)
        assert (len(site.asked), proxy.asked) == (1, [])


def test_a_large_answer_is_cut(tmp_path: Path, site: Site) -> None:
    """It is not read to its end, and what was to be JSON is text."""
    sent: list[int] = []

    def endless(handler: Any) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.end_headers()
        for _ in range(500):
            handler.wfile.write(b'"' * 100_000)
            sent.append(100_000)

    site.answer = endless
    found = ask(tmp_path, site)
    assert (found["cut"], len(found["text"]), "json" in found) == (True, 65_536, False)
    assert sum(sent) < 40_000_000


def chunked(handler: Any) -> None:
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    handler.wfile.write(b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")


def cut_off(handler: Any) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "100")
    handler.end_headers()
    handler.wfile.write(b"abc")
    handler.close_connection = True


def silent(handler: Any) -> None:
    handler.close_connection = True


def dripping(handler: Any) -> None:
    handler.send_response(200)
    handler.end_headers()
    for _ in range(200):
        handler.wfile.write(b"x")
        time.sleep(0.05)
    handler.close_connection = True


def dripping_headers(handler: Any) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    for number in range(90):
        handler.wfile.write(b"X-%d: y\r\n" % number)
        time.sleep(0.05)


def test_answers_in_pieces(tmp_path: Path, site: Site) -> None:
    """Are put together; one that ends too early is none."""
    site.answer = chunked
    assert ask(tmp_path, site)["text"] == "abcde"
    for broken in (cut_off, silent):
        site.answer = broken
        with pytest.raises(StepFailure, match="does not answer") as caught:
            ask(tmp_path, site)
        assert caught.value.retryable


@pytest.mark.parametrize("slow", [dripping, dripping_headers, lambda handler: time.sleep(3)])
def test_a_slow_answer_has_an_end(tmp_path: Path, site: Site, slow: Any) -> None:
    """However it comes: a byte now and then is not waited for longer. The step's own time counts too."""
    site.answer = slow
    for given in ({"timeout": 0.3}, {"given": {"timeout": 0.3}}):
        begun = time.monotonic()
        with pytest.raises(StepFailure, match=r"does not answer: nothing within 0\.3 s") as caught:
            ask(tmp_path, site, **given)
        assert time.monotonic() - begun < 2
        assert caught.value.retryable


def test_cancelling_ends_the_request(tmp_path: Path, site: Site) -> None:
    """While it waits."""
    site.answer = dripping
    stop, begun = threading.Event(), time.monotonic()
    threading.Timer(0.2, stop.set).start()
    with pytest.raises(CancelledStep):
        ask(tmp_path, site, given={"cancelled": stop})
    assert time.monotonic() - begun < 2


def test_nobody_there_is_a_failure(tmp_path: Path) -> None:
    """Which may be over later; the query is not shown."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(StepFailure, match="does not answer") as caught:
            ask(tmp_path, Site(taken.getsockname()[1]), "/x?token=secret")
    assert caught.value.retryable
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("inputs", "says"),
    [
        ({"method": "BREW"}, "use one of GET"),
        ({"method": "GET / HTTP/1.1\r\nX: y"}, "use one of GET"),
        ({"json": 1, "body": "x"}, "give one of them"),
        ({"headers": {"X": 1}}, "header 'X' is int"),
        ({"headers": {"X": "a\r\nY: b"}}, "what no header may"),
        ({"headers": {"X\r\nY": "a"}}, "not ours to give"),
        ({"headers": {"Host": "other"}}, "not ours to give"),
        ({"headers": {"Transfer-Encoding": "chunked"}}, "not ours to give"),
        ({"headers": "X: y"}, "give a mapping"),
        ({"timeout": 0}, "timeout is 0"),
        ({"timeout": "1"}, "timeout is '1'"),
        ({"check": 1}, "check is 1"),
        ({"token": "AWS_SECRET_ACCESS_KEY"}, "begins with CONTEXT_PLANE_HTTP_"),
    ],
)
def test_bad_requests_are_not_sent(tmp_path: Path, site: Site, inputs: dict[str, Any], says: str) -> None:
    """Nothing can be smuggled into one."""
    with pytest.raises(InputError, match=says):
        ask(tmp_path, site, **inputs)
    assert [asked for asked in site.asked if inputs != {"check": 1}] == []


def test_a_token_comes_from_a_variable_that_is_meant_for_it(
    tmp_path: Path, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And from no other."""
    with pytest.raises(StepFailure, match="is not set"):
        ask(tmp_path, site, token="CONTEXT_PLANE_HTTP_ACME")
    monkeypatch.setenv("CONTEXT_PLANE_HTTP_ACME", "t0ken\n")
    ask(tmp_path, site, token="CONTEXT_PLANE_HTTP_ACME")
    assert site.asked[0].headers["authorization"] == "Bearer t0ken"


# --- whom a run may ask ----------------------------------------------------------------------------------------------


def resolve(monkeypatch: pytest.MonkeyPatch, **names: str) -> None:
    """Names as a test says, everything else as it is written."""

    def looked_up(host: str, port: int, **_: Any) -> Any:
        address = names.get(host.replace(".", "_").replace("-", "_"), host)
        if address == "none":
            raise socket.gaierror(-2, "Name or service not known")
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [(family, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", looked_up)


@pytest.mark.parametrize(
    ("url", "allowed", "good"),
    [
        ("https://api.example.com/x", ["api.example.com"], True),
        ("https://API.Example.com./x", ["api.example.COM"], True),
        ("https://api.example.com:8443/x", ["api.example.com"], True),
        ("https://api.example.com:8443/x", ["api.example.com:8443"], True),
        ("https://api.example.com/x", ["api.example.com:443"], True),
        ("https://api.example.com:8443/x", ["api.example.com:443"], False),
        ("https://api.example.com/x", ["*.example.com"], True),
        ("https://a.b.example.com/x", ["*.example.com"], True),
        ("https://example.com/x", ["*.example.com"], False),
        ("https://evilexample.com/x", ["*.example.com"], False),
        ("https://evilexample.com/x", ["example.com"], False),
        ("https://api.example.com.evil.com/x", ["api.example.com"], False),
        ("https://api.example.com/x", [], False),
        ("https://api.example.com@evil.com/x", ["api.example.com"], False),
        ("https://evil.com\\@api.example.com/x", ["api.example.com"], False),
        ("https://evil.com#@api.example.com/x", ["api.example.com"], False),
        ("ftp://api.example.com/x", ["api.example.com"], False),
        ("file:///etc/passwd", ["api.example.com"], False),
        ("//api.example.com/x", ["api.example.com"], False),
        ("https:///x", ["api.example.com"], False),
        ("https://api.example.com:x/", ["api.example.com"], False),
        ("https://api.example.com:0/", ["api.example.com"], False),
        ("https://api.example.com/a b", ["api.example.com"], False),
        ("https://api.example.com/a\r\nHost: x", ["api.example.com"], False),
        ("https://api.example.com/é", ["api.example.com"], False),
        ("https://[::1/", ["::1"], False),
        ("https://api.example.com/" + "x" * 9_000, ["api.example.com"], False),
    ],
)
def test_only_hosts_on_the_list_are_asked(
    monkeypatch: pytest.MonkeyPatch, url: str, allowed: list[str], good: bool
) -> None:
    """By name, by pattern, with a port or without."""
    resolve(monkeypatch, api_example_com="93.184.216.34", a_b_example_com="93.184.216.34")
    if good:
        found = target(url, allowed)
        assert (found.addresses, found.path) == (("93.184.216.34",), "/x")
        return
    with pytest.raises(StepFailure) as caught:
        target(url, allowed)
    assert (caught.value.retryable, bool(caught.value.remedy)) == (False, True)


@pytest.mark.parametrize(
    ("host", "address", "allowed", "good"),
    [
        ("in.example.com", "10.0.0.5", "*.example.com", False),
        ("in.example.com", "127.0.0.1", "*.example.com", False),
        ("in.example.com", "::1", "*.example.com", False),
        ("in.example.com", "::ffff:10.0.0.5", "*.example.com", False),
        ("in.example.com", "fd00::1", "*.example.com", False),
        ("in.example.com", "100.64.0.1", "*.example.com", False),
        ("in.example.com", "0.0.0.0", "in.example.com", False),
        ("in.example.com", "169.254.169.254", "in.example.com", False),
        ("in.example.com", "::ffff:169.254.169.254", "in.example.com", False),
        ("in.example.com", "fe80::1%1", "in.example.com", False),
        ("in.example.com", "10.0.0.5", "in.example.com", True),
        ("localhost", "127.0.0.1", "localhost", True),
        ("in.example.com", "93.184.216.34", "*.example.com", True),
        ("127.0.0.1", "127.0.0.1", "*.0.0.1", False),
        ("127.0.0.1", "127.0.0.1", "127.0.0.1", True),
        ("169.254.169.254", "169.254.169.254", "169.254.169.254", True),
        ("[::1]", "::1", "::1", True),
        ("[::1]", "::1", "[::1]:443", True),
        ("2130706433", "127.0.0.1", "*.example.com", False),
    ],
)
def test_private_addresses_must_be_listed(
    monkeypatch: pytest.MonkeyPatch, host: str, address: str, allowed: str, good: bool
) -> None:
    """By a name that means one host; where clouds keep credentials, by the address itself."""
    resolve(monkeypatch, **{host.replace(".", "_"): address})
    if good:
        assert target(f"https://{host}/", [allowed]).addresses == (address,)
    else:
        with pytest.raises(StepFailure):
            target(f"https://{host}/", [allowed])


def test_the_checked_address_is_the_one_that_is_asked(
    tmp_path: Path, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that means something else a moment later leads nowhere else."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def changing(host: str, port: int, *args: Any, **how: Any) -> Any:
        asked.append(host)
        return real("127.0.0.1" if len(asked) == 1 else host, port, *args, **how)

    monkeypatch.setattr(socket, "getaddrinfo", changing)
    url = f"http://changing.example:{site.port}/"
    do("http.get", tmp_path, {"url": url}, settings=ProcessSettings(http_allow=("changing.example",)))
    assert site.asked[0].headers["host"] == f"changing.example:{site.port}"
    assert asked[0] == "changing.example"
    assert set(asked[1:]) <= {"127.0.0.1"}


def test_a_host_that_is_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """May be found later."""
    resolve(monkeypatch, gone_example_com="none")
    with pytest.raises(StepFailure, match=r"gone\.example\.com is not found") as caught:
        target("https://gone.example.com", ["gone.example.com"])
    assert caught.value.retryable


def test_certificates_are_checked(tmp_path: Path, site: Site) -> None:
    """A server that speaks no TLS is not talked to without."""
    with pytest.raises(StepFailure, match="does not answer"):
        do("http.get", tmp_path, {"url": site.url.replace("http:", "https:")}, settings=ALLOWED)
    assert site.asked == []


@pytest.mark.parametrize(
    ("address", "allowed", "good"),
    [
        ("64:ff9b::a9fe:a9fe", "in.example.com", False),
        ("64:ff9b::a00:5", "*.example.com", False),
        ("64:ff9b::a00:5", "in.example.com", True),
        ("64:ff9b:1::a00:5", "*.example.com", False),
        ("64:ff9b::808:808", "*.example.com", True),
        ("2002:a9fe:a9fe::1", "in.example.com", False),
        ("2002:a00:5::1", "*.example.com", False),
        ("::a9fe:a9fe", "in.example.com", False),
        ("::a00:5", "*.example.com", False),
        ("2001:0:808:808::f5ff:fffa", "*.example.com", False),
        ("fd00:ec2::254", "in.example.com", False),
        ("100.100.100.200", "in.example.com", False),
        ("::ffff:100.100.100.200", "in.example.com", False),
    ],
)
def test_an_address_within_an_address_is_the_one_that_counts(
    monkeypatch: pytest.MonkeyPatch, address: str, allowed: str, good: bool
) -> None:
    """What translates it would ask that one."""
    resolve(monkeypatch, in_example_com=address)
    if good:
        assert target("https://in.example.com/", [allowed]).addresses == (address,)
    else:
        with pytest.raises(StepFailure):
            target("https://in.example.com/", [allowed])


@pytest.mark.parametrize("url", ["http://[fd00:ec2::254]/", "http://100.100.100.200/"])
def test_credentials_of_a_cloud_are_never_asked_for(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Not even where the address is listed itself."""
    with pytest.raises(StepFailure, match="where clouds hand out credentials"):
        target(url, ["fd00:ec2::254", "100.100.100.200"])


def test_the_zone_of_an_address_is_no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """It could end like one that is allowed."""
    with pytest.raises(StepFailure, match="none that can be asked"):
        target("http://[::1%x.example.com]/", ["*.example.com"])


def test_a_token_does_not_go_over_a_wire_in_clear(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To this machine it does: there is no wire."""
    monkeypatch.setenv("CONTEXT_PLANE_HTTP_ACME", "t0ken")
    resolve(monkeypatch, api_example_com="93.184.216.34")
    given = {"url": "http://api.example.com/", "token": "CONTEXT_PLANE_HTTP_ACME"}
    with pytest.raises(StepFailure, match="give an https URL") as caught:
        do("http.get", tmp_path, given, settings=ProcessSettings(http_allow=("api.example.com",)))
    assert not caught.value.retryable


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


@pytest.mark.parametrize("kind", ["text/plain", "application/json"])
@pytest.mark.parametrize(
    "body", [b"\x01" * 65_536, b'{"a": "' + b"\\u0001" * 10_000 + b'"}', b"[" + b"1e20," * 13_000 + b"1]", nested(62)]
)
@pytest.mark.parametrize("output_kb", [1, 256])
def test_an_answer_always_fits(tmp_path: Path, site: Site, kind: str, body: bytes, output_kb: int) -> None:
    """The server has acted: an output that the engine refuses would be lost with what it says."""
    links = "\x01" * 4_000
    site.answer = (200, {"Content-Type": kind, "Link": links, "Location": links, "ETag": links}, body)
    settings = ProcessSettings(http_allow=("127.0.0.1",), output_kb=output_kb)
    handled = call(
        lambda: ask(tmp_path, site, given={"settings": settings}), 10, threading.Event(), lambda: False, output_kb << 10
    )
    assert handled.error == ""
    assert handled.output["status"] == 200
    assert handled.output["text"] or handled.output["json"]


def test_what_a_refusal_says_is_cut_after_secrets_are_out(
    tmp_path: Path, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And so is a header, and the end of a long answer."""
    monkeypatch.setenv("ACME_SECRET", "swordfish-and-chips-1234")
    for before in range(280, 300, 4):
        site.answer = (400, {}, b"x" * before + b" swordfish-and-chips-1234")
        with pytest.raises(StepFailure) as caught:
            ask(tmp_path, site)
        assert "swor" not in caught.value.what
    site.answer = (200, {"ETag": "x" * 985 + " swordfish-and-chips-1234"}, b"x" * 65_526 + b"swordfish-and-chips-1234")
    found = ask(tmp_path, site)
    assert (found["cut"], "swor" in found["text"], "swor" in found["headers"]["etag"]) == (True, False, False)


def test_a_token_that_a_server_repeats_is_not_recorded(
    tmp_path: Path, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variable is a secret by the beginning of its name."""
    redactor = Redactor.of_environment()
    monkeypatch.setenv("CONTEXT_PLANE_HTTP_ACME", "t0ken-9f8e7d6c")
    site.answer = (200, {}, b"you are t0ken-9f8e7d6c")
    found = ask(tmp_path, site, token="CONTEXT_PLANE_HTTP_ACME")
    assert redactor(found)["text"] == "you are [redacted: CONTEXT_PLANE_HTTP_ACME]"
