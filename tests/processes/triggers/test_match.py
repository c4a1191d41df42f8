"""Which events fit a trigger, and which process runs for an interface."""

from __future__ import annotations

from typing import Any

import pytest

from context_plane.errors import Infeasible, NotFound
from context_plane.processes.linked import Dispatch, LinkedProcess
from context_plane.processes.triggers.dispatch import dispatch
from context_plane.processes.triggers.match import matches

EVENT = {
    "source": "ci", "type": "ci.run", "subject": "repository/acme",
    "data": {"status": "failure", "attempt": 2, "flaky": False, "labels": ["a", "b"], "log": {"path": "x/y.txt"},
             "source": "inner", "a.b": 1, "nothing": None},
}  # fmt: skip


@pytest.mark.parametrize(
    ("match", "fits"),
    [
        ({}, True),
        ({"source": "ci", "status": "failure"}, True),
        ({"source": "ci", "status": "success"}, False),
        ({"type": "ci.*"}, True),
        ({"type": ["cd.*", "ci.*"]}, True),
        ({"subject": "repository/*"}, True),
        ({"subject": "repository/a?me"}, True),
        ({"subject": "repository/[b-z]*"}, False),
        ({"attempt": 2}, True),
        ({"attempt": 2.0}, True),
        ({"attempt": "2"}, False),
        ({"attempt": True}, False),
        ({"flaky": False}, True),
        ({"flaky": 0}, False),
        ({"labels": "b"}, True),
        ({"labels": ["x", "b"]}, True),
        ({"labels": "c"}, False),
        ({"log.path": "x/*"}, True),
        ({"log": "x/*"}, False),
        ({"data.source": "inner"}, True),
        ({"a.b": 1}, True),
        ({"nothing": None}, True),
        ({"gone": None}, False),
        ({"gone": "*"}, False),
        ({"status": "*"}, True),
        ({"attempt": "*"}, False),
    ],
)
def test_every_key_must_fit(match: dict[str, Any], fits: bool) -> None:
    assert matches(match, EVENT) is fits


def test_own_events_only_fit_triggers_that_name_them() -> None:
    """A glob over everything is not meant to react to the plane's own records."""
    own = {**EVENT, "type": "cortex.execution.finished"}
    assert not matches({"type": "*"}, own)
    assert not matches({"source": "ci"}, own)
    assert matches({"type": "cortex.execution.*"}, own)
    assert matches({"type": ["ci.*", "cortex.execution.finished"]}, own)


def test_an_interface_runs_the_process_that_fits_and_is_preferred() -> None:
    """Conditions first, then what the caller prefers, then preference, then the name."""
    bug = LinkedProcess("fix_bug", 1, dispatch=Dispatch({"kind": "bug"}, 5))
    feature = LinkedProcess("add_feature", 1, dispatch=Dispatch({"kind": "feature"}))
    plain = LinkedProcess("any_change", 1)
    also = LinkedProcess("also", 1)
    base = LinkedProcess("base", 1, abstract=True)
    found = dispatch("code_change", [bug, feature, plain, also, base], None, {"kind": "bug"})
    assert (found.process.name, found.why) == ("fix_bug", "preference 5")
    assert found.others["base"] == "it is abstract"
    assert "does not fit" in found.others["add_feature"]
    assert dispatch("code_change", [bug, plain, also], None, {}).process.name == "also"
    assert dispatch("code_change", [bug, plain, also], None, {}, prefer="any_change").process.name == "any_change"
    assert dispatch("code_change", [bug], {"data": {"kind": "bug"}}, {}).process.name == "fix_bug"
    with pytest.raises(Infeasible, match=r"fix_bug: its condition \{'kind': 'bug'\} does not fit"):
        dispatch("code_change", [bug], None, {"kind": "chore"})
    with pytest.raises(NotFound, match="no process implements code_change"):
        dispatch("code_change", [], None, {})
