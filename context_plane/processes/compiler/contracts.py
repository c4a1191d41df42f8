"""Contracts: what interfaces require of processes, and what starts a process needs to know (seed 001, section 3.5).

Here belongs what must hold of a process as a whole, once it is linked.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from context_plane.processes.compiler.environment import Environment, Used
from context_plane.processes.compiler.resolve import Resolved
from context_plane.processes.language.documents import InterfaceSource, ProcessSource
from context_plane.processes.language.findings import Findings, listed
from context_plane.processes.language.types import may_be
from context_plane.processes.linked import LinkedProcess


class Missing(NamedTuple):
    """What an interface requires and a process does not have."""

    key: str
    """Of the process, in which it is missing."""
    code: str
    message: str
    remedy: str
    input: str = ""
    """The input that it is about."""


_STATE: Final = "state"


def check_contracts(
    resolved: Resolved, process: LinkedProcess, environment: Environment, used: Used, findings: Findings
) -> set[str]:
    """Tells of everything that an interface requires and a process that can be run does not have; returns the inputs
    that it takes because an interface has them."""
    source = resolved.source
    contracted: set[str] = set()
    for named, owner in resolved.implements:
        interface: InterfaceSource | None = environment.find("interface", named.name, used)
        if interface is None or environment.broken("interface", named.name, used):
            contracted.update(process.inputs)  # it may be for any of them
            continue
        contracted.update(interface.inputs)
        if source.abstract or resolved.orphan:
            continue
        told = _told_before(resolved, owner)
        for each in _missing(interface, resolved, process, environment):
            if resolved.lacks(each.key) or (told is not None and each.input not in told):
                continue
            if owner is source:
                spot = named.spot
            elif told is not None and each.input in source.inputs:
                spot = _input_key(source, each.input)
            else:
                spot = source.at("extends")
            findings.put(each.code, source.place(spot), each.message, each.remedy)
    return contracted


def _told_before(resolved: Resolved, owner: ProcessSource) -> set[str] | None:
    """Where a concrete parent implements the interface, it satisfies it or was told: a child has no less, but for the
    inputs that are declared since, which are returned. `None` where there is no such parent."""
    since = set(resolved.source.inputs)
    for parent in resolved.lineage[: resolved.lineage.index(owner) + 1] if owner is not resolved.source else ():
        if not parent.abstract:
            return since
        since.update(parent.inputs)
    return None


def _missing(
    interface: InterfaceSource, resolved: Resolved, process: LinkedProcess, environment: Environment
) -> Iterator[Missing]:
    name = interface.name
    concrete = {step.source.id for step in resolved.steps if not step.source.abstract}
    for step in interface.required_steps:
        if step.id not in concrete:
            about = f": {step.description}" if step.description else ""
            what = f"interface {name} requires a step {step.id}{about}"
            yield Missing("steps", "interface-missing-step", what, f"add a step with id: {step.id}")
    gates = {gate.name for gate in process.gates}
    for gate, _ in interface.required_gates:
        if gate not in gates:
            what = f"interface {name} requires gate {gate}"
            yield Missing("gates", "interface-missing-gate", what, f"add gates: [{gate}]")
    for topic, _ in interface.required_knowledge:
        known = environment.topic(topic)
        if known is not None and known not in process.knowledge:
            what = f"interface {name} requires topic {topic}"
            yield Missing("knowledge", "interface-missing-knowledge", what, f"add knowledge: [{topic}]")
    yield from _inputs(interface, process)


def _inputs(interface: InterfaceSource, process: LinkedProcess) -> Iterator[Missing]:
    callers = f"callers of interface {interface.name}"
    for name, declared in interface.inputs.items():
        own = process.inputs.get(name)
        if own is None or not may_be(declared.type, own.type):
            what = f"{callers} give input {name}" + (f" as {declared.type}, not {own.type}" if own else "")
            remedy = f"add inputs: {{{name}: {{type: {declared.type}}}}}"
            yield Missing("inputs", "interface-missing-input", what, remedy, name)
        elif own.required and not declared.required:
            what = f"{callers} need not give input {name}"
            yield Missing("inputs", "interface-extra-input", what, f"give {name} a default", name)
        elif own.required and any(each.trigger.type != "manual" for each in interface.trigger):
            what = f"triggers of interface {interface.name} give no inputs, and {process.name} needs {name}"
            yield Missing("inputs", "trigger-without-input", what, f"give {name} a default", name)
    # One that says nothing of inputs leaves them to those who call it.
    for name, own in process.inputs.items() if interface.inputs else ():
        if own.required and name not in interface.inputs:
            what, remedy = f"{callers} do not give input {name}", f"give {name} a default, or add it to the interface"
            yield Missing("inputs", "interface-extra-input", what, remedy, name)


def check_usefulness(resolved: Resolved, process: LinkedProcess, contracted: set[str], findings: Findings) -> None:
    """Tells of triggers that cannot give what the process needs, and of inputs that nobody looks at."""
    source = resolved.source
    if source.abstract or resolved.lacks("inputs"):
        return
    starting = [each for each in resolved.triggers if each.trigger.type != "manual"]
    inherited = resolved.triggering is not source
    # Of a concrete parent with the same trigger the same was told.
    told = inherited and not resolved.lineage[0].abstract
    needed = [
        name for name, each in process.inputs.items() if each.required and not (told and name not in source.inputs)
    ]
    for trigger, spot in starting if needed else ():
        if inherited:
            own = next((name for name in needed if name in source.inputs), None)
            spot = source.at("extends") if own is None else _input_key(source, own)
        message = f"the {trigger.type} trigger gives no inputs, and {source.name} needs {listed(needed)}"
        remedy = f"give {needed[0]} a default, or read what it is from ${{event.…}}"
        findings.put("trigger-without-input", source.place(spot), message, remedy)
    if not resolved.lacks("steps"):
        _check_unused(resolved, process, contracted, findings)


def _check_unused(resolved: Resolved, process: LinkedProcess, contracted: set[str], findings: Findings) -> None:
    source = resolved.source
    if not source.inputs or any(step.context and _STATE in step.context.sections for step in process.steps):
        return
    used = set(_used(resolved)) | {key.removeprefix("data.").partition(".")[0] for key in process.dispatch.when}
    for name in source.inputs:
        if name not in used and name not in contracted:
            remedy = f"use ${{inputs.{name}}}, or leave it out"
            place = source.place(_input_key(source, name))
            findings.put("unused-input", place, f"nothing refers to input {name}", remedy)


def _used(resolved: Resolved) -> Iterator[str]:
    for use in resolved.all_uses:
        if use.path == ("inputs",):
            yield from resolved.inputs
        elif use.path[0] == "inputs":
            yield use.path[1]


def _input_key(source: ProcessSource, name: str) -> Any:
    """Where an input is declared."""
    return source.document.marks.values["inputs"].keys[name]
