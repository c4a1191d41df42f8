"""Watching: which events of a tenant's log set off which processes.

Here belong reading and matching. A process reacts to what came after it was first seen, which the log remembers as an
event of the process's own: whoever loses his place in the log, or all of Dagster's home, begins there again and finds
the executions that there are.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from context_plane.canonical import canonical
from context_plane.instants import format_instant
from context_plane.log.history import live_segments
from context_plane.log.segments import read_segment
from context_plane.processes.triggers.match import matches, names_own

if TYPE_CHECKING:
    from context_plane.log.history import History
    from context_plane.processes.linked import Trigger

SOURCE: Final = "cortex/processes"
REGISTERED: Final = "cortex.trigger.registered"
_PREFIX: Final = "process/"
_GLOBS: Final = frozenset("*?[")


@dataclass(frozen=True)
class Watcher:
    """A process, or an interface, and one of its event triggers."""

    name: str
    trigger: Trigger


@dataclass(frozen=True)
class Sighting:
    """An event that sets a process off."""

    name: str
    event: Mapping[str, Any]
    number: int


class Registrations:
    """From which log number on each process of a tenant reacts. Safe for threads."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._held: dict[str, int] = {}
        self._upto = 0
        self._lock = threading.Lock()

    def known(self) -> dict[str, int]:
        """Process to number, of those that were seen."""
        head = self._history.refresh()
        with self._lock:
            for record in self._history.records(self._upto, head):
                if record.own:
                    for ref in self._history.segments(record):
                        if ref.entity.startswith(_PREFIX):
                            self._take(ref)
            self._upto = max(self._upto, head)
            return dict(self._held)

    def _take(self, ref: Any) -> None:
        for line in read_segment(self._history.store, self._history.tenant, ref):
            if REGISTERED.encode() in line:
                event = json.loads(line)
                if event["type"] == REGISTERED:
                    self._held.setdefault(event["data"]["process"], event["data"]["after"])


def registration(name: str, after: int, now: int) -> dict[str, Any]:
    """The event that a process is seen for the first time; it is the same process's only one."""
    return {
        "specversion": "1.0", "id": f"trigger/{name}", "source": SOURCE, "type": REGISTERED,
        "subject": f"{_PREFIX}{name}", "time": format_instant(now), "data": {"process": name, "after": after},
    }  # fmt: skip


def sightings(
    history: History, watchers: Iterable[Watcher], after: Mapping[str, int], begin: int, seconds: float
) -> Iterator[Sighting | int]:
    """What sets off what in the commits after `begin`: sightings, and after each commit its number.

    A process reacts to what came after its number in `after`. Ends at the head of the log, or after the first commit
    that is done when so many seconds are over.
    """
    deadline = monotonic() + seconds
    ready = [_Ready(each.name, each.trigger.match) for each in watchers]
    own = any(each.own for each in ready)
    for record in history.records(begin):
        due = [each for each in ready if after.get(each.name, record.number) < record.number]
        if due and (own or not record.own):
            for _, ref in live_segments(history, record.number - 1, record.number):
                for line in read_segment(history.store, history.tenant, ref):
                    yield from _seen(line, due, record.number)
        yield record.number
        if monotonic() >= deadline:
            return


class _Ready:
    """A trigger ready to be held against lines: what a line must hold is looked for before it is parsed."""

    def __init__(self, name: str, match: Mapping[str, Any]) -> None:
        self.name = name
        self.match = match
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


def depth(event: Mapping[str, Any], event_of: Callable[[str], Mapping[str, Any] | None]) -> int:
    """How many runs set each other off before an event: one that an execution wrote names it (attribute `execution`),
    and `event_of` gives the event that set that one off."""
    count, cause = 0, event.get("execution")
    while isinstance(cause, str) and count <= MOST_DEEP:
        count += 1
        before = event_of(cause)
        cause = None if before is None else before.get("execution")
    return count
