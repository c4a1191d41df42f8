"""kill -9 at every persistence boundary of an execution: it goes on, nothing is done twice that has a key."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from context_plane.plane import ContextPlane
from context_plane.processes.engine.state import fold
from context_plane.store.faults import FAULT_POINTS, VARIABLE
from tests.faults.process_worker import ACTIONS, LONG, PROCESS, UPGRADED

REPOSITORY = Path(__file__).parents[2]
POINTS = sorted(name for name in FAULT_POINTS if name.startswith("execution."))
OTHERS = ["ingest.segments-written", "ingest.committed", "store.create-linked"]
MOST = 60
"""More often than any boundary is reached in one run."""
SAMPLE = [("execution.accepted-written", 1), ("execution.accepted", 1), ("execution.record-written", 2),
          ("execution.record-durable", 1), ("execution.record-durable", 4), ("execution.handler-returned", 2),
          ("execution.handler-returned", 3), ("execution.log-written", 1), ("execution.sealed", 1)]  # fmt: skip


def start(home: Path, key: str, fault: str | None = None) -> dict[str, Any] | None:
    """What a worker acknowledged; `None` where the fault killed it."""
    env = {**os.environ, "PYTHONPATH": str(REPOSITORY)} | ({} if fault is None else {VARIABLE: fault})
    command = [sys.executable, "-m", "tests.faults.process_worker", str(home), key]
    done = subprocess.run(command, env=env, capture_output=True, text=True, cwd=REPOSITORY, check=False, timeout=120)
    if fault is not None and done.returncode == -signal.SIGKILL:
        return None
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def make(home: Path, process: str = PROCESS) -> Path:
    (home / "processes").mkdir(parents=True)
    (home / "processes" / "soak.yaml").write_text(process)
    (home / "processes" / "acts.py").write_text(ACTIONS)
    return home


@pytest.fixture(scope="session")
def undisturbed_long(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The same of the process with many steps."""
    done = start(make(tmp_path_factory.mktemp("home"), LONG), "k")
    assert done is not None
    return str(done["outcome"])


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the process comes to when nobody kills it."""
    done = start(make(tmp_path_factory.mktemp("home")), "k")
    assert done is not None
    return str(done["outcome"])


def killed(home: Path, fault: str, undisturbed: str, process: str = PROCESS, again_at: str | None = None) -> bool:
    """Kills a worker at a boundary, and with `again_at` also the one that goes on; lets another go on, and holds what
    came of it against the run that was not disturbed; whether the boundary was reached at all."""
    make(home, process)
    if start(home, "k", fault) is not None:
        return False
    if again_at is not None:
        start(home, "k", again_at)
    # Whoever comes next finds another version of the process: the run stays on its own.
    (home / "processes" / "soak.yaml").write_text(UPGRADED)
    accepted = _accepted(home)
    if not accepted:
        (home / "processes" / "soak.yaml").write_text(process)
    again = start_id(home) if accepted else start(home, "k")
    assert again is not None
    assert again["outcome"].replace(str(home), "") == undisturbed_at(undisturbed)
    effects = home / "effects"
    assert (effects / "once").read_text().count("once") == 1
    plain = (effects / "plain").read_text().count("plain")
    assert plain <= (2 if again_at is None else 3)
    assert ("plain" in again["repeated"]) >= (plain > 1), "what was repeated is told"
    assert set(again["repeated"]) <= {"plain"}
    with ContextPlane.open(home) as plane:
        events = plane.sql("acme", "SELECT count(*) AS n FROM events WHERE type = 'soak.told'")
        assert events["n"].to_pylist() == [1]
        id = plane.executions("acme")[0].id
        sealed = fold(id, plane._sealed("acme").records(id))
        assert sealed.outcome() == plane.execution(id).outcome()
    return True


def undisturbed_at(outcome: str) -> str:
    """An outcome without the folder of the home it ran in."""
    raw = json.loads(outcome)
    folder = raw["inputs"]["folder"].removesuffix("/effects")
    return outcome.replace(folder, "")


def _accepted(home: Path) -> bool:
    with ContextPlane.open(home) as plane:
        return bool(plane.engine.journal.heads("acme"))


def start_id(home: Path) -> dict[str, Any]:
    """Goes on with the execution there is, in this process."""
    with ContextPlane.open(home) as plane:
        id = plane.engine.journal.heads("acme")[0].id
        head = plane.engine.head(id)
        found = plane.engine.run(id) if head.status in ("accepted", "running") else plane.execution(id)
        plane.engine.seal()
        repeated = [step.id for step in found.steps.values() if step.repeated]
    assert found.process.version == 1
    return {"outcome": found.outcome().decode(), "repeated": repeated}


@pytest.mark.parametrize(("point", "nth"), SAMPLE)
def test_a_killed_run_goes_on(tmp_path: Path, point: str, nth: int, undisturbed: str) -> None:
    assert killed(tmp_path / "home", f"{point}:{nth}", undisturbed), "the boundary was not reached"


def test_the_sample_has_every_boundary() -> None:
    assert {point for point, _ in SAMPLE} == set(POINTS)


@pytest.mark.soak
@pytest.mark.parametrize("twice", [False, True], ids=["once", "twice"])
@pytest.mark.parametrize("point", [*POINTS, *OTHERS])
def test_every_kill_is_survived(
    tmp_path: Path, point: str, twice: bool, undisturbed_long: str, record_property: Any
) -> None:
    """Every time that a boundary is reached; and once more the second time that whoever goes on reaches it."""
    kills = 0
    for nth in range(1, MOST + 1):
        again_at = f"{point}:2" if twice else None
        if not killed(tmp_path / str(nth), f"{point}:{nth}", undisturbed_long, LONG, again_at):
            break
        kills += 1
    else:
        pytest.fail(f"{point} is reached more than {MOST} times")
    record_property("kills", kills)
    assert kills
