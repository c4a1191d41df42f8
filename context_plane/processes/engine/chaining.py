"""Chaining: executions as memory, so that runs become context (seed 001, section 6.3).

An execution is two nodes about its entity, what was begun and what came of it, and `led_to` between them; one that a
run of another process set off follows from that. Here belong these nodes, and which execution an event comes from;
that they are in the log is `sealing`'s.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from context_plane.log.events import EXECUTION
from context_plane.memory.nodes.node import LINK, PREFIX, Edge, Kept, link_event, link_id
from context_plane.processes.engine.journal import Head
from context_plane.processes.engine.records import Record

LED_TO: Final = "led_to"
_TOLD: Final = "cortex.execution."
_ID: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}\.[0-9a-f]{24}")
_BEGUN: Final = re.compile(r"x-([0-9a-f]{24})(?:-[0-9]+)?")
_MOST: Final = 1_000
_EACH: Final = 200


def begun_id(execution: str) -> str:
    """The id of the node that says that an execution began."""
    return f"x-{execution.partition('.')[2]}"


def origin(event: Mapping[str, Any], tenant: str) -> str | None:
    """The execution that wrote an event of a tenant's log, as far as the event says: what runs ingest has the attribute
    `execution`, what is told of runs names them, what runs remember has them for its session. `None` for others."""
    named = event.get("execution")
    if named is None:
        named = _origin_of_own(event, tenant)
    return named if isinstance(named, str) and _ID.fullmatch(named) else None


def _origin_of_own(event: Mapping[str, Any], tenant: str) -> Any:
    type_, given = str(event.get("type", "")), event.get("data")
    data = given if isinstance(given, Mapping) else {}
    if type_ == EXECUTION:
        return f"{tenant}.{str(event.get('subject', '')).removeprefix('execution/')}"
    if type_.startswith(_TOLD):
        return data.get("execution")
    if type_ == LINK:  # an execution links to its own nodes: to its begin from its cause, to its end from its begin
        match = _BEGUN.fullmatch(str(data.get("target", "")))
        return f"{tenant}.{match[1]}" if match else None
    return data.get("session") if type_.startswith(PREFIX) else None


def begun(head: Head, record: Record) -> Iterator[dict[str, Any]]:
    """What an acceptance adds: the node, and that it follows from the run which wrote the event that set it off."""
    event = record.body["event"] or {}
    which = " ".join(str(event[name]) for name in ("type", "id") if name in event)
    because = f", because of {which}{_said(event)}" if which else ""
    text = f"Process {head.process} {head.version} began{because}"
    yield _node(begun_id(head.id), head, "observation", text, record).event()
    cause = origin(event, head.tenant)
    if cause is not None and cause.startswith(f"{head.tenant}."):
        yield _edge(begun_id(cause), begun_id(head.id), head, record)


def ended(head: Head, record: Record, records: Sequence[Record]) -> Iterator[dict[str, Any]]:
    """What an end adds: what came of it, in the place of that it began; one that was resumed ends again, in the place
    of its end before."""
    before = [each.seq for each in records if each.kind == "finished" and each.seq < record.seq]
    links = (("supersedes", _end_id(head.id, before[-1]) if before else begun_id(head.id)),)
    reason = f": {record.body['reason']}" if record.body["reason"] else ""
    steps = "; ".join(_step(each.body) for each in records if each.kind == "step" and each.seq < record.seq)
    text = f"Process {head.process} {head.version} {record.body['status']}{reason}" + (f". {steps}" if steps else "")
    node = _node(_end_id(head.id, record.seq), head, "outcome", text[:_MOST], record, links)
    yield node.event()
    yield _edge(begun_id(head.id), node.id, head, record)


def _end_id(execution: str, seq: int) -> str:
    return f"{begun_id(execution)}-{seq}"


def _node(id: str, head: Head, type: str, text: str, record: Record, links: tuple[tuple[str, str], ...] = ()) -> Kept:
    return Kept(id, head.entity, type, text, record.at, record.at, session=head.id, origin="cortex", links=links)


def _edge(actor: str, target: str, head: Head, record: Record) -> dict[str, Any]:
    return link_event(Edge(record.at, actor, LED_TO, target, link_id(actor, LED_TO, target)), head.entity, record.at)


def _step(body: Mapping[str, Any]) -> str:
    said = summary(body["output"]) or body["error"]
    return f"{body['step']}{f': {said[:_EACH]}' if said else ''}"


def summary(output: Any) -> str:
    """What an output says in words, if it does."""
    if isinstance(output, Mapping):
        output = output.get("summary") or output.get("text")
    return " ".join(output.split()) if isinstance(output, str) else ""


def _said(event: Mapping[str, Any]) -> str:
    data = event.get("data")
    text = data.get("text") if isinstance(data, Mapping) else None
    return f": {' '.join(text.split())[:_EACH]}" if isinstance(text, str) and text.strip() else ""
