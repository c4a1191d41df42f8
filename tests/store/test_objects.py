"""`ObjectStore`: settings from the environment, and what foreign errors become. Guarantees: test_conformance."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from uuid import uuid4

import obstore
import pytest
from obstore.exceptions import GenericError

from context_plane.errors import ContextPlaneError, Denied, NotFound, Unavailable
from context_plane.store import objects
from context_plane.store.objects import open_s3
from context_plane.store.open import open_store
from context_plane.store.replies import translated
from context_plane.store.settled import create_settled
from tests.store.conftest import BUCKET, S3_ENVIRONMENT

SECRET = "hunter2-secret"


class Answer(BaseHTTPRequestHandler):
    """Answers every request with the status that the test set, after storing what it set to store."""

    protocol_version = "HTTP/1.1"
    statuses: ClassVar[list[int]]
    code: ClassVar[str]
    requests: ClassVar[list[tuple[str, str, dict[str, str]]]]

    def answer(self) -> None:
        """One reply; the last status repeats."""
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.requests.append((self.command, self.path, dict(self.headers)))
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        body = f"<Error><Code>{self.code}</Code><AWSAccessKeyId>{SECRET}</AWSAccessKeyId></Error>".encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", '"0"')
        self.send_header("Last-Modified", "Sun, 01 Mar 2026 09:30:00 GMT")
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else body)

    do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = answer  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Says nothing."""


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Answer]]:
    """A server whose answers the test chooses, as the configured S3 endpoint."""

    class Chosen(Answer):
        statuses: ClassVar = [200]
        code = "Whatever"
        requests: ClassVar = []

    server = ThreadingHTTPServer(("127.0.0.1", 0), Chosen)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    yield Chosen
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (403, "AccessDenied", Denied),
        (403, "SignatureDoesNotMatch", Denied),
        (401, "Unauthorized", Denied),
        (400, "AuthorizationHeaderMalformed", Denied),
        (404, "NoSuchBucket", Denied),
        (500, "InternalError", Unavailable),
        (503, "SlowDown", Unavailable),
        (429, "TooManyRequests", Unavailable),
    ],
)
def test_statuses_become_our_errors(answering: type[Answer], status: int, code: str, kind: type[Exception]) -> None:
    """Refusals are Denied, failures Unavailable; each names the place and a remedy and repeats no secret."""
    answering.statuses, answering.code = [status], code
    store = open_s3("bucket", "prefix", retry_for=timedelta(0))
    acts: list[Callable[[], object]] = [
        lambda: store.get("log/1"),
        lambda: store.create("log/1", b"x"),
        lambda: store.put_content([("log/1", b"x")]),
        lambda: list(store.list("log/")),
        lambda: store.children("log/"),
    ]
    for act in acts:
        with pytest.raises(kind, match="s3://bucket/prefix/log") as error:
            act()
        assert isinstance(error.value, ContextPlaneError)
        assert error.value.remedy
        assert SECRET not in repr(error.getrepr(showlocals=False, chain=True))


def test_a_missing_key_is_not_a_missing_bucket(answering: type[Answer]) -> None:
    """404 NoSuchKey on a read is NotFound."""
    answering.statuses, answering.code = [404], "NoSuchKey"
    with pytest.raises(NotFound):
        open_store("s3://bucket").get("log/1")


@pytest.mark.parametrize("status", [409, 412])
def test_a_conflict_is_false(answering: type[Answer], status: int) -> None:
    """Both ways in which S3 says "not now" or "exists" are False: the caller reads back."""
    answering.statuses = [status]
    assert open_store("s3://bucket").create("log/1", b"x") is False


def test_numbered_objects_are_single_conditional_puts(answering: type[Answer]) -> None:
    """However large, a numbered object is one PUT with If-None-Match; content carries no condition."""
    store = open_store("s3://bucket/prefix")
    assert store.create("log/1", b"x" * (objects._SINGLE_PUT + 1))
    store.put_content([("s/1", b"x")])
    (first, first_path, first_headers), (second, second_path, second_headers) = answering.requests
    assert (first, first_path) == ("PUT", "/bucket/prefix/log/1")
    assert {name.lower(): value for name, value in first_headers.items()}["if-none-match"] == "*"
    assert (second, second_path) == ("PUT", "/bucket/prefix/s/1")
    assert "if-none-match" not in {name.lower() for name in second_headers}


def test_percent_signs_travel_as_they_are(answering: type[Answer]) -> None:
    """A key with `%2F` is that key in the bucket, so in the URL its percent sign is encoded once."""
    open_store("s3://bucket").create("entities/a%2Fb", b"x")
    assert answering.requests[0][1] == "/bucket/entities/a%252Fb"


def test_a_server_that_is_not_there_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused connection is Unavailable, with the variable to look at."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{unused.getsockname()[1]}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        store = open_s3("bucket", "", retry_for=timedelta(0))
        with pytest.raises(Unavailable, match="reached") as error:
            store.get("log/1")
        assert "AWS_ENDPOINT_URL" in error.value.remedy
        with pytest.raises(Unavailable):
            store.create("log/1", b"x")


def test_our_own_retried_write_is_settled(answering: type[Answer]) -> None:
    """500 and then 412: the client sent the write twice, the first landed; reading back tells that it is ours."""
    answering.statuses, answering.code = [500, 412, 200], "Whatever"
    store = open_s3("bucket", "")
    assert create_settled(store, "log/1", b"x", lambda found: b"Whatever" in found)
    assert [method for method, _, _ in answering.requests] == ["PUT", "PUT", "GET"]


def test_a_missing_bucket_is_named(moto: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Writing into a bucket that does not exist is Denied, with the setting to correct."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto)
    for name, value in S3_ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(Denied, match="bucket does not exist") as error:
        open_store(f"s3://{uuid4().hex}").create("log/1", b"x")
    assert "CONTEXT_PLANE_STORE" in error.value.remedy
    assert open_store(f"s3://{BUCKET}").head("log/1") is None


@pytest.mark.parametrize(
    ("endpoint", "bucket", "host"),
    [
        (None, "bucket", "https://bucket.s3.eu-west-1.amazonaws.com/log/1"),
        (None, "dotted.bucket", "https://s3.eu-west-1.amazonaws.com/dotted.bucket/log/1"),
        ("https://minio.example", "bucket", "https://minio.example/bucket/log/1"),
    ],
)
def test_addresses_follow_the_aws_variables(
    monkeypatch: pytest.MonkeyPatch, endpoint: str | None, bucket: str, host: str
) -> None:
    """Virtual-hosted style on AWS, path style for custom endpoints and for dotted buckets, region from AWS_REGION."""
    for name, value in {**S3_ENVIRONMENT, "AWS_REGION": "eu-west-1", "AWS_ENDPOINT_URL": endpoint or ""}.items():
        monkeypatch.setenv(name, value)
    if not endpoint:
        monkeypatch.delenv("AWS_ENDPOINT_URL")
    store = open_s3(bucket, "")._store
    signed = obstore.sign(store, "GET", "log/1", timedelta(minutes=1))  # type: ignore[call-overload]
    assert signed.split("?")[0] == host


def test_unknown_errors_are_unavailable() -> None:
    """Anything that obstore cannot name may pass: try again."""
    error = translated(GenericError("something odd"), "s3://bucket/log/1")
    assert isinstance(error, Unavailable)
    assert "odd" not in str(error)
