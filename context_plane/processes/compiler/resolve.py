"""Resolve: the third stage, a process with everything that it takes from its parent (seed 001, section 3.4).

Here belongs what inheritance gives and what it forbids. Inheritance is total: a child has whatever its parent has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from context_plane.processes.compiler.merging import Owned, ResolvedStep, gates_of, merged
from context_plane.processes.compiler.scopes import check_references
from context_plane.processes.compiler.uses import Use
from context_plane.processes.language.diagnostic import Diagnostic
from context_plane.processes.language.documents import Named, ProcessSource, TriggerSource
from context_plane.processes.language.findings import Findings
from context_plane.processes.linked import Declared, Dispatch


@dataclass(frozen=True, eq=False)
class Resolved:
    """A process after inheritance."""

    source: ProcessSource
    uses: tuple[Use, ...]
    """The references that it writes itself."""
    all_uses: tuple[Use, ...]
    """And those of its parents."""
    lineage: tuple[ProcessSource, ...]
    """Its parents, the nearest first."""
    orphan: bool
    """Whether a parent is missing, so that nothing is told of what may be in it."""
    steps: tuple[ResolvedStep, ...]
    gates: tuple[Owned, ...]
    inputs: Mapping[str, Declared]
    triggers: tuple[TriggerSource, ...]
    triggering: ProcessSource
    """The process that declares the triggers."""
    entity: str | None
    workspace: str | None
    dispatch: Dispatch
    implements: tuple[tuple[Named, ProcessSource], ...]
    findings: tuple[Diagnostic, ...] = ()

    def lacks(self, key: str) -> bool:
        """Whether something of a key is not known, here or in a parent: what is missing has been told there."""
        return self.orphan or any(each.lacks(key) for each in (self.source, *self.lineage))


def resolve(source: ProcessSource, uses: tuple[Use, ...], parent: Resolved | None, orphan: bool = False) -> Resolved:
    """A process with what it inherits. `orphan`: it has a parent, but not one that can be resolved."""
    findings = Findings(source.file)

    def tell(code: str, spot: Any, message: str, remedy: str) -> None:
        findings.put(code, source.place(spot), message, remedy)

    lineage = () if parent is None else (parent.source, *parent.lineage)
    orphan = orphan or (parent is not None and parent.orphan)
    complete = not orphan and not any(each.lacks("steps") for each in (source, *lineage))
    steps = merged(parent.steps if parent else (), source, tell, complete)
    inherits = parent is not None and not source.trigger
    found = Resolved(
        source, uses, (*(parent.all_uses if parent else ()), *uses), lineage, orphan, steps,
        gates=gates_of(parent.gates if parent else (), source.gates, source, tell),
        inputs={**(parent.inputs if parent else {}), **source.inputs},
        triggers=parent.triggers if parent and inherits else source.trigger,
        triggering=parent.triggering if parent and inherits else source,
        entity=source.entity or (parent.entity if parent else None),
        workspace=source.workspace or (parent.workspace if parent else None),
        dispatch=source.dispatch or (parent.dispatch if parent else Dispatch()),
        implements=_implements(parent, source),
    )  # fmt: skip
    if complete:
        _check_steps(found, parent, tell)
    check_references(found, findings)
    object.__setattr__(found, "findings", tuple(findings.found))
    return found


def _implements(parent: Resolved | None, source: ProcessSource) -> tuple[tuple[Named, ProcessSource], ...]:
    found = {each[0].name: each for each in parent.implements} if parent else {}
    for named in source.implements:
        found.setdefault(named.name, (named, source))
    return tuple(found.values())


def _check_steps(found: Resolved, parent: Resolved | None, tell: Any) -> None:
    """What a process that can be run must have: steps, and none of them abstract."""
    source = found.source
    if source.abstract or source.lacks("abstract"):
        return
    if not found.steps and "steps" not in source.document.data:
        remedy = "write steps, or abstract: true"
        tell("empty-steps", source.at("process"), f"process {source.name} has no steps", remedy)
    for step in found.steps:
        # One that a concrete parent leaves abstract was told there, and one of its own is told where it stands.
        if step.source.abstract and step.owner is not source and parent is not None and parent.source.abstract:
            line = step.owner.place(step.source.at("id"))
            id = step.source.id
            message = f"step {id} of {step.owner.name} ({line}) is abstract, and {source.name} does not replace it"
            remedy = f"write a step with id: {id}, or make the process abstract"
            tell("abstract-step-left", source.at("extends"), message, remedy)
