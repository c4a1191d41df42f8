"""Fault points: the table, the counting, and that each of the store's own kills where it says."""

from __future__ import annotations

import signal

import pytest

from context_plane.store.faults import FAULT_POINTS, VARIABLE, reach
from context_plane.store.local import LocalStore
from tests.store.conftest import Run

REACHER = """
import sys
from context_plane.store.faults import reach
for name in sys.argv[1:]:
    reach(name)
    print(name, flush=True)
"""
CREATOR = """
import sys
from context_plane.store.local import LocalStore
LocalStore(sys.argv[1]).create("tenants/a/log/1", b"record")
"""


def test_unknown_points_are_a_programming_error() -> None:
    """A name that is not in the table raises AssertionError, whether or not a fault is asked for."""
    with pytest.raises(AssertionError, match="nowhere"):
        reach("nowhere")


def test_nothing_happens_unless_asked_for() -> None:
    """Without the variable every point is passed."""
    for name in FAULT_POINTS:
        reach(name)


@pytest.mark.parametrize("name", list(FAULT_POINTS))
def test_each_point_kills_when_named(name: str, run_python: Run) -> None:
    """The named point kills with SIGKILL at its first passing; what came before it was passed."""
    other = next(point for point in FAULT_POINTS if point != name)
    process = run_python(REACHER, other, name, other, **{VARIABLE: name})
    assert process.communicate()[0].split() == [other]
    assert process.returncode == -signal.SIGKILL


def test_the_third_time_can_be_asked_for(run_python: Run) -> None:
    """`name:3` passes twice and kills at the third time."""
    name = "ingest.committed"
    process = run_python(REACHER, *[name] * 5, **{VARIABLE: f"{name}:3"})
    assert process.communicate()[0].split() == [name] * 2
    assert process.returncode == -signal.SIGKILL


def test_killed_before_the_link_nothing_is_visible(tmp_path: object, run_python: Run) -> None:
    """The temporary file is in no listing, and the number is free."""
    process = run_python(CREATOR, str(tmp_path), **{VARIABLE: "store.create-temp-written"})
    assert process.wait() == -signal.SIGKILL
    store = LocalStore(str(tmp_path))
    assert list(store.list("")) == []
    assert store.children("") == []
    assert store.create("tenants/a/log/1", b"another")


def test_killed_after_the_link_the_record_is_whole(tmp_path: object, run_python: Run) -> None:
    """The record is there with all its bytes, and the retry finds it."""
    process = run_python(CREATOR, str(tmp_path), **{VARIABLE: "store.create-linked"})
    assert process.wait() == -signal.SIGKILL
    store = LocalStore(str(tmp_path))
    assert store.get("tenants/a/log/1") == b"record"
    assert not store.create("tenants/a/log/1", b"another")
