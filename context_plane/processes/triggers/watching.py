"""Watching: which events of a tenant's log set off which processes.

Here belong reading and matching. A process reacts to what came after its trigger was first seen, which the log
remembers as an event of the process's own: whoever loses his place in the log, or all of Dagster's home, begins there
again and finds the executions that there are. How far each process has come is `places`'s to say.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from context_plane.canonical import canonical, digest
from context_plane.log.history import removed
from context_plane.log.own import OwnSegments
from context_plane.log.segments import read_segment
from context_plane.processes.engine.chaining import origin
from context_plane.processes.triggers.match import matches, names_own

if TYPE_CHECKING:
    from context_plane.log.history import History
    from context_plane.log.segments import SegmentRef
    from context_plane.processes.linked import Trigger

SOURCE: Final = "cortex/processes"
REGISTERED: Final = "cortex.trigger.registered"
_KIND: Final = "process"
_GLOBS: Final = frozenset("*?[")
_DIGITS: Final = 16


@dataclass(frozen=True)
class Watcher:
    """A process, or an interface, and one of its event triggers."""

    name: str
    trigger: Trigger

    @cached_property
    def key(self) -> str:
        """``name/hex``: the name, and what is waited for. A trigger that waits for something else is another one."""
        return f"{self.name}/{digest(dict(self.trigger.match)).partition(':')[2][:_DIGITS]}"


@dataclass(frozen=True)
class Sighting:
    """An event that sets a process off."""

    name: str
    event: Mapping[str, Any]
    number: int


class Registrations:
    """From which log number on each trigger of a tenant reacts. Safe for threads."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._own = OwnSegments(history, _KIND)
        self._read: dict[str, dict[str, int]] = {}
        """What a segment says, by its hash."""

    def known(self) -> dict[str, int]:
        """Key of a watcher to number, of those that were seen."""
        refs = {ref.sha256: ref for each in self._own.all().values() for ref in list(each)}
        self._read = {sha: self._read[sha] if sha in self._read else self._told(ref) for sha, ref in refs.items()}
        found: dict[str, int] = {}
        for told in self._read.values():
            for key, number in told.items():
                found[key] = min(number, found.get(key, number))  # two workers may have seen it at once
        return found

    def _told(self, ref: SegmentRef) -> dict[str, int]:
        lines = read_segment(self._history.store, self._history.tenant, ref)
        events = [json.loads(line) for line in lines if REGISTERED.encode() in line]
        told = [event["data"] for event in events if event["type"] == REGISTERED]
        return {f"{each['process']}/{each['trigger']}": each["after"] for each in told if "trigger" in each}


def registration(key: str, after: int, time: str) -> dict[str, Any]:
    """The event that a watcher reacts from a number on; `time` is when that number was committed, so that whoever says
    the same says it in the same words."""
    name, _, trigger = key.partition("/")
    return {
        "specversion": "1.0", "id": f"trigger/{key}/{after}", "source": SOURCE, "type": REGISTERED,
        "subject": f"{_KIND}/{name}", "time": time, "data": {"process": name, "trigger": trigger, "after": after},
    }  # fmt: skip


def sightings(
    history: History, watchers: Iterable[Watcher], after: Mapping[str, int], begin: int, seconds: float,
    stopped: Container[str] = (),
) -> Iterator[Sighting | int]:  # fmt: skip
    """What sets off what in the commits after `begin`: sightings, and after each commit its number.

    A watcher sees what came after its key's number in `after`, until its name is in `stopped`. What was erased
    meanwhile sets off nothing, and a rewrite is no news. Ends at the head of the log, or after the first commit that is
    done when so many seconds are over.
    """
    deadline = monotonic() + seconds
    ready = [_Ready(each) for each in watchers]
    own = any(each.own for each in ready)
    records = history.records(begin)
    erased, replaced = removed(history.records()) if records else ({}, frozenset())
    for record in records:
        due = [
            each for each in ready
            if after.get(each.key, record.number) < record.number and each.name not in stopped
        ]  # fmt: skip
        if due and (own or not record.own) and record.kind == "ingest":
            for ref in history.segments(record):
                if ref.sha256 not in replaced and erased.get(ref.entity, 0) < record.number:
                    for line in read_segment(history.store, history.tenant, ref):
                        yield from _seen(line, due, record.number)
        yield record.number
        if monotonic() >= deadline:
            return


class _Ready:
    """A trigger ready to be held against lines: what a line must hold is looked for before it is parsed."""

    def __init__(self, watcher: Watcher) -> None:
        self.name, self.key = watcher.name, watcher.key
        self.match = match = watcher.trigger.match
        self.own = names_own(match)
        self.needs = [
            canonical({key: match[key]})[1:-1]
            for key in ("source", "type", "subject")
            if isinstance(match.get(key), str) and not _GLOBS.intersection(match[key])
        ]

    def may(self, line: bytes) -> bool:
        """Whether a line may fit."""
        return all(each in line for each in self.needs)


def _seen(line: bytes, due: list[_Ready], number: int) -> Iterator[Sighting]:
    possible = [each for each in due if each.may(line)]
    if possible:
        event = json.loads(line)
        told: set[str] = set()
        for each in possible:
            if each.name not in told and matches(each.match, event):
                told.add(each.name)
                yield Sighting(each.name, event, number)


MOST_DEEP: Final = 8
"""How many runs may set each other off, one after the other."""


def depth(event: Mapping[str, Any], tenant: str, event_of: Callable[[str], Mapping[str, Any] | None]) -> int:
    """How many runs set each other off before an event of a tenant: `event_of` gives the event that set an execution
    off."""
    count, cause = 0, origin(event, tenant)
    while cause is not None and count <= MOST_DEEP:
        count += 1
        before = event_of(cause)
        cause = None if before is None else origin(before, cause.partition(".")[0])
    return count
