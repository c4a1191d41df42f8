"""What the tests of races run in processes of their own: ``python -m tests.memory.nodes.worker HOME JOB …``.

A worker says that it is ready, waits for a line, does its job, and prints what came of it as one JSON line.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from context_plane.errors import ContextPlaneError
from context_plane.plane import ContextPlane
from context_plane.store.faults import VARIABLE

REPOSITORY = Path(__file__).parents[3]


def correct(plane: ContextPlane, name: str) -> dict[str, Any]:
    """Tells something in the place of the node `first`."""
    node = plane.remember("acme", "customer/a", f"as {name} says", type="correction", id=name, supersedes="first")
    return {"id": node.id, "recorded": node.recorded}


def link(plane: ContextPlane, *pairs: str) -> dict[str, Any]:
    """Says of pairs ``a>b`` that a supersedes b; what was refused, and why."""
    refused = {}
    for pair in pairs:
        actor, _, target = pair.partition(">")
        try:
            plane.link("acme", actor, "supersedes", target)
        except ContextPlaneError as error:
            refused[pair] = str(error)
    return {"refused": refused}


def main(home: str, job: str, *arguments: str) -> None:
    """Runs one job."""
    jobs: dict[str, Any] = {"correct": correct, "link": link}
    with ContextPlane.open(home) as plane:
        plane.nodes("acme")
        print("ready", flush=True)  # noqa: T201
        sys.stdin.readline()
        print(json.dumps(jobs[job](plane, *arguments)), flush=True)  # noqa: T201


class Worker:
    """A process that does a job once it is told to."""

    def __init__(self, home: Path, *job: str, fault: str | None = None) -> None:
        env = {**os.environ, "PYTHONPATH": str(REPOSITORY), **({VARIABLE: fault} if fault else {})}
        command = [sys.executable, "-m", "tests.memory.nodes.worker", str(home), *job]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, env=env, stdin=pipe, stdout=pipe, text=True, cwd=REPOSITORY)
        assert self._process.stdout is not None
        self._out = self._process.stdout

    def wait(self) -> None:
        """Until it is ready."""
        assert self._out.readline() == "ready\n"

    def go(self) -> None:
        """Lets it do its job."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def answer(self) -> dict[str, Any] | None:
        """What came of it; `None` where it was killed."""
        out, _ = self._process.communicate(timeout=120)
        if self._process.returncode == -signal.SIGKILL:
            return None
        assert self._process.returncode == 0
        found: dict[str, Any] = json.loads(out)
        return found


def race(*workers: Worker) -> list[dict[str, Any] | None]:
    """Lets them do their jobs at once."""
    for each in workers:
        each.wait()
    for each in workers:
        each.go()
    return [each.answer() for each in workers]


if __name__ == "__main__":
    main(*sys.argv[1:])
