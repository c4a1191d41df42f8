"""Servers with OpenAI's ``/embeddings``, over real HTTP: order, batches, busy and broken servers, keys."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from context_plane.errors import ContextPlaneError, Denied, InputError, Unavailable
from context_plane.retrieval.embedders import open_embedder
from context_plane.retrieval.embedders.openai import KEYS, LONGEST, OpenAI
from tests.retrieval.embedders.properties import check
from tests.retrieval.embedders.server import Reply, Server, answer, serving, vector


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither keys nor a proxy of the user."""
    for name in KEYS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def server() -> Iterator[Server]:
    """A server that answers rightly unless it is told otherwise."""
    with serving() as found:
        yield found


class Model(OpenAI):
    """An embedder that notes how long it would have waited."""

    def __init__(self, server: Server, dimension: int = 4, longest: int = LONGEST) -> None:
        self.waits: list[float] = []
        super().__init__("small", server.url, dimension, 0.5, longest, wait=self.waits.append)


def unit(text: str, width: int = 4) -> Any:
    found = np.array(vector(text, width))
    return (found / np.linalg.norm(found)).astype(np.float32)


def test_vectors_hold_what_the_protocol_says(server: Server) -> None:
    """Rows are put in order by their index, white space is not sent, vectors have length 1."""
    texts = ["one", "", "two", " \n", "ünï 🎉", "one", "\ud800"]
    check(Model(server), texts)
    found = Model(server).embed(texts)
    assert np.allclose(found[[0, 2, 4]], [unit("one"), unit("two"), unit("ünï 🎉")], atol=1e-6)
    assert server.asked[0] == {
        "model": "small",
        "input": ["one", "two", "ünï 🎉", "one", "?"],
        "encoding_format": "float",
        "dimensions": 4,
    }
    assert set(server.paths) == {"/v1/embeddings"}


def test_nothing_is_asked_before_it_must_be(server: Server) -> None:
    """Opening is free; where the name gives the dimension, so is the identity."""
    named = open_embedder(f"openai:small@{server.url}/?dim=3&weight=0.7")
    assert (named.id, named.dimension, named.weight) == ("openai/small/3", 3, 0.7)
    assert named.embed(["", "  "]).tolist() == [[0, 0, 0]] * 2
    open_embedder(f"openai:small@{server.url}")
    assert server.asked == []


def test_the_dimension_is_learned_once(server: Server) -> None:
    """From an answer, and then expected of all."""
    embedder = Model(server, 0)
    assert (embedder.id, embedder.dimension) == ("openai/small/4", 4)
    embedder.embed(["one"])
    assert [each["input"] for each in server.asked] == [["dimension"], ["one"]]
    assert "dimensions" not in server.asked[0]


def test_batches_are_bounded_by_texts_and_by_characters(server: Server) -> None:
    """300 short texts are three requests, and long ones go alone."""
    texts = [f"text {n}" for n in range(300)]
    found = Model(server).embed(texts)
    assert [len(each["input"]) for each in server.asked] == [128, 128, 44]
    assert np.allclose(found, [unit(text) for text in texts], atol=1e-6)
    server.asked.clear()
    Model(server, longest=200_000).embed(["a" * 60_000, "b" * 40_000, "c", "d" * 200_000, "e"])
    assert [[text[0] for text in each["input"]] for each in server.asked] == [["a", "b"], ["c"], ["d"], ["e"]]


def test_of_a_long_text_the_beginning_is_sent(server: Server) -> None:
    """Servers refuse what is longer than their model takes, and with it every text of the batch."""
    found = Model(server).embed(["one" + " and so on" * 1_000])
    assert [len(text) for text in server.asked[0]["input"]] == [8_000]
    assert np.array_equal(found, Model(server).embed([("one" + " and so on" * 1_000)[:8_000]]))
    other = open_embedder(f"openai:small@{server.url}?dim=4&chars=20")
    other.embed(["x" * 50])
    assert server.asked[-1]["input"] == ["x" * 20]
    assert other.id == "openai/small/4/20 characters"


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 529])
def test_a_busy_server_is_asked_again(server: Server, status: int) -> None:
    """After longer and longer waits, or as long as it says."""
    server.replies = [Reply(status), Reply(status, headers={"Retry-After": "5"}), Reply(status)]
    embedder = Model(server)
    assert np.allclose(embedder.embed(["one"]), unit("one"), atol=1e-6)
    assert embedder.waits == [0.5, 5.0, 8.0]


@pytest.mark.parametrize(("said", "wait"), [("9999999", 30.0), ("Wed, 21 Oct 2026 07:28:00 GMT", 0.5), ("-3", 0.5)])
def test_no_server_makes_us_wait_for_ever(server: Server, said: str, wait: float) -> None:
    """What it says is bounded, and dates are not read."""
    server.replies = [Reply(429, headers={"Retry-After": said})]
    embedder = Model(server)
    embedder.embed(["one"])
    assert embedder.waits == [wait]


