"""Syncing: a folder's files become what a tenant knows.

Here belongs which changes a folder means, and that they are one commit, all or none. Whoever comes second looks again:
before a commit takes its number, nothing that others committed meanwhile may concern topics, else the files are read
anew. So of two that sync at once, the later commit is of the later look at the files, and none brings an old file back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from context_plane.errors import Conflict, InputError
from context_plane.instants import now
from context_plane.knowledge import events
from context_plane.knowledge.catalog import Catalog, Head, touches
from context_plane.knowledge.folder import Document, Refused, Scan
from context_plane.knowledge.names import slashed
from context_plane.knowledge.topic import TopicInfo
from context_plane.log.append import append
from context_plane.log.events import identity
from context_plane.log.outcome import RefusedBatch

if TYPE_CHECKING:
    from context_plane.log.history import History

_ATTEMPTS: Final = 50


@dataclass(frozen=True)
class Learned:
    """What a sync did. Topics by name, in order."""

    commit: int | None
    """Number of its commit; `None` where nothing had changed."""
    new: tuple[str, ...]
    changed: tuple[str, ...]
    unchanged: tuple[str, ...]
    removed: tuple[str, ...]
    refused: tuple[Refused, ...]
    """Files that should be topics and are none; what was learned from them before stays."""
    left_out: tuple[str, ...]
    """Files of kinds that are no topics."""
    chunks: int
    """Of the topics that are new or changed."""

    def to_json(self) -> dict[str, Any]:
        """As ``cortex knowledge sync --json`` prints it."""
        return {
            "commit": self.commit,
            "new": list(self.new),
            "changed": list(self.changed),
            "unchanged": list(self.unchanged),
            "removed": list(self.removed),
            "refused": [each.to_json() for each in self.refused],
            "left_out": list(self.left_out),
            "chunks": self.chunks,
        }


class _Overtaken(Exception):
    """Somebody else has committed a change of topics."""


def sync(
    history: History,
    catalog: Catalog,
    look: Callable[[], Scan],
    *,
    remove: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> Learned:
    """Brings what a tenant knows up to what `look` finds; returns what that changed.

    `progress` is given files read and files there are. Raises what `look` raises, `Conflict` where others commit
    without end, `Unavailable`.
    """
    for _ in range(_ATTEMPTS):
        history.refresh()
        attempt = _Attempt(Head(history, history.head), catalog, look(), remove, progress)
        try:
            commit = append(history, attempt.events(), guard=attempt.check)
        except _Overtaken:
            continue
        except RefusedBatch:  # the log refuses a second change with one number before it asks the guard
            with suppress(_Overtaken):
                attempt.check()
                raise
            continue
        return attempt.learned(commit.id)
    what = "other processes change the tenant's topics without end"
    raise Conflict(what, where=f"tenant {history.tenant}", remedy="run it again when they are done")


@dataclass
class _Attempt:
    """One look at the files beside one look at the log."""

    head: Head
    """All of the log that was read when it began."""
    catalog: Catalog
    scan: Scan
    remove: bool
    progress: Callable[[int, int], None] | None
    new: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    chunks: int = 0
    next: dict[str, tuple[int, int]] = field(default_factory=dict)

    def events(self) -> Iterator[dict[str, Any]]:
        """The events of all changes; files are read on the way."""
        known = self.catalog.current(self.head)
        self._part(known)
        self._number({*known, *self.scan.files})
        for done, document in enumerate(self.scan.documents(), 1):
            yield from self._of_document(document, known.get(document.topic))
            if self.progress is not None:
                self.progress(done, len(self.scan.files))
        if self.remove and self.scan.whole:
            for name in known:
                if not self.scan.has(name):
                    self.removed.append(name)
                    yield events.of_removal(name, *self.next[name])

    def check(self) -> None:
        """Raises where topics changed since the log was looked at."""
        history = self.head.history
        if any(touches(history, record) for record in history.records(self.head.number)):
            raise _Overtaken

    def learned(self, commit: int | None) -> Learned:
        """What came of it."""
        some = self.new or self.changed or self.removed
        return Learned(
            commit if some else None,
            tuple(self.new),
            tuple(self.changed),
            tuple(self.unchanged),
            tuple(self.removed),
            tuple(sorted(self.scan.refused, key=lambda each: each.path)),
            tuple(self.scan.left_out),
            self.chunks,
        )

    def _of_document(self, document: Document, known: TopicInfo | None) -> Iterator[dict[str, Any]]:
        if known is not None and known.version == events.version_of(document.body):
            self.unchanged.append(document.topic)
            return
        (self.new if known is None else self.changed).append(document.topic)
        for event in events.of_version(document, *self.next[document.topic]):
            self.chunks += event["type"] == events.CHUNK
            yield event

    def _number(self, topics: Iterable[str]) -> None:
        """Numbers and times of the next changes: later than the last ones, whatever the clocks of two machines say.
        What was erased keeps its numbers."""
        moment = now()
        for topic in topics:
            change, told = self.catalog.newest(self.head, topic)
            self.next[topic] = (told.revision if told else 0) + 1, max(moment, change.at + 1 if change else 0)
        ids = self.head.history.ids()
        while taken := [topic for topic, found in zip(self.next, ids.find(self._ids()), strict=True) if found]:
            for topic in taken:
                self.next[topic] = self.next[topic][0] + 1, self.next[topic][1]

    def _ids(self) -> list[bytes]:
        wanted = (events.change_id(topic, revision) for topic, (revision, _) in self.next.items())
        return [identity(events.SOURCE, each) for each in wanted]

    def _part(self, known: dict[str, TopicInfo]) -> None:
        """Refuses files whose topic could not be told from another that stays."""
        names = {slashed(name): name for name in known if self.scan.has(name) or not (self.remove and self.scan.whole)}
        for topic, file in list(self.scan.files.items()):
            other = names.get(slashed(topic), topic)
            if other != topic:
                del self.scan.files[topic]
                error = InputError(f"references could mean topic {other!r} as well", remedy="rename the file")
                self.scan.refuse(file, error, topic)
