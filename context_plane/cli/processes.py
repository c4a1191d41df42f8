"""Processes and dry runs as people read them: lines, without deciding anything."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from context_plane.canonical import canonical

if TYPE_CHECKING:
    from context_plane.processes.compiler.interfaces import Interface
    from context_plane.processes.engine.dry import DryRun
    from context_plane.processes.engine.state import GateResult
    from context_plane.processes.linked import Declared, LinkedGate, LinkedProcess, LinkedStep


def inspected(process: LinkedProcess) -> Iterator[str]:
    """A process with what each part comes from."""
    yield f"{process.name} {process.version}{'  abstract' if process.abstract else ''}"
    if process.description:
        yield f"  {process.description}"
    yield f"  digest {process.digest}"
    for name, version in process.lineage:
        yield f"  extends {name} {version}"
    if process.implements:
        yield f"  implements {', '.join(process.implements)}"
    for trigger in process.triggers:
        yield f"  trigger {trigger.type} {_value(dict(trigger.match)) if trigger.match else trigger.cron}".rstrip()
    yield from _inputs(process.inputs)
    for topic in process.knowledge:
        yield f"  knowledge {topic}"
    for gate in process.gates:
        yield f"  gate {_gate(gate, process)}"
    for step in process.steps:
        yield from _step(step, process)


def inspected_interface(interface: Interface, able: Iterable[LinkedProcess]) -> Iterator[str]:
    """An interface with what it requires, and the processes that implement it, in the order in which they are chosen
    where their conditions fit."""
    yield f"{interface.name} {interface.version}  interface"
    if interface.description:
        yield f"  {interface.description}"
    for trigger in interface.triggers:
        yield f"  trigger {trigger.type} {_value(dict(trigger.match)) if trigger.match else trigger.cron}".rstrip()
    yield from _inputs(interface.inputs)
    for kind, names in (("gate", interface.required_gates), ("knowledge", interface.required_knowledge)):
        for name in names:
            yield f"  requires {kind} {name}"
    for id, description in interface.required_steps:
        yield f"  requires step {id}" + (f": {description}" if description else "")
    for each in able:
        when = f" when {_value(dict(each.dispatch.when))}" if each.dispatch.when else ""
        yield f"  implemented by {each.name} {each.version}, preference {each.dispatch.preference}{when}"


def _inputs(inputs: Mapping[str, Declared]) -> Iterator[str]:
    for name, each in inputs.items():
        default = "required" if each.required else f"by default {_value(each.default)}"
        yield f"  input {name}: {each.type}, {default}" + (f"; {each.description}" if each.description else "")


def dry(found: DryRun) -> Iterator[str]:
    """A dry run, with the contexts that would be injected."""
    yield f"{found.execution.process.label} for {found.execution.entity}"
    for gate in found.gates:
        yield f"  {_verdict(gate)}"
    for each in found.steps:
        yield f"  step {each.step.id}  {each.step.action}"
        for gate in each.gates:
            yield f"    {_verdict(gate)}"
        if each.inputs:
            yield f"    inputs {_value(each.inputs)}"
        if each.waits_for:
            yield f"    waits for {', '.join(each.waits_for)}"
        if each.error:
            yield f"    error {each.error}"
        if each.context is not None:
            yield from _context(each.context)


def _context(context: Mapping[str, Any]) -> Iterator[str]:
    yield f"    context of {context['tokens']:,} tokens, {context['budget']:,} are allowed:"
    for line in context["text"].splitlines():
        yield f"    | {line}"


def _step(step: LinkedStep, process: LinkedProcess) -> Iterator[str]:
    origin = "" if step.declared_by == process.name else f"  (of {step.declared_by})"
    does = " ".join(step.run.arguments) if step.run else ""
    yield f"  step {step.id}  {step.action}{f': {does}' if does else ''}{origin}"
    if step.description:
        yield f"    {step.description}"
    for gate in step.gates:
        yield f"    gate {_gate(gate, process)}"
    if step.inputs:
        yield f"    inputs {_value(dict(step.inputs))}"
    if step.context is not None:
        needs = step.context
        several = [
            *needs.sections,
            *(f"knowledge {t}" for t in needs.topics),
            *(f"package {p}" for p in needs.packages),
        ]
        several += [f"output of {each}" for each in needs.steps]
        yield f"    context of at most {needs.budget:,} tokens: {', '.join(several) or 'nothing'}"
    if step.model is not None:
        can = ", ".join(step.model.capabilities) or "any"
        yield f"    model: {can}, {step.model.sensitivity}, {step.model.speed}"
    limits = [f"at most {step.timeout:g} s"] if step.timeout else []
    limits += [f"{step.retries.max} repetitions"] if step.retries.max else []
    limits += ["keyed"] if step.keyed else []
    limits += ["breakpoint"] if step.breakpoint else []
    if limits:
        yield f"    {', '.join(limits)}"


def _gate(gate: LinkedGate, process: LinkedProcess) -> str:
    origin = "" if gate.declared_by == process.name else f"  (of {gate.declared_by})"
    return f"{gate.name}{f' {_value(dict(gate.inputs))}' if gate.inputs else ''}{origin}"


def _verdict(gate: GateResult) -> str:
    reason = f": {gate.reason}" if gate.reason else ""
    return f"gate {gate.gate} is {'open' if gate.passed else 'closed'}{reason}"


def _value(value: Any) -> str:
    return value if isinstance(value, str) else canonical(value).decode()
