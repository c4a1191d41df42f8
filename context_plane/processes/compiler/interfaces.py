"""Interfaces: contracts that processes may implement, and which do (seed 001, section 3.5).

Here belong the contracts themselves. Whether a process keeps one is `contracts`' to say, which of several runs is
`triggers.dispatch`'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from context_plane.processes.compiler.declare import Declarations
from context_plane.processes.compiler.environment import Environment
from context_plane.processes.language.diagnostic import Diagnostic, Place
from context_plane.processes.language.documents import InterfaceSource
from context_plane.processes.language.findings import Findings, listed, meant
from context_plane.processes.linked import Declared, LinkedProcess, Trigger

if TYPE_CHECKING:
    from context_plane.processes.compiler.catalog import Catalog


@dataclass(frozen=True)
class Interface:
    """A contract that processes may implement."""

    name: str
    version: int
    place: Place
    description: str = ""
    required_gates: tuple[str, ...] = ()
    required_steps: tuple[tuple[str, str], ...] = ()
    """Id and description."""
    required_knowledge: tuple[str, ...] = ()
    """Topics, as they are written."""
    inputs: Mapping[str, Declared] = field(default_factory=dict)
    triggers: tuple[Trigger, ...] = ()


def implementing(catalog: Catalog, interface: str) -> list[LinkedProcess]:
    """The processes that implement an interface and can be run, in order of name."""
    return [each for each in catalog.processes.values() if interface in each.implements and not each.abstract]


def interface_of(source: InterfaceSource) -> Interface:
    """The contract that a document declares."""
    return Interface(
        source.name, source.version, source.place(source.at("interface")), source.description,
        required_gates=tuple(name for name, _ in source.required_gates),
        required_steps=tuple((step.id, step.description) for step in source.required_steps),
        required_knowledge=tuple(name for name, _ in source.required_knowledge),
        inputs=source.inputs,
        triggers=tuple(each.trigger for each in source.trigger),
    )  # fmt: skip


def check_interfaces(declared: Declarations, environment: Environment) -> Iterator[Diagnostic]:
    """What contracts require that there is not. Such a contract is broken: nobody could keep it."""
    for source in declared.interfaces.values():
        findings = Findings(source.file)
        for gate, spot in source.required_gates:
            if gate not in environment.gates and ("gate", gate) not in declared.broken:
                remedy = meant(gate, environment.gates, f"there are: {listed(sorted(environment.gates))}")
                findings.put("unknown-gate", source.place(spot), f"there is no gate {gate!r}", remedy)
        for topic, spot in source.required_knowledge:
            if environment.topic(topic) is None:
                names = environment.surroundings.topic_names
                remedy = meant(topic.replace(".", "/"), names, "write it below knowledge/, or take it out")
                findings.put("unknown-topic", source.place(spot), f"there is no topic {topic!r}", remedy)
        if findings.found:
            declared.broken.add(("interface", source.name))
        yield from findings.found
