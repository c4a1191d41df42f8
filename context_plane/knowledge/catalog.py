"""The catalogue: which changes of topics a tenant's log holds, as far as a process has read it.

Here belongs which of them a view sees. Commits of the plane's own events name the entities that they touch, so that
only these are looked at, and only those changes are read that somebody asks for: the log of the world is not. What was
read is kept as long as there is room for it.
"""

from __future__ import annotations

import threading
from bisect import insort
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from context_plane.errors import InputError, NotFound
from context_plane.instants import format_instant
from context_plane.knowledge.events import Removal, change_in, time_of, topic_in
from context_plane.knowledge.names import meant, nearest, topic_of
from context_plane.knowledge.topic import Topic, TopicInfo
from context_plane.log.segments import SegmentRef, read_segment

if TYPE_CHECKING:
    from context_plane.log.commits import CommitRecord
    from context_plane.log.history import History

_KEPT: Final = 16 << 20
"""Bytes of topics that are kept, about."""
_PARALLEL: Final = 16
_FEWEST: Final = 4
"""Signs of a version that tell it from others."""


class Sight(Protocol):
    """How far somebody sees: a view, or whoever is about to write."""

    @property
    def history(self) -> History:
        """The log."""

    @property
    def number(self) -> int:
        """The last commit seen."""

    @property
    def end(self) -> int:
        """Where event time is cut."""


@dataclass(frozen=True, slots=True)
class Head:
    """The sight of whoever writes or builds: the log up to a number, and no cut in time."""

    history: History
    number: int
    end: int = 1 << 62


@dataclass(frozen=True, slots=True, order=True)
class Change:
    """The events that one commit holds of one topic."""

    at: int
    number: int
    """The commit."""
    topic: str
    refs: tuple[SegmentRef, ...] = field(compare=False)


