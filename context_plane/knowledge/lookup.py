"""Looking up: the pieces of what is known now that answer a question.

Here belongs that chunks of versions gone by are not found. The index holds those too, because it is one for all views;
so more is asked for until there is enough of what is current.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from context_plane.instants import format_instant
from context_plane.knowledge.catalog import Catalog, Change
from context_plane.knowledge.events import CHUNK, SOURCE
from context_plane.knowledge.names import entity_of, topic_of
from context_plane.knowledge.topic import Chunk, Topic, TopicInfo
from context_plane.retrieval.filters import Filters
from context_plane.retrieval.searcher import MOST, Asked, Query

if TYPE_CHECKING:
    from context_plane.parts.view import View
    from context_plane.retrieval.hit import Hit, Scores

_MORE: Final = 4


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk that was found."""

    topic: str
    version: str
    title: str
    """Of the topic."""
    chunk: Chunk
    score: float
    scores: Scores
    at: int
    """When the plane learned it: microseconds since 1970."""

    @property
    def heading(self) -> tuple[str, ...]:
        """The headings above it, the outermost first."""
        return self.chunk.heading

    @property
    def text(self) -> str:
        """As it stands in the file."""
        return self.chunk.text

    @property
    def event_id(self) -> str:
        """With `source` the identity of the event that holds it."""
        return self.chunk.event_id

    @property
    def source(self) -> str:
        """CloudEvents source of the event."""
        return SOURCE

    @property
    def entity(self) -> str:
        """The topic's entity."""
        return entity_of(self.topic)

    @property
    def time(self) -> str:
        """When the plane learned it: RFC 3339 in UTC."""
        return format_instant(self.at)

    def to_json(self) -> dict[str, Any]:
        """As ``cortex knowledge search --json`` prints it."""
        scores = {name: value if value is None else round(value, 6) for name, value in self.scores._asdict().items()}
        return {
            "topic": self.topic,
            "entity": self.entity,
            "version": self.version,
            "title": self.title,
            **self.chunk.to_json(),
            "score": self.score,
            "scores": scores,
            "source": self.source,
            "time": self.time,
        }


def lookup(
    catalog: Catalog,
    search: Callable[[Query], list[Hit]],
    view: View,
    query: str,
    topics: Iterable[str] | None,
    mode: Asked,
    k: int,
) -> list[Passage]:
    """The k chunks of current versions (of some topics) that answer a query best, the best first.

    Raises `NotFound` for a topic that there is not, `InputError` for what cannot be asked.
    """
    named = None if topics is None else [catalog.find(view, topic).name for topic in topics]
    entities = None if named is None else tuple(map(entity_of, named))
    asked = Query(query, Filters(entities=entities, types=(CHUNK,)), mode, k).checked()
    current = _Current(catalog, view)
    wanted = k
    while True:
        hits = search(replace(asked, k=wanted))
        found = [each for hit in hits if (each := current.passage(hit)) is not None]
        if len(found) >= k or len(hits) < wanted or wanted == MOST:
            return found[:k]
        wanted = min(MOST, wanted * _MORE)


class _Current:
    """What a view knows now, of the topics that are found."""

    def __init__(self, catalog: Catalog, view: View) -> None:
        self._catalog = catalog
        self._view = view
        self._changes: dict[str, Change | None] = {}
        self._topics: dict[Change, Topic] = {}

    def passage(self, hit: Hit) -> Passage | None:
        """What was found, if it is current: all events of a change have its time, which no other of the topic has."""
        if hit.entity not in self._changes:
            self._changes[hit.entity] = self._change(hit.entity)
        change = self._changes[hit.entity]
        if change is None or change.at != hit.at:
            return None
        topic = self._topics.get(change)
        if topic is None:
            topic = self._topics[change] = self._catalog.topic(self._view.history, change)
        chunk = topic.chunks[int(hit.event_id.rpartition("/")[2])]
        return Passage(topic.name, topic.version, topic.title, chunk, hit.score, hit.scores, hit.at)

    def _change(self, entity: str) -> Change | None:
        """What made a topic what it is now; `None` where it is gone."""
        name = topic_of(entity)
        change, told = (None, None) if name is None else self._catalog.newest(self._view, name)
        return change if isinstance(told, TopicInfo) else None
