"""Recalling: search over what is remembered, of which only what is wanted is returned.

Here belongs what is asked of search and what is dropped of its hits: nodes that are superseded, that are about other
entities, of another session, too doubtful. More is asked for than is wanted, and more again where that was not enough.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from context_plane.errors import InputError
from context_plane.memory.nodes.node import PREFIX, TYPES, Kept
from context_plane.memory.nodes.seen import Node, Seen
from context_plane.retrieval.searcher import MOST

if TYPE_CHECKING:
    from context_plane.retrieval.hit import Hit, Scores

_BEYOND: Final = 8
_FURTHER: Final = 4
Searching = Callable[[tuple[str, ...] | None, int], "list[Hit]"]
"""Gives the hits of some entities' events (`None` for all), so many."""


@dataclass(frozen=True)
class Wanted:
    """What is wanted of the nodes that a query finds."""

    entities: tuple[str, ...] | None = None
    types: tuple[str, ...] = TYPES
    session: str | None = None
    superseded: bool = False
    """Whether nodes are wanted that others take the place of."""
    least: float = 0.0
    """The least confidence."""

    def checked(self) -> Wanted:
        """The same. Raises `InputError` for what cannot be meant."""
        for each in self.types:
            if each not in TYPES:
                raise InputError(f"there is no type {each!r:.60}", where="type", remedy=f"use {', '.join(TYPES)}")
        return self

    @property
    def globs(self) -> tuple[str, ...]:
        """The types of their events."""
        return tuple(PREFIX + each for each in self.types)

    def subjects(self, seen: Seen) -> tuple[str, ...] | None:
        """The entities whose events say something about those wanted: these, and others' nodes that are about them."""
        if self.entities is None:
            return None
        return tuple(dict.fromkeys([*self.entities, *(k.entity for e in self.entities for k in seen.about(e))]))

    def takes(self, kept: Kept, seen: Seen) -> bool:
        """Whether a node is wanted."""
        return (
            (self.entities is None or not set(self.entities).isdisjoint(kept.entities))
            and kept.type in self.types
            and (self.session is None or kept.session == self.session)
            and kept.confidence >= self.least
            and (self.superseded or not seen.superseded_by(kept.id))
        )


@dataclass(frozen=True)
class Recalled:
    """A node that was found."""

    node: Node
    score: float
    scores: Scores | None = None
    """What the score is made of; `None` where nothing was searched for."""

    @property
    def id(self) -> str:
        """The node's id."""
        return self.node.id

    @property
    def text(self) -> str:
        """What is remembered."""
        return self.node.text

    def to_json(self) -> dict[str, Any]:
        """As `cortex memory recall --json` prints it."""
        scores = None if self.scores is None else self.scores._asdict()
        return {**self.node.to_json(), "score": self.score, "scores": scores}


def recall(seen: Seen, search: Searching, wanted: Wanted, k: int) -> list[Recalled]:
    """The k best of those wanted, the best first."""
    entities = wanted.subjects(seen)
    ask = min(MOST, k + _BEYOND)
    while True:
        hits = search(entities, ask)
        found = [(hit, seen.kept(hit.event_id)) for hit in hits if hit.event_id in seen]
        good = [(hit, kept) for hit, kept in found if wanted.takes(kept, seen)]
        if len(good) >= k or len(hits) < ask or ask >= MOST:
            return [Recalled(seen.described(kept), hit.score, hit.scores) for hit, kept in good[:k]]
        ask = min(MOST, _FURTHER * ask)


def listed(seen: Seen, wanted: Wanted) -> list[Node]:
    """All of those wanted, in order of time and id."""
    held: Sequence[Kept] = seen.all()
    if wanted.entities is not None:
        unique = {kept.id: kept for entity in wanted.entities for kept in seen.about(entity)}
        held = sorted(unique.values(), key=lambda kept: kept.order)
    return [seen.described(kept) for kept in held if wanted.takes(kept, seen)]
