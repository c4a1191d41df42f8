"""Retyping: inputs that a process inherits and declares anew as another type (seed 001, section 3.4).

Here belongs whether what its parents give to actions and gates is still of the types that these take. A step that is
inherited is linked once, where it is declared, so that nothing else looks at it again.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from context_plane.processes.compiler.environment import Environment, Used
from context_plane.processes.compiler.giving import Receiver, mistyped
from context_plane.processes.language.findings import Findings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from context_plane.processes.compiler.merging import Owned
    from context_plane.processes.compiler.resolve import Resolved
    from context_plane.processes.linked import Declared


class _Given(NamedTuple):
    """What a parent gives."""

    kind: str
    name: str
    inputs: Mapping[str, Any]
    where: str


def check_retyped(
    resolved: Resolved, inherited: Mapping[str, Declared], environment: Environment, used: Used, findings: Findings
) -> None:
    """Tells of each input that the parent has (`inherited`) and that cannot be of the type which it is declared as
    here, once."""
    source = resolved.source
    known = {
        name: each for name, each in source.inputs.items() if name in inherited and each.type != inherited[name].type
    }
    for given in _by_parents(resolved) if known else ():
        found = environment.find(given.kind, given.name, used)
        if found is None or found.inputs is None or environment.broken(given.kind, given.name, used):
            continue
        for name, message in mistyped(Receiver(given.kind, given.name, found.inputs), given.inputs, known):
            del known[name]
            spot = source.document.marks.values["inputs"].values[name].values["type"]
            remedy = f"declare it as {inherited[name].type}, as it was, or give a new input another name"
            findings.put("wrong-input-type", source.place(spot), f"{given.where}: {message}", remedy)


def _by_parents(resolved: Resolved) -> Iterator[_Given]:
    yield from _gates(resolved.gates, resolved)
    for step in resolved.steps:
        if step.gates:
            yield from _gates(step.gates, resolved)
        if step.owner is not resolved.source and step.source.action is not None and not step.source.abstract:
            where = f"step {step.source.id} of {step.owner.name}"
            yield _Given("action", step.source.action, step.source.inputs, where)


def _gates(gates: tuple[Owned, ...], resolved: Resolved) -> Iterator[_Given]:
    for gate, owner in gates:
        if owner is not resolved.source:
            yield _Given("gate", gate.gate, gate.inputs, f"a gate of {owner.name}")
