"""Assembling: all documents to a catalog, one stage after the other.

Here belongs what of one compilation serves the next, and which processes are sound in the end: without an error of
their own, of a parent, or of something that they use.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from context_plane.processes.compiler.catalog import Catalog
from context_plane.processes.compiler.checking import among, excerpt
from context_plane.processes.compiler.declare import Declarations, declare
from context_plane.processes.compiler.emit import REUSED, check_version, emit
from context_plane.processes.compiler.environment import Environment, action_of, gate_of
from context_plane.processes.compiler.files import Loaded
from context_plane.processes.compiler.history import History
from context_plane.processes.compiler.interfaces import check_interfaces, interface_of
from context_plane.processes.compiler.link import Linked, link
from context_plane.processes.compiler.loops import Memo, check_loops, waiting
from context_plane.processes.compiler.resolve import Resolved, resolve
from context_plane.processes.compiler.sizes import Sizes
from context_plane.processes.compiler.surroundings import Surroundings
from context_plane.processes.compiler.validate import Validated
from context_plane.processes.language.diagnostic import Diagnostic
from context_plane.processes.language.documents import ActionSource, GateSource, ProcessSource, Source
from context_plane.processes.language.findings import MOST, limited
from context_plane.processes.registry.handler import Action, Gate


@dataclass(frozen=True, eq=False)
class Unit:
    """A process as it was compiled, and of what."""

    parent: Unit | None
    orphan: bool
    resolved: Resolved
    linked: Linked

    @property
    def findings(self) -> tuple[Diagnostic, ...]:
        """What is wrong with it, without what was told before inheritance."""
        return self.resolved.findings + self.linked.findings


class Assembly:
    """Compiles documents, and keeps what the next compilation can use."""

    def __init__(self, history: History, *, amend: bool) -> None:
        self._history, self._amend = history, amend
        self._units: dict[str, Unit] = {}
        self._emitted: dict[str, Unit] = {}
        self._made: dict[Source, Action | Gate] = {}
        self._declared = Declarations()
        self._surroundings: Surroundings | None = None
        self._loops: Memo = {}

    def all(self, files: Mapping[str, Loaded], surroundings: Surroundings, record_in: Path | None) -> Catalog:
        """The catalog of all files. Versions are recorded in a folder, where one is given."""
        validated = [each.validated for each in files.values() if each.validated is not None]
        return self._assembled(validated, surroundings, record_in)

    def some(
        self, given: Mapping[str, Loaded], others: Mapping[str, Loaded], here: Mapping[str, str],
        surroundings: Surroundings,
    ) -> Catalog:  # fmt: skip
        """The catalog of some files among others (`checking.among`)."""
        mine = {name: each.validated for name, each in given.items() if each.validated is not None}
        rest = {name: each.validated for name, each in others.items() if each.validated is not None}
        files = among(mine, rest, here)
        catalog = self._assembled(files, surroundings, None)
        return excerpt(catalog, list(mine.values()), files, self._declared)

    def _assembled(self, files: list[Validated], surroundings: Surroundings, record_in: Path | None) -> Catalog:
        self._declared = declared = declare(files, surroundings.registry)
        environment = self._environment(declared, surroundings)
        told = [each for file in files for each in file.findings]
        told += check_interfaces(declared, environment)
        told += self._compiled(declared, environment, [*told, *declared.findings])
        told += declared.findings
        broken = self._broken(declared)
        told += self._check_loops(declared, broken)
        recorded = self._history.versions()
        reused: dict[str, int] = {}
        told += self._check_versions(recorded, broken, reused)
        sound = {name: self._units[name] for name in sorted(self._units) if name not in broken}
        if record_in is not None:
            told += self._emit(sound, recorded, record_in)
        return _catalog(declared, environment, sound, broken, reused, limited(told))

    def _environment(self, declared: Declarations, surroundings: Surroundings) -> Environment:
        before = self._surroundings
        if before is not None and before.fingerprint != surroundings.fingerprint:
            self._units = {}
        self._surroundings = surroundings
        actions = {name: self._action(source) for name, source in declared.actions.items()}
        gates = {name: self._gate(source) for name, source in declared.gates.items()}
        now = {*declared.actions.values(), *declared.gates.values()}
        self._made = {source: made for source, made in self._made.items() if source in now}
        return Environment(surroundings, declared, actions, gates)

    def _action(self, source: ActionSource) -> Action:
        made = self._made.setdefault(source, action_of(source)) if source not in self._made else self._made[source]
        assert isinstance(made, Action)
        return made

    def _gate(self, source: GateSource) -> Gate:
        made = self._made.setdefault(source, gate_of(source)) if source not in self._made else self._made[source]
        assert isinstance(made, Gate)
        return made

    # --- stages three and four ---------------------------------------------------------------------------------------

    def _compiled(self, declared: Declarations, environment: Environment, told: list[Diagnostic]) -> list[Diagnostic]:
        """Resolves and links every process, parents first; returns the findings."""
        before, self._units = self._units, {}
        counts: dict[str, int] = {}
        for each in told:
            counts[each.place.file] = counts.get(each.place.file, 0) + 1
        findings: list[Diagnostic] = []
        sizes = Sizes(declared)
        for source in declared.parents_first():
            if counts.get(source.file, 0) > MOST:  # nobody reads more of this file
                continue
            unit = self._unit(source, declared, environment, before.get(source.name), sizes)
            if unit is None:
                continue
            self._units[source.name] = unit
            findings += unit.findings
            counts[source.file] = counts.get(source.file, 0) + len(unit.findings)
        return findings

    def _unit(
        self, source: ProcessSource, declared: Declarations, environment: Environment, before: Unit | None, sizes: Sizes
    ) -> Unit | None:
        """A process, compiled; `None` for one that is told to be too large."""
        parent = None if source.name in declared.orphans or source.extends is None else self._units.get(source.extends)
        orphan = source.name in declared.orphans or (source.extends is not None and parent is None)
        if (
            before is not None and before.resolved.source is source and before.parent is parent
            and before.orphan == orphan and environment.unchanged(before.linked.used)
            and not before.findings  # what it is told may name things that came or went
        ):  # fmt: skip
            return before if sizes.allow(before.resolved) else None
        if parent and not sizes.allow_child(source, parent.resolved):
            return None
        resolved = resolve(source, declared.uses[source], parent.resolved if parent else None, orphan)
        if not sizes.allow(resolved):
            return None
        return Unit(parent, orphan, resolved, link(resolved, parent.linked if parent else None, environment))

    # --- what is sound -----------------------------------------------------------------------------------------------

    def _broken(self, declared: Declarations) -> set[str]:
        """Processes that cannot be run."""
        broken = set(declared.processes) - set(self._units) | {
            name for kind, name in declared.broken if kind == "process"
        }
        for name, unit in self._units.items():  # parents come first
            uses = unit.linked.used
            if (
                unit.orphan or any(each.severity == "error" for each in unit.findings)
                or (unit.parent is not None and unit.resolved.source.extends in broken)
                or any((kind, used) in declared.broken for kind, used in uses)
            ):  # fmt: skip
                broken.add(name)
        return broken

    def _children_of_broken(self, broken: set[str]) -> None:
        for name, unit in self._units.items():
            if unit.parent is not None and unit.resolved.source.extends in broken:
                broken.add(name)

    def _check_loops(self, declared: Declarations, broken: set[str]) -> list[Diagnostic]:
        sound = {name: unit for name, unit in self._units.items() if name not in broken}
        processes = [unit.linked.process for unit in sound.values() if not unit.linked.process.abstract]
        findings, looping = check_loops(
            processes, list(waiting(declared, [unit.resolved for unit in sound.values()])), self._loops
        )
        broken |= looping
        self._children_of_broken(broken)
        return findings

    def _check_versions(
        self, recorded: Mapping[str, list[int]], broken: set[str], reused: dict[str, int]
    ) -> list[Diagnostic]:
        findings = []
        for name, unit in self._units.items():
            source = unit.resolved.source
            found = (
                None if name in broken else check_version(self._history, source, recorded.get(name, ()), self._amend)
            )
            if found is not None:
                findings.append(found)
                broken.add(name)
                if found.code == REUSED:
                    reused[name] = source.version
        self._children_of_broken(broken)
        return findings

    def _emit(
        self, sound: Mapping[str, Unit], recorded: Mapping[str, list[int]], folder: Path
    ) -> tuple[Diagnostic, ...]:
        """Records what is not recorded, or changed since."""
        new = [
            unit for name, unit in sound.items()
            if self._emitted.get(name) is not unit or unit.linked.process.version not in recorded.get(name, ())
        ]  # fmt: skip
        findings = emit([(unit.linked.process, unit.resolved.source) for unit in new], folder)
        if not findings:
            self._emitted = dict(sound)
        return findings


def _catalog(
    declared: Declarations, environment: Environment, sound: Mapping[str, Unit], broken: set[str],
    reused: Mapping[str, int], diagnostics: tuple[Diagnostic, ...],
) -> Catalog:  # fmt: skip
    def whole(kind: str) -> list[str]:
        return sorted(name for name in declared.of_kind(kind) if (kind, name) not in declared.broken)

    return Catalog(
        processes={name: unit.linked.process for name, unit in sound.items()},
        interfaces={name: interface_of(declared.interfaces[name]) for name in whole("interface")},
        actions={name: environment.actions[name] for name in whole("action")},
        gates={name: environment.gates[name] for name in whole("gate")},
        diagnostics=diagnostics,
        sources={name: each.place(each.at("process")) for name, each in sorted(declared.processes.items())},
        broken=frozenset(broken),
        reused=reused,
    )
