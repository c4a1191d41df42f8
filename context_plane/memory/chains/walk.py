"""Walks: from one thing along the links to what came before it, or to what came after, within limits.

Here belongs the order of steps: depth first, each thing's links in order of time, so that a reader follows one thread
to its end. A thing is gone on from once, where it is nearest; where a walk comes to it otherwise, it says so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

from context_plane.ctx.tokens import counter
from context_plane.errors import InputError, NotFound
from context_plane.memory.chains.graph import Edge, Thing

Direction = Literal["back", "forward"]
DEPTH: Final = 10
MOST_STEPS: Final = 10_000
_LAST: Final = 14
"""Tokens of the line that says how many links were left out."""


class Walkable(Protocol):
    """What can be walked: things, and the links before and after each."""

    def __contains__(self, id_: str) -> bool: ...

    def thing(self, id_: str) -> Thing:
        """What is known of an id."""

    def before(self, id_: str) -> list[Edge]:
        """Links to what came before a thing, in order of time."""

    def after(self, id_: str) -> list[Edge]:
        """Links to what came after it, in order of time."""


@dataclass(frozen=True)
class Step:
    """One link of a walk, and where it leads."""

    depth: int
    """1 for links of the start."""
    edge: Edge
    thing: Thing
    again: bool = False
    """Whether the walk goes on from it elsewhere: before, or where it is nearer."""
    cut: bool = False
    """Whether it has links that the limits left out."""


@dataclass(frozen=True)
class Walk:
    """What was found."""

    start: Thing
    direction: Direction
    steps: tuple[Step, ...]
    left_out: int
    """Links that the limits left out, as far as they were seen."""

    @property
    def text(self) -> str:
        """As a tree, one line a step."""
        from context_plane.memory.chains import drawing

        return drawing.text(self)

    @property
    def mermaid(self) -> str:
        """As a Mermaid flow chart."""
        from context_plane.memory.chains import drawing

        return drawing.mermaid(self)

    def to_dict(self) -> dict[str, Any]:
        """As `cortex memory inspect --json` prints it."""
        from context_plane.memory.chains import drawing

        return drawing.to_dict(self)


def walk(
    graph: Walkable,
    start: str,
    direction: Direction = "back",
    depth: int = DEPTH,
    kinds: frozenset[str] | None = None,
    max_tokens: int | None = None,
) -> Walk:
    """The links from `start` on, at most so deep, of these kinds, with at most so many tokens of text (`Walk.text`).

    Raises `NotFound` for a start that the view does not have, `InputError` for limits that cannot be meant.
    """
    check(direction, depth, max_tokens)
    if start not in graph:
        remedy = "check the name (type/id); a later --as-of may know it"
        raise NotFound(f"there is no event of {start!r:.100}, nor a memory of that id", where="start", remedy=remedy)
    links = graph.before if direction == "back" else graph.after

    def onward(id_: str) -> list[Edge]:
        return [each for each in links(id_) if kinds is None or each.kind in kinds]

    def end(edge: Edge) -> str:
        return edge.earlier if direction == "back" else edge.later

    count, spent = None if max_tokens is None else counter(), 0
    if count is not None:
        from context_plane.memory.chains import drawing

        spent = count(f"{drawing.named(graph.thing(start))}\n") + _LAST
    near, gone_on, steps, left_out = _distances(start, depth, onward, end), {start}, list[Step](), 0
    todo = [(1, edge) for edge in reversed(onward(start))]
    while todo:
        level, edge = todo.pop()
        thing = graph.thing(end(edge))
        again = thing.id in gone_on or near.get(thing.id, level) < level
        further = [] if again else onward(thing.id)
        cut = level == depth and bool(further)
        step = Step(level, edge, thing, again, cut)
        if count is not None:
            spent += count(f"{drawing.BAR * level}{drawing.line(step)}\n")
        if len(steps) == MOST_STEPS or (max_tokens is not None and spent > max_tokens):
            left_out += 1 + len(todo)
            break
        steps.append(step)
        if cut:
            left_out += len(further)
        elif not again:
            todo += [(level + 1, each) for each in reversed(further)]
            gone_on.add(thing.id)
    return Walk(graph.thing(start), direction, tuple(steps), left_out)


def _distances(
    start: str, depth: int, onward: Callable[[str], list[Edge]], end: Callable[[Edge], str]
) -> dict[str, int]:
    """How many links away things are, as far as the walk may go: a thing is gone on from where it is nearest, so that
    nothing within the depth is missed."""
    found = level = {start: 0}
    for far in range(1, depth + 1):
        level = {end(edge): far for id_ in level for edge in onward(id_) if end(edge) not in found}
        if not level or len(found) > MOST_STEPS:
            break
        found = found | level
    return found


def check(direction: str = "back", depth: int = DEPTH, max_tokens: int | None = None) -> None:
    """Raises `InputError` for limits that cannot be meant."""
    if direction not in ("back", "forward"):
        raise InputError(f"there is no direction {direction!r:.40}", where="direction", remedy="use back or forward")
    if type(depth) is not int or not 1 <= depth <= 1_000:
        raise InputError(f"the depth is {depth!r:.40}", where="depth", remedy="give a number from 1 to 1,000")
    if max_tokens is not None and (type(max_tokens) is not int or max_tokens < 1):
        raise InputError(f"the limit is {max_tokens!r:.40}", where="max_tokens", remedy="give a number of tokens")
