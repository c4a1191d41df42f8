"""The stores that every conformance test runs on, and the servers behind them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import boto3  # type: ignore[import-untyped]
import pytest

from context_plane.store.base import Store
from context_plane.store.open import open_store

BUCKET = "plane"
REAL = "CONTEXT_PLANE_TEST_S3"
S3_ENVIRONMENT = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "testtest", "AWS_REGION": "us-east-1"}

Run = Callable[..., subprocess.Popen[str]]


def fails(code: int) -> Callable[..., None]:
    """A system call that fails."""

    def fail(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    return fail


def _with_bucket(endpoint: str) -> str:
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=S3_ENVIRONMENT["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=S3_ENVIRONMENT["AWS_SECRET_ACCESS_KEY"],
        region_name=S3_ENVIRONMENT["AWS_REGION"],
    )
    client.create_bucket(Bucket=BUCKET)
    client.close()
    return endpoint


@pytest.fixture(scope="session")
def moto() -> Iterator[str]:
    """Endpoint of moto behind a lock."""
    command = [sys.executable, str(Path(__file__).parent / "servers.py")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield _with_bucket(f"http://127.0.0.1:{int(server.stdout.readline())}")
        finally:
            server.kill()


@pytest.fixture(scope="session")
def real_s3() -> str:
    """Endpoint of a real S3-compatible server (key `test`, secret `testtest`)."""
    endpoint = os.environ.get(REAL)
    if not endpoint:
        pytest.skip(f"no real S3 server: set {REAL} to the URL of one (key test, secret testtest)")
    return _with_bucket(endpoint)


@pytest.fixture(params=["local", "memory", "moto", pytest.param("s3", marks=pytest.mark.s3)])
def store_url(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """URL of an empty store of each kind."""
    if request.param == "local":
        folder: Path = request.getfixturevalue("tmp_path")
        return f"file://{folder}/store"
    if request.param == "memory":
        return f"memory://{uuid4().hex}"
    endpoint: str = request.getfixturevalue("moto" if request.param == "moto" else "real_s3")
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    for name, value in S3_ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    return f"s3://{BUCKET}/{uuid4().hex}"


@pytest.fixture
def store(store_url: str) -> Store:
    """An empty store of each kind."""
    return open_store(store_url)


@pytest.fixture
def run_python() -> Iterator[Run]:
    """Starts a Python process that runs the given text; whatever still runs after the test is killed by its id."""
    started: list[subprocess.Popen[str]] = []

    def run(text: str, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", text, *arguments],
            cwd=Path(__file__).parents[2],
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()
