"""Actions and gates that installed packages provide, under two groups of entry points.

An entry point names a function that is decorated, an `Action` or `Gate`, or a module whose decorated functions are all
meant. Here belong finding and loading them, and saying what is wrong with one that cannot be used.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from context_plane.errors import ContextPlaneError, InputError, NotFound
from context_plane.processes.registry.declaring import check, inputs_of
from context_plane.processes.registry.decorators import declared_by, declared_in
from context_plane.processes.registry.handler import Action, Gate

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUPS: Final[dict[str, type[Action | Gate]]] = {"context_plane.actions": Action, "context_plane.gates": Gate}


@dataclass(frozen=True, eq=False)
class Provided:
    """What one entry point provides, or why it cannot be used."""

    declared: tuple[Action | Gate, ...] = ()
    problem: ContextPlaneError | None = None


@cache
def provided() -> tuple[Provided, ...]:
    """What all entry points provide, sorted by group and name. Looked up once in a process: that takes 20 ms."""
    return tuple(_tried(entry, kind) for group, kind in GROUPS.items() for entry in _found(group))


def _found(group: str) -> list[EntryPoint]:
    from importlib.metadata import entry_points

    # An editable install may be found under two folders of the path: the same entry point twice is one.
    return sorted(set(entry_points(group=group)), key=lambda each: (each.name, each.value))


def _tried(entry: EntryPoint, kind: type[Action | Gate]) -> Provided:
    try:
        return Provided(tuple(_load(entry, kind)))
    except ContextPlaneError as problem:
        return Provided(problem=problem)


def _load(entry: EntryPoint, kind: type[Action | Gate]) -> Iterator[Action | Gate]:
    try:
        value: Any = entry.load()
    except (Exception, SystemExit) as error:
        remedy = "install what it needs, or uninstall it"
        what = f"{entry.name!r} does not load: {type(error).__name__}: {error}"
        raise NotFound(what, where=_place(entry), remedy=remedy) from error
    declared = [each for each in _declared(value) if isinstance(each, kind)]
    if not declared:
        what = f"{entry.name!r} is no {kind.__name__.lower()}"
        remedy = f"let the entry point name a function with @{kind.__name__.lower()}, or a module that has some"
        raise InputError(what, where=_place(entry), remedy=remedy)
    for each in declared:
        if not isinstance(value, ModuleType) and len(declared) == 1 and each.name != entry.name:
            what = f"the entry point {entry.name!r} names the {kind.__name__.lower()} {each.name!r}"
            raise InputError(what, where=_place(entry), remedy="give both one name")
        check(each, _place(entry))
        yield replace(each, origin=_place(entry), inputs=inputs_of(each.inputs, _place(entry)))


def _declared(value: Any) -> list[Action | Gate]:
    if isinstance(value, (Action, Gate)):
        return [value]
    return declared_in(value.__name__) if isinstance(value, ModuleType) else declared_by(value)


def _place(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}: {entry.value}" if entry.dist else entry.value