class Catalog:
    """The changes of one tenant's topics. Safe for threads."""

    def __init__(self) -> None:
        self._upto = 0
        self._changes: dict[str, list[Change]] = {}
        """By topic, oldest first."""
        self._erased: dict[str, list[int]] = {}
        self._replaced: dict[str, int] = {}
        self._told: dict[Change, TopicInfo | Removal | None] = {}
        self._topics: OrderedDict[Change, Topic] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    @property
    def nbytes(self) -> int:
        """Bytes of memory, about."""
        changes = sum(map(len, list(self._changes.values())))
        return 10_000 + 800 * changes + 600 * len(self._told) + self._size

    def knows_any(self, sight: Sight) -> bool:
        """Whether there ever was a change of a topic."""
        self._refresh(sight)
        return bool(self._changes)

    def current(self, sight: Sight) -> dict[str, TopicInfo]:
        """The topics that there are, by name, sorted."""
        names = sorted(self._names(sight))
        self._read_ahead(sight, names)
        newest = {name: self.newest(sight, name) for name in names}
        return {name: told for name, (_, told) in newest.items() if isinstance(told, TopicInfo)}

    def find(self, sight: Sight, reference: str, version: str | None = None) -> Topic:
        """The topic that a reference means, in the version that begins so, by default the current one.

        Raises `NotFound` with topics that look like it or the time when it was removed, `InputError` for the beginning
        of several versions.
        """
        name = self.name(sight, reference)
        if version is not None:
            return self.topic(sight.history, self._version(sight, name, version))
        change, told = self.newest(sight, name)
        if change is None or not isinstance(told, TopicInfo):
            raise _gone(name, sight, change)
        return self.topic(sight.history, change)

    def name(self, sight: Sight, reference: str) -> str:
        """The name of the topic that a reference means: one that is, or was. Raises `NotFound`."""
        self._refresh(sight)
        for name in meant(reference):
            if self._is_seen(sight, name):
                return name
        near = nearest(reference, self._names(sight))
        remedy = f"did you mean {' or '.join(near)}?" if near else "cortex knowledge list says what there is"
        raise NotFound(f"there is no topic {reference!r:.200}", where=f"tenant {sight.history.tenant}", remedy=remedy)

    def newest(self, sight: Sight, name: str) -> tuple[Change | None, TopicInfo | Removal | None]:
        """The last change of a topic that is seen, and what it says."""
        return next(self._back(sight, name), (None, None))

    def changes(self, sight: Sight) -> Iterator[Change]:
        """All changes that are seen, topic by topic, oldest first; unread, so there may be events of others among
        them."""
        for name in sorted(self._names(sight)):
            yield from self._seen(sight, name)

    def told(self, history: History, change: Change) -> TopicInfo | Removal | None:
        """What a change says; `None` where it is none of knowledge: others may speak of the entity too."""
        if change not in self._told:
            self._told[change] = change_in(_lines(history, change))
        return self._told[change]

    def topic(self, history: History, change: Change) -> Topic:
        """The topic as a change made it. Raises `Corrupt` where its chunks are not all there."""
        with self._lock:
            topic = self._topics.get(change)
            if topic is not None:
                self._topics.move_to_end(change)
                return topic
        lines = _lines(history, change)
        info = change_in(lines)
        assert isinstance(info, TopicInfo)
        topic = topic_in(info, lines)
        with self._lock:
            self._told[change] = info
            if self._topics.setdefault(change, topic) is topic:
                self._size += topic.nbytes
            while self._size > _KEPT and len(self._topics) > 1:
                self._size -= self._topics.popitem(last=False)[1].nbytes
        return topic

    def _names(self, sight: Sight) -> list[str]:
        """The topics of which a change is seen."""
        self._refresh(sight)
        return [name for name in list(self._changes) if self._is_seen(sight, name)]

    def _is_seen(self, sight: Sight, name: str) -> bool:
        return next(self._seen(sight, name), None) is not None

    def _seen(self, sight: Sight, name: str) -> Iterator[Change]:
        """The changes of a topic that are seen, newest first."""
        erased = max((each for each in self._erased.get(name, ()) if each <= sight.number), default=0)
        for change in reversed(self._changes.get(name, ())):
            if change.at < sight.end and erased < change.number <= sight.number:
                replaced = (self._replaced.get(ref.sha256) for ref in change.refs)
                if not any(number is not None and number <= sight.number for number in replaced):
                    yield change

    def _back(self, sight: Sight, name: str) -> Iterator[tuple[Change, TopicInfo | Removal]]:
        """The changes of a topic that are seen and what they say, newest first."""
        self._refresh(sight)
        for change in self._seen(sight, name):
            told = self.told(sight.history, change)
            if told is not None:
                yield change, told

    def _version(self, sight: Sight, name: str, version: str) -> Change:
        """The last change that made the version of a topic that begins so."""
        wanted = version.removeprefix("sha256:")
        found: dict[str, Change] = {}
        for change, told in self._back(sight, name):
            if isinstance(told, TopicInfo) and told.version.removeprefix("sha256:").startswith(wanted):
                found.setdefault(told.version, change)
        if len(wanted) < _FEWEST or len(found) > 1:
            what = f"version {version!r:.80} of topic {name!r} may be any of {len(found)}"
            raise InputError(what, where="version", remedy="give more of its signs")
        if not found:
            what = f"topic {name!r} never had a version {version!r:.80}"
            remedy = "cortex knowledge show prints the current one; others are read with as_of"
            raise NotFound(what, where=f"tenant {sight.history.tenant}", remedy=remedy)
        return next(iter(found.values()))

    def _read_ahead(self, sight: Sight, names: Iterable[str]) -> None:
        """Reads the last changes at once, where a read is a round trip."""
        newest = (next(self._seen(sight, name)) for name in names)
        lacking = [change for change in newest if change not in self._told]
        if not sight.history.store.local and len(lacking) > 1:
            with ThreadPoolExecutor(min(_PARALLEL, len(lacking)), "knowledge") as pool:
                for _ in pool.map(lambda change: self.told(sight.history, change), lacking):
                    pass

    def _refresh(self, sight: Sight) -> None:
        """Takes down the commits since the last look."""
        if self._upto >= sight.number:
            return
        with self._lock:
            for record in sight.history.records(self._upto, sight.number):
                self._take(sight.history, record)
                self._upto = record.number

    def _take(self, history: History, record: CommitRecord) -> None:
        if record.kind == "tombstone":
            for entity in record.entities:
                if (topic := topic_of(entity)) is not None:
                    self._erased.setdefault(topic, []).append(record.number)
        self._replaced.update(dict.fromkeys(record.replaces, record.number))
        for change in _changes(history, record):
            insort(self._changes.setdefault(change.topic, []), change)


def touches(history: History, record: CommitRecord) -> bool:
    """Whether a commit may have changed a topic."""
    return any(True for _ in _changes(history, record)) or any(map(topic_of, record.entities))


def _changes(history: History, record: CommitRecord) -> list[Change]:
    """What a commit holds of topics. Events of the world are none of them, whatever they are about."""
    if not record.own and record.kind != "rewrite":
        return []
    found: dict[tuple[str, int], list[SegmentRef]] = {}
    for ref in history.segments(record):
        if (topic := topic_of(ref.entity)) is not None:
            for at in [ref.first] if record.kind == "ingest" else _times(history, ref):
                found.setdefault((topic, at), []).append(ref)
    return [Change(at, record.number, topic, tuple(refs)) for (topic, at), refs in found.items()]


def _times(history: History, ref: SegmentRef) -> list[int]:
    """The times of a segment that was put together of others, and so may hold several changes."""
    return sorted({time_of(line) for line in read_segment(history.store, history.tenant, ref)})


def _lines(history: History, change: Change) -> list[bytes]:
    lines = [line for ref in change.refs for line in read_segment(history.store, history.tenant, ref)]
    if all(ref.first == ref.last for ref in change.refs):
        return lines
    return [line for line in lines if time_of(line) == change.at]


def _gone(name: str, sight: Sight, change: Change | None) -> NotFound:
    where = f"tenant {sight.history.tenant}"
    if change is None:
        return NotFound(f"there is no topic {name!r}", where=where, remedy="cortex knowledge list says what there is")
    at = format_instant(change.at)
    remedy = f"read it as of {at}, when it was still there, or put its file back and sync"
    return NotFound(f"topic {name!r} was removed at {at}", where=where, remedy=remedy)
