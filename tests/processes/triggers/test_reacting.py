"""What events set off: through the façade, on a real log."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from context_plane.plane import ContextPlane
from context_plane.processes.triggers.watching import MOST_DEEP, depth

CHANGES = """
interface: changing
version: 1
required_steps: [{id: look}]
trigger: {type: event, match: {source: ci, type: [ci.run, "cd.*"]}}
---
process: for_bugs
version: 1
implements: changing
dispatch: {when: {kind: bug}, preference: 5}
steps: [{id: look, action: note}]
---
process: for_all
version: 1
implements: changing
steps: [{id: look, action: note}]
"""
RELAY = """
process: relay
version: 1
trigger: {type: event, match: {source: relay, type: relay.ping}}
steps: [{id: pass_on, action: pass_on}]
"""
ACTIONS = '''
"""An action that writes what sets its own process off, which no compiler can see."""

from context_plane.processes import action


@action("pass_on", keyed=True)
def pass_on(step):
    event = {
        "id": step.key.replace("/", "-"), "source": "relay", "type": "relay.ping", "subject": "thing/a",
        "time": "2026-03-01T09:00:00Z", "execution": step.execution,
    }
    step.plane.ingest(step.tenant, [event])
    return 1
'''


def event(number: int, **changed: Any) -> dict[str, Any]:
    return {
        "id": str(number), "source": "ci", "type": "ci.run", "subject": "repository/acme",
        "time": "2026-03-01T09:00:00Z", "data": {"kind": "bug"}, **changed,
    }  # fmt: skip


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[ContextPlane]:
    folder = tmp_path / "processes"
    folder.mkdir()
    (folder / "changes.yaml").write_text(CHANGES)
    (folder / "relay.yaml").write_text(RELAY)
    (folder / "acts.py").write_text(ACTIONS)
    with ContextPlane.open(tmp_path, embedder="none") as opened:
        yield opened


def test_an_interface_is_triggered_and_dispatches(plane: ContextPlane, tmp_path: Path) -> None:
    """The process that fits the event runs; the event runs once, also where another would be chosen later."""
    plane.ingest("acme", [event(1), event(2, data={"kind": "chore"}), event(3, type="cd.deploy"), event(4, type="x.y")])
    found = plane.react("acme", 0)
    assert sorted(head.process for head in found.accepted) == ["for_all", "for_bugs", "for_bugs"]
    assert found.refused == ()
    text = CHANGES.replace("preference: 5", "preference: -5").replace(
        "version: 1\nimplements", "version: 2\nimplements"
    )
    (tmp_path / "processes" / "changes.yaml").write_text(text)
    again = plane.react("acme", 0)
    assert (again.accepted, again.known) == ((), 3)


def test_a_process_reacts_from_when_it_was_first_seen(plane: ContextPlane) -> None:
    """The log remembers when that was: who has no place in it goes on from there, and finds what there is."""
    plane.ingest("acme", [event(1)])
    assert plane.react("acme").accepted == ()
    plane.ingest("acme", [event(2)])
    assert len(plane.react("acme").accepted) == 1
    with ContextPlane.open(plane.settings.home, embedder="none") as other:
        assert (other.react("acme").accepted, other.react("acme").known) == ((), 1)


def test_runs_that_set_each_other_off_for_ever_are_refused(plane: ContextPlane) -> None:
    """What a compiler cannot see is stopped after so many in a row, and said."""
    plane.ingest("acme", [event(1, source="relay", type="relay.ping", subject="thing/a")])
    number, ran = 0, 0
    while True:
        found = plane.react("acme", number)
        number = found.number
        if not found.accepted:
            break
        for head in found.accepted:
            ran += 1
            assert plane.engine.run(head.id).status == "succeeded"
        assert ran < 50
    assert ran == MOST_DEEP + 1
    assert f"set each other off {MOST_DEEP} times in a row" in found.refused[0]


def test_depth_counts_the_runs_before_an_event() -> None:
    chain = {"acme.2": {"execution": "acme.1"}, "acme.1": {}}
    assert depth({}, chain.get) == 0
    assert depth({"execution": "acme.2"}, chain.get) == 2
    assert depth({"execution": "acme.9"}, chain.get) == 1
    circle = {"acme.1": {"execution": "acme.1"}}
    assert depth({"execution": "acme.1"}, circle.get) == MOST_DEEP + 1
