"""Executions as the log keeps them, also of a log from which something was taken away."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from context_plane.plane import ContextPlane
from context_plane.processes.engine.sealed import Sealed
from context_plane.processes.engine.sealing import entity_of
from tests.knowledge.log import erase, rewrite

PROCESS = """
process: check
version: 1
steps: [{id: a, action: note}, {id: b, action: note, breakpoint: true}]
"""


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[ContextPlane]:
    (tmp_path / "processes").mkdir()
    (tmp_path / "processes" / "check.yaml").write_text(PROCESS)
    with ContextPlane.open(tmp_path, embedder="none") as opened:
        yield opened


def lost(plane: ContextPlane) -> ContextPlane:
    """The plane of the same home without its state."""
    plane.close()
    shutil.rmtree(plane.settings.home / "state")
    return ContextPlane.open(plane.settings.home, embedder="none")


def paused(plane: ContextPlane) -> str:
    """An execution whose first records are in the log, and which is not over."""
    found = plane.run("check", tenant="acme")
    assert found.status == "paused"
    plane.engine.seal()
    return found.id


def test_an_erased_execution_is_not_there(plane: ContextPlane) -> None:
    """The others of the tenant still are, and whoever lost the state can list them."""
    gone, kept = paused(plane), paused(plane)
    erase(plane.store, "acme", entity_of(gone))
    with lost(plane) as other:
        assert [head.id for head in other.executions("acme")] == [kept]
        sealed = Sealed(other._tenant("acme").history)
        assert (sealed.records(gone), sealed.like(gone), sealed.ids()) == ([], None, [kept])
        assert sealed.like(kept[:-8]) == kept


def test_of_an_execution_that_was_erased_while_it_ran_there_are_no_records(plane: ContextPlane) -> None:
    """What came after the erasure is half of a story: none of it is told."""
    half, kept = paused(plane), paused(plane)
    erase(plane.store, "acme", entity_of(half))
    plane.resume(half)
    plane.engine.seal()
    with lost(plane) as other:
        sealed = Sealed(other._tenant("acme").history)
        assert (sealed.records(half), sealed.like(half), sealed.ids()) == ([], None, [kept])
        assert [head.id for head in other.executions("acme")] == [kept]


def test_a_rewrite_leaves_an_execution_as_it_was(plane: ContextPlane) -> None:
    """Its records lie in other segments; where they are taken back, it is gone. A reader who was there sees the same as
    one who comes."""
    id = paused(plane)
    sealed = Sealed(plane._tenant("acme").history)
    before = sealed.records(id)
    assert before
    rewrite(plane.store, "acme", entity_of(id))
    fresh = Sealed(plane._tenant("acme").history)
    assert sealed.records(id) == fresh.records(id) == before
    assert sealed.ids() == fresh.ids() == [id]
    rewrite(plane.store, "acme", entity_of(id), keep=False)
    assert (sealed.records(id), sealed.ids(), sealed.like(id)) == ([], [], None)
