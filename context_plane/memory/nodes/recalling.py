"""Recalling: search over what is remembered, of which only what is wanted is returned.

Here belongs what is asked of search and what is dropped of its hits: nodes that are superseded, that are about other
entities, of another session, too doubtful. More is asked for than is wanted, and more again where that was not enough.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from context_plane.errors import InputError
from context_plane.memory.nodes.node import PREFIX, TYPES, Kept, check_share
from context_plane.memory.nodes.seen import Node, Seen
from context_plane.retrieval.searcher import MOST

if TYPE_CHECKING:
    from context_plane.retrieval.hit import Hit, Scores

_BEYOND: Final = 8
_FURTHER: Final = 4
Searching = Callable[[tuple[str, ...] | None, int], "list[Hit]"]
"""Gives the hits of some entities' events (`None` for all), so many."""
Found = tuple["Hit", Kept]


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
        if not isinstance(self.session, str | None):
            raise InputError(f"the session is {self.session!r:.60}", where="session", remedy="give a text")
        check_share(self.least, "min_confidence")
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
        rounded = scores and {name: value if value is None else round(value, 6) for name, value in scores.items()}
        return {**self.node.to_json(), "score": self.score, "scores": rounded}


def recall(
    seen: Seen, search: Searching, wanted: Wanted, k: int, within: Callable[[int, int], Searching] | None = None
) -> list[Recalled]:
    """The k best of those wanted, the best first.

    `within` gives the search of a span of time. It is asked for where so much of what is not wanted is better that one
    search cannot reach beyond it, such as a node that thousands have taken the place of one after another. Raises
    `InputError` for a k that cannot be meant, and what the search does.
    """
    if type(k) is not int or not 0 <= k <= MOST:
        raise InputError(f"k is {k!r:.40}", where="k", remedy=f"give a number from 0 to {MOST:,}")
    entities = wanted.subjects(seen)
    found, complete = _best(seen, search, wanted, entities, k, k + _BEYOND)
    if not complete and within is not None:
        times = [node.at for node in listed(seen, wanted)]
        found = _of_spans(times, lambda start, end: _best(seen, within(start, end), wanted, entities, k, MOST))
        found.sort(key=lambda each: (-each[0].score, each[1].entity, *each[1].order))
    return [Recalled(seen.described(kept), hit.score, hit.scores) for hit, kept in found[:k]]


def _best(
    seen: Seen, search: Searching, wanted: Wanted, entities: tuple[str, ...] | None, k: int, ask: int
) -> tuple[list[Found], bool]:
    """The k best of those wanted that a search finds, and whether that is all there is to find."""
    while True:
        ask = min(MOST, ask)
        hits = search(entities, ask)
        found = [(hit, seen.kept(hit.event_id)) for hit in hits if hit.event_id in seen]
        good = [(hit, kept) for hit, kept in found if wanted.takes(kept, seen)]
        complete = len(good) >= k or len(hits) < ask
        if complete or ask == MOST:
            return good[:k], complete
        ask *= _FURTHER


def _of_spans(times: Sequence[int], best: Callable[[int, int], tuple[list[Found], bool]]) -> list[Found]:
    """What is found in spans of time so short that one search of each is enough; `times` are those of all nodes that
    are wanted, in order."""
    found, spans = list[Found](), [times] if times else []
    while spans:
        span = spans.pop()
        some, complete = best(span[0], span[-1] + 1)
        if complete or span[0] == span[-1]:
            found += some
        else:
            middle = bisect_left(span, span[len(span) // 2]) or bisect_right(span, span[0])
            spans += [span[:middle], span[middle:]]
    return found


def listed(seen: Seen, wanted: Wanted) -> list[Node]:
    """All of those wanted, in order of time and id."""
    held: Sequence[Kept] = seen.all()
    if wanted.entities is not None:
        unique = {kept.id: kept for entity in wanted.entities for kept in seen.about(entity)}
        held = sorted(unique.values(), key=lambda kept: kept.order)
    return [seen.described(kept) for kept in held if wanted.takes(kept, seen)]
