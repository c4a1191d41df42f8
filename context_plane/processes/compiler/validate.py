"""Validate: the second stage, what the documents of a file mean, each for itself.

Here belongs what can be told from one document: keys that exclude each other, ids that are there twice, references that
cannot be meant. What documents say about each other is `declare`'s to say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from context_plane.processes.compiler.parse import Parsed
from context_plane.processes.compiler.receiving import (
    Told,
    check_action,
    check_defaults,
    check_interface,
    check_own_inputs,
    inside,
)
from context_plane.processes.compiler.uses import NAMELESS, Use, place_of, some_uses, uses
from context_plane.processes.language.diagnostic import Diagnostic
from context_plane.processes.language.documents import (
    ActionSource,
    GateSource,
    InterfaceSource,
    Listing,
    ProcessSource,
    Source,
    StepSource,
)
from context_plane.processes.language.findings import Findings


@dataclass(frozen=True, eq=False)
class Validated:
    """The documents of a file after this stage."""

    file: str
    sources: tuple[Source, ...]
    uses: dict[Source, tuple[Use, ...]]
    """The references of each process."""
    lost: frozenset[tuple[str, str]]
    broken: frozenset[Source]
    """Those that have an error."""
    findings: tuple[Diagnostic, ...]


def validate(parsed: Parsed) -> Validated:
    """What is wrong with the documents of a file, beside what was told when it was parsed."""
    findings = Findings(parsed.file)
    findings.found.extend(parsed.findings)
    found: dict[Source, tuple[Use, ...]] = {}
    broken = set()
    for source in parsed.sources:
        before = len(findings.found)
        told = Told(source, findings)
        _CHECKS[type(source)](source, told)
        if isinstance(source, ProcessSource):
            found[source] = tuple(told.uses)
        errors = any(each.severity == "error" for each in findings.found[before:])
        if errors or source in parsed.broken:
            broken.add(source)
    return Validated(parsed.file, parsed.sources, found, parsed.lost, frozenset(broken), tuple(findings.found))


# --- processes -------------------------------------------------------------------------------------------------------


def _process(source: ProcessSource, told: Told) -> None:
    if source.sealed and source.abstract:
        told.add("sealed-abstract", source.key("sealed"), "an abstract process is sealed", "children must be allowed")
    for key in ("knowledge", "gates", "steps"):
        _marker(getattr(source, key), source, told)
    for trigger, spot in source.trigger if source.abstract else ():
        if trigger.type != "manual":
            what = f"the {trigger.type} trigger of abstract process {source.name} starts nothing"
            told.add("abstract-trigger", spot, what, "give it to the children that it is meant for")
    check_defaults(source, told)
    why = "is what the entity is to be"
    _before_steps(some_uses(source.entity, source.at("entity"), source, told.findings, why, known=NAMELESS), told)
    _before_steps(uses(source.workspace, source.at("workspace"), source, told.findings), told)
    for gate in source.gates.items:
        _before_steps(uses(gate.inputs, inside(gate.spot, "inputs"), source, told.findings), told)
    if not source.steps.items and "steps" in source.document.data and not (source.extends or source.abstract):
        _no_steps(source, told)
    _steps(source, told)


def _no_steps(source: ProcessSource, told: Told) -> None:
    if not source.lacks("steps") and source.steps.marker is None:
        told.add(
            "empty-steps", source.at("steps"), f"process {source.name} has no steps", "write one, or abstract: true"
        )


def _before_steps(found: Iterable[Use], told: Told) -> None:
    """References of what is evaluated before the first step."""
    for use in found:
        if use.path[0] != "steps":
            told.uses.append(use)
            continue
        place = place_of(told.source, use.spot, use.order)
        message = f"{use.written} stands before the first step"
        told.findings.put("unknown-step-reference", place, message, "refer to inputs, event or execution")


def _marker(listing: Listing[Any], source: ProcessSource, told: Told) -> None:
    if listing.marker is not None and source.extends is None and not source.lacks("extends"):
        remedy = "add extends, or leave the item out"
        told.add("inherit-without-parent", listing.marked, f"process {source.name} extends none", remedy)


def _steps(source: ProcessSource, told: Told) -> None:
    first: dict[str, StepSource] = {}
    for step in source.steps.items:
        if first.setdefault(step.id, step) is not step:
            line = source.place(first[step.id].at("id")).line
            told.add("duplicate-step", step.at("id"), f"step {step.id} is in line {line} already", "give it another id")
        _what_it_does(step, told)
        if step.abstract or step.sealed:
            _abstract(step, source, told)
        if step.before is not None or step.after is not None:
            _position(step, source, told)
        if step.gates.items or step.gates.marker is not None:
            _marker(step.gates, source, told)
            for gate in step.gates.items:
                told.uses += uses(gate.inputs, inside(gate.spot, "inputs"), source, told.findings, step.id)
        if step.inputs:
            told.uses += uses(step.inputs, step.spot.values["inputs"], source, told.findings, step.id)
        if step.run is not None:
            told.uses += uses(step.run, step.spot.values["run"], source, told.findings, step.id)


def _what_it_does(step: StepSource, told: Told) -> None:
    if step.action is not None and step.run is not None:
        told.add("action-and-run", step.spot.keys["run"], f"step {step.id} has action and run", "keep one of them")
    elif step.action is None and step.run is None and not step.abstract and step.faulty.isdisjoint(_DOING):
        told.add("missing-key", step.spot, f"step {step.id} has neither action nor run", "add action: NAME")
    elif step.action == "run" and step.run is None and step.faulty.isdisjoint(_DOING):
        message = f"step {step.id} does not say what it runs"
        told.add(
            "missing-key", step.at("action"), message, "write run: [program, argument] in the place of action: run"
        )


def _abstract(step: StepSource, source: ProcessSource, told: Told) -> None:
    if step.abstract and not source.abstract and not source.lacks("abstract"):
        remedy = "say what it does, or make the process abstract"
        told.add(
            "abstract-step-in-concrete",
            step.at("abstract"),
            f"step {step.id} is abstract, {source.name} is not",
            remedy,
        )
    if step.abstract and step.sealed:
        told.add(
            "sealed-abstract",
            step.spot.keys["sealed"],
            f"abstract step {step.id} is sealed",
            "children must replace it",
        )


def _position(step: StepSource, source: ProcessSource, told: Told) -> None:
    keys = [key for key in step.spot.keys if key in ("before", "after")]
    if len(keys) > 1:
        told.add("both-positions", step.spot.keys[keys[1]], f"step {step.id} has before and after", "keep one of them")
    elif source.extends is None and not source.lacks("extends"):
        remedy = "write the step where it belongs"
        told.add("position-without-parent", step.spot.keys[keys[0]], f"process {source.name} extends none", remedy)


_DOING: Final = frozenset(("action", "run"))
_CHECKS: Final[dict[type, Callable[[Any, Told], None]]] = {
    ProcessSource: _process, InterfaceSource: check_interface, ActionSource: check_action, GateSource: check_own_inputs,
}  # fmt: skip
