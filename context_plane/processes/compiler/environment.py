"""Environment: actions, gates, topics and interfaces by name, registered and declared, and what each process used of
it.

Here belong look-ups. A process that used the same things as before need not be linked again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from context_plane.processes.compiler.declare import Declarations
from context_plane.processes.compiler.surroundings import Surroundings
from context_plane.processes.language.documents import ActionSource, GateSource
from context_plane.processes.linked import Command, ModelNeeds
from context_plane.processes.registry.handler import Action, Gate

Used = dict[tuple[str, str], Any]
"""What was looked up, by kind and name; `None` where there is none."""


class Environment:
    """What processes are linked against."""

    def __init__(
        self,
        surroundings: Surroundings,
        declarations: Declarations,
        actions: Mapping[str, Action],
        gates: Mapping[str, Gate],
    ) -> None:
        self.surroundings = surroundings
        self.declarations = declarations
        self.actions: Mapping[str, Action] = {**actions, **surroundings.registry.actions}
        self.gates: Mapping[str, Gate] = {**gates, **surroundings.registry.gates}
        self._topics: dict[str, str | None] = {}

    def find(self, kind: str, name: str, used: Used) -> Any:
        """The action, gate or interface of a name, noted as used."""
        found = self._now(kind, name)
        used[kind, name] = found
        return found

    def unchanged(self, used: Used) -> bool:
        """Whether everything that was used is still the same."""
        return all(self._now(kind, name) is found for (kind, name), found in used.items())

    def broken(self, kind: str, name: str, used: Used) -> bool:
        """Whether the document of a name has errors, or could not be read: that was told, and nothing is sure of it."""
        used[f"broken {kind}", name] = found = self._is_broken(kind, name)
        return found

    def topic(self, reference: str) -> str | None:
        """The topic that a reference means."""
        if reference not in self._topics:
            self._topics[reference] = self.surroundings.topics(reference)
        return self._topics[reference]

    def _now(self, kind: str, name: str) -> Any:
        if kind == "action":
            return self.actions.get(name)
        if kind == "gate":
            return self.gates.get(name)
        if kind == "interface":
            return self.declarations.interfaces.get(name)
        return self._is_broken(kind.removeprefix("broken "), name)

    def _is_broken(self, kind: str, name: str) -> bool:
        return (kind, name) in self.declarations.broken


def action_of(source: ActionSource) -> Action:
    """The action that a document declares."""
    from context_plane.processes.registry.commands import run
    from context_plane.processes.registry.prompts import ask

    origin = str(source.place(source.at("action")))
    if source.prompt is not None:
        model = ModelNeeds(**(source.model or {}))
        return Action(
            source.name, ask, source.description, source.inputs, keyed=True, model=model, prompt=source.prompt,
            timeout=source.timeout, origin=origin,
        )  # fmt: skip
    return Action(
        source.name, run, source.description, source.inputs, source.keyed, run=source.command, timeout=source.timeout,
        origin=origin,
    )  # fmt: skip


def gate_of(source: GateSource) -> Gate:
    """The gate that a document declares."""
    from context_plane.processes.registry.commands import passes

    origin = str(source.place(source.at("gate")))
    return Gate(source.name, passes, source.description, source.inputs, Command(source.run), origin)
