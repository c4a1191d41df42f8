"""Catalog: what compiling a folder gives: the processes that can be run, and everything that is wrong.

Here belong the data and their JSON form. How they come about is the stages' to say.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

from context_plane.canonical import digest
from context_plane.processes.compiler.interfaces import Interface
from context_plane.processes.language.diagnostic import Diagnostic, Place
from context_plane.processes.linked import Command, Declared, LinkedProcess, ModelNeeds, Trigger
from context_plane.processes.registry.handler import Action, Gate


@dataclass(frozen=True, eq=False)
class Catalog:
    """The documents of a folder, compiled."""

    processes: Mapping[str, LinkedProcess] = field(default_factory=dict)
    """Those without errors, abstract ones among them, in order of name."""
    interfaces: Mapping[str, Interface] = field(default_factory=dict)
    actions: Mapping[str, Action] = field(default_factory=dict)
    """Those that YAML declares."""
    gates: Mapping[str, Gate] = field(default_factory=dict)
    diagnostics: tuple[Diagnostic, ...] = ()
    """All of them, in order of place. Files are relative to the folder."""
    sources: Mapping[str, Place] = field(default_factory=dict)
    """Where each process is declared, also those with errors."""
    broken: frozenset[str] = frozenset()
    """Processes that cannot be run: they, a parent, or something that they use has an error."""
    reused: Mapping[str, int] = field(default_factory=dict)
    """Of those whose version was compiled before and declared something else, the version."""

    @cached_property
    def digest(self) -> str:
        """``sha256:…`` over what is in it: the same files give the same, and the same documents in other places too,
        but for what is wrong with them."""
        raw = to_json(self)
        for each in raw["interfaces"]:
            del each["place"]
        for each in (*raw["actions"], *raw["gates"]):
            del each["origin"]
        return digest({**raw, "sources": {}, "processes": {n: each.digest for n, each in self.processes.items()}})

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """The diagnostics that are no warnings."""
        return tuple(each for each in self.diagnostics if each.severity == "error")


class Stored(Mapping[str, LinkedProcess]):
    """Linked processes as JSON, each decoded when it is asked for: who runs one process needs no other."""

    def __init__(self, texts: Mapping[str, bytes]) -> None:
        self.texts = texts
        self._found: dict[str, LinkedProcess] = {}

    def __getitem__(self, name: str) -> LinkedProcess:
        if name not in self._found:
            text = self.texts[name]
            self._found[name] = found = LinkedProcess.from_json(json.loads(text))
            found.__dict__["canonical"] = text  # what it was written as, so that it need not be written again
        return self._found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.texts)

    def __len__(self) -> int:
        return len(self.texts)


# --- JSON ------------------------------------------------------------------------------------------------------------


def to_json(catalog: Catalog) -> dict[str, Any]:
    """Everything but the processes."""
    return {
        "interfaces": [asdict(each) | {"place": [*each.place]} for each in catalog.interfaces.values()],
        "actions": [_without_handler(each) for each in catalog.actions.values()],
        "gates": [_without_handler(each) for each in catalog.gates.values()],
        "diagnostics": [
            [*each.place, each.code, each.severity, each.message, each.remedy] for each in catalog.diagnostics
        ],
        "sources": {name: [*place] for name, place in catalog.sources.items()},
        "broken": sorted(catalog.broken),
        "reused": dict(catalog.reused),
    }  # fmt: skip


def from_json(raw: Mapping[str, Any], processes: Mapping[str, LinkedProcess]) -> Catalog:
    """Reverse of `to_json`, with the processes. Raises `KeyError`, `TypeError`, `ValueError` for what is none."""
    return Catalog(
        processes,
        {each["name"]: _interface(each) for each in raw["interfaces"]},
        {each["name"]: _action(each) for each in raw["actions"]},
        {each["name"]: _gate(each) for each in raw["gates"]},
        tuple(Diagnostic(Place(*each[:3]), *each[3:]) for each in raw["diagnostics"]),
        {name: Place(*place) for name, place in raw["sources"].items()},
        frozenset(raw["broken"]),
        raw["reused"],
    )


def _interface(raw: Mapping[str, Any]) -> Interface:
    return Interface(
        raw["name"], raw["version"], Place(*raw["place"]), raw["description"], tuple(raw["required_gates"]),
        tuple((id, description) for id, description in raw["required_steps"]), tuple(raw["required_knowledge"]),
        _inputs(raw["inputs"]),
        tuple(Trigger(**each | {"tenants": tuple(each["tenants"])}) for each in raw["triggers"]),
    )  # fmt: skip


def _inputs(raw: Mapping[str, Any]) -> dict[str, Declared]:
    return {name: Declared(**each) for name, each in raw.items()}


def _without_handler(each: Action | Gate) -> dict[str, Any]:
    raw = {name: value for name, value in vars(each).items() if name != "handler"}
    return raw | {
        "inputs": {name: asdict(declared) for name, declared in (each.inputs or {}).items()},
        "run": asdict(each.run) if each.run else None,
        **({"model": asdict(each.model) if each.model else None} if isinstance(each, Action) else {}),
    }


def _command(raw: Mapping[str, Any] | None) -> Command | None:
    return None if raw is None else Command(tuple(raw["arguments"]), raw["check"])


def _action(raw: Mapping[str, Any]) -> Action:
    from context_plane.processes.registry.commands import run
    from context_plane.processes.registry.prompts import ask

    model = raw["model"]
    return Action(
        **{
            **raw, "handler": run if raw["prompt"] is None else ask, "inputs": _inputs(raw["inputs"]),
            "run": _command(raw["run"]),
            "model": None if model is None else ModelNeeds(**model | {"capabilities": tuple(model["capabilities"])}),
        }
    )  # fmt: skip


def _gate(raw: Mapping[str, Any]) -> Gate:
    from context_plane.processes.registry.commands import passes

    return Gate(**{**raw, "handler": passes, "inputs": _inputs(raw["inputs"]), "run": _command(raw["run"])})
