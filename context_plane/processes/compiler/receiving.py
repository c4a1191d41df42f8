"""Receiving: what interfaces, actions and gates say of what they are given, each for itself.

Here belong the second stage's checks of these documents, and of the defaults of every declared input. Those of
processes are `validate`'s.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from context_plane.processes.compiler.uses import EXECUTION, NAMELESS, Use, place_of, some_uses, uses
from context_plane.processes.language.documents import ActionSource, GateSource, InterfaceSource, ProcessSource, Source
from context_plane.processes.language.findings import Findings, listed, meant, shown

_ANSWERING: Final = frozenset(("run", "prompt"))


@dataclass
class Told:
    """What is told of one document."""

    source: Source
    findings: Findings
    uses: list[Use] = field(default_factory=list)

    def add(self, code: str, spot: Any, message: str, remedy: str) -> None:
        self.findings.put(code, self.source.place(spot), message, remedy)


def inside(spot: Any, key: str) -> Any:
    """Where the values of a key are; of a gate that is only named there are none."""
    values = getattr(spot, "values", None)
    return values.get(key, spot) if isinstance(values, dict) else spot


def check_defaults(source: ProcessSource | InterfaceSource | ActionSource | GateSource, told: Told) -> None:
    """References in the defaults of inputs, which are filled in before anything that a caller or step gives."""
    known = EXECUTION if isinstance(source, (ActionSource, GateSource)) else NAMELESS
    for name, each in source.inputs.items():
        if each.default:
            spot = inside(source.document.marks.values["inputs"].values[name], "default")
            why = f"is not known where input {name} gets its default"
            some_uses(each.default, spot, source, told.findings, why, roots=("event", "execution"), known=known)


def check_interface(source: InterfaceSource, told: Told) -> None:
    seen: set[str] = set()
    for step in source.required_steps:
        if step.id in seen:
            told.add("duplicate-step", step.spot.values["id"], f"step {step.id} is required twice", "keep one of them")
        seen.add(step.id)
    check_defaults(source, told)


def check_action(source: ActionSource, told: Told) -> None:
    if source.run is not None and source.prompt is not None:
        told.add("run-and-prompt", source.key("prompt"), f"action {source.name} has run and prompt", "keep one of them")
        return
    if source.run is None and source.prompt is None and source.faulty.isdisjoint(_ANSWERING):
        told.add("missing-key", source.at(""), f"action {source.name} has neither run nor prompt", "add run: [program]")
        return
    beside = ("model",) if source.run is not None else ("keyed", "check")
    for key in source.document.data:
        if key in beside:
            other = "prompt" if source.run is not None else "run"
            told.add("misplaced-key", source.key(key), f"{key} stands without {other}", "leave it out")
    check_own_inputs(source, told)


def check_own_inputs(source: ActionSource | GateSource, told: Told) -> None:
    """References of a command or prompt: to what the step or gate is given."""
    check_defaults(source, told)
    given: set[str] = set()
    for key in ("run", "prompt"):
        value = getattr(source, key, None)
        for use in uses(value, inside(source.document.marks, key), source, told.findings) if value else ():
            _own_input(use, source, told, given)
    for name in source.inputs:
        if name not in given and not source.lacks("run"):
            spot = source.document.marks.values["inputs"].keys[name]
            told.add(
                "unused-input", spot, f"nothing refers to input {name}", f"use ${{inputs.{name}}}, or leave it out"
            )


def _own_input(use: Use, source: ActionSource | GateSource, told: Told, given: set[str]) -> None:
    place = place_of(source, use.spot, use.order)
    if use.path[0] == "steps":
        remedy = "declare an input, and give it in the step"
        told.findings.put("bad-reference", place, f"{use.written}: {source.name} does not know the steps", remedy)
    elif use.path == ("inputs",):
        given.update(source.inputs)
        if not source.inputs and not source.lacks("inputs"):
            remedy = f"declare what {source.name} is given; what a process is given it does not know"
            told.findings.put("undeclared-input", place, f"{source.name} declares no inputs", remedy)
    elif use.path[0] == "inputs":
        given.add(use.path[1])
        if use.path[1] not in source.inputs and not source.lacks("inputs"):
            remedy = meant(use.path[1], source.inputs, f"declared are: {listed(source.inputs) or 'none'}")
            told.findings.put(
                "undeclared-input", place, f"{source.name} declares no input {shown(use.path[1])}", remedy
            )
