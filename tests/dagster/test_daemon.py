"""End to end: `dagster dev` as `make dev` starts it, a file in, a published bundle out, nobody touching Dagster."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

import pytest

from context_plane import ContextPlane
from tests.dagster.world import Home, closed_port, event, events

REPOSITORY = Path(__file__).parents[2]
DEADLINE = 55.0
_POLL = Event()  # never set: waiting for it is how a poll lets the machine do something else


class Dagster:
    """The processes of `dagster dev` over a home."""

    def __init__(self, home: Home, folder: Path) -> None:
        self.port = closed_port()
        self.output = folder / "output.log"
        (folder / "dagster.yaml").write_text((REPOSITORY / "dagster.yaml").read_text())
        env = {**os.environ, "CONTEXT_PLANE_HOME": str(home.folder), "DAGSTER_HOME": str(folder)}
        command = ["-m", "dagster", "dev", "-w", str(REPOSITORY / "workspace.yaml"), "--port", str(self.port)]
        with self.output.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, *command], env=env, cwd=folder, stdout=output, stderr=output, start_new_session=True
            )

    def query(self, text: str) -> Any:
        """The data of a GraphQL query; `None` while the webserver is not up."""
        body = json.dumps({"query": text}).encode()
        request = Request(f"http://127.0.0.1:{self.port}/graphql", body, {"content-type": "application/json"})
        try:
            with urlopen(request, timeout=5) as reply:
                return json.load(reply)["data"]
        except (URLError, ConnectionError, TimeoutError):
            return None

    def until(self, what: str, found: Callable[[], Any]) -> Any:
        """What `found` returns as soon as it is something; fails at the deadline, or when Dagster has ended."""
        end = monotonic() + DEADLINE
        while not (value := found()):
            tail = self.output.read_text()[-4_000:]
            assert self.process.poll() is None, f"dagster dev ended while waiting for {what}:\n{tail}"
            assert monotonic() < end, f"no {what} within {DEADLINE} s:\n{tail}"
            _POLL.wait(0.2)
        return value

    def end(self) -> None:
        """Asks as Ctrl-C does, then ends what is left of the group."""
        self.process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)


@pytest.fixture
def dagster(home: Home, dagster_home: Path) -> Iterator[Dagster]:
    running = Dagster(home, dagster_home)
    yield running
    running.end()


def test_a_file_in_gives_a_published_bundle_out(home: Home, dagster: Dagster, tmp_path: Path) -> None:
    """The sensor finds the commit, a run builds its days and publishes; a late event is followed up the same way."""
    file = tmp_path / "events.jsonl"
    file.write_text("\n".join(json.dumps(each) for each in events("2026-03-01", 3)))
    home.plane.ingest("acme", file)

    def published(log: int) -> bool:
        with ContextPlane.open(home.folder) as reader:
            snapshot = reader.snapshot("acme")
            return snapshot is not None and snapshot.log == log

    dagster.until("snapshot of the first commit", lambda: published(1))
    assert home.plane.bundle("acme", "customer/a").fields == {"notes": 3, "stage": "stage 4"}

    home.ingest([event(100, "2026-03-02")])
    dagster.until("snapshot of the late event", lambda: published(2))
    assert home.plane.bundle("acme", "customer/a").fields["notes"] == 4

    runs = dagster.until("webserver", lambda: dagster.query("{runsOrError {... on Runs {results {status jobName}}}}"))
    done = runs["runsOrError"]["results"]
    assert {run["jobName"] for run in done} == {"refresh"}
    assert len(done) == 2
    graph = dagster.query("{assetNodes {assetKey {path}}}")
    assert {node["assetKey"]["path"][0] for node in graph["assetNodes"]} == {
        "events",
        "timeline",
        "customer_v0",
        "bm25_index",
        "process_catalog",
        "memory_nodes",
        "memory_chains",
        "knowledge",
        "package_sources",
        "ctx_packages",
        "snapshot",
    }
