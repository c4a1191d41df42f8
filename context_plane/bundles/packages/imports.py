"""Imports: packages that came from elsewhere, as events of the plane's own.

Here belongs how an import lies in the log and which of them a view shows: of each name the newest. Everything is in the
event, so that an imported package is read at any view, replayed, and there after all that is derived was deleted.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from context_plane.bundles.packages.compile import Compiled, compiled_of
from context_plane.canonical import canonical
from context_plane.errors import Corrupt
from context_plane.instants import format_instant, now, parse_instant
from context_plane.log.append import append
from context_plane.log.history import removed
from context_plane.log.outcome import RefusedBatch
from context_plane.log.segments import SegmentRef, read_segment

if TYPE_CHECKING:
    from context_plane.log.events import Limits
    from context_plane.log.history import History
    from context_plane.parts.view import View

TYPE: Final = "cortex.package.imported"
SOURCE: Final = "cortex/packages"
_PREFIX: Final = "package/"
_TRIES: Final = 5
"""Another process may import something under the same name at the same time."""


@dataclass(frozen=True)
class Import:
    """That a package was imported under a name."""

    name: str
    version: str
    count: int
    """The how manieth import under that name it is."""
    number: int
    """The commit."""
    at: int
    """Microseconds since 1970."""
    ref: SegmentRef


@dataclass(frozen=True)
class Imported:
    """What an import did."""

    name: str
    version: str
    before: str | None
    """The version that was there under the name."""
    new: bool
    """Whether it was not there already."""
    tokens: int

    def to_dict(self) -> dict[str, Any]:
        """As `cortex package import --json` prints it."""
        return {
            "name": self.name, "version": self.version, "before": self.before, "new": self.new, "tokens": self.tokens,
        }  # fmt: skip


def entity_of(name: str) -> str:
    """The entity of a package."""
    return _PREFIX + name


def event_of(name: str, count: int, package: Compiled, at: int) -> dict[str, Any]:
    """The event of an import. Its body is no text: search does not find it."""
    return {
        "specversion": "1.0", "id": f"{name}#{count}", "source": SOURCE, "type": TYPE, "subject": entity_of(name),
        "time": format_instant(at),
        "data": {"name": name, "count": count, "version": package.version, "body": json.loads(package.body)},
    }  # fmt: skip


class Imports:
    """The imports of one tenant, as far as a process has read its log. Safe for threads."""

    def __init__(self, history: History) -> None:
        self.history = history
        self._held: list[Import] = []
        """In the order of the log."""
        self._upto = 0
        self._lock = threading.Lock()

    def at(self, view: View) -> dict[str, Import]:
        """The newest import of each name that a view shows."""
        return self._newest(view.number, view.end)

    def newest(self) -> dict[str, Import]:
        """The newest import of each name in the log, as it was last looked at."""
        return self._newest(self.history.head, None)

    def count(self, name: str) -> int:
        """How many imports under a name the log holds, those that were erased too."""
        self._catch_up()
        return max((each.count for each in self._held if each.name == name), default=0)

    def read(self, found: Import) -> Compiled:
        """The package of an import. Raises `Corrupt`."""
        where = f"tenant {self.history.tenant}, {entity_of(found.name)}"
        for line in read_segment(self.history.store, self.history.tenant, found.ref):
            event = json.loads(line)
            if event["type"] == TYPE and event["data"]["count"] == found.count:
                return compiled_of(canonical(event["data"]["body"]), where)
        raise Corrupt("the event of an import is gone", where=where, remedy="restore the log from a backup")

    def _newest(self, number: int, end: int | None) -> dict[str, Import]:
        self._catch_up()
        erased, _ = removed(self.history.records(0, number))
        return {
            each.name: each
            for each in self._held
            if each.number <= number
            and (end is None or each.at < end)
            and erased.get(entity_of(each.name), 0) < each.number
        }

    def _catch_up(self) -> None:
        with self._lock:
            head = self.history.head
            for record in self.history.records(self._upto, head):
                if record.own:
                    for ref in self.history.segments(record):
                        if ref.entity.startswith(_PREFIX):
                            self._held += self._in(ref, record.number)
            self._upto = head

    def _in(self, ref: SegmentRef, number: int) -> list[Import]:
        events = map(json.loads, read_segment(self.history.store, self.history.tenant, ref))
        return [_import(event, number, ref) for event in events if event["type"] == TYPE]


def _import(event: Mapping[str, Any], number: int, ref: SegmentRef) -> Import:
    data = event["data"]
    return Import(data["name"], data["version"], data["count"], number, parse_instant(event["time"]), ref)


def take(imports: Imports, name: str, package: Compiled, limits: Limits) -> Imported:
    """Appends an import, unless the name has the very same version. Raises what `log.append` raises."""
    history = imports.history
    for attempt in range(_TRIES):
        history.refresh()
        before = imports.newest().get(name)
        version = before.version if before else None
        if version == package.version:
            return Imported(name, package.version, version, False, package.tokens)
        count = imports.count(name) + 1
        try:
            append(history, [event_of(name, count, package, now())], limits=limits)
        except RefusedBatch:
            history.refresh()
            if attempt + 1 == _TRIES or imports.count(name) < count:
                raise
        else:
            return Imported(name, package.version, version, True, package.tokens)
    raise AssertionError("unreachable")
