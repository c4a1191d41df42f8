"""Amending: a version may be written anew as long as no run has used it, wherever that is known from."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from context_plane.errors import Conflict
from context_plane.plane import ContextPlane

ONE = "process: one\nversion: 1\nsteps: [{id: s, action: note, inputs: {said: first}}]\n"
OTHER = ONE.replace("process: one", "process: other")
BASE = ONE.replace("version: 1", "version: 1\nabstract: true")
KID = "process: kid\nversion: 1\nextends: one\n"


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[ContextPlane]:
    (tmp_path / "processes").mkdir()
    with ContextPlane.open(tmp_path) as plane:
        yield plane


def put(plane: ContextPlane, *documents: str) -> None:
    (plane.settings.process_folder / "all.yaml").write_text("---\n".join(documents))


def edited(document: str) -> str:
    """The same version with something else in it."""
    return document.replace("said: first", "said: second")


def records(plane: ContextPlane) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (plane.settings.process_folder / ".compiled").glob("*.json")}


def refused(plane: ContextPlane, message: str, remedy: str) -> None:
    before = records(plane)
    assert plane.processes().reused
    with pytest.raises(Conflict, match=message) as error:
        plane.check_processes(amend=True)
    assert error.value.remedy == remedy
    assert records(plane) == before


def amended(plane: ContextPlane) -> None:
    assert plane.processes().reused
    assert plane.check_processes(amend=True).diagnostics == ()
    assert not plane.processes().reused


def test_an_older_version_that_a_run_used_is_not_amended(plane: ContextPlane) -> None:
    """It is looked for under its own number, not the highest that there is; and one that no run used is amended."""
    put(plane, ONE)
    plane.run("one", tenant="acme")
    put(plane, ONE.replace("version: 1", "version: 2"))
    plane.processes()
    put(plane, edited(ONE))
    refused(plane, r"version 1 of one was run by acme\.[0-9a-f]{24} \(", "set version: 3")
    put(plane, edited(ONE).replace("version: 1", "version: 2"))
    assert plane.processes().reused == {"one": 2}
    amended(plane)


def test_a_parent_of_what_ran_is_not_amended(plane: ContextPlane) -> None:
    """Runs are pinned to what they inherit, too."""
    put(plane, BASE, KID)
    run = plane.run("kid", tenant="acme")
    put(plane, edited(BASE), KID)
    refused(plane, rf"version 1 of one was run by {run.id}, as a parent of kid", "set version: 2")
    put(plane, edited(BASE).replace("version: 1", "version: 2"), KID)
    assert plane.run("kid", tenant="acme").process.lineage == (("one", 2),)


def test_what_else_is_in_the_file_does_not_matter(plane: ContextPlane) -> None:
    """A process that ran keeps no other of its file from being amended."""
    put(plane, OTHER, ONE)
    plane.run("other", tenant="acme")
    put(plane, OTHER, edited(ONE))
    amended(plane)
    put(plane, edited(OTHER), edited(ONE))
    refused(plane, "version 1 of other was run by", "set version: 2")


@pytest.mark.parametrize("lost", ["state", "store"])
def test_runs_that_only_the_log_or_only_the_state_knows_count(tmp_path: Path, lost: str) -> None:
    """Whatever was restored of a home, no version that ran is written anew."""
    (tmp_path / "processes").mkdir()
    with ContextPlane.open(tmp_path) as plane:
        put(plane, ONE)
        plane.run("one", tenant="acme")
    shutil.rmtree(tmp_path / lost)
    with ContextPlane.open(tmp_path) as plane:
        put(plane, edited(ONE))
        refused(plane, "version 1 of one was run by acme", "set version: 2")


def test_what_no_run_used_is_amended_with_its_children(plane: ContextPlane) -> None:
    put(plane, BASE, KID, OTHER)
    plane.run("other", tenant="acme")
    put(plane, edited(BASE), KID, OTHER)
    amended(plane)
    assert plane.process("kid").steps[0].inputs == {"said": "second"}
    assert plane.process_history("kid")[0].digest == plane.process("kid").digest