@pytest.mark.parametrize("reply", [Reply(503, b"overloaded"), Reply(body=None), Reply(body=b"{", missing=9)])
def test_a_server_that_stays_broken_is_unavailable(server: Server, reply: Reply) -> None:
    """Four requests, then an error with place and remedy: busy, a connection that ends, an answer that is cut."""
    server.replies = [reply] * 4
    embedder = Model(server)
    with pytest.raises(Unavailable) as caught:
        embedder.embed(["one"])
    assert (len(server.asked), embedder.waits) == (4, [0.5, 2.0, 8.0])
    assert server.url in caught.value.where
    assert "try again" in caught.value.remedy


def test_no_server_is_unavailable() -> None:
    """A refused connection is told with the URL."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: nobody else can get the port
        embedder = Model(Server(f"http://127.0.0.1:{taken.getsockname()[1]}/v1"))
        with pytest.raises(Unavailable, match="does not answer"):
            embedder.embed(["one"])
    assert len(embedder.waits) == 3


@pytest.mark.parametrize(
    ("status", "kind", "says"),
    [
        (401, Denied, "set CONTEXT_PLANE_EMBEDDER_KEY"),
        (403, Denied, "set CONTEXT_PLANE_EMBEDDER_KEY"),
        (400, InputError, "check model, URL and dimension"),
        (404, InputError, "check model, URL and dimension"),
    ],
)
def test_a_refusal_is_not_repeated(server: Server, status: int, kind: type[ContextPlaneError], says: str) -> None:
    """The server's words are passed on."""
    server.replies = [Reply(status, b'{"error": "no such thing"}')]
    with pytest.raises(kind, match=f"answers {status}.*no such thing.*{says}"):
        Model(server).embed(["one"])
    assert len(server.asked) == 1


HUGE = b'{"data": [{"index": 0, "embedding": [1e300, 1, 2, 3]}, {"index": 1, "embedding": [1, 2, 3, 4]}]}'
OVERFLOWING = HUGE.replace(b"1e300", b"1" + b"0" * 400)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(body=b""),
        Reply(body=b"<html>"),
        Reply(body=b"\xff\xfe"),
        Reply(body=b"[]"),
        Reply(body=b'{"data": null}'),
        Reply(body=b'{"data": [{"embedding": [1, 2, 3, 4]}]}'),
        Reply(body=b"[" * 200_000),
        Reply(body=HUGE),
        Reply(body=OVERFLOWING),
        answer([1, 2, 3, 4]),
        answer([1, 2, 3, 4], [1, 2, 3, 4], [1, 2, 3, 4]),
        answer([1, 2, 3, 4], [1, 2, 3]),
        answer([1, 2, 3, 4], [1, 2, 3, 4, 5]),
        answer([1, 2, 3, 4], [1, 2, 3, float("nan")]),
        answer([1, 2, 3, 4], [1, 2, 3, float("-inf")]),
        answer([1, 2, 3, 4], [1, 2, 3, None]),
        answer([1, 2, 3, 4], "AACAPw=="),
        Reply(body=json.dumps({"data": [{"index": 1, "embedding": [1, 2, 3, 4]}] * 2}).encode()),
    ],
)
def test_an_answer_that_is_none_is_an_error(server: Server, reply: Reply) -> None:
    """Never a vector of zeros: it would be recorded, and the text never found again."""
    server.replies = [reply]
    with pytest.raises(Unavailable, match="check that the server speaks OpenAI's API"):
        Model(server).embed(["one", "two"])


def test_a_redirect_is_not_followed(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another host would get the key."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    with serving() as other:
        for status in (301, 302, 303, 307, 308):
            server.replies = [Reply(status, headers={"Location": f"{other.url}/embeddings"})]
            with pytest.raises(InputError, match=f"answers {status}"):
                Model(server).embed(["one"])
        assert other.paths == []


def test_our_key_goes_before_openais(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read at each request, and without one no header is sent."""
    embedder = Model(server)
    embedder.embed(["one"])
    monkeypatch.setenv("OPENAI_API_KEY", "sk-theirs\n")
    embedder.embed(["one"])
    monkeypatch.setenv("CONTEXT_PLANE_EMBEDDER_KEY", "ours")
    embedder.embed(["one"])
    assert server.keys == [None, "Bearer sk-theirs", "Bearer ours"]


@pytest.mark.parametrize("key", ["sk-1\r\nHost: x", "sk-ключ"])
def test_a_key_that_is_none_is_not_printed(server: Server, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    """The standard library would put it into its error."""
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with pytest.raises(Denied) as caught:
        Model(server).embed(["one"])
    assert "sk-" not in str(caught.value)
    assert server.asked == []
