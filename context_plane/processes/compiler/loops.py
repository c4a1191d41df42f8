"""Loops: triggers that what their own runs write would set off again, for ever.

Here belongs what a run writes, as far as it is known before it runs, and who waits for it: the records of the run, the
memories that it began and ended, what it remembers, and the events that `ingest` steps write. What is filled in at run
time may be anything. A process leads to another if something that it writes may set the other off; a circle of these is
refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from context_plane.log.events import RECEIPT, RESERVED
from context_plane.processes.compiler.circles import circles
from context_plane.processes.compiler.declare import Declarations
from context_plane.processes.compiler.globs import ANY, literal, overlap
from context_plane.processes.compiler.resolve import Resolved
from context_plane.processes.language.codes import CODES
from context_plane.processes.language.diagnostic import Diagnostic, Place
from context_plane.processes.language.findings import way
from context_plane.processes.linked import LinkedProcess, Trigger
from context_plane.processes.references import references

RECORDS: Final = "cortex.execution."
RECORDER: Final = "cortex/executions"
"""Types and source of what is told of runs."""
MEMORY: Final = "cortex.memory."
REMEMBERER: Final = "cortex/memory"
_UNKNOWN: Final = object()
"""A value that is filled in at run time."""
_NOWHERE: Final = object()


@dataclass(frozen=True)
class Written:
    """An event that a run writes: its attributes as patterns, and what is known of its data."""

    type: str
    source: str = ANY
    subject: str = ANY
    data: Any = _UNKNOWN


@dataclass(frozen=True)
class Waiting:
    """What is set off by events: a process, by its own trigger or by that of an interface."""

    process: str
    trigger: Trigger
    place: Place
    """Where the trigger stands."""
    interface: str = ""
    """The interface that it is the trigger of."""


Row = dict[str, int]
"""Whom a process may set off, and by which of those that wait."""
Waits = list[tuple[str, Trigger, str]]
"""Who waits for what, wherever that is written."""
Memo = dict[str, tuple[LinkedProcess, Waits, Row]]
"""The row of each process, as long as neither it nor who waits changed."""


def waiting(declared: Declarations, processes: Iterable[Resolved]) -> Iterator[Waiting]:
    """What each process that can be run may be set off by."""
    contracts = {
        name: [(each.trigger, source.place(each.spot)) for each in source.trigger]
        for name, source in declared.interfaces.items()
        if source.trigger and ("interface", name) not in declared.broken
    }
    for resolved in processes:
        name = resolved.source.name
        if resolved.source.abstract:
            continue
        for each in resolved.triggers:
            yield Waiting(name, each.trigger, resolved.triggering.place(each.spot))
        for interface, _ in resolved.implements:
            for trigger, place in contracts.get(interface.name, ()):
                yield Waiting(name, trigger, place, interface.name)


def check_loops(
    processes: Sequence[LinkedProcess], starts: Sequence[Waiting], memo: Memo
) -> tuple[list[Diagnostic], set[str]]:
    """What is told of circles, each once, and the names of all processes in them."""
    events = [each for each in starts if each.trigger.type == "event"]
    edges = _edges(processes, events, memo)
    findings, looping = [], set()
    for group, path in circles(edges):
        looping.update(group)
        last = events[edges[path[-1]][path[0]]]
        through = f" through interface {last.interface}" if last.interface else ""
        told = f"a run of {path[0]} would set off another{through}, for ever: {way([*path, path[0]])}"
        remedy = "match a type, source or field that its runs do not write"
        code = "trigger-loop"
        findings.append(Diagnostic(last.place, code, CODES[code].severity, told, remedy))
    return findings, looping


def _edges(processes: Sequence[LinkedProcess], events: Sequence[Waiting], memo: Memo) -> dict[str, Row]:
    """From each process to those that it may set off."""
    waits: Waits = [(each.process, each.trigger, each.interface) for each in events]
    distinct = _Distinct(events)
    found: dict[str, Row] = {}
    for process in processes if events else ():
        known = memo.get(process.name)
        if known is None or known[0] is not process or known[1] != waits:
            known = memo[process.name] = (process, waits, _row(process, events, distinct))
        found[process.name] = known[2]
    return found


class _Distinct:
    """The triggers of all that wait. Children wait for what their parents do, so each is there once, whoever has it;
    and most name their types, by which they are found."""

    def __init__(self, events: Sequence[Waiting]) -> None:
        same: dict[str, list[int]] = {}
        for index, each in enumerate(events):
            same.setdefault(repr(each.trigger), []).append(index)
        self.having = list(same.values())
        self.triggers = [events[indexes[0]].trigger for indexes in self.having]
        self._named: dict[str, list[int]] = {}
        self._others: list[int] = []
        for at, trigger in enumerate(self.triggers):
            types = [str(each) for each in _types(trigger)]
            if types and all(map(_is_plain, types)):
                for type_ in types:
                    self._named.setdefault(type_, []).append(at)
            else:
                self._others.append(at)

    def of_type(self, type_: str) -> Iterable[int]:
        """Those that an event of a type may set off, as far as the type says."""
        return [*self._named.get(type_, ()), *self._others] if _is_plain(type_) else range(len(self.triggers))


def _is_plain(text: str) -> bool:
    return not any(sign in text for sign in "*?[")


def _row(process: LinkedProcess, events: Sequence[Waiting], distinct: _Distinct) -> Row:
    found: Row = {}
    fitted: set[int] = set()
    for written in written_by(process):
        own = written.type.startswith(RESERVED)
        new = [
            at for at in distinct.of_type(written.type)
            if at not in fitted and _speaks_of(distinct.triggers[at], own)
            and may_fit(distinct.triggers[at].match, written)
        ]  # fmt: skip
        fitted.update(new)
        for index in sorted(index for at in new for index in distinct.having[at]):
            found.setdefault(events[index].process, index)
    return found


def written_by(process: LinkedProcess) -> Iterator[Written]:
    """What a run of a process writes."""
    subject = ANY if process.entity is None else pattern(process.entity)
    yield Written(f"{RECORDS}*", RECORDER, subject, _Open({"process": process.name, "version": process.version}))
    yield from _chained(subject)
    if any(step.context is not None for step in process.steps):
        yield Written(RECEIPT)
    for step in process.steps:
        if step.action == "remember":
            yield Written(f"{MEMORY}*")
        elif step.action == "ingest":
            yield from _ingested(step.inputs, process)


def _chained(subject: str) -> Iterator[Written]:
    """The memories that an execution is (`engine.chaining`): that it began, what came of it, and what led to what."""
    node = {"confidence": 1, "origin": "cortex"} | dict.fromkeys(("text", "recorded", "session", "links"), _UNKNOWN)
    link = {"kind": "led_to"} | dict.fromkeys(("actor", "target", "recorded"), _UNKNOWN)
    yield Written(f"{MEMORY}observation", REMEMBERER, subject, node)
    yield Written(f"{MEMORY}outcome", REMEMBERER, subject, node)
    yield Written(f"{MEMORY}link", REMEMBERER, subject, link)


class _Open(dict[str, Any]):
    """Data of which only some fields are known."""


def _ingested(inputs: Mapping[str, Any], process: LinkedProcess) -> Iterator[Written]:
    source = pattern(inputs.get("source") or f"process/{process.name}")
    events = inputs.get("events")
    for event in events if isinstance(events, (list, tuple)) else [None]:
        if isinstance(event, Mapping):
            type_ = pattern(event.get("type", ANY))
            yield Written(type_, source, pattern(event.get("subject", ANY)), event.get("data", {}))
        else:
            yield Written(ANY, source)


def pattern(value: Any) -> str:
    """What a text with references may become."""
    if not isinstance(value, str):
        return ANY
    if value == ANY or "${" not in value:
        return value if value == ANY else literal(value)
    parts, end = [], 0
    for each in references(value):
        parts += [literal(value[end : each.start].replace("$${", "${")), ANY]
        end = each.start + len(each.written)
    return "".join([*parts, literal(value[end:].replace("$${", "${"))])


def may_fit(match: Mapping[str, Any], written: Written) -> bool:
    """Whether an event that is written may be one that is waited for."""
    return all(_may_fit(key, wanted, written) for key, wanted in match.items())


def _may_fit(key: str, wanted: Any, written: Written) -> bool:
    values = wanted if isinstance(wanted, (list, tuple)) else [wanted]
    if key in ("type", "source", "subject"):
        known = getattr(written, key)
        if key == "type":
            own = written.type.startswith(RESERVED)
            values = [value for value in values if str(value).startswith(RESERVED) == own]
        return any(_overlap(str(value), known) for value in values)
    found = _at(written.data, key.split(".")[1:] if key.startswith("data.") else key.split("."))
    return any(_equal(value, found) for value in values)


def _overlap(wanted: str, known: str) -> bool:
    """Whether a text may be what is waited for, as it is written or as a pattern: triggers take either."""
    return overlap(wanted, known) or overlap(literal(wanted), known)


def _at(data: Any, path: list[str]) -> Any:
    """The value at a path: `_UNKNOWN` where it is filled in at run time, `_NOWHERE` where there is none."""
    if data is _UNKNOWN or not path:
        return data
    if not isinstance(data, Mapping):
        return _UNKNOWN if isinstance(data, str) and "${" in data else _NOWHERE
    whole = ".".join(path)
    if whole in data:
        return data[whole]
    if path[0] in data:
        return _at(data[path[0]], path[1:])
    return _UNKNOWN if isinstance(data, _Open) else _NOWHERE


def _equal(wanted: Any, found: Any) -> bool:
    if found is _UNKNOWN:
        return True
    if isinstance(found, list):
        return any(_equal(wanted, each) for each in found)
    if isinstance(found, str):
        single = found.startswith("${") and pattern(found) == ANY
        return single or (isinstance(wanted, str) and _overlap(wanted, pattern(found)))
    return type(found) is not dict and found is not _NOWHERE and bool(wanted == found)


def _speaks_of(trigger: Trigger, own: bool) -> bool:
    """Whether a trigger waits for events of the plane's own, or for others; for the former only where it names them."""
    types = _types(trigger)
    return any(str(each).startswith(RESERVED) == own for each in types) if types else not own


def _types(trigger: Trigger) -> Sequence[Any]:
    found = trigger.match.get("type", [])
    return found if isinstance(found, (list, tuple)) else [found]
