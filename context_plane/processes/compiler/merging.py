"""Merging: a parent's steps with those that a child writes (seed 001, section 3.4).

Here belongs order: a step that replaces one stands in its place, one that is inserted stands where it is asked to, and
those of the parent keep their sequence.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, NamedTuple, TypeVar

from context_plane.canonical import canonical
from context_plane.errors import InputError
from context_plane.processes.language.documents import GateUse, Listing, ProcessSource, StepSource
from context_plane.processes.language.findings import listed, meant, way

T = TypeVar("T")
Tell = Callable[[str, Any, str, str], None]
"""Code, mark in the child's document, message, remedy."""


class Owned(NamedTuple):
    """A gate, and the process that asked for it."""

    gate: GateUse
    owner: ProcessSource


class ResolvedStep(NamedTuple):
    """A step of a process, the process that declares it, and its gates: also those of the steps that it replaces."""

    source: StepSource
    owner: ProcessSource
    gates: tuple[Owned, ...]


def composed(
    parent: Sequence[T], own: Listing[T], key: Callable[[T], Hashable], repeated: Callable[[T, T], None]
) -> tuple[T, ...]:
    """A parent's items with a child's, where `inherit: all` stands, first where it is not written. One that is there
    already is told, and stands once, where it was."""
    at = own.marker or 0
    known = {key(each): each for each in parent}
    new = []
    for number, each in enumerate(own.items):
        first = known.setdefault(key(each), each)
        if first is each:
            new.append(each)
            continue
        repeated(each, first)
        at -= number < (own.marker or 0)
    return (*new[:at], *parent, *new[at:])


def gates_of(parent: Sequence[Owned], own: Listing[GateUse], owner: ProcessSource, tell: Tell) -> tuple[Owned, ...]:
    """A parent's gates with a child's."""

    def repeated(each: Owned, first: Owned) -> None:
        where = f"of {first.owner.name} " if first.owner is not owner else ""
        tell("repeated-gate", each.gate.spot, f"gate {each.gate.gate} {where}stands here already", "leave it out")

    if not own.items:
        return tuple(parent)
    mine = Listing(tuple([Owned(gate, owner) for gate in own.items]), own.marker)
    return composed(parent, mine, _same, repeated)


def _same(owned: Owned) -> tuple[str, bytes]:
    """Name and inputs, in whatever order these are written."""
    inputs = owned.gate.inputs
    try:
        return owned.gate.gate, canonical(inputs) if inputs else b""
    except InputError:  # something in it was refused, and told: such a process is not run
        return owned.gate.gate, repr(inputs).encode()


def merged(parent: Sequence[ResolvedStep], own: ProcessSource, tell: Tell, complete: bool) -> tuple[ResolvedStep, ...]:
    """The steps of a process. Where not all of the parent's are known (`complete`), nothing is told of positions."""
    mine = _own(own)
    if not parent:
        return tuple(ResolvedStep(step, own, gates_of((), step.gates, own, tell)) for step in mine.values())
    inherited = {step.source.id: step for step in parent}
    order = _Order(own, mine, inherited, tell, complete)
    found = []
    for id in order.ids():
        old, new = inherited.get(id), mine.get(id)
        if new is None:
            found.append(inherited[id])
            continue
        if old is not None and old.source.sealed:
            message = f"step {id} of {old.owner.name} is sealed"
            tell("sealed-step", new.at("id"), message, "leave it as it is, and insert others before or after it")
        gates = gates_of(old.gates if old else (), new.gates, own, tell)
        found.append(ResolvedStep(new, own, gates))
    return tuple(found)


def _own(own: ProcessSource) -> dict[str, StepSource]:
    """The child's steps by id; of two with one id, which was told, the first."""
    found: dict[str, StepSource] = {}
    for step in own.steps.items:
        found.setdefault(step.id, step)
    return found


class _Order:
    """Puts the ids of steps in order."""

    def __init__(
        self, own: ProcessSource, mine: dict[str, StepSource], inherited: Iterable[str], tell: Tell, complete: bool
    ) -> None:
        self._own, self._mine, self._inherited = own, mine, dict.fromkeys(inherited)
        self._tell, self._complete = tell, complete
        self._before: dict[str, list[str]] = {}
        self._after: dict[str, list[str]] = {}

    def ids(self) -> list[str]:
        """All ids, in order."""
        front, back = self._unplaced()
        found: list[str] = []
        for id in (*front, *self._inherited, *back):
            self._expand(id, found)
        placed = set(found)
        lost = [id for id in self._mine if id not in placed]
        if lost:
            self._tell_circles(lost)
        return found + lost

    def _unplaced(self) -> tuple[list[str], list[str]]:
        """New steps without a position: those before and those after the parent's. The others are put aside."""
        front: list[str] = []
        back: list[str] = []
        marker = self._own.steps.marker or 0
        for number, step in enumerate(self._own.steps.items):
            if self._mine[step.id] is not step:
                continue
            anchor = self._anchor(step)
            if step.id in self._inherited:
                continue
            if anchor is None:
                (front if number < marker else back).append(step.id)
            elif step.before is not None:
                self._before.setdefault(anchor, []).append(step.id)
            else:
                self._after.setdefault(anchor, []).append(step.id)
        return front, back

    def _anchor(self, step: StepSource) -> str | None:
        """The step beside which one goes, if it names one that there is."""
        key = "before" if step.before is not None else "after"
        anchor = step.before or step.after
        if anchor is None:
            return None
        if step.id in self._inherited:
            message = f"step {step.id} is one of the parent's, and stays in its place"
            remedy = f"leave {key} out to replace it, or give a new step another id"
            self._tell("moved-step", step.spot.keys[key], message, remedy)
        elif anchor not in self._inherited and anchor not in self._mine:
            if self._complete:
                known = [*self._inherited, *self._mine]
                remedy = meant(anchor, known, f"there are: {listed(known)}")
                self._tell("unknown-position", step.at(key), f"there is no step {anchor!r}", remedy)
            return None
        return anchor

    def _expand(self, id: str, found: list[str]) -> None:
        """A step with those that go before and after it, with theirs in turn."""
        todo = [(id, False)]
        while todo:
            at, done = todo.pop()
            if done:
                found.append(at)
                continue
            after, before = self._after.get(at, ()), self._before.get(at, ())
            todo += [(each, False) for each in reversed(after)]
            todo.append((at, True))
            todo += [(each, False) for each in reversed(before)]

    def _tell_circles(self, lost: list[str]) -> None:
        """Tells of each circle once, at the step of it that is written first."""
        written = {id: number for number, id in enumerate(self._mine)}
        told: set[str] = set()
        for id in lost:
            path: dict[str, None] = {}
            at = id
            while at not in path and at not in told:
                path[at] = None
                at = self._mine[at].before or self._mine[at].after or at
            if at in path:
                names = list(path)
                circle = names[names.index(at) :]
                first = circle.index(min(circle, key=written.__getitem__))
                names = [*circle[first:], *circle[: first + 1]]
                step = self._mine[names[0]]
                key = "before" if step.before is not None else "after"
                remedy = "let one of them stand beside a step of the parent"
                self._tell("position-circle", step.at(key), f"steps stand in a circle: {way(names)}", remedy)
            told.update(path)
