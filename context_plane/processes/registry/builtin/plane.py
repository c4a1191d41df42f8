"""Actions on the plane itself: events in, memory in, and what is found out of both."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from context_plane.errors import Conflict, InputError
from context_plane.instants import format_instant, now
from context_plane.processes.linked import Declared
from context_plane.processes.registry.builtin.given import named, number, text, texts, whole
from context_plane.processes.registry.decorators import action
from context_plane.processes.registry.handler import Step

EXECUTION: Final = "execution"
"""CloudEvents attribute of what a run ingests: triggers know by it what their own runs wrote."""
_GIVEN: Final = ("specversion", "id", "source", EXECUTION)
"""Attributes of an event that are not its author's to say."""
_MOST_EVENTS: Final = 10_000
_MOST_HITS: Final = 50
_SHOWN: Final = 1_000
"""Characters of a text that an output holds."""
_EDGES: Final = ("supersedes", "refines", "contradicts", "led_to", "caused_by")
_QUERY: Final = Declared("text", description="what to look for")
_COUNT: Final = Declared("integer", False, 10, "at most so many, up to 50")
_ENTITIES: Final = Declared("any", False, None, "only about an entity, or one of a list")
_TYPES: Final = Declared("any", False, None, "only of a type, or one of a list")


@action(
    "ingest",
    keyed=True,
    inputs={
        "events": Declared("list", description="each {type, data}, with subject, time and labels if they are others"),
        "source": Declared("text", False, "", "their CloudEvents source; by default process/NAME"),
    },
)
def ingest(step: Step) -> dict[str, Any]:
    """Ingests events, all or none: {accepted, duplicates, ids}. Their subject is by default the execution's
    entity, their time now; their ids follow from the step's key, so that a repetition ingests nothing twice. The
    attribute `execution` says which run they come from."""
    given = step.inputs.get("events")
    if not isinstance(given, (list, tuple)) or not 1 <= len(given) <= _MOST_EVENTS:
        remedy = f"give a list of 1 to {_MOST_EVENTS:,} events"
        raise InputError(f"events is {given!r:.80}", where="inputs.events", remedy=remedy)
    key = step.key or f"{step.execution}/{step.id}"
    source = text(step, "source", "") or f"process/{step.process}"
    told = {"specversion": "1.0", "source": source, EXECUTION: step.execution}
    moment = {"subject": step.entity, "time": format_instant(now())}
    events = [{**moment, **_event(each, at), **told, "id": f"{key}/{at}"} for at, each in enumerate(given)]
    # The batch is known by the key: of a repetition only the counts of the first are read, whatever time it is now.
    batch = hashlib.sha256(key.encode()).hexdigest()
    try:
        commit = step.plane.ingest(step.tenant, events, batch_id=f"step/{batch}")
    except Conflict:  # the same step in another process, whom this one was taken for dead by, came first
        commit = step.plane.ingest(step.tenant, events, batch_id=f"step/{batch}")
    ids = [event["id"] for event in events]
    return {"accepted": commit.accepted, "duplicates": commit.duplicates, "ids": ids}


@action(
    "remember",
    keyed=True,
    inputs={
        "content": Declared("text", description="what to remember"),
        "entity": Declared("text", False, "", "about what; by default the execution's entity"),
        "type": Declared("text", False, "observation", "observation, decision, preference, correction or outcome"),
        "confidence": Declared("number", False, 1.0, "from 0 to 1"),
        "about": Declared("list", False, [], "further entities"),
        **{kind: Declared("list", False, [], "ids of memories") for kind in _EDGES},
    },
)
def remember(step: Step) -> dict[str, Any]:
    """Remembers something: {id, entity, type, text}. The id follows from the step's key: a repetition is the same
    memory."""
    key = step.key or f"{step.execution}/{step.id}"
    node = step.plane.remember(
        step.tenant,
        text(step, "entity", "") or step.entity,
        named(step, "content"),
        type=text(step, "type", "observation"),
        confidence=number(step, "confidence", 1.0, 0, 1),
        about=texts(step, "about"),
        session=step.execution,
        origin=f"process/{step.process}",
        id=f"x-{hashlib.sha256(key.encode()).hexdigest()[:20]}",
        **{kind: found for kind in _EDGES if (found := texts(step, kind))},
    )
    return {"id": node.id, "entity": node.entity, "type": node.type, "text": _cut(node.text)}


@action("search", keyed=True, inputs={"query": _QUERY, "entity": _ENTITIES, "type": _TYPES, "k": _COUNT})
def search(step: Step) -> dict[str, Any]:
    """Searches the tenant's events: {hits: [{event_id, source, entity, time, type, text, score}]}, the best first; of a
    long text the first 1,000 characters."""
    found = step.plane.search(step.tenant, named(step, "query"), **_filters(step))
    shown = ("event_id", "source", "entity", "time", "type", "score")
    hits = [({name: getattr(hit, name) for name in shown} | {"text": _cut(hit.text)}) for hit in found]
    return {"hits": hits}


@action("recall", keyed=True, inputs={"query": _QUERY, "entity": _ENTITIES, "type": _TYPES, "k": _COUNT})
def recall(step: Step) -> dict[str, Any]:
    """Searches what is remembered and current: {memories: [{id, entity, time, type, text, score}]}, the best first; of
    a long text the first 1,000 characters."""
    found = step.plane.recall(step.tenant, named(step, "query"), **_filters(step))
    shown = ("id", "entity", "time", "type")
    memories = [
        {name: getattr(each.node, name) for name in shown} | {"text": _cut(each.text), "score": each.score}
        for each in found
    ]
    return {"memories": memories}


def _event(given: Any, at: int) -> dict[str, Any]:
    where = f"inputs.events.{at}"
    if not isinstance(given, Mapping):
        raise InputError(f"{given!r:.80} is no event", where=where, remedy="give {type, data}")
    for name in _GIVEN:
        if name in given:
            raise InputError(f"{name} is not an event's to say here", where=where, remedy="leave it out")
    return dict(given)


def _filters(step: Step) -> dict[str, Any]:
    given = {name: found for name in ("entity", "type") if (found := texts(step, name))}
    return {**given, "k": whole(step, "k", 10, 1, _MOST_HITS)}


def _cut(found: str) -> str:
    return found if len(found) <= _SHOWN else f"{found[: _SHOWN - 1]}…"
