"""Actions on the plane, on a real one: what is ingested and remembered once stays once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from context_plane import ContextPlane
from context_plane.errors import Conflict, ContextPlaneError, InputError
from context_plane.processes.registry.builtin import plane as actions
from context_plane.processes.registry.handler import StepFailure
from tests.processes.registry.world import do

EVENTS = [{"type": "ci.fixed", "data": {"text": "The build is green again", "by": "fix"}}, {"type": "ci.told"}]


@pytest.fixture
def plane(tmp_path: Path) -> Any:
    with ContextPlane.open(tmp_path / "home") as found:
        yield found


def rows(plane: ContextPlane, entity: str = "build/1") -> list[dict[str, Any]]:
    return plane.timeline("acme", entity).to_pylist()


def test_events_are_ingested_as_the_runs(tmp_path: Path, plane: ContextPlane) -> None:
    """About its entity, from its process, with its execution; ids follow from the key."""
    found = do("ingest", tmp_path, {"events": EVENTS}, plane=plane)
    assert found == {"accepted": 2, "duplicates": 0, "ids": ["e1/it/0", "e1/it/1"]}
    first, second = rows(plane)
    assert (first["id"], first["source"], first["type"], first["entity"]) == (
        "e1/it/0",
        "process/fix",
        "ci.fixed",
        "build/1",
    )
    assert first["attributes"] == '{"execution":"e1"}'
    assert first["text"] == "The build is green again"
    assert first["time"] == second["time"]


def test_a_repetition_ingests_nothing(tmp_path: Path, plane: ContextPlane, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though it is later by then; the output is the same. Another step ingests again."""
    first = do("ingest", tmp_path, {"events": EVENTS}, plane=plane)
    monkeypatch.setattr(actions, "now", lambda: 1_900_000_000_000_000)
    assert do("ingest", tmp_path, {"events": EVENTS}, plane=plane) == first
    assert len(rows(plane)) == 2
    do("ingest", tmp_path, {"events": EVENTS}, plane=plane, key="e1/other")
    assert len(rows(plane)) == 4


def test_another_process_that_came_first_is_no_error(tmp_path: Path, plane: ContextPlane) -> None:
    """The counts are those of what it ingested."""
    calls: list[str] = []

    class Racing:
        def ingest(self, *args: Any, **how: Any) -> Any:
            calls.append(how["batch_id"])
            if len(calls) == 1:
                plane.ingest(*args, **how)
                raise Conflict("was committed by another process")
            return plane.ingest(*args, **how)

    assert do("ingest", tmp_path, {"events": EVENTS}, plane=Racing())["accepted"] == 2
    assert (len(rows(plane)), calls[0] == calls[1]) == (2, True)


def test_events_say_what_is_theirs_to_say(tmp_path: Path, plane: ContextPlane) -> None:
    """Subject, time, labels, and the source of all."""
    event = {"type": "a.b", "subject": "x/y", "time": "2026-01-01T00:00:00Z", "labels": ["pii"], "team": "core"}
    do("ingest", tmp_path, {"events": [event], "source": "ci"}, plane=plane)
    (row,) = rows(plane, "x/y")
    assert (row["source"], row["labels"], row["attributes"]) == ("ci", ["pii"], '{"execution":"e1","team":"core"}')


@pytest.mark.parametrize(
    ("inputs", "says"),
    [
        ({}, "events is None"),
        ({"events": []}, "list of 1 to"),
        ({"events": "x"}, "list of 1 to"),
        ({"events": ["x"]}, "'x' is no event"),
        ({"events": [{"type": "a.b", "id": "1"}]}, "id is not an event's to say"),
        ({"events": [{"type": "a.b", "source": "x"}]}, "source is not an event's to say"),
        ({"events": [{"type": "a.b", "execution": "x"}]}, "execution is not an event's to say"),
        ({"events": [{"data": {}}]}, "type is missing"),
        ({"events": [{"type": "cortex.memory.decision"}]}, "is reserved"),
        ({"events": EVENTS, "source": "cortex/memory"}, "is reserved"),
    ],
)
def test_bad_events_are_refused(tmp_path: Path, plane: ContextPlane, inputs: dict[str, Any], says: str) -> None:
    """All of them, and nothing is stored."""
    with pytest.raises(ContextPlaneError, match=says):
        do("ingest", tmp_path, inputs, plane=plane)
    assert plane.tenants() == []


