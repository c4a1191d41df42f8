"""Hits: what a search returns of one event."""

from __future__ import annotations

from typing import Any, NamedTuple

from context_plane.instants import day_of, format_instant
from context_plane.store import keys


class Scores(NamedTuple):
    """The two scores that `Hit.score` is made of, as they were before they were brought to one scale."""

    bm25: float | None
    """BM25 in Lucene's form without its constant factor, with what neighbours lend; `None` where text did not count."""
    vector: float | None
    """Cosine, with what neighbours lend; `None` where vectors did not count."""


class Hit(NamedTuple):
    """One event that a search found. A tuple, because ten of them are made in every search."""

    tenant: str
    event_id: str
    entity: str
    at: int
    """Event time in microseconds since 1970."""
    type: str
    text: str
    """The event's own text, whatever was indexed beside it."""
    score: float
    scores: Scores
    source: str
    """CloudEvents source: with `event_id` the event's identity."""

    @property
    def time(self) -> str:
        """Event time, RFC 3339 in UTC."""
        return format_instant(self.at)

    @property
    def segment(self) -> str:
        """Where in the store the log keeps the event: the segments of its entity and day."""
        return keys.segment_folder(self.tenant, self.entity, day_of(self.at))

    def to_json(self) -> dict[str, Any]:
        """As ``cortex search --json`` prints it (contract.md)."""
        return {
            "event_id": self.event_id,
            "entity": self.entity,
            "time": self.time,
            "type": self.type,
            "text": self.text,
            "score": self.score,
            "scores": {
                name: value if value is None else round(value, 6) for name, value in self.scores._asdict().items()
            },
            "source": self.source,
            "segment": self.segment,
        }
