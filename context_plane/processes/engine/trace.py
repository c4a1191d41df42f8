"""Traces: an execution as a tree that a person reads (seed 001, section 4.4), and as JSON.

Here belongs what is shown of records; it adds nothing that is not in them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from context_plane.canonical import canonical
from context_plane.instants import format_instant
from context_plane.processes.engine.state import Execution, GateResult, StepResult
from context_plane.processes.linked import LinkedStep

_MOST: Final = 160
_SIGNS: Final = {True: "✓", False: "✗"}


def tree(execution: Execution) -> Iterator[str]:
    """The lines of the tree: what runs and why, the gates, every step with its gates, inputs, context, model, outcome
    and times."""
    yield from map(_on_one_line, _tree(execution))


def _on_one_line(text: str) -> str:
    """Whatever somebody wrote stays on its line: nobody can write a line of the tree."""
    return "⏎".join(text.splitlines())


def _tree(execution: Execution) -> Iterator[str]:
    process = execution.process
    yield f"{execution.id}  {process.label}  {execution.status}"
    for line in _about(execution):
        yield f"├─ {line}"
    branches = [_process_gate(each) for each in execution.gates if each.step is None]
    branches += [_step(execution, step) for step in process.steps]
    branches.append([_end(execution)])
    for index, branch in enumerate(branches):
        last = index == len(branches) - 1
        yield f"{'└─' if last else '├─'} {branch[0]}"
        for line in branch[1:]:
            yield f"{'  ' if last else '│ '} {line}"


def to_json(execution: Execution) -> dict[str, Any]:
    """The whole trace as JSON: `cortex trace --json`."""
    return {
        "execution": execution.id, "tenant": execution.tenant, "process": execution.process.name,
        "version": execution.process.version, "digest": execution.process.digest,
        "lineage": [list(each) for each in execution.process.lineage], "entity": execution.entity,
        "status": execution.status, "reason": execution.reason, "inputs": execution.inputs,
        "event": execution.event, "known_at": execution.known_at, "created": format_instant(execution.created),
        "updated": format_instant(execution.updated), "seconds": seconds(execution),
        "tokens": tokens(execution), "next_step": execution.next_step, "cut_off": execution.cut_off,
        "pause": execution.pause or None, "gates": [_gate_json(each) for each in execution.gates],
        "steps": [_step_json(each) for each in execution.steps.values()],
    }  # fmt: skip


def seconds(execution: Execution) -> float:
    """From acceptance to the last record, by the wall clock."""
    return round((execution.updated - execution.created) / 1e6, 6)


def tokens(execution: Execution) -> dict[str, int]:
    """Tokens of contexts injected, and of what models were asked and answered."""
    steps = execution.steps.values()
    models = [each.model for each in steps if each.model is not None]
    return {
        "context": sum((each.context or {}).get("tokens") or 0 for each in steps),
        "input": sum(each["input_tokens"] or 0 for each in models),
        "output": sum(each["output_tokens"] or 0 for each in models),
    }


def _about(execution: Execution) -> Iterator[str]:
    yield f"for {execution.entity}"
    if execution.event is not None:
        event = execution.event
        yield f"because of event {event['source']} {event['id']} ({event['type']} of {event['subject']})"
    if execution.inputs:
        yield f"inputs {_short(execution.inputs)}"
    yield f"accepted {format_instant(execution.created)} at log number {execution.known_at}"


def _process_gate(gate: GateResult) -> list[str]:
    return [_gate_line(gate)]


def _gate_line(gate: GateResult) -> str:
    said = f": {gate.reason}" if gate.reason else ""
    given = f" {_short(gate.inputs)}" if gate.inputs else ""
    return f"{_SIGNS[gate.passed]} gate {gate.gate}{given}{said}  {_time(gate.seconds)}"


def _step(execution: Execution, step: LinkedStep) -> list[str]:
    result = execution.steps.get(step.id)
    gates = [_gate_line(each) for each in execution.gates if each.step == step.id]
    if result is None:
        return [
            f"· step {step.id}  {step.action}  {_waiting(execution, step)}",
            *map("  {}".format, gates),
            *_pause(execution, step),
        ]
    sign = _SIGNS[result.status == "done"]
    lines = [f"{sign} step {step.id}  {step.action}  {_time(result.seconds)}{_tries(result)}"]
    return lines + [f"  {line}" for line in (*gates, *_told(result))]


def _waiting(execution: Execution, step: LinkedStep) -> str:
    if execution.paused_before == step.id:
        return "paused"
    if execution.cut_off == step.id or step.id in execution.interrupted:
        return "had begun and was cut off"
    return "not run" if execution.over else "to come"


def _pause(execution: Execution, step: LinkedStep) -> list[str]:
    if execution.paused_before != step.id:
        return []
    found = [f"  inputs {_given(execution.pause['inputs'])}"] if execution.pause.get("inputs") else []
    context = execution.pause.get("context")
    if context:
        found += [f"  {_context_line(context)}", *(f"  | {line}" for line in context.get("text", "").splitlines())]
    if execution.pause.get("error"):
        found.append(f"  error {execution.pause['error']}")
    return found


def _tries(result: StepResult) -> str:
    found = f", attempt {result.attempts}" if result.attempts > 1 else ""
    return found + (", an attempt was cut off: its effects may have happened twice" if result.repeated else "")


def _told(result: StepResult) -> Iterator[str]:
    for failure in result.failures:
        yield f"✗ attempt {failure['attempt']}: {failure['error']}  {_time(failure['seconds'])}"
    if result.command:
        yield f"runs {_short(list(result.command))}"
    if result.inputs:
        yield f"inputs {_given(result.inputs)}"
    if result.context is not None:
        yield _context_line(result.context)
    if result.model is not None:
        yield _model_line(result.model)
    for line in result.lines:
        yield f"said {line[:_MOST]}"
    if result.error:
        yield f"error {result.error}"
    if result.output is not None:
        yield f"output {_short(result.output)}"


def _context_line(context: Mapping[str, Any]) -> str:
    if context.get("edited"):
        return f"context written by hand: {_short(context.get('text', ''))}"
    sections = ", ".join(f"{name} {count}" for name, count in context["sections"].items()) or "empty"
    return f"context {context['tokens']:,} of {context['budget']:,} tokens ({sections}), receipt {context['receipt']}"


def _model_line(model: Mapping[str, Any]) -> str:
    cost = "" if model["cost"] is None else f", ${model['cost']:.6f}"
    asked, answered = model["input_tokens"] or 0, model["output_tokens"] or 0
    spent = f"{asked:,} tokens in, {answered:,} out{cost}, {_time(model['seconds'])}"
    return f"model {model['name']}: {spent} ({model['why']})"


def _end(execution: Execution) -> str:
    spent = tokens(execution)
    told = f", {spent['context']:,} tokens of context" if spent["context"] else ""
    reason = f": {execution.reason}" if execution.reason else ""
    return f"{execution.status}{reason}, {seconds(execution):.3f} s{told}"


def _time(value: float) -> str:
    return f"{value * 1_000:,.1f} ms" if value < 1 else f"{value:,.2f} s"


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else canonical(value).decode()
    text = " ".join(text.split())
    return text if len(text) <= _MOST else f"{text[: _MOST - 1]}…"


def _given(inputs: Mapping[str, Any]) -> str:
    """Inputs without those that are empty, as most defaults are."""
    return _short({name: value for name, value in inputs.items() if value not in ("", [], {}, None)})


def _gate_json(gate: GateResult) -> dict[str, Any]:
    return {
        "gate": gate.gate, "step": gate.step, "passed": gate.passed, "reason": gate.reason, "inputs": gate.inputs,
        "seen": gate.seen, "seconds": gate.seconds, "time": format_instant(gate.at),
    }  # fmt: skip


def _step_json(step: StepResult) -> dict[str, Any]:
    return {
        "id": step.id, "status": step.status, "output": step.output, "error": step.error, "attempts": step.attempts,
        "repeated": step.repeated, "failures": list(step.failures), "inputs": step.inputs, "context": step.context,
        "model": step.model, "command": list(step.command) or None, "lines": list(step.lines),
        "seconds": step.seconds, "time": format_instant(step.at),
    }  # fmt: skip