def test_what_is_remembered_is_remembered_once(tmp_path: Path, plane: ContextPlane) -> None:
    """With its session and origin; a repetition is the same node, later too."""
    inputs = {"content": "The cache was stale", "type": "decision", "about": ["repo/app"], "confidence": 0.5}
    first = do("remember", tmp_path, inputs, plane=plane)
    assert do("remember", tmp_path, inputs, plane=plane) == first
    (node,) = plane.nodes("acme", entity="build/1")
    assert first == {"id": node.id, "entity": "build/1", "type": "decision", "text": "The cache was stale"}
    assert (node.session, node.kept.origin, node.about, node.confidence) == ("e1", "process/fix", ("repo/app",), 0.5)
    other = do("remember", tmp_path, inputs, plane=plane, key="e1/other")
    assert other["id"] != first["id"]


def test_memories_are_linked(tmp_path: Path, plane: ContextPlane) -> None:
    """By ids of others; one that is not there is an error."""
    first = do("remember", tmp_path, {"content": "It is slow", "entity": "repo/app"}, plane=plane)
    inputs = {"content": "It is fast now", "entity": "repo/app", "supersedes": [first["id"]]}
    second = do("remember", tmp_path, inputs, plane=plane, key="k2")
    assert [node.id for node in plane.nodes("acme", entity="repo/app")] == [second["id"]]
    with pytest.raises(ContextPlaneError, match="there is no memory"):
        do("remember", tmp_path, {"content": "x", "led_to": ["gone"]}, plane=plane, key="k3")
    with pytest.raises(InputError, match="content is ''"):
        do("remember", tmp_path, {"content": ""}, plane=plane)


def test_search_and_recall(tmp_path: Path, plane: ContextPlane) -> None:
    """What was found, as JSON, with long texts cut."""
    long = {"type": "ci.log", "data": {"text": "error " * 1_000}}
    do("ingest", tmp_path, {"events": [*EVENTS, long]}, plane=plane)
    do("remember", tmp_path, {"content": "The build is flaky on Mondays"}, plane=plane)
    (hit,) = do("search", tmp_path, {"query": "green build", "type": "ci.fixed"}, plane=plane)["hits"]
    assert (hit["event_id"], hit["entity"], hit["text"]) == ("e1/it/0", "build/1", "The build is green again")
    (log,) = do("search", tmp_path, {"query": "error", "type": ["ci.log"], "k": 1}, plane=plane)["hits"]
    assert (len(log["text"]), log["text"][-1]) == (1_000, "…")
    (memory,) = do("recall", tmp_path, {"query": "flaky build", "entity": "build/1"}, plane=plane)["memories"]
    assert (memory["text"], memory["type"]) == ("The build is flaky on Mondays", "observation")
    assert do("recall", tmp_path, {"query": "flaky", "entity": "build/2"}, plane=plane) == {"memories": []}
    for inputs in ({"query": ""}, {"query": "x", "k": 51}, {"query": "x", "entity": 3}):
        with pytest.raises(InputError):
            do("search", tmp_path, inputs, plane=plane)


def test_drafts(tmp_path: Path) -> None:
    """One does nothing, one fails, and a command without one is told."""
    assert do("note", tmp_path, {"a": [1]}) == {"a": [1]}
    with pytest.raises(StepFailure, match="not today") as caught:
        do("fail", tmp_path, {"reason": "not today", "retryable": True})
    assert caught.value.retryable
    with pytest.raises(StepFailure, match="the process says so") as caught:
        do("fail", tmp_path)
    assert not caught.value.retryable
    with pytest.raises(StepFailure, match="there is no command"):
        do("run", tmp_path)
    assert do("run", tmp_path, run=["printf", "x"])["stdout"] == "x"
