"""Declare: the second stage's other half, what all documents say about each other by name.

Here belongs which document has a name, and who extends whom. What a process takes from its parent is `resolve`'s to
say.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from context_plane.processes.compiler.surroundings import Registry
from context_plane.processes.compiler.uses import Use
from context_plane.processes.compiler.validate import Validated
from context_plane.processes.language.codes import CODES
from context_plane.processes.language.diagnostic import Diagnostic
from context_plane.processes.language.documents import (
    ActionSource,
    GateSource,
    InterfaceSource,
    ProcessSource,
    Source,
)
from context_plane.processes.language.findings import MOST, listed, meant, way

KIND_OF: Final[dict[type[Source], str]] = {
    ProcessSource: "process", InterfaceSource: "interface", ActionSource: "action", GateSource: "gate",
}  # fmt: skip


@dataclass(eq=False)
class Declarations:
    """The documents by name, and what is wrong with them together."""

    processes: dict[str, ProcessSource] = field(default_factory=dict)
    interfaces: dict[str, InterfaceSource] = field(default_factory=dict)
    actions: dict[str, ActionSource] = field(default_factory=dict)
    gates: dict[str, GateSource] = field(default_factory=dict)
    uses: dict[Source, tuple[Use, ...]] = field(default_factory=dict)
    """The references of each process."""
    lost: set[tuple[str, str]] = field(default_factory=set)
    """Kinds and names of documents that could not be read: there is such a thing, but not what it is."""
    broken: set[tuple[str, str]] = field(default_factory=set)
    """Kinds and names of documents with errors."""
    orphans: set[str] = field(default_factory=set)
    """Processes whose parent there is not, or must not be."""
    findings: list[Diagnostic] = field(default_factory=list)
    _counts: dict[str, int] = field(default_factory=dict)

    def of_kind(self, kind: str) -> dict[str, Any]:
        """The documents of one kind."""
        tables: dict[str, dict[str, Any]] = {
            "process": self.processes, "interface": self.interfaces, "action": self.actions, "gate": self.gates,
        }  # fmt: skip
        return tables[kind]

    def full(self, source: Source) -> bool:
        """Whether a file has so many findings that it makes no sense to look for what was meant."""
        return self._counts.get(source.file, 0) > MOST

    def parents_first(self) -> Iterator[ProcessSource]:
        """The processes, each after the one that it extends."""
        done: set[str] = set()
        for name in self.processes:
            line: list[str] = []
            at: str | None = name
            while at in self.processes and at not in done:
                line.append(at)
                done.add(at)
                at = None if at in self.orphans else self.processes[at].extends
            yield from (self.processes[each] for each in reversed(line))

    def tell(self, code: str, source: Source, spot: Any, message: str, remedy: str) -> None:
        """Adds a finding at a mark of a document, which is broken if it is an error."""
        self.findings.append(Diagnostic(source.place(spot), code, CODES[code].severity, message, remedy))
        self._counts[source.file] = self._counts.get(source.file, 0) + 1
        if CODES[code].severity == "error":
            self.broken.add((KIND_OF[type(source)], source.name))


def declare(files: Iterable[Validated], registry: Registry) -> Declarations:
    """The documents of all files by name; of two with one name the first counts, and neither is sound."""
    found = Declarations()
    for file in files:
        found.lost |= file.lost
        found.uses.update(file.uses)
        for source in file.sources:
            _add(found, source, registry)
            if source in file.broken:
                found.broken.add((KIND_OF[type(source)], source.name))
    found.broken |= found.lost
    for source in found.processes.values():
        _check_parent(found, source)
        _check_interfaces(found, source)
    _check_circles(found)
    return found


def _add(found: Declarations, source: Source, registry: Registry) -> None:
    kind = KIND_OF[type(source)]
    known = found.of_kind(kind)
    registered: Mapping[str, Any] = {"action": registry.actions, "gate": registry.gates}.get(kind, {})
    first = known.setdefault(source.name, source)
    origin = str(first.place(first.at(kind))) if first is not source else ""
    if first is source and source.name in registered:
        origin = registered[source.name].origin or "Python"
    if origin:
        message = f"{kind} {source.name} is declared already: {origin}"
        found.tell(f"duplicate-{kind}", source, source.at(kind), message, "give one of them another name")


def _check_parent(found: Declarations, source: ProcessSource) -> None:
    name = source.extends
    if name is None:
        if source.lacks("extends"):
            found.orphans.add(source.name)
        return
    parent = found.processes.get(name)
    if parent is None:
        found.orphans.add(source.name)
        if ("process", name) in found.lost:
            found.broken.add(("process", source.name))
            return
        if found.full(source):
            found.broken.add(("process", source.name))
            return
        remedy = meant(name, found.processes, f"there are: {listed(sorted(found.processes))}")
        found.tell("unknown-parent", source, source.at("extends"), f"there is no process {name!r}", remedy)
    elif parent.sealed:
        remedy = "extend another, or take what it does over"
        found.tell("sealed-process", source, source.at("extends"), f"process {name} is sealed", remedy)


def _check_interfaces(found: Declarations, source: ProcessSource) -> None:
    for name, spot in source.implements:
        if name in found.interfaces:
            continue
        found.broken.add(("process", source.name))
        if ("interface", name) not in found.lost and not found.full(source):
            remedy = meant(name, found.interfaces, f"there are: {listed(sorted(found.interfaces)) or 'none'}")
            found.tell("unknown-interface", source, spot, f"there is no interface {name!r}", remedy)


def _check_circles(found: Declarations) -> None:
    """Tells of each circle once, at the process of it that comes first by name."""
    known: set[str] = set()
    for name in found.processes:
        path: dict[str, None] = {}
        at: str | None = name
        while at in found.processes and at not in known and at not in path:
            path[at] = None
            at = found.processes[at].extends
        if at in path:
            names = list(path)
            _tell_circle(found, names[names.index(at) :])
        known.update(path)


def _tell_circle(found: Declarations, circle: list[str]) -> None:
    first = circle.index(min(circle))
    names = [*circle[first:], *circle[: first + 1]]
    source = found.processes[names[0]]
    message = f"processes extend each other in a circle: {way(names)}"
    found.tell("circular-inheritance", source, source.at("extends"), message, "let one of them extend another or none")
    # With its parent gone, each of the others is no less broken.
    found.orphans.add(names[0])
