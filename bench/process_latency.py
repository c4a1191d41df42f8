"""From an event to a finished run under `dagster dev`: what a user waits, and where the time goes.

Starts the local instance as `make dev` does, with nobody touching Dagster; events come in one after the other, each
when the run of the one before is over and a while has passed, so that no tick is met at the same moment.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from context_plane.plane import ContextPlane
from context_plane.processes.engine.journal import Head

ROOT: Final = Path(__file__).parents[1]
_EVENTS: Final = 11
_WAIT: Final = 120.0
_PROCESS: Final = """
process: react
version: 1
trigger: {type: event, match: {source: ci, status: failure}}
gates: [execution_context_exists]
steps:
""" + "".join(f"  - {{id: s{n}, action: note}}\n" for n in range(6))


def latency(folder: Path) -> Iterator[dict[str, Any]]:
    """Seconds in parts: until the sensor accepted it, until a process of its own began, until it was over."""
    home, instance = folder / "home", folder / "dagster"
    (home / "processes").mkdir(parents=True)
    (home / "processes" / "react.yaml").write_text(_PROCESS)
    instance.mkdir()
    shutil.copy(ROOT / "dagster.yaml", instance)
    os.environ["CONTEXT_PLANE_EMBEDDER"] = "none"
    with ContextPlane.open(home) as plane:
        plane.ingest("acme", [_event(0, "success")])
        with _dagster(home, instance, folder / "output.log"):
            _until(lambda: plane.react("acme", 1).known >= 0 and _ticked(instance), "the first tick")
            seen = [_one(plane, number) for number in range(1, _EVENTS + 1)]
    for name in ("accepted", "began", "finished"):
        values = [each[name] for each in seen]
        yield {
            "what": f"seconds from the event until {name}", "p50": round(statistics.median(values), 2),
            "max": round(max(values), 2), "count": len(values),
        }  # fmt: skip


def _one(plane: ContextPlane, number: int) -> dict[str, float]:
    time.sleep(3 + number % 4 * 0.7)  # another moment between two ticks each time
    began = time.time()
    plane.ingest("acme", [_event(number, "failure")])
    head = _until(lambda: _over(plane, number), f"a finished run of event {number}")
    records = plane.engine.records(head.id)
    return {
        "accepted": records[0].at / 1e6 - began, "began": records[1].at / 1e6 - began,
        "finished": records[-1].at / 1e6 - began,
    }  # fmt: skip


def _over(plane: ContextPlane, number: int) -> Head | None:
    heads = plane.engine.journal.heads("acme")
    return heads[0] if len(heads) == number and heads[0].status == "succeeded" else None


def _event(number: int, status: str) -> dict[str, Any]:
    return {
        "id": str(number), "source": "ci", "type": "ci.run", "subject": "repository/acme",
        "time": "2026-03-01T09:30:00Z", "data": {"status": status, "text": f"run {number}"},
    }  # fmt: skip


def _ticked(instance: Path) -> bool:
    """Whether the sensor has been evaluated."""
    code = (
        "import dagster as dg\n"
        "with dg.DagsterInstance.get() as i:\n"
        "    print(any(s.name == 'process_triggers' and s.instigator_data and s.instigator_data.cursor"
        " for s in i.all_instigator_state()))"
    )
    env = {**os.environ, "DAGSTER_HOME": str(instance)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
    return "True" in done.stdout


def _until(found: Any, what: str) -> Any:
    end = time.monotonic() + _WAIT
    while not (value := found()):
        if time.monotonic() > end:
            raise SystemExit(f"no {what} within {_WAIT} s")
        time.sleep(0.05)
    return value


class _dagster:  # noqa: N801 - a context manager
    """`dagster dev` over a home, ended as Ctrl-C ends it."""

    def __init__(self, home: Path, instance: Path, output: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        env = {**os.environ, "CONTEXT_PLANE_HOME": str(home), "DAGSTER_HOME": str(instance)}
        command = [sys.executable, "-m", "dagster", "dev", "-w", str(ROOT / "workspace.yaml"), "--port", str(port)]
        with output.open("w") as file:
            self.process = subprocess.Popen(
                command, env=env, cwd=instance, stdout=file, stderr=file, start_new_session=True
            )

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(15)
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(15)


if __name__ == "__main__":
    for line in latency(Path(sys.argv[1])):
        print(json.dumps(line))
