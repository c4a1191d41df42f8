"""kill -9 at every persistence boundary: nothing acknowledged is lost or half visible, and the next run finishes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from context_plane.memory.chains.kind import TABLE
from context_plane.plane import ContextPlane
from context_plane.retrieval.building.lance import open_table
from context_plane.store import keys
from context_plane.store.faults import FAULT_POINTS, VARIABLE
from tests.faults.worker import PACKAGE, SOURCE, SPEC

REPOSITORY = Path(__file__).parents[2]
INGEST = sorted(name for name in FAULT_POINTS if name.startswith(("ingest.", "store.")))
MATERIALIZE = sorted(name for name in FAULT_POINTS if not name.startswith(("ingest.", "package.", "execution.")))
PACKAGE_BUILD = sorted(name for name in FAULT_POINTS if name.startswith("package."))


def start(home: Path, *job: str, fault: str | None = None) -> subprocess.Popen[str]:
    env = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    if fault is not None:
        env[VARIABLE] = fault
    command = [sys.executable, "-m", "tests.faults.worker", str(home), *job]
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=REPOSITORY)


def run(home: Path, *job: str, fault: str | None = None) -> dict[str, Any] | None:
    """What the job acknowledged; `None` where the fault killed it. Any other end fails the test."""
    process = start(home, *job, fault=fault)
    out, err = process.communicate(timeout=120)
    if fault is not None and process.returncode == -signal.SIGKILL:
        return None
    assert process.returncode == 0, err
    answer: dict[str, Any] = json.loads(out)
    return answer


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Path:
    """A home; with a model where the test is killed amid vectors, with links where it is amid these: each process takes
    a second or two to load what they need."""
    files = {"contexts/customer_context_v0.yaml": SPEC}
    if "embeddings." in request.node.name or "index." in request.node.name:
        monkeypatch.setenv("CONTEXT_PLANE_EMBEDDER", "wordllama")
    if "memory." in request.node.name or "lance." in request.node.name:
        files["sources/test.yaml"] = SOURCE
    for name, text in files.items():
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(text)
    return tmp_path


def seen(home: Path) -> list[int]:
    """Numbers of the events that a new process sees."""
    with ContextPlane.open(home) as plane:
        return sorted(plane.sql("acme", "SELECT id::INT AS n FROM events").column("n").to_pylist())


def bundles(home: Path) -> dict[str, bytes]:
    with ContextPlane.open(home) as plane:
        return {bundle.entity: bundle.json for bundle in plane.bundles("acme", "customer_context_v0")}


def hits(home: Path) -> list[list[dict[str, Any]]]:
    """What searches find, by words, by meaning and by both."""
    with ContextPlane.open(home) as plane:
        return [
            [hit.to_json() for hit in plane.search("acme", "number 42", mode=mode, k=100)]
            for mode in (("bm25", "vector", "hybrid") if plane.settings.embedder != "none" else ("bm25",))
        ]


def chains(home: Path) -> list[tuple[str, list[dict[str, Any]]]]:
    """What came before each customer."""
    with ContextPlane.open(home) as plane:
        entities = plane.entities("acme")
        return [(entity, plane.chain("acme", entity).to_dict()["steps"]) for entity in entities]


def tabled(home: Path) -> list[tuple[int, str]]:
    """Event and target of each link that the table of chains has."""
    with ContextPlane.open(home) as plane:
        table = open_table(plane.store, "acme", TABLE)
        rows = [] if table is None else table.to_arrow().to_pylist()
    return sorted((int(row["id"]), row["target"]) for row in rows)


@pytest.mark.parametrize("point", INGEST)
def test_killed_ingest(home: Path, point: str) -> None:
    """The killed batch is there whole or not at all, earlier ones are there, and sending it again makes it exact."""
    # 30 events per batch: enough for a list and a run of ids of their own; the second commit writes a checkpoint.
    assert run(home, "ingest", "0", "30") is not None
    nth = 2 if point.startswith("store.") else 1  # the first numbered object is that of the store's probe
    assert run(home, "ingest", "30", "60", fault=f"{point}:{nth}") is None, f"{point} was not reached"
    before = seen(home)
    assert before in (list(range(30)), list(range(60)))
    again = run(home, "ingest", "30", "60")
    assert again is not None
    assert again["accepted"] + again["duplicates"] == 30
    assert again["accepted"] == 60 - len(before)
    assert seen(home) == list(range(60))


@pytest.mark.parametrize("point", MATERIALIZE)
def test_killed_materialization(home: Path, tmp_path_factory: pytest.TempPathFactory, point: str) -> None:
    """Readers see and find everything before, after and in between, as after a run that nobody killed."""
    run(home, "ingest", "0", "60")
    run(home, "materialize")
    run(home, "ingest", "60", "90")
    expected, found, told = bundles(home), hits(home), chains(home)
    assert {len(each) for each in found} == {90}
    linked = [(n, f"customer/{n % 7}") for n in range(90) if n % 5 != n % 7] if (home / "sources").exists() else []
    assert all(bool(steps) == bool(linked) for _, steps in told)
    if point == "lance.turn-taken":  # as where a table was damaged
        shutil.rmtree(home / "store" / keys.lance("acme"))
    nth = 2 if point.startswith("store.") else 1
    assert run(home, "materialize", fault=f"{point}:{nth}") is None, f"{point} was not reached"
    assert seen(home) == list(range(90))
    assert (bundles(home), hits(home), chains(home)) == (expected, found, told)
    run(home, "materialize")
    assert (bundles(home), hits(home), chains(home)) == (expected, found, told)
    assert tabled(home) == linked
    with ContextPlane.open(home) as plane:
        assert not plane.builder("acme").stale()
        snapshot = plane.snapshot("acme")
        assert snapshot is not None
        assert snapshot.log == 2


@pytest.mark.parametrize("point", PACKAGE_BUILD)
def test_killed_package_build(home: Path, point: str) -> None:
    """Readers are served the package as it is, whatever of it was kept; the next build keeps one version more."""
    (home / "packages").mkdir()
    (home / "packages" / "numbers.yaml").write_text(PACKAGE)
    run(home, "ingest", "0", "30")
    assert run(home, "package") == {"team/numbers": True}
    run(home, "ingest", "30", "60")

    def text() -> str:
        with ContextPlane.open(home) as plane:
            return plane.package("acme", "team/numbers").text

    expected = text()
    assert run(home, "package", fault=point) is None, f"{point} was not reached"
    assert text() == expected
    run(home, "package")
    assert text() == expected
    with ContextPlane.open(home) as plane:
        assert plane.packages("acme")[0].freshness.state == "fresh"
        assert plane.verify_package("acme", "team/numbers").equal


def test_four_processes_ingest_overlapping_batches(home: Path) -> None:
    """Accepted counts add up to the distinct events, duplicates to the rest, and each event is there once."""
    workers = [start(home, "overlapping", str(n), "6") for n in range(4)]
    answers = []
    for worker in workers:
        out, err = worker.communicate(timeout=120)
        assert worker.returncode == 0, err
        answers.append(json.loads(out))
    distinct = 6 * 40 + 20
    assert sum(answer["accepted"] for answer in answers) == distinct
    assert sum(answer["duplicates"] for answer in answers) == 4 * 6 * 40 - distinct
    assert seen(home) == list(range(distinct))


def test_processes_killed_at_random_while_others_write(home: Path) -> None:
    """Survivors' acknowledgements hold, and the log has no gap."""
    doomed = [
        start(home, "overlapping", "0", "30", fault=f"{point}:3")
        for point in ("ingest.ids-written", "ingest.committed")
    ]
    living = start(home, "overlapping", "1", "8")
    _, err = living.communicate(timeout=120)
    assert living.returncode == 0, err
    for process in doomed:
        process.communicate(timeout=120)
        assert process.returncode == -signal.SIGKILL
    found = seen(home)
    assert len(found) == len(set(found))
    assert set(range(20, 20 + 8 * 40)) <= set(found)
