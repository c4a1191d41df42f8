"""The registry: which actions and gates there are, where each comes from, and what did not load.

Built-in ones come first, then those of installed packages, then those of the home's Python files, then those that
YAML declares. A name means one thing: who comes later with a name that is taken does not get it, and that is a problem.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from difflib import get_close_matches
from functools import cached_property, lru_cache
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeVar

from context_plane.canonical import digest
from context_plane.errors import Conflict, ContextPlaneError, NotFound
from context_plane.processes.registry.decorators import declared_in
from context_plane.processes.registry.handler import Action, Gate

if TYPE_CHECKING:
    from context_plane.config import Settings
    from context_plane.processes.registry.plugins import Provided
    from context_plane.processes.registry.python_files import LoadedFile

BUILT_IN: Final = "built in"
_PACKAGE: Final = "context_plane.processes.registry.builtin"
_MODULES: Final = ("drafts", "files", "git", "http", "plane", "gates", "outputs")
Named = TypeVar("Named", Action, Gate)


@dataclass(frozen=True)
class Registry:
    """Actions and gates by name. A value: `with_declared` gives another one."""

    actions: Mapping[str, Action] = field(default_factory=dict)
    gates: Mapping[str, Gate] = field(default_factory=dict)
    problems: tuple[ContextPlaneError, ...] = ()
    """What did not load or lost its name to another, each with its place and a remedy."""

    @cached_property
    def fingerprint(self) -> str:
        """``sha256:…`` over all that compiling looks at: names, inputs, models, prompts, commands, problems, and
        where each stands, because diagnostics name that. The code of handlers is not in it: a process is compiled
        against what they declare."""
        return digest(
            {
                "actions": {name: _plain(each) for name, each in self.actions.items()},
                "gates": {name: _plain(each) for name, each in self.gates.items()},
                "problems": [str(each) for each in self.problems],
            }
        )

    def action(self, name: str) -> Action:
        """The action of a name. Raises `NotFound` with the nearest name."""
        return _named("action", self.actions, name)

    def gate(self, name: str) -> Gate:
        """The gate of a name. Raises `NotFound` with the nearest name."""
        return _named("gate", self.gates, name)

    def with_declared(self, actions: Iterable[Action] = (), gates: Iterable[Gate] = ()) -> Registry:
        """With those that YAML declares. Raises `Conflict` for a name that is taken, naming both origins."""
        found_actions, found_gates = dict(self.actions), dict(self.gates)
        for each in actions:
            _add(found_actions, each)
        for every in gates:
            _add(found_gates, every)
        return Registry(MappingProxyType(found_actions), MappingProxyType(found_gates), self.problems)


def open_registry(settings: Settings, *, load_python: bool = True) -> Registry:
    """The built-in actions and gates, those of installed packages and, with `load_python`, those of the home's Python
    files. Cheap to call again: only files that changed are loaded, and where none did it is the same registry."""
    from context_plane.processes.registry.plugins import provided
    from context_plane.processes.registry.python_files import load_folder

    return _made(provided(), tuple(load_folder(settings.process_folder)) if load_python else ())


@lru_cache(maxsize=8)
def _made(packages: tuple[Provided, ...], files: tuple[LoadedFile, ...]) -> Registry:
    found = _Collecting()
    for name in _MODULES:
        found.take(replace(each, origin=BUILT_IN) for each in declared_in(_built_in(name)))
    for package in packages:
        found.take(package.declared, package.problem)
    for file in files:
        found.take(file.declared, file.problem)
    return Registry(MappingProxyType(found.actions), MappingProxyType(found.gates), tuple(found.problems))


class _Collecting:
    """A registry in the making: the first to come with a name has it."""

    def __init__(self) -> None:
        self.actions: dict[str, Action] = {}
        self.gates: dict[str, Gate] = {}
        self.problems: list[ContextPlaneError] = []

    def take(self, declared: Iterable[Action | Gate], problem: ContextPlaneError | None = None) -> None:
        if problem is not None:
            self.problems.append(problem)
        for each in declared:
            try:
                _add(self.actions, each) if isinstance(each, Action) else _add(self.gates, each)
            except Conflict as conflict:
                self.problems.append(conflict)


def _built_in(name: str) -> str:
    """The name of a module of built-in ones, which is loaded now."""
    return import_module(f"{_PACKAGE}.{name}").__name__


def _add(known: dict[str, Named], new: Named) -> None:
    kind = type(new).__name__.lower()
    if (old := known.get(new.name)) is not None:
        what = f"the {kind} {new.name!r} is there twice: in {old.origin or 'nowhere'} and in {new.origin or 'nowhere'}"
        raise Conflict(what, where=new.origin, remedy="give one of them another name")
    known[new.name] = new


def _named(kind: str, known: Mapping[str, Named], name: str) -> Named:
    if name in known:
        return known[name]
    near = get_close_matches(name, known, 1)
    remedy = f"did you mean {near[0]}?" if near else f"there are: {', '.join(sorted(known)) or 'none'}"
    raise NotFound(f"there is no {kind} {name!r:.80}", where=kind, remedy=remedy)


def _plain(each: Action | Gate) -> dict[str, Any]:
    """What compiling looks at, as JSON."""
    inputs = None if each.inputs is None else {name: asdict(given) for name, given in each.inputs.items()}
    run = None if each.run is None else asdict(each.run)
    plain: dict[str, Any] = {"description": each.description, "inputs": inputs, "run": run, "origin": each.origin}
    if isinstance(each, Action):
        model = None if each.model is None else asdict(each.model)
        plain |= {
            "keyed": each.keyed, "model": model, "model_optional": each.model_optional, "prompt": each.prompt,
            "timeout": each.timeout,
        }  # fmt: skip
    return plain
