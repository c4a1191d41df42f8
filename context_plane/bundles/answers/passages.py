"""Passages: chunks of knowledge topics as candidates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from context_plane.bundles.answers import lines
from context_plane.bundles.viewport.sections import Item

if TYPE_CHECKING:
    from context_plane.bundles.answers.gathering import Ref
    from context_plane.knowledge.lookup import Passage
    from context_plane.knowledge.topic import Chunk, Topic

_UNASKED = 1e-3
"""What a chunk of a named topic is worth that does not answer the goal: more than none."""


def found(passages: Sequence[Passage]) -> list[tuple[Item, Ref]]:
    """What a search found, topic by topic, in the order of each."""
    ordered = sorted(passages, key=lambda each: (each.topic, each.chunk.n))
    return [_chunk(each.topic, each.entity, each.at, each.chunk, each.score) for each in ordered]


def named(topics: Sequence[Topic], passages: Sequence[Passage]) -> list[tuple[Item, Ref]]:
    """All chunks of topics, in the order in which these were named; those worth most that a search found."""
    scores = {each.event_id: each.score for each in passages}
    return [
        _chunk(topic.name, topic.entity, topic.info.at, chunk, scores.get(chunk.event_id, 0.0) + _UNASKED)
        for topic in topics
        for chunk in topic.chunks
        if chunk.text.strip()
    ]


def _chunk(topic: str, entity: str, at: int, chunk: Chunk, score: float) -> tuple[Item, Ref]:
    item = Item(
        chunk.event_id, lines.of_chunk(topic, chunk.heading, chunk.text), value=score,
        says=(f"cortex/knowledge {chunk.event_id}",),
    )  # fmt: skip
    ref = {
        "kind": "knowledge", "id": chunk.event_id, "entity": entity, "time": at, "source": "cortex/knowledge",
        "topic": topic, "score": score,
    }  # fmt: skip
    return item, ref
