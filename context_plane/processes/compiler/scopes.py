"""Scopes: what the references of a process may refer to once it is known what it inherits.

Here belong inputs that must be declared and steps that must come before. Only what a process writes itself is looked
at: what it inherits stays right, because inputs are never taken away and steps never change their order. That their
types may change is `retyping`'s to look after.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from context_plane.processes.compiler.uses import Use, place_of
from context_plane.processes.language.findings import Findings, listed, meant, shown

if TYPE_CHECKING:
    from context_plane.processes.compiler.resolve import Resolved

_CODE: Final = "unknown-step-reference"


def check_references(found: Resolved, findings: Findings) -> None:
    """Tells of references to inputs that are not declared, and to steps that are not there or not before."""
    order = {step.source.id: number for number, step in enumerate(found.steps)}
    steps_known = not found.lacks("steps")
    for use in found.uses:
        if findings.full:
            return
        if use.path[0] == "inputs" and len(use.path) > 1:
            _check_input(found, use, findings)
        elif use.path[0] == "steps" and steps_known:
            wrong = _wrong(order, use.step or "", use.path[1])
            if wrong is not None:
                findings.put(_CODE, place_of(found.source, use.spot, use.order), *wrong)
    for step in found.steps if steps_known else ():
        if step.owner is found.source and step.source.context is not None and step.source.context.needs is not None:
            for name, spot in step.source.context.needs.steps:
                wrong = _wrong(order, step.source.id, name)
                if wrong is not None:
                    findings.put(_CODE, found.source.place(spot), *wrong)


def _check_input(found: Resolved, use: Use, findings: Findings) -> None:
    name = use.path[1]
    if name not in found.inputs and not found.lacks("inputs"):
        remedy = meant(name, found.inputs, f"declared are: {listed(found.inputs) or 'none'}")
        message = f"{found.source.name} declares no input {shown(name)}"
        findings.put("undeclared-input", place_of(found.source, use.spot, use.order), message, remedy)


def _wrong(order: Mapping[str, int], step: str, wanted: str) -> tuple[str, str] | None:
    """Why a step cannot refer to another, and what to do."""
    at = order.get(step, len(order))
    if order.get(wanted, at) < at:
        return None
    before = [id for id, number in order.items() if number < at]
    if wanted not in order:
        return f"there is no step {shown(wanted)}", meant(
            wanted, before, f"before {step} come: {listed(before) or 'none'}"
        )
    what = "refers to itself" if wanted == step else f"comes before step {wanted}, which it refers to"
    return f"step {step} {what}", f"refer to one before it: {listed(before) or 'there is none'}"
