"""Executions as memory: what an acceptance says, and which execution an event comes from."""

from __future__ import annotations

from typing import Any

import pytest

from context_plane.processes.engine.chaining import begun, begun_id, ended, origin
from context_plane.processes.engine.journal import Head
from context_plane.processes.engine.records import Record
from context_plane.processes.engine.sealing import events

ONE, TWO = (f"acme.{digit * 24}" for digit in "12")
HEAD = Head("acme", TWO, "check", 1, "", "thing/a", "accepted", 1, 1)


def accepted(event: Any) -> Record:
    return Record(0, "accepted", 1, {"event": event})


@pytest.mark.parametrize(
    ("event", "found"),
    [
        ({"type": "x.y", "execution": ONE}, ONE),
        ({"type": "x.y", "execution": "nobody"}, None),
        ({"type": "x.y", "execution": 7}, None),
        ({"type": "x.y", "data": {"execution": ONE, "session": ONE}}, None),
        ({"type": "cortex.execution.finished", "data": {"execution": ONE}}, ONE),
        ({"type": "cortex.execution.record", "subject": f"execution/{'1' * 24}", "data": {"kind": "step"}}, ONE),
        ({"type": "cortex.memory.observation", "data": {"session": ONE}}, ONE),
        ({"type": "cortex.memory.observation", "data": {"session": "monday"}}, None),
        ({"type": "cortex.memory.observation", "data": None}, None),
        ({"type": "cortex.memory.link", "data": {"actor": "m-1", "target": "m-2"}}, None),
        ({}, None),
    ],
)
def test_an_event_says_which_execution_it_comes_from(event: dict[str, Any], found: str | None) -> None:
    """Of events that others wrote only the attribute counts: their data may hold anything."""
    assert origin(event, "acme") == found


def test_all_that_is_told_of_an_execution_comes_from_it() -> None:
    """From its acceptance to its end, whoever caused it."""
    done = {"step": "a", "status": "done", "output": "fine", "error": ""}
    records = [
        accepted({"id": "1", "type": "x.y", "execution": ONE}), Record(1, "step", 2, done),
        Record(2, "finished", 3, {"status": "failed", "reason": "so"}),
    ]  # fmt: skip
    told = [*events(HEAD, records, lambda: records), *ended(HEAD, records[-1], records)]
    assert {origin(event, "acme") for event in told} == {TWO}


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (None, "Process check 1 began"),
        ({}, "Process check 1 began"),
        ({"source": "s", "id": "1"}, "Process check 1 began, because of 1"),
        ({"type": "x.y", "data": "text"}, "Process check 1 began, because of x.y"),
        (
            {"type": "x.y", "id": "1", "data": {"text": "it is red"}},
            "Process check 1 began, because of x.y 1: it is red",
        ),
    ],
)
def test_an_acceptance_is_told_whatever_the_event_lacks(event: Any, text: str) -> None:
    (node,) = begun(HEAD, accepted(event))
    assert node["data"]["text"] == text


def test_what_another_tenants_run_caused_has_no_edge() -> None:
    """Edges are between nodes of one log."""
    mine = list(begun(HEAD, accepted({"type": "cortex.memory.decision", "id": "1", "data": {"session": ONE}})))
    assert [mine[1]["data"][name] for name in ("actor", "target")] == [begun_id(ONE), begun_id(TWO)]
    assert len(list(begun(HEAD, accepted({"type": "x", "id": "1", "execution": f"other.{'1' * 24}"})))) == 1
